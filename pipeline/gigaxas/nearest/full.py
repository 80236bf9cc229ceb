"""Full screening: one float32 matrix product against every site, then float64 for the near ties."""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from gigaxas.arrays import FloatArray
from gigaxas.nearest.definition import centre, load, rescale, settle, tie_tolerance
from gigaxas.nearest.layout import FloatArray32
from gigaxas.nearest.prepared import Prepared

TILE = 64
EPSILON = 2.0**-24  # unit roundoff of float32


def screen_error(energies: int) -> float:
    """Return a bound on |float32 score - float64 correlation|, whatever order BLAS sums in."""
    steps = (energies + 4) * EPSILON
    return steps / (1.0 - steps) + energies * 2.0**-120


@njit(nogil=True, cache=True)
def centre_tile(
    block: np.ndarray,
    start: int,
    count: int,
    invalid: float,
    rows: FloatArray,
    lengths: FloatArray,
    units: np.ndarray,
) -> None:
    """Load and centre one tile: rows (T, padded E), their lengths, and rows/length as float32 (T, E)."""
    energies = block.shape[0]
    for p in range(count):
        load(block, start + p, invalid, rows, p)
        rescale(rows, p)
        lengths[p] = centre(rows, p, energies)
        scale = 1.0 / lengths[p] if lengths[p] > 0.0 else 0.0
        for i in range(energies):
            units[p, i] = np.float32(rows[p, i] * scale)


@njit(nogil=True, cache=True, fastmath={"nnan", "nsz"})
def _two_largest(scores: np.ndarray) -> tuple[np.float32, np.float32]:
    first = np.float32(-2.0)
    for k in range(scores.size):
        first = max(first, scores[k])
    second = np.float32(-2.0)
    seen = 0
    for k in range(scores.size):
        if scores[k] == first:
            seen += 1
        else:
            second = max(second, scores[k])
    return first, first if seen > 1 else second


@njit(nogil=True, cache=True)
def _full(
    block: np.ndarray,
    invalid: float,
    sites: FloatArray,
    screen: np.ndarray,
    margin: float,
    tolerance: float,
    labels: np.ndarray,
    correlations: np.ndarray,
) -> None:
    energies, pixels = block.shape
    rows, lengths = np.zeros((TILE, sites.shape[1])), np.empty(TILE)
    units = np.zeros((TILE, energies), np.float32)
    scores = np.empty((TILE, sites.shape[0]), np.float32)
    candidates, r = np.empty((1, sites.shape[0]), np.int64), np.empty(sites.shape[0])
    for start in range(0, pixels, TILE):
        count = min(TILE, pixels - start)
        centre_tile(block, start, count, invalid, rows, lengths, units)
        np.dot(units, screen, scores)
        for p in range(count):
            if lengths[p] == 0.0:
                continue
            largest = _two_largest(scores[p])
            floor = largest[labels.shape[0] - 1] - margin
            found = 0
            for k in range(sites.shape[0]):
                if scores[p, k] >= floor:
                    candidates[0, found] = k
                    found += 1
            row = rows[p : p + 1]
            settle(
                row, lengths[p], sites, candidates, 0, found, tolerance, r, labels, correlations, start + p
            )


def full(
    block: np.ndarray, prepared: Prepared, screen: FloatArray32, invalid: int | None, ranks: int
) -> tuple[NDArray[np.int64], FloatArray]:
    """Return labels and correlations (ranks, n) of (E, n) pixels; ranks 2 adds the runner-up."""
    labels = np.zeros((ranks, block.shape[1]), np.int64)
    correlations = np.zeros((ranks, block.shape[1]))
    code = np.nan if invalid is None else float(invalid)
    tolerance = tie_tolerance(prepared.energies)
    margin = 2.0 * screen_error(prepared.energies) + 2.0 * tolerance
    _full(block, code, prepared.sites, screen, margin, tolerance, labels, correlations)
    return labels, correlations
