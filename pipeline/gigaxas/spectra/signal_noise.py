"""Noise told by the signal itself: read noise, counting noise, uncertainty of the gain (MEASURED 2)."""

from dataclasses import dataclass, field, fields, replace
from typing import Any, Self

import numpy as np

from gigaxas.arrays import BoolArray, FloatArray
from gigaxas.errors import InputError

INDEPENDENT_PIXELS = np.ones((1, 1))
INDEPENDENT_ENERGIES = np.ones(1)
FEWEST_COUNTED = 0.1
"""Counted events below which noise is taken to be that of so many: none at all would have no noise."""


@dataclass(frozen=True, eq=False)
class SignalNoise:
    """Variance = read^2 + gain (s - origin) + flat^2 (s - origin)^2 of a sample s, in the cube's own unit.

    Signals below the origin count as just above it. Raises InputError for numbers that no noise can have.
    """

    read: FloatArray
    """Standard deviation without signal: one number (), or one for each energy (E,)."""
    gain: float = 0.0
    """Variance a unit of signal: 1 for counted events."""
    flat: float = 0.0
    """Standard deviation as a share of the signal."""
    origin: float = 0.0
    """Signal at which counting begins: 0 for an intensity, the lowest level of an absorbance."""
    space: FloatArray = field(default_factory=INDEPENDENT_PIXELS.copy)
    """Correlation (2 r + 1, 2 r + 1) of the noise of a pixel with its neighbours'; 1 in the middle."""
    energy: FloatArray = field(default_factory=INDEPENDENT_ENERGIES.copy)
    """Correlation (lags,) of the noise with that at the next energies; 1 first."""

    def __post_init__(self) -> None:
        read = np.asarray(self.read, dtype=np.float64)
        numbers = np.array([self.gain, self.flat, self.origin])
        if not (np.all(np.isfinite(read)) and np.all(np.isfinite(numbers))):
            raise InputError(f"noise: read {self.read}, gain {self.gain}, flat {self.flat}; expected numbers")
        if np.any(read < 0) or self.gain < 0 or self.flat < 0 or (not read.any() and not numbers[:2].any()):
            raise InputError(
                f"noise: read {self.read}, gain {self.gain:g}, flat {self.flat:g}; expected none below 0 and "
                "one of them above"
            )

    def variance(self, signal: FloatArray) -> FloatArray:
        """Return the variance (..., E) of samples (..., E)."""
        above = np.maximum(np.asarray(signal, dtype=np.float64) - self.origin, FEWEST_COUNTED * self.gain)
        return np.asarray(np.square(self.read) + above * (self.gain + self.flat**2 * above))

    def sigma(self, spectra: FloatArray) -> FloatArray:
        """Return the standard deviation (..., E) of spectra (..., E) in the cube's own unit.

        Raises InputError for a sample that is not finite.
        """
        spectra = np.asarray(spectra, dtype=np.float64)
        bad = np.count_nonzero(~np.isfinite(spectra))
        if bad:
            raise InputError(f"noise: {bad} of {spectra.size} samples are not finite; mask them first")
        return np.asarray(np.sqrt(self.variance(spectra)))

    def sigma_at(self, spectra: Any, low: Any, step: Any) -> FloatArray:
        """Return the sigma of samples; the signal alone tells it, whatever `low` and `step` are."""
        return np.asarray(np.sqrt(self.variance(spectra)))

    def mean_over(self, energies: BoolArray) -> Self:
        """Return noise with the variance that this one has in the mean over some energies (E,)."""
        if np.size(self.read) == 1:
            return self
        return replace(self, read=np.sqrt(np.mean(np.square(self.read[energies]))))

    def levels(self, energies: int) -> FloatArray:
        """Return (4, E) read^2, gain, flat^2 and origin at each of so many energies."""
        numbers = np.square(self.read), self.gain, self.flat**2, self.origin
        return np.stack([np.broadcast_to(np.asarray(number, np.float64), energies) for number in numbers])

    def edge_sigma(self, low: FloatArray, step: FloatArray) -> FloatArray:
        """Return the sigma (...) of a sample of 1, over all energies; the same at any low and step."""
        sigma = np.sqrt(np.mean(self.variance(np.ones(1))))
        return np.full(np.broadcast_shapes(np.shape(low), np.shape(step)), sigma)

    def excess(self, mean: FloatArray, energies: int) -> FloatArray:
        """Return what counting adds to the variance of a chi-square over energies at mean signals (n,).

        Few counts scatter more widely than a normal distribution: the fourth cumulant of gain x Poisson is
        gain^3 x mean.
        """
        mean = np.asarray(mean, dtype=np.float64)
        variance = np.broadcast_to(self.variance(mean[..., None]), (*mean.shape, np.size(self.read)))
        fourth = self.gain**3 * np.maximum(mean - self.origin, 0.0)
        return np.asarray(energies * np.mean(fourth[..., None] / np.maximum(variance, 1e-300) ** 2, axis=-1))

    def draw(self, spectra: FloatArray, generator: np.random.Generator) -> FloatArray:
        """Return spectra (..., E) with independent noise drawn on every sample."""
        spectra = np.asarray(spectra, dtype=np.float64)
        return spectra + self.sigma(spectra) * generator.standard_normal(spectra.shape)

    def scaled(self, factor: float) -> Self:
        """Return the noise whose standard deviation is larger by a factor."""
        return replace(
            self, read=np.asarray(self.read) * factor, gain=self.gain * factor**2, flat=self.flat * factor
        )

    def rounded(self) -> Self:
        """Return the noise with nine digits: what follows depends on how sums are shared out to threads."""
        scale = float(np.max(np.abs(self.read)))
        return replace(
            self,
            read=_nine_digits(self.read, scale),
            gain=float(_nine_digits(self.gain, self.gain)),
            flat=float(_nine_digits(self.flat, self.flat)),
            origin=float(_nine_digits(self.origin, self.origin)),
            space=_nine_digits(self.space, 1.0),
            energy=_nine_digits(self.energy, 1.0),
        )

    def record(self) -> dict[str, Any]:
        """Return the numbers by name, arrays as lists."""
        return {part.name: np.asarray(getattr(self, part.name)).tolist() for part in fields(self)}

    @classmethod
    def from_record(cls, record: dict[str, Any]) -> Self:
        """Return the noise of such a record. Raises InputError where it holds none."""
        try:
            read, space, energy = (
                np.array(record[name], dtype=np.float64) for name in ("read", "space", "energy")
            )
            gain, flat, origin = (float(record[name]) for name in ("gain", "flat", "origin"))
            return cls(read, gain, flat, origin, space, energy)
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(
                f"noise: {error!r}; expected read, gain, flat, origin, space and energy"
            ) from None


def _nine_digits(values: Any, scale: float) -> FloatArray:
    """Return values of this scale with nine digits."""
    if scale == 0.0:
        return np.asarray(values, dtype=np.float64)
    return np.asarray(np.round(np.asarray(values, dtype=np.float64), 8 - int(np.floor(np.log10(abs(scale))))))
