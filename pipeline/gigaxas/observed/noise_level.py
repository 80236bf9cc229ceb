"""The level of the noise, found on the data: what a uniform window shows, how far the camera model is off."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtri, ndtri

from gigaxas.arrays import FloatArray
from gigaxas.errors import InputError
from gigaxas.observed.pixels import mark_of, standardise_pixels
from gigaxas.observed.windows import Panel, add_row, panels_of
from gigaxas.spectra.noise import Noise, mean_share, smooth_share
from gigaxas.spectra.noise_correlation import (
    correlation_matrix,
    neighbour_products,
    quiet_differences,
    sure_correlation,
)

LOWEST_SIGNAL = 0.5
"""Share of a pixel's squares that must be spectrum, not noise, for it to tell anything of the noise level."""
MOST_CONTRAST, MOST_COHERENCE = 4.0, 0.3
"""Contrast as a multiple of what the noise's correlation between neighbours makes, and coherence beside what
its correlation along energy makes, beyond which a window is a mixture, however common it is."""
MODE_SHARE = 0.2
"""Share of the values whose shortest interval holds the mode."""
FEWEST_WINDOWS = 20
"""Windows without which no level is told."""


@dataclass(frozen=True)
class WindowSample:
    """What the n whole windows of a small area show."""

    statistics: FloatArray
    """(n, 3) scatter a pixel but one, contrast (1 for independent noise) and coherence (over scatter)."""
    spectrum: FloatArray
    """(E,) sum of the mean spectra of the windows with a spectrum, in the samples' own unit."""
    count: float
    """Number of windows in this sum."""
    products: FloatArray
    """(n, n) sums of the products of the noise of a pixel with its neighbours', see `neighbour_products`."""
    samples: FloatArray
    """(n, n) samples in these sums."""


@dataclass(frozen=True)
class NoiseLevel:
    """What noise alone does to a window of k_size x k_size pixels, in standardised spectra of length 1."""

    k_size: int
    """Side of a window."""
    p_num: int
    """Pixels of one label that the clean-up wants in a window."""
    error: float
    """Probability with which a uniform window exceeds each of the limits."""
    profile: FloatArray
    """(E,) the camera model's variance at each energy, as a share of the whole."""
    variance: float
    """Variance of a pixel summed over the energies, as measured."""
    model: float
    """The same as the camera model says."""
    space: FloatArray
    """(n, n) correlation of the noise of a pixel with its neighbours', 1 in the middle, as measured."""
    energy: FloatArray
    """(lags,) correlation of the noise with that at the next energies, 1 first."""
    contrast: float
    """Usual contrast over smooth scatter, 1 for noise that is independent from pixel to pixel."""
    contrast_limit: float
    """What a uniform window's contrast stays below."""
    coherence: float
    """Usual coherence over scatter, 0 for noise that is independent from energy to energy."""
    coherence_limit: float
    """What a uniform window's coherence stays below."""
    windows: int
    """Number of sample windows with a spectrum."""

    @property
    def scale(self) -> float:
        """The measured noise over the camera model's, as a ratio of standard deviations."""
        return float(np.sqrt(self.variance / self.model))

    @property
    def spread(self) -> float:
        """How many times the variance of independent noise a window's mean has, as neighbours share some."""
        return max(1.0, mean_share(self.space, self.k_size) * self.k_size**2)

    @property
    def wide_spread(self) -> float:
        """The same of the mean of an area much larger than the reach of the noise's correlation."""
        return max(1.0, float(self.space.sum()))

    @property
    def scatter(self) -> float:
        """Squares about a window's mean, over the variance of a pixel and the pixels but one."""
        return scatter_share(self.space, self.k_size)

    @property
    def smooth(self) -> float:
        """How many times the variance of independent noise a difference that is smooth in energy has."""
        return smooth_share(self.energy)

    @property
    def freedom(self) -> float:
        """The energies that count, given that their noise differs and is correlated: (tr C)^2 / tr C^2."""
        return float(1.0 / np.sum(_covariance(self.profile, self.energy) ** 2))

    def tail(self, windows: int) -> float:
        """Return how many times its usual square the noise of a mean has at most among so many windows."""
        return float(chdtri(self.freedom, self.error / max(1, windows))) / self.freedom


