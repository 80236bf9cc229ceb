"""A large library of spectra made of peaks, as Raman libraries are: families of alike substances."""

import numpy as np

from gigaxas.arrays import FloatArray

RANGE = (200.0, 1200.0)
"""Wavenumbers in 1/cm."""
BANDS = 400
"""Positions that the peaks of all substances are taken from."""
FAMILY = 6
"""Mean size of a family of substances."""
PEAKS = (3, 25)
"""Fewest and most peaks of a substance."""
HALF_WIDTHS = (2.0, 14.0)
"""Smallest and largest half width at half height, in 1/cm."""
BASELINE = 0.15
"""Largest height of the baseline, as a share of the highest peak."""


def peak_library(count: int, points: int = 3300, seed: int = 0) -> FloatArray:
    """Return `count` spectra (count, points) over 200 to 1200 1/cm, each with its highest point near 1.

    Substances come in families of about six that share bands; a member shifts them by about 2 1/cm and
    changes their heights by about a third. Peaks are Lorentzian, 4 to 28 1/cm wide, on a broad baseline. A
    seed makes the library repeatable.
    """
    rng = np.random.default_rng(seed)
    axis = np.linspace(*RANGE, points)
    bands = np.sort(rng.uniform(*RANGE, BANDS))
    spectra = np.empty((count, points))
    start = 0
    while start < count:
        members = min(1 + rng.poisson(FAMILY - 1), count - start)
        peaks = rng.integers(*PEAKS, endpoint=True)
        centre = rng.choice(bands, peaks, replace=False)
        height = rng.exponential(size=peaks)
        width = HALF_WIDTHS[0] * (HALF_WIDTHS[1] / HALF_WIDTHS[0]) ** rng.random(peaks)
        for row in spectra[start : start + members]:
            row[:] = _member(rng, axis, centre, height, width)
        start += members
    return spectra


def _member(
    rng: np.random.Generator, axis: FloatArray, centre: FloatArray, height: FloatArray, width: FloatArray
) -> FloatArray:
    """Draw one member of a family (points,)."""
    here = centre + rng.normal(0, 2.0, centre.size)
    tall = height * np.exp(rng.normal(0, 0.33, centre.size))
    spectrum: FloatArray = tall @ (1 / (1 + ((axis - here[:, None]) / width[:, None]) ** 2))
    span = RANGE[1] - RANGE[0]
    hill = np.exp(-0.5 * ((axis - rng.uniform(*RANGE)) / (0.4 * span)) ** 2)
    return spectrum / spectrum.max() + rng.uniform(0, BASELINE) * hill
