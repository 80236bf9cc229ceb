"""The level of the noise, found on the data: what a uniform window shows, how far the camera model is off."""

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri
from scipy.stats import chi2

from gigaxas.arrays import FloatArray
from gigaxas.errors import InputError
from gigaxas.spectra.noise import NoiseModel

ROOM = 6.0
"""Times its usual variance that a window's noise may have: thickness and light that vary by a factor of two,
and more."""
LOWEST_SIGNAL = 0.5
"""Share of a pixel's squares that must be spectrum, not noise, for it to tell anything of the noise level."""
MOST_CONTRAST, MOST_COHERENCE = 4.0, 0.3
"""More of these is no noise, however it was blurred or interpolated: then all windows are mixtures."""
_MODE_SHARE = 0.2
_FEWEST = 20


@dataclass(frozen=True)
class Level:
    """What noise alone does to a window of k_size x k_size pixels, in standardised spectra of length 1.

    profile (E,) is the camera model's variance at each energy, as a share of the whole; variance the whole,
    as measured; model what the camera model says it is; contrast and coherence are the usual values of these
    two (see `windows`) over smooth and over scatter, their limits what a uniform window passes at `error`.
    """

    k_size: int
    p_num: int
    error: float
    profile: FloatArray
    variance: float
    model: float
    contrast: float
    contrast_limit: float
    coherence: float
    coherence_limit: float
    windows: int

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


def noise_profile(noise: NoiseModel, spectrum: FloatArray) -> tuple[FloatArray, float]:
    """Return a standardised spectrum's variance at each energy, as shares (E,), and their sum.

    `spectrum` (E,) is normalised absorbance. Raises InputError below the camera's floor.
    """
    variance = noise.sigma(spectrum) ** 2 / np.sum((spectrum - spectrum.mean()) ** 2)
    whole = float(variance.sum())
    return np.asarray(variance / whole), whole


def find_level(
    probed: FloatArray, spectrum: FloatArray, noise: NoiseModel, k_size: int, p_num: int, error: float
) -> Level:
    """Find the level from probed windows (n, 3): noise variance, contrast and coherence over scatter.

    `spectrum` (E,) is the mean normalised absorbance of the probed windows. The usual value of each is the
    mode, so that edges and textures between phases, however many, do not shift it.
    Raises InputError where too few windows hold a spectrum, or just one.
    """
    probed = probed[probed[:, 0] < 1.0 - LOWEST_SIGNAL]
    if len(probed) < _FEWEST:
        raise InputError(
            f"sites.from: found {len(probed)} windows of {k_size} x {k_size} pixels with a spectrum, "
            f"expected at least {_FEWEST}; set sites.from: library, or give a cube of a larger area"
        )
    profile, model = noise_profile(noise, spectrum)
    spread_c, spread_a = _spreads(profile, k_size * k_size)
    contrast = min(float(np.exp(mode(np.log(np.maximum(probed[:, 1], 1e-12))))), MOST_CONTRAST)
    uniform = probed[probed[:, 1] <= contrast * (1.0 + 2.0 * spread_c)]
    coherence = min(mode(uniform[:, 2]), MOST_COHERENCE)
    quiet = uniform[uniform[:, 2] <= coherence + 2.0 * spread_a]
    if len(quiet) < _FEWEST:
        raise InputError(
            f"sites.from: found {len(quiet)} windows of {k_size} x {k_size} pixels that hold one phase, "
            f"expected at least {_FEWEST}; set sites.from: library"
        )
    freedom = 2.0 / spread_c**2
    return Level(
        k_size=k_size,
        p_num=p_num,
        error=error,
        profile=profile,
        variance=mode(quiet[:, 0]),
        model=model,
        contrast=contrast,
        contrast_limit=contrast * float(chi2.isf(error, freedom)) / freedom,
        coherence=coherence,
        coherence_limit=coherence - float(ndtri(error)) * spread_a,
        windows=len(probed),
    )


def contrast_unit(k_size: int) -> float:
    """Return the contrast over the variance of smoothed noise that independent noise gives in the mean."""
    half = k_size // 2
    return 2.0 * k_size * sum((j - half) ** 2 for j in range(k_size))


def mode(values: FloatArray) -> float:
    """Return the middle of the shortest interval that holds a fifth of the values (n,)."""
    ordered = np.sort(values)
    share = max(2, round(_MODE_SHARE * ordered.size))
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