def sample_windows(image: NDArray[Any], k_size: int, invalid: int | None = None) -> WindowSample:
    """Return what the whole windows of a small image (E, h, w) show of the noise."""
    whole = np.ascontiguousarray(image)
    energies, height, width = image.shape
    found, spectrum, count = [np.empty((0, 3))], np.zeros(energies), 0
    for panel in panels_of(energies, width, image.dtype, k_size, k_size**2):
        for y in range(height):
            if add_row(panel, whole, y, y, mark_of(invalid)):
                statistics, total, telling = _sample_row(panel)
                found.append(statistics)
                spectrum += total
                count += telling
    valid = standardise_pixels(image, k_size, invalid).valid[:, :width]
    products = neighbour_products(quiet_differences(np.asarray(image, np.float64), valid), valid)
    return WindowSample(np.concatenate(found), spectrum, count, *products)


def _sample_row(panel: Panel) -> tuple[FloatArray, FloatArray, int]:
    """Return the statistics (n, 3) of a row's whole windows, and the sum (E,) of so many mean spectra."""
    row, whole, unit = panel.row, panel.k_size**2, panel.pixels.unit
    full = (row.pixels == whole) & (row.scatter > 0) & (row.smooth > 0)
    scatter = row.scatter[full]
    variance = scatter / (whole - 1) / unit**2
    usual = contrast_unit(panel.k_size) / (whole - 1)
    ratios = row.contrast[full] / row.smooth[full] / usual, row.coherence[full] / scatter
    telling = np.flatnonzero(full)[variance < 1.0 - LOWEST_SIGNAL]
    shape = row.total[:, telling].astype(np.float64) / (whole * unit)
    spectrum = (shape * (row.length[telling] / whole) + row.mean[telling] / whole).sum(axis=1)
    return np.stack([variance, *ratios], axis=1), spectrum, telling.size


def level_of_samples(
    samples: Sequence[WindowSample],
    noise: Noise,
    k_size: int,
    p_num: int,
    error: float,
    scale: float = 1.0,
    offset: float = 0.0,
) -> NoiseLevel:
    """Return the level that the windows of all sample areas show.

    A sample x is the absorbance x * scale + offset. Raises InputError as `find_level`.
    """
    statistics = np.concatenate([one.statistics for one in samples])
    total = np.sum([one.spectrum for one in samples], axis=0)
    count = max(sum(one.count for one in samples), 1.0)
    products, neighbours = (
        np.sum([getattr(one, name) for one in samples], axis=0) for name in ("products", "samples")
    )
    space = sure_correlation(products, neighbours)
    return find_level(statistics, total / count * scale + offset, noise, space, k_size, p_num, error)


def find_level(
    statistics: FloatArray,
    spectrum: FloatArray,
    noise: Noise,
    space: FloatArray,
    k_size: int,
    p_num: int,
    error: float,
) -> NoiseLevel:
    """Find the level from the statistics of sample windows (n, 3), see `WindowSample`.

    `spectrum` (E,) is the mean normalised absorbance of the windows, `space` (n, n) the correlation of the
    noise between neighbours. The usual value of each statistic is the mode, so that edges and textures
    between phases, however many, do not shift it.
    Raises InputError where too few windows hold a spectrum, or just one phase.
    """
    telling = statistics[statistics[:, 0] < 1.0 - LOWEST_SIGNAL]
    if len(telling) < FEWEST_WINDOWS:
        raise InputError(
            f"sites.from: found {len(telling)} windows of {k_size} x {k_size} pixels with a spectrum, "
            f"expected at least {FEWEST_WINDOWS}; set sites.from: library, or give a cube of a larger area"
        )
    profile, model = noise_profile(noise, spectrum)
    contrast_spread, coherence_spread = _spreads(profile, noise.energy, space, k_size)
    expected, coherent = noise_contrast(space, k_size), _noise_coherence(profile, noise.energy)
    contrast = float(np.exp(mode(np.log(np.maximum(telling[:, 1], 1e-12)))))
    contrast = min(max(contrast, expected), MOST_CONTRAST * expected)
    even = telling[telling[:, 1] <= contrast * (1.0 + 2.0 * contrast_spread)]
    most = coherent + MOST_COHERENCE
    coherence = min(mode(even[:, 2]), most) if len(even) else most
    uniform = even[even[:, 2] <= coherence + 2.0 * coherence_spread]
    if len(uniform) < FEWEST_WINDOWS:
        raise InputError(
            f"sites.from: found {len(uniform)} windows of {k_size} x {k_size} pixels that hold one phase, "
            f"expected at least {FEWEST_WINDOWS}; set sites.from: library"
        )
    freedom = 2.0 / contrast_spread**2
    return NoiseLevel(
        k_size=k_size,
        p_num=p_num,
        error=error,
        profile=profile,
        variance=mode(uniform[:, 0]) / scatter_share(space, k_size),
        model=model,
        space=space,
        energy=noise.energy,
        contrast=contrast,
        contrast_limit=contrast * float(chdtri(freedom, error)) / freedom,
        coherence=coherence,
        coherence_limit=coherence - float(ndtri(error)) * coherence_spread,
        windows=len(telling),
    )


