"""The slow truth: every float64 correlation of every pixel, and the label by the definition."""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from gigaxas.arrays import FloatArray
from gigaxas.nearest.definition import centre, load, rescale, tie_tolerance
from gigaxas.nearest.prepared import Prepared
from gigaxas.simd import lane_dot


@njit(nogil=True, cache=True)
def _best(r: FloatArray, excluded: int, tolerance: float) -> int:
    """Return the lowest index within the tolerance of the largest r, leaving out one index; -1 for none."""
    best = -2.0
    for k in range(r.size):
        if k != excluded:
            best = max(best, r[k])
    for k in range(r.size):
        if k != excluded and r[k] >= best - tolerance:
            return k
    return -1


@njit(nogil=True, cache=True)
def _brute(
    block: np.ndarray,
    invalid: float,
    sites: FloatArray,
    tolerance: float,
    labels: np.ndarray,
    correlations: np.ndarray,
) -> None:
    energies, pixels = block.shape
    row = np.zeros((1, sites.shape[1]))
    r = np.empty(sites.shape[0])
    for p in range(pixels):
        load(block, p, invalid, row, 0)
        rescale(row, 0)
        length = centre(row, 0, energies)
        if length == 0.0:
            continue
        for k in range(r.size):
            r[k] = lane_dot(row, 0, sites, k) / length
        first = _best(r, -1, tolerance)
        second = _best(r, first, tolerance)
        labels[0, p], correlations[0, p] = first + 1, r[first]
        if second >= 0:
            labels[1, p], correlations[1, p] = second + 1, r[second]


def brute(
    block: np.ndarray, prepared: Prepared, invalid: int | None = None
) -> tuple[NDArray[np.int64], FloatArray]:
    """Return labels (2, n) and float64 correlations (2, n) of (E, n) pixels: the best and the runner-up."""
    labels = np.zeros((2, block.shape[1]), np.int64)
    correlations = np.zeros((2, block.shape[1]))
    code = np.nan if invalid is None else float(invalid)
    _brute(block, code, prepared.sites, tie_tolerance(prepared.energies), labels, correlations)
    return labels, correlations
