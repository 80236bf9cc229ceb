"""Full screening: one float32 matrix product against every site, then float64 for the near ties."""

from typing import NamedTuple

import numpy as np
from numba import njit

from gigaxas.arrays import FloatArray
from gigaxas.nearest.definition import centre, load, rescale, tie_tolerance
from gigaxas.nearest.labels import Labels, SiteRows, assign_label, make_labels
from gigaxas.nearest.layout import FloatArray32
from gigaxas.nearest.prepared import Prepared

TILE = 64
EPSILON = 2.0**-24  # unit roundoff of float32


class Centred(NamedTuple):
    """A tile of T pixels."""

    rows: FloatArray
    """(T, padded E), centred."""
    lengths: FloatArray
    """(T,) their lengths; 0 for a void pixel."""
    units: FloatArray32
    """(T, E), scaled to length one."""


def make_centred(pixels: int, energies: int, padded: int) -> Centred:
    """Return memory for so many pixels."""
    return Centred(np.zeros((pixels, padded)), np.empty(pixels), np.zeros((pixels, energies), np.float32))


def screen_error(energies: int) -> float:
    """Return a bound on |float32 score - float64 correlation|, whatever order BLAS sums in."""
    steps = (energies + 4) * EPSILON
    return steps / (1.0 - steps) + energies * 2.0**-120


@njit(nogil=True, cache=True)
def centre_tile(block: np.ndarray, start: int, count: int, invalid: float, tile: Centred) -> None:
    """Load and centre so many pixels of a block (E, n)."""
    energies = block.shape[0]
    rows, lengths, units = tile
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
    block: np.ndarray, invalid: float, sites: SiteRows, screen: np.ndarray, margin: float, labels: Labels
) -> None:
    count, rank = sites.spectra.shape[0], labels.sites.shape[0] - 1
    tile = Centred(
        np.zeros((TILE, sites.spectra.shape[1])), np.empty(TILE), np.zeros((TILE, block.shape[0]), np.float32)
    )
    scores = np.empty((TILE, count), np.float32)
    candidates, r = np.empty(count, np.int64), np.empty(count)
    for start in range(0, block.shape[1], TILE):
        size = min(TILE, block.shape[1] - start)
        centre_tile(block, start, size, invalid, tile)
        np.dot(tile.units, screen, scores)
        for p in range(size):
            if tile.lengths[p] == 0.0:
                continue
            lowest = _two_largest(scores[p])[rank] - margin
            found = 0
            for k in range(count):
                if scores[p, k] >= lowest:
                    candidates[found] = k
                    found += 1
            row = tile.rows[p : p + 1]
            assign_label(row, tile.lengths[p], sites, candidates[:found], r, labels, start + p)


def full(
    block: np.ndarray, prepared: Prepared, screen: FloatArray32, invalid: int | None, ranks: int
) -> Labels:
    """Return labels of (E, n) pixels by a float32 screen (E, m) of the sites; ranks 2 adds the runner-up."""
    labels = make_labels(ranks, block.shape[1])
    code = np.nan if invalid is None else float(invalid)
    tolerance = tie_tolerance(prepared.energies)
    margin = 2.0 * screen_error(prepared.energies) + 2.0 * tolerance
    _full(block, code, SiteRows(prepared.sites, tolerance), screen, margin, labels)
    return labels
