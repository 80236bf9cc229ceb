"""The camera's noise: that of a count, of an absorbance and of a normalised spectrum.

The variance of N counts is A N - B, that of their logarithm (A N - B) / N^2 ([I] Eq. 3, whose sign is a
misprint). Below B / A counts the model has no value; where read noise makes B negative, it has one for all
counts above 0. These formulas stand here and nowhere else.
"""

import math
from dataclasses import asdict, dataclass, replace
from typing import Any, Protocol, Self

import numpy as np
from numba.extending import register_jitable
from numpy.typing import ArrayLike

from gigaxas.arrays import BoolArray, FloatArray
from gigaxas.errors import InputError

CAMERA_A = 9.3131
CAMERA_B = 63.003
SIGNIFICANT_STEP = 5.0
"""Times its own noise that an edge step must be; below, the pixel holds no usable element and is void."""
NO_CORRELATION = 0.03
"""Correlation that the measurement of noise cannot tell from none."""
FEWEST_COUNTS = 2.0
"""A sample darker than this many times the camera's lowest count is taken to be as dark as that."""
FEWEST_OF_BEAM = 1e-12
"""Likewise for this share of the reference counts, where read noise leaves the camera no lowest count."""


class Noise(Protocol):
    """What every decision takes its noise from: the spread of a sample, in the unit of the spectra."""

    @property
    def space(self) -> FloatArray:
        """Correlation (2 r + 1, 2 r + 1) of the noise of a pixel with its neighbours'; 1 in the middle."""
        ...

    @property
    def energy(self) -> FloatArray:
        """Correlation (lags,) of the noise with that at the next energies; 1 first."""
        ...

    def excess(self, mean: FloatArray, energies: int) -> FloatArray:
        """Return what counting adds to the variance of a chi-square over energies at mean signals (n,)."""
        ...

    def sigma(self, spectra: FloatArray) -> FloatArray:
        """Return the standard deviation (..., E) of the samples of spectra (..., E)."""
        ...

    def sigma_at(self, spectra: Any, low: Any, step: Any) -> FloatArray:
        """Return the same for pixels of this absorbance before the edge and this edge step; no error."""
        ...

    def mean_over(self, energies: BoolArray) -> Self:
        """Return noise with the variance that this one has in the mean over some energies (E,)."""
        ...

    def levels(self, energies: int) -> FloatArray:
        """Return (4, E) read^2, gain, flat^2, origin, where the signal alone tells the noise, else (4, 0)."""
        ...

    def edge_sigma(self, low: FloatArray, step: FloatArray) -> FloatArray:
        """Return the sigma (...) of a sample of 1, as after the edge, at this low and step (...)."""
        ...

    def draw(self, spectra: FloatArray, generator: np.random.Generator) -> FloatArray:
        """Return spectra (..., E) with this noise drawn on every sample."""
        ...

    def scaled(self, factor: float) -> Self:
        """Return the noise whose standard deviation is larger by a factor."""
        ...

    def record(self) -> dict[str, Any]:
        """Return the numbers of the noise by name, as JSON takes them."""
        ...


def mean_share(space: FloatArray, side: int) -> float:
    """Return the variance of the mean of side x side pixels over that of one pixel.

    `space` (2 r + 1, 2 r + 1) is the correlation of the noise of a pixel with its neighbours'.
    """
    radius = space.shape[0] // 2
    pairs = np.maximum(side - np.abs(np.arange(-radius, radius + 1)), 0)
    return max(float(pairs @ space @ pairs) / side**4, 1.0 / side**4)


def smooth_share(energy: FloatArray) -> float:
    """Return the variance of a sum over many energies over what it is where their noise is independent.

    `energy` (lags,) is the correlation of the noise with that at the next energies. The weights of the sum
    vary slowly, as the difference of two phases does.
    """
    small = np.flatnonzero(np.abs(energy) < NO_CORRELATION)
    shared = energy[1 : small[0] if small.size else energy.size]
    return max(1.0 + 2.0 * float(shared.sum()), 1.0)


@register_jitable
def count_variance(counts: Any, a: Any, b: Any) -> Any:
    """Return the variance a N - b of N counts; numbers or arrays, in Python and in kernels."""
    return a * counts - b


@register_jitable
def log_variance(counts: Any, a: Any, b: Any) -> Any:
    """Return the variance (a N - b) / N^2 of the logarithm of N counts; as `count_variance`."""
    return count_variance(counts, a, b) / counts**2


@register_jitable
def absorbance_variance(c_ref: Any, c_trans: Any, a: Any, b: Any) -> Any:
    """Return the variance of mu = ln(c_ref / c_trans), that of both logarithms; as `count_variance`."""
    return log_variance(c_ref, a, b) + log_variance(c_trans, a, b)


def lowest_count(a: float, b: float) -> float:
    """Return the count b / a below which the variance a N - b has no value, not less than 0."""
    return max(b / a, 0.0)


