"""The first screening in whole numbers of 16 bits, whose products a processor adds in pairs.

A pixel's numbers are multiplied by one power of two and a site's by another, and rounded: coordinates to the
nearest, lengths up. What rounding may take from a score is added to the error of the site, so that the bound
holds; docs/explanation/exactness.md, "Whole numbers". No sum leaves 32 bits: both vectors are shorter than
2^15, and an error is less than 2^30.
"""

import math
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from gigaxas.arrays import FloatArray
from gigaxas.nearest.simd import FACTORS

LEAD = FACTORS - 2  # axes of the first screening; the two other factors are lengths
LONGEST = 32_000.0  # of a vector of factors before it is rounded
WIDEST = 2.0**29  # of an error before it is rounded
ABSENT = np.iinfo(np.int32).min  # the bound of a site that is none: below any score to reach
SCORES = (np.iinfo(np.int32).min + 1, np.iinfo(np.int32).max)  # that can be asked for


class Units(NamedTuple):
    """What the numbers are multiplied by."""

    pixel: float
    """A pixel's factors."""
    score: float
    """Scores: that times a site's."""


def whole_sites(
    factors: FloatArray, error: FloatArray, longest: float
) -> tuple[NDArray[np.int16], NDArray[np.int32], Units]:
    """Return whole factors (m, 10) and errors (m,) of sites, and the units.

    factors: 8 coordinates, the length on the other axes, that of the residual. `longest` bounds the length of
    a pixel's factors.
    """
    pixel = _power_below(LONGEST / longest)
    length = float(np.linalg.norm(factors, axis=1).max())
    site = _power_below(min(LONGEST / max(length, 1e-6), WIDEST / (pixel * float(error.max()))))
    scaled = factors * site
    whole = np.ceil(scaled)
    whole[:, :LEAD] = np.rint(scaled[:, :LEAD])
    lost = np.linalg.norm(whole[:, :LEAD] - scaled[:, :LEAD], axis=1)
    rounding = pixel * longest * lost + 0.5 * np.abs(whole[:, :LEAD]).sum(axis=1)
    errors = np.ceil(error * pixel * site + rounding) + 1.0
    return whole.astype(np.int16), errors.astype(np.int32), Units(pixel, pixel * site)


def _power_below(value: float) -> float:
    """Return the largest power of two that is no more than value."""
    return math.ldexp(1.0, math.frexp(value)[1] - 1)


@njit(nogil=True, cache=True)
def whole_pixels(left: np.ndarray, right: np.ndarray, up: bool, unit: float, factors: np.ndarray) -> None:
    """Set factors (n,) int32 to pairs of whole numbers, the nearest to left and right (n,) or those above."""
    for p in range(factors.size):
        low, high = left[p] * unit, right[p] * unit
        low, high = (math.ceil(low), math.ceil(high)) if up else (np.rint(low), np.rint(high))
        factors[p] = np.int32(low) & 0xFFFF | np.int32(high) << 16


@njit(nogil=True, cache=True)
def whole_score(score: float, units: Units) -> int:
    """Return a whole score that is no higher."""
    return math.floor(min(max(score * units.score, float(SCORES[0])), float(SCORES[1])))
