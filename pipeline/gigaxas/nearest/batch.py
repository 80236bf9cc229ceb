"""Eight pixels side by side settled together, a pixel a lane, among the few sites that are left to them."""

import math

import numpy as np
from numba import njit

from gigaxas.arrays import FloatArray, IntArray
from gigaxas.nearest.definition import choose
from gigaxas.nearest.pixels import PLAIN
from gigaxas.nearest.screening import BATCH
from gigaxas.simd import centre_eight, dot_eight


@njit(nogil=True, cache=True)
def unite(
    alive: np.ndarray,
    kinds: np.ndarray,
    candidates: np.ndarray,
    found: np.ndarray,
    first: int,
    living: int,
    union: IntArray,
) -> int:
    """Set union to the sites left to eight pixels side by side; return how many, or 0 to take each alone."""
    if living - first < BATCH or alive[first + BATCH - 1] - alive[first] != BATCH - 1:
        return 0
    count = 0
    for q in range(BATCH):
        if kinds[alive[first + q]] != PLAIN:
            return 0
        for j in range(found[q]):
            place = 0
            while place < count and union[place] != candidates[q, j]:
                place += 1
            if place == union.size:
                return 0
            union[place] = candidates[q, j]
            count = max(count, place + 1)
    return count


@njit(nogil=True, cache=True)
def settle_eight(
    tile: np.ndarray,
    p: int,
    table: FloatArray,
    candidates: np.ndarray,
    found: np.ndarray,
    union: IntArray,
    together: int,
    tolerance: float,
    rows: FloatArray,
    dots: FloatArray,
    r: FloatArray,
    labels: np.ndarray,
    correlations: np.ndarray,
    pixel: int,
) -> None:
    """Do as `settle` for the pixels p to p + 7 of a tile, which are `pixel` and the next seven of the block.

    rows (E, 8), dots (1 + sites, 8) and r are scratch.
    """
    centre_eight(tile, p, rows, dots)
    for j in range(together):
        dot_eight(rows, table, union[j], dots, j + 1)
    for q in range(BATCH):
        length = math.sqrt(dots[0, q])
        if length > 0.0:
            _correlate(candidates, q, found[q], union, dots, length, r)
            choose(candidates, q, found[q], tolerance, r, labels, correlations, pixel + q)


@njit(nogil=True, cache=True)
def _correlate(
    candidates: np.ndarray,
    q: int,
    found: int,
    union: np.ndarray,
    dots: FloatArray,
    length: float,
    r: FloatArray,
) -> None:
    """Set r to the correlations of one of eight pixels with its sites, from the dots (1 + sites, 8)."""
    for j in range(found):
        place = 0
        while union[place] != candidates[q, j]:
            place += 1
        r[j] = dots[place + 1, q] / length