@dataclass(frozen=True)
class NoiseModel:
    """Noise of a normalised spectrum at one working point: that of a camera, sigma(N) = sqrt(A N - B) counts.

    Raises:
        InputError: No positive edge step is left, or a count lies below the camera's lowest, B / A.
    """

    c_ref: float
    """Mean reference count."""
    mu_low: float
    """Mean absorbance of the pre-edge region."""
    mu_high: float
    """Mean absorbance of the post-edge region."""
    a: float = CAMERA_A
    """The camera's A: sigma(N) = sqrt(A N - B) counts."""
    b: float = CAMERA_B
    """The camera's B; negative for read noise, A N - B = A N + read^2."""

    def __post_init__(self) -> None:
        values = (self.c_ref, self.mu_low, self.mu_high, self.a, self.b)
        if not all(math.isfinite(value) for value in values):
            raise InputError(f"noise model: {self} holds a number that is not finite; give five real numbers")
        if self.a <= 0:
            raise InputError(f"noise model: a = {self.a:g}; it must be positive: calibrate the camera again")
        if self.mu_high <= self.mu_low:
            raise InputError(
                f"noise model: mu_high = {self.mu_high:g} is not above mu_low = {self.mu_low:g}; the edge "
                "step must be positive: give the mean absorbance after and before the edge, in that order"
            )
        counts = self.c_ref * np.exp([0.0, -self.mu_low, -self.mu_high])
        check_counts(counts, self.a, self.b, "the working point")

    @classmethod
    def measured(
        cls,
        c_ref: ArrayLike,
        mu_low: ArrayLike,
        mu_high: ArrayLike,
        a: float = CAMERA_A,
        b: float = CAMERA_B,
    ) -> Self:
        """Return the model at the mean working point of a cube's maps (any shapes; NaN marks void pixels)."""
        return cls(
            _map_mean("c_ref", c_ref), _map_mean("mu_low", mu_low), _map_mean("mu_high", mu_high), a, b
        )

    @property
    def lowest_count(self) -> float:
        """The count below which the camera model has no value; 0 where read noise makes B negative."""
        return lowest_count(self.a, self.b)

    @property
    def space(self) -> FloatArray:
        """The pixels of a camera are independent."""
        return np.ones((1, 1))

    @property
    def energy(self) -> FloatArray:
        """So are its frames."""
        return np.ones(1)

    def excess(self, mean: FloatArray, energies: int) -> FloatArray:
        """Counts of a camera are many enough to be normal."""
        return np.zeros(np.shape(mean))

    @property
    def edge_step(self) -> float:
        """The absorbance that a normalised value of 1 stands for."""
        return self.mu_high - self.mu_low

    def counts(self, spectra: FloatArray) -> FloatArray:
        """Return the transmitted counts (..., E) that normalised spectra (..., E) stand for."""
        mu = np.asarray(spectra, dtype=np.float64) * self.edge_step + self.mu_low
        with np.errstate(over="ignore"):  # an absurd absorbance becomes an infinite count, which is refused
            return np.asarray(self.c_ref * np.exp(-mu))

    def normalised(self, c_ref: FloatArray, c_trans: FloatArray) -> FloatArray:
        """Return the normalised spectra (..., E) of measured counts (..., E), the inverse of `counts`."""
        return np.asarray((np.log(c_ref / c_trans) - self.mu_low) / self.edge_step)

    def sigma(self, spectra: FloatArray) -> FloatArray:
        """Return the standard deviation (..., E) of normalised absorbance (..., E), in its own units.

        Raises InputError for a sample that is not finite or whose transmitted count is below B / A.
        """
        spectra = np.asarray(spectra, dtype=np.float64)
        bad = np.count_nonzero(~np.isfinite(spectra))
        if bad:
            raise InputError(f"noise: {bad} of {spectra.size} samples are not finite; mask them first")
        noise = sigma_absorbance(np.asarray(self.c_ref), self.counts(spectra), self.a, self.b)
        return np.asarray(noise / self.edge_step)

    def sigma_at(self, spectra: Any, low: Any, step: Any) -> FloatArray:
        """Return the sigma of normalised samples of pixels, [I] Eq. 3 with METHOD's sign; shapes that fit.

        `low` is the mean absorbance of the pixels before the edge, `step` their edge step.
        """
        absorbance = np.asarray(spectra, dtype=np.float64) * step + low
        fewest = max(FEWEST_COUNTS * self.lowest_count, FEWEST_OF_BEAM * self.c_ref)
        counts = np.maximum(self.c_ref * np.exp(-absorbance), fewest)
        return np.asarray(np.sqrt(absorbance_variance(self.c_ref, counts, self.a, self.b)) / step)

    def mean_over(self, energies: BoolArray) -> Self:
        """Return itself: a camera's noise is the same at all energies."""
        return self

    def levels(self, energies: int) -> FloatArray:
        """Return (4, 0): the noise of normalised absorbance is that of the working point."""
        return np.empty((4, 0))

    def edge_sigma(self, low: FloatArray, step: FloatArray) -> FloatArray:
        """Return the sigma (...) of a sample of 1, which stands for an absorbance of low + step (...)."""
        return self.sigma_at(1.0, low, step)

    def draw(self, spectra: FloatArray, generator: np.random.Generator) -> FloatArray:
        """Return normalised spectra (..., E) with noise drawn on both of their counts.

        Raises InputError where noise carries a count to 0 or below the camera's lowest.
        """
        c_trans = self.counts(spectra)
        c_ref = np.full_like(c_trans, self.c_ref)
        noisy = [
            counts + sigma_counts(counts, self.a, self.b) * generator.standard_normal(counts.shape)
            for counts in (c_ref, c_trans)
        ]
        fewest = min(counts.min() for counts in noisy)
        if fewest < self.lowest_count or fewest <= 0:
            raise InputError(
                f"noise carries counts to 0 or below the camera's lowest count of {self.lowest_count:.4g}: "
                "the working point is too dark for its error rate to be measured; give more counts"
            )
        return self.normalised(*noisy)

    def scaled(self, factor: float) -> Self:
        """Return the model with the light that makes its noise larger by a factor."""
        return replace(self, c_ref=self.c_ref / factor**2)

    def record(self) -> dict[str, Any]:
        """Return the five numbers by name."""
        return asdict(self)


