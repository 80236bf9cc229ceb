"""The level of the noise, found on the data: what a uniform window shows, how far the camera model is off."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtri, ndtri

from gigaxas.arrays import FloatArray
from gigaxas.errors import InputError
from gigaxas.observed.windows import move_to, standardise_pixels, strip_of
from gigaxas.spectra.noise import Noise

LOWEST_SIGNAL = 0.5
"""Share of a pixel's squares that must be spectrum, not noise, for it to tell anything of the noise level."""
MOST_CONTRAST, MOST_COHERENCE = 4.0, 0.3
"""More of these is no noise, however it was blurred or interpolated: then all windows are mixtures."""
MODE_SHARE = 0.2
"""Share of the values whose shortest interval holds the mode."""
FEWEST_WINDOWS = 20
"""Windows without which no level is told."""


@dataclass(frozen=True)
class WindowSample:
    """What the n whole windows of a small area show."""

    statistics: FloatArray
    """(n, 3) variance of a pixel, contrast (1 for independent noise) and coherence (over scatter)."""
    spectrum: FloatArray
    """(E,) sum of the mean spectra of the windows with a spectrum, in the samples' own unit."""
    count: float
    """Number of windows in this sum."""


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
        return max(1.0, self.contrast)

    @property
    def freedom(self) -> float:
        """The energies that count, given that their noise differs: (sum v)^2 / sum v^2."""
        return float(1.0 / np.sum(self.profile**2))


def sample_windows(image: NDArray[Any], k_size: int, invalid: int | None = None) -> WindowSample:
    """Return what the whole windows of a small image (E, h, w) show of the noise."""
    pixels = standardise_pixels(image, k_size, invalid)
    found, spectrum, count = [np.empty((0, 3))], np.zeros(image.shape[0]), 0.0
    whole = k_size * k_size
    usual = contrast_unit(k_size) / (whole - 1)
    strip = strip_of(pixels, k_size, whole)
    row = strip.row
    for y in range(strip.rows):
        move_to(strip, y)
        full = (row.pixels == whole) & (row.scatter > 0) & (row.smooth > 0)
        scatter = row.scatter[full]
        variance = scatter / (whole - 1) / pixels.unit**2
        ratios = row.contrast[full] / row.smooth[full] / usual, row.coherence[full] / scatter
        found.append(np.stack([variance, *ratios], axis=1))
        telling = np.flatnonzero(full)[variance < 1.0 - LOWEST_SIGNAL]
        shape = row.total[:, telling].astype(np.float64) / (whole * pixels.unit)
        spectrum += (shape * (row.length[telling] / whole) + row.mean[telling] / whole).sum(axis=1)
        count += telling.size
    return WindowSample(np.concatenate(found), spectrum, count)


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
    return find_level(statistics, total / count * scale + offset, noise, k_size, p_num, error)


def find_level(
    statistics: FloatArray, spectrum: FloatArray, noise: Noise, k_size: int, p_num: int, error: float
) -> NoiseLevel:
    """Find the level from the statistics of sample windows (n, 3), see `WindowSample`.

    `spectrum` (E,) is the mean normalised absorbance of the windows. The usual value of each statistic is the
    mode, so that edges and textures between phases, however many, do not shift it.
    Raises InputError where too few windows hold a spectrum, or just one phase.
    """
    telling = statistics[statistics[:, 0] < 1.0 - LOWEST_SIGNAL]
    if len(telling) < FEWEST_WINDOWS:
        raise InputError(
            f"sites.from: found {len(telling)} windows of {k_size} x {k_size} pixels with a spectrum, "
            f"expected at least {FEWEST_WINDOWS}; set sites.from: library, or give a cube of a larger area"
        )
    profile, model = noise_profile(noise, spectrum)
    contrast_spread, coherence_spread = _spreads(profile, k_size * k_size)
    contrast = min(float(np.exp(mode(np.log(np.maximum(telling[:, 1], 1e-12))))), MOST_CONTRAST)
    even = telling[telling[:, 1] <= contrast * (1.0 + 2.0 * contrast_spread)]
    coherence = min(mode(even[:, 2]), MOST_COHERENCE) if len(even) else MOST_COHERENCE
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
        variance=mode(uniform[:, 0]),
        model=model,
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


def mode(values: FloatArray) -> float:
    """Return the middle of the shortest interval that holds MODE_SHARE of the values (n,)."""
    ordered = np.sort(values)
    share = max(2, round(MODE_SHARE * ordered.size))
    if ordered.size <= share:
        return float(np.median(ordered))
    widths = ordered[share - 1 :] - ordered[: ordered.size - share + 1]
    start = int(np.argmin(widths))
    return float(np.median(ordered[start : start + share]))


def _spreads(v: FloatArray, pixels: int) -> tuple[float, float]:
    """Return the deviations of a uniform window's contrast (relative) and coherence (over scatter)."""
    one, two, three = (np.sum(v[step:] * v[:-step]) for step in (1, 2, 3))
    # The smoothed squares are a quadratic form with 3, 2, 1 on its diagonals; two independent moments add.
    contrast = np.sqrt((9.0 * np.sum(v * v) + 8.0 * one + 2.0 * two) / 9.0)
    coherence = np.sqrt((two + three) / (pixels - 1))
    return float(contrast), float(coherence)
