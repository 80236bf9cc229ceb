"""Pruned search: two float32 screenings with proven bounds, then float64 for the few sites that may have won.

A first bound on eight axes and two lengths excludes nearly all sites, sixteen at a time; a second on all axes
nearly all of the rest. docs/explanation/exactness.md proves that the winner and its ties are never excluded.
"""

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from pipeline.arrays import FloatArray
from pipeline.nearest.definition import tie_tolerance
from pipeline.nearest.full import centre_tile, settle
from pipeline.nearest.lanes import BATCH, FACTORS, WIDTH, block_scores, lane_dot, reach
from pipeline.nearest.layout import LEAD, Layout
from pipeline.nearest.prepare import Prepared

TILE = 64
NOTHING = np.float32(-1e30)  # below any score
CLOSED = np.float32(np.inf)  # a floor that no site reaches


@njit(nogil=True, cache=True)
def _outside(point: np.ndarray, squares: float, factors: np.ndarray) -> None:
    """Set a pixel's factors: lead coordinates, length on the other axes, length beside all axes."""
    factors[:LEAD] = point[:LEAD]
    inner = float(lane_dot(point[:LEAD], point[:LEAD]))
    middle = float(lane_dot(point[LEAD:], point[LEAD:]))
    factors[LEAD] = math.sqrt(middle)
    factors[LEAD + 1] = math.sqrt(max(1.0 - inner - middle, 0.0) + squares)


@njit(nogil=True, cache=True)
def _raise(floors: np.ndarray, pixel: int, value: float) -> None:
    """Take a site's lower bound into the best lower bounds of a pixel: floors (ranks, 8), best first."""
    last = floors.shape[0] - 1
    if value > floors[last, pixel]:
        if last == 1 and value > floors[0, pixel]:
            floors[1, pixel] = floors[0, pixel]
            floors[0, pixel] = value
        else:
            floors[last, pixel] = value


@njit(nogil=True, cache=True)
def _nearest_block(point: np.ndarray, centres: np.ndarray, scores: np.ndarray) -> int:
    """Return the block (about) whose centre scores highest."""
    best, chosen = NOTHING, 0
    for group in range(centres.shape[0]):
        block_scores(point[:LEAD], centres[group], scores)
        for lane in range(WIDTH):
            if scores[lane] > best:
                best, chosen = scores[lane], group * WIDTH + lane
    return chosen


@njit(nogil=True, cache=True)
def _seed(
    point: np.ndarray, outside: float, layout: Layout, scores: np.ndarray, floors: np.ndarray, pixel: int
) -> None:
    """Set a pixel's first floors from the block that seems nearest."""
    floors[:, pixel] = NOTHING
    block = min(_nearest_block(point, layout.centres, scores), layout.sites.shape[0] - 1)
    block_scores(point, layout.sites[block], scores)
    for lane in range(WIDTH):
        slack = outside * layout.beside[block, lane] + layout.error[block, lane]
        _raise(floors, pixel, scores[lane] - slack)


@njit(nogil=True, cache=True)
def _visit(
    point: np.ndarray,
    outside: float,
    mask: int,
    block: np.ndarray,
    beside: np.ndarray,
    error: np.ndarray,
    order: np.ndarray,
    scores: np.ndarray,
    floors: np.ndarray,
    pixel: int,
    found: int,
    candidates: np.ndarray,
    uppers: np.ndarray,
) -> int:
    """Screen the masked sites of a block on all axes; append those that may win and raise the floors."""
    block_scores(point, block, scores)
    last = floors.shape[0] - 1
    for lane in range(WIDTH):
        if mask >> lane & 1:
            slack = outside * beside[lane] + error[lane]
            if scores[lane] + slack >= floors[last, pixel]:
                candidates[found], uppers[found] = order[lane], scores[lane] + slack
                found += 1
                _raise(floors, pixel, scores[lane] - slack)
    return found


@njit(nogil=True, cache=True)
def _screen(points: np.ndarray, layout: Layout, floors: np.ndarray, candidates: np.ndarray, found: np.ndarray) -> None:
    """Find, for up to eight pixels (n, r), the sites that may win: candidates (8, m), found (8,) of them."""
    factors = np.zeros((BATCH, FACTORS), np.float32)
    masks, scores = np.empty(BATCH, np.uint16), np.empty(WIDTH, np.float32)
    uppers = np.empty(candidates.shape, np.float32)
    found[:] = 0
    floors[:] = CLOSED
    for pixel in range(points.shape[0]):
        _outside(points[pixel], layout.squares, factors[pixel])
        _seed(points[pixel], factors[pixel, LEAD + 1], layout, scores, floors, pixel)
    lowest = floors[floors.shape[0] - 1]
    for k in range(layout.lead.shape[0]):
        if reach(factors, lowest, layout.lead[k], masks):
            for pixel in range(points.shape[0]):
                if masks[pixel]:
                    found[pixel] = _visit(
                        points[pixel], factors[pixel, LEAD + 1], masks[pixel], layout.sites[k], layout.beside[k],
                        layout.error[k], layout.order[k], scores, floors, pixel, found[pixel], candidates[pixel],
                        uppers[pixel],
                    )
    for pixel in range(points.shape[0]):
        kept = 0
        for j in range(found[pixel]):
            if uppers[pixel, j] >= lowest[pixel]:
                candidates[pixel, kept] = candidates[pixel, j]
                kept += 1
        found[pixel] = kept


@njit(nogil=True, cache=True)
def _pruned(
    block: np.ndarray,
    invalid: float,
    sites: FloatArray,
    layout: Layout,
    tolerance: float,
    labels: np.ndarray,
    correlations: np.ndarray,
) -> None:
    energies, pixels, ranks = block.shape[0], block.shape[1], labels.shape[0]
    rows, lengths = np.zeros((TILE, sites.shape[1])), np.empty(TILE)
    units = np.zeros((TILE, energies), np.float32)
    points = np.empty((TILE, layout.axes.shape[1]), np.float32)
    floors = np.empty((ranks, BATCH), np.float32)
    candidates, r = np.empty((BATCH, sites.shape[0]), np.int64), np.empty(sites.shape[0])
    found, alive = np.empty(BATCH, np.int64), np.empty(TILE, np.int64)
    for start in range(0, pixels, TILE):
        count = min(TILE, pixels - start)
        centre_tile(block, start, invalid, rows, lengths[:count], units)
        np.dot(units, layout.axes, points)
        living = 0
        for p in range(count):
            if lengths[p] > 0.0:
                points[living] = points[p]
                alive[living] = p
                living += 1
        for first in range(0, living, BATCH):
            several = min(BATCH, living - first)
            _screen(points[first : first + several], layout, floors, candidates, found)
            for q in range(several):
                p, chosen = alive[first + q], -1
                for rank in range(ranks):
                    chosen, value = settle(
                        rows[p], lengths[p], sites, candidates[q, : found[q]], r, chosen, tolerance
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