def sigma_absorbance(
    c_ref: ArrayLike, c_trans: ArrayLike, a: float = CAMERA_A, b: float = CAMERA_B
) -> FloatArray:
    """Return the standard deviation of mu = ln(c_ref / c_trans) for counts of any matching shapes.

    Raises InputError below b / a counts.
    """
    reference = np.asarray(c_ref, dtype=np.float64)
    transmitted = np.asarray(c_trans, dtype=np.float64)
    check_counts(reference, a, b, "the reference image")
    check_counts(transmitted, a, b, "the transmitted image")
    return np.asarray(np.sqrt(absorbance_variance(reference, transmitted, a, b)))


def has_edge(
    c_ref: ArrayLike,
    mu_low: ArrayLike,
    mu_high: ArrayLike,
    samples: tuple[int, int],
    a: float = CAMERA_A,
    b: float = CAMERA_B,
) -> BoolArray:
    """Return which pixels have a significant edge step, SIGNIFICANT_STEP times its own noise, as a map.

    The maps have matching shapes; `samples` energies were averaged into mu_low and into mu_high. A pixel with
    a value that is not finite or a count that is 0 or below b / a has none.
    """
    reference, low, high = np.broadcast_arrays(
        *(np.asarray(m, dtype=np.float64) for m in (c_ref, mu_low, mu_high))
    )
    seen = np.isfinite(reference) & np.isfinite(low) & np.isfinite(high)
    with np.errstate(over="ignore", invalid="ignore"):
        for mu in (0.0, low, high):
            counts = reference * np.exp(-np.asarray(mu))
            seen = seen & (counts >= lowest_count(a, b)) & (counts > 0)
    edge = np.zeros(seen.shape, dtype=np.bool_)
    c, low, high = reference[seen], low[seen], high[seen]
    variance = sum(
        sigma_absorbance(c, c * np.exp(-mu), a, b) ** 2 / count
        for mu, count in zip((low, high), samples, strict=True)
    )
    edge[seen] = high - low >= SIGNIFICANT_STEP * np.sqrt(variance)
    return edge


def sigma_counts(counts: ArrayLike, a: float = CAMERA_A, b: float = CAMERA_B) -> FloatArray:
    """Return the camera's standard deviation sqrt(a N - b) for counts N; InputError below b / a."""
    values = np.asarray(counts, dtype=np.float64)
    check_counts(values, a, b, "the image")
    return np.asarray(np.sqrt(np.maximum(count_variance(values, a, b), 0.0)))


def check_counts(counts: FloatArray, a: float, b: float, where: str) -> None:
    """Raise InputError when a count is below b / a, where the camera model has no value, 0 or not finite."""
    lowest = lowest_count(a, b)
    bad = ~(np.isfinite(counts) & (counts > 0) & (counts >= lowest))
    if np.any(bad):
        worst = float(np.min(np.where(np.isnan(counts), -np.inf, counts)[bad]))
        raise InputError(
            f"noise: {np.count_nonzero(bad)} of {counts.size} counts of {where} are not finite, 0 or below "
            f"the camera's lowest count of {lowest:.4g} (found {worst:.4g}); mask them or use a thinner "
            "absorber"
        )


def _map_mean(name: str, values: ArrayLike) -> float:
    samples = np.asarray(values, dtype=np.float64)
    valid = samples[np.isfinite(samples)]
    if valid.size == 0:
        raise InputError(f"noise: the map {name} holds no finite value; the cube has no valid pixel")
    return float(valid.mean())