def noise_profile(noise: Noise, spectrum: FloatArray) -> tuple[FloatArray, float]:
    """Return a standardised spectrum's variance at each energy, as shares (E,), and their sum.

    `spectrum` (E,) is normalised absorbance. Raises InputError for counts below the camera's lower bound.
    """
    variance = noise.sigma(spectrum) ** 2 / np.sum((spectrum - spectrum.mean()) ** 2)
    whole = float(variance.sum())
    return np.asarray(variance / whole), whole


def contrast_unit(k_size: int) -> float:
    """Return the contrast over the variance of smoothed noise that independent noise gives in the mean."""
    half = k_size // 2
    return 2.0 * k_size * sum((j - half) ** 2 for j in range(k_size))


def scatter_share(space: FloatArray, k_size: int) -> float:
    """Return a window's squares about its mean over those of independent noise (n, n: see `NoiseLevel`)."""
    pixels = k_size**2
    return (1.0 - mean_share(space, k_size)) * pixels / (pixels - 1)


def noise_contrast(space: FloatArray, k_size: int) -> float:
    """Return the mean contrast over smooth scatter of a window of noise of this correlation (n, n)."""
    radius = space.shape[0] // 2
    evenly = _pair_products(np.ones(k_size), radius)
    sloped = _pair_products(np.arange(k_size, dtype=np.float64) - k_size // 2, radius)
    moments = sloped @ space @ evenly + evenly @ space @ sloped
    return float(moments / contrast_unit(k_size) / scatter_share(space, k_size))


def _pair_products(weights: FloatArray, radius: int) -> FloatArray:
    """Return the sums (2 radius + 1,) of the products of weights (n,) so many places apart."""
    products = np.correlate(weights, weights, "full")
    there = np.abs(np.arange(-radius, radius + 1))
    reached = products[np.minimum(there, len(weights) - 1) + len(weights) - 1]
    return np.asarray(np.where(there < len(weights), reached, 0.0))


def mode(values: FloatArray) -> float:
    """Return the middle of the shortest interval that holds MODE_SHARE of the values (n,)."""
    ordered = np.sort(values)
    share = max(2, round(MODE_SHARE * ordered.size))
    if ordered.size <= share:
        return float(np.median(ordered))
    widths = ordered[share - 1 :] - ordered[: ordered.size - share + 1]
    start = int(np.argmin(widths))
    return float(np.median(ordered[start : start + share]))


def _covariance(profile: FloatArray, energy: FloatArray) -> FloatArray:
    """Return the covariance (E, E) of noise of a variance `profile` (E,) correlated in energy (lags,)."""
    deviation = np.sqrt(profile)
    return deviation[:, None] * correlation_matrix(energy, len(profile)) * deviation


def _noise_coherence(profile: FloatArray, energy: FloatArray) -> float:
    """Return the coherence over scatter that noise of this profile (E,) and correlation (lags,) has."""
    covariance = _covariance(profile, energy)
    return float(np.trace(covariance, 2) + np.trace(covariance, 3))


def _spreads(profile: FloatArray, energy: FloatArray, space: FloatArray, k_size: int) -> tuple[float, float]:
    """Return the deviations of a uniform window's contrast (relative) and coherence (over scatter).

    Both are quadratic forms of normal noise, whose variance is 2 tr (A C)^2; two independent moments add.
    """
    covariance = _covariance(profile, energy)
    count = len(profile)
    steps = np.subtract.outer(np.arange(count), np.arange(count))
    three = (np.abs(steps) <= 1).astype(np.float64)
    smoothed = three @ covariance @ three
    apart = 0.5 * np.isin(np.abs(steps), (2, 3)) @ covariance
    contrast = np.sqrt(np.sum(smoothed**2)) / np.trace(smoothed)
    coherence = np.sqrt(2.0 * np.sum(apart * apart.T) / _independent(space, k_size))
    return float(contrast), float(coherence)


def _independent(space: FloatArray, k_size: int) -> float:
    """Return how many independent deviations a window's squares about its mean are worth."""
    far = np.pad(space, k_size)
    middle = far.shape[0] // 2
    y, x = (np.subtract.outer(axis, axis) for axis in np.indices((k_size, k_size)).reshape(2, -1))
    about = np.eye(k_size**2) - 1.0 / k_size**2
    shared = about @ far[y + middle, x + middle] @ about
    return float(np.trace(shared) ** 2 / np.sum(shared**2))
