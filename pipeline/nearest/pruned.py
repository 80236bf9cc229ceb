"""Pruned search: two float32 screenings with proven bounds, then float64 for the few sites that may have won.

A first bound on eight axes and two lengths excludes nearly all sites, sixteen at a time; a second on all axes
nearly all of the rest. docs/explanation/exactness.md proves that the winner and its ties are never excluded.
"""

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from pipeline.arrays import FloatArray
from pipeline.nearest.definition import settle, tie_tolerance
from pipeline.nearest.full import centre_tile
from pipeline.nearest.lanes import BATCH, FACTORS, WIDTH, block_scores, reach
from pipeline.nearest.layout import LEAD, Layout
from pipeline.nearest.prepare import Prepared

TILE = 64
NOTHING = np.float32(-1e30)  # below any score
CLOSED = np.float32(np.inf)  # a floor that no site reaches


@njit(nogil=True, cache=True)
def _outside(points: np.ndarray, pixel: int, squares: float, factors: np.ndarray, q: int) -> None:
    """Set a pixel's factors: lead coordinates, length on the other axes, length beside all axes."""
    inner = middle = 0.0
    for c in range(LEAD):
        factors[q, c] = points[pixel, c]
        inner += points[pixel, c] ** 2
    for c in range(LEAD, points.shape[1]):
        middle += points[pixel, c] ** 2
    factors[q, LEAD] = math.sqrt(middle)
    factors[q, LEAD + 1] = math.sqrt(max(1.0 - inner - middle, 0.0) + squares)


@njit(nogil=True, cache=True)
def _raise(floors: np.ndarray, q: int, value: float) -> None:
    """Take a site's lower bound into the best lower bounds of a pixel: floors (ranks, 8), best first."""
    last = floors.shape[0] - 1
    if value > floors[last, q]:
        if last == 1 and value > floors[0, q]:
            floors[1, q] = floors[0, q]
            floors[0, q] = value
        else:
            floors[last, q] = value


@njit(nogil=True, cache=True)
def _seed(
    points: np.ndarray,
    pixel: int,
    outside: float,
    centres: np.ndarray,
    sites: np.ndarray,
    beside: np.ndarray,
    error: np.ndarray,
    scores: np.ndarray,
    floors: np.ndarray,
    q: int,
) -> None:
    """Set a pixel's first floors from the block whose centre scores highest."""
    best, nearest = NOTHING, 0
    for group in range(centres.shape[0]):
        block_scores(points, pixel, centres, group, scores)
        for lane in range(WIDTH):
            if scores[lane] > best:
                best, nearest = scores[lane], group * WIDTH + lane
    block = min(nearest, sites.shape[0] - 1)
    block_scores(points, pixel, sites, block, scores)
    floors[:, q] = NOTHING
    for lane in range(WIDTH):
        _raise(floors, q, scores[lane] - (outside * beside[block, lane] + error[block, lane]))


@njit(nogil=True, cache=True)
def _screen(
    points: np.ndarray,
    first: int,
    several: int,
    squares: float,
    lead: np.ndarray,
    sites: np.ndarray,
    beside: np.ndarray,
    error: np.ndarray,
    order: np.ndarray,
    centres: np.ndarray,
    factors: np.ndarray,
    masks: np.ndarray,
    scores: np.ndarray,
    floors: np.ndarray,
    candidates: np.ndarray,
    uppers: np.ndarray,
    found: np.ndarray,
) -> None:
    """Find, for up to eight pixels (n, r), the sites that may win: candidates (8, m), found (8,) of them."""
    found[:] = 0
    floors[:] = CLOSED
    for q in range(several):
        _outside(points, first + q, squares, factors, q)
        _seed(points, first + q, factors[q, LEAD + 1], centres, sites, beside, error, scores, floors, q)
    last = floors.shape[0] - 1
    for k in range(lead.shape[0]):
        if reach(factors, floors, last, lead, k, masks):
            for q in range(several):
                mask = masks[q]
                if mask:
                    block_scores(points, first + q, sites, k, scores)
                    lane = 0
                    while mask:
                        if mask & 1:
                            slack = factors[q, LEAD + 1] * beside[k, lane] + error[k, lane]
                            if scores[lane] + slack >= floors[last, q]:
                                candidates[q, found[q]] = order[k, lane]
                                uppers[q, found[q]] = scores[lane] + slack
                                found[q] += 1
                                _raise(floors, q, scores[lane] - slack)
                        mask >>= 1
                        lane += 1
    for q in range(several):
        kept = 0
        for j in range(found[q]):
            if uppers[q, j] >= floors[last, q]:
                candidates[q, kept] = candidates[q, j]
                kept += 1
        found[q] = kept


@njit(nogil=True, cache=True)
def _pruned(
    block: np.ndarray,
    invalid: float,
    table: FloatArray,
    layout: Layout,
    tolerance: float,
    labels: np.ndarray,
    correlations: np.ndarray,
) -> None:
    energies, pixels, ranks = block.shape[0], block.shape[1], labels.shape[0]
    rows, lengths = np.zeros((TILE, table.shape[1])), np.empty(TILE)
    units = np.zeros((TILE, energies), np.float32)
    points = np.empty((TILE, layout.axes.shape[1]), np.float32)
    floors = np.empty((ranks, BATCH), np.float32)
    candidates, r = np.empty((BATCH, table.shape[0]), np.int64), np.empty(table.shape[0])
    uppers = np.empty(candidates.shape, np.float32)
    factors = np.zeros((BATCH, FACTORS), np.float32)
    masks, scores = np.empty(BATCH, np.uint16), np.empty(WIDTH, np.float32)
    found, alive = np.empty(BATCH, np.int64), np.empty(TILE, np.int64)
    for start in range(0, pixels, TILE):
        count = min(TILE, pixels - start)
        centre_tile(block, start, count, invalid, rows, lengths, units)
        np.dot(units, layout.axes, points)
        living = 0
        for p in range(count):
            if lengths[p] > 0.0:
                points[living] = points[p]
                alive[living] = p
                living += 1
        for first in range(0, living, BATCH):
            several = min(BATCH, living - first)
            _screen(
                points, first, several, layout.squares, layout.lead, layout.sites, layout.beside, layout.error,
                layout.order, layout.centres, factors, masks, scores, floors, candidates, uppers, found,
            )
            for q in range(several):
                p, chosen = alive[first + q], -1
                for rank in range(ranks):
                    chosen, value = settle(
                        rows, p, lengths[p], table, candidates, q, found[q], chosen, tolerance, r
                    )
                    labels[rank, start + p], correlations[rank, start + p] = chosen + 1, value


def pruned(
    block: np.ndarray, prepared: Prepared, invalid: int | None, ranks: int
) -> tuple[NDArray[np.int64], FloatArray]:
    """Return labels and correlations (ranks, n) of (E, n) pixels; ranks 2 adds the runner-up."""
    labels = np.zeros((ranks, block.shape[1]), np.int64)
    correlations = np.zeros((ranks, block.shape[1]))
    code = np.nan if invalid is None else float(invalid)
    tolerance = tie_tolerance(prepared.energies)
    _pruned(block, code, prepared.sites, prepared.layout, tolerance, labels, correlations)
    return labels, correlations
