"""Pruned search: two float32 screenings with proven bounds, then float64 for the few sites that may have won.

A first bound on eight axes and two lengths excludes nearly all sites, sixteen at a time; a second on all axes
nearly all of the rest. docs/explanation/exactness.md proves that the winner and its ties are never excluded.
"""

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from gigaxas.arrays import FloatArray
from gigaxas.nearest.batch import settle_eight, unite
from gigaxas.nearest.definition import settle, tie_tolerance
from gigaxas.nearest.layout import LEAD, Layout
from gigaxas.nearest.pixels import (
    PLAIN,
    TILE,
    VOID,
    exact_row,
    extreme_row,
    project_tile,
    scale_points,
    sort_out,
    take,
)
from gigaxas.nearest.prepared import Prepared
from gigaxas.nearest.scratch import Work, work_for
from gigaxas.nearest.screening import BATCH, WIDTH, largest, lowest_bit, nearest_group, reach, refine

NOTHING = np.float32(-1e30)  # below any score
CLOSED = np.float32(np.inf)  # a floor that no site reaches


@njit(nogil=True, cache=True)
def _place(
    points: np.ndarray,
    p: int,
    lengths: np.ndarray,
    squares: float,
    places: np.ndarray,
    factors: np.ndarray,
    q: int,
) -> None:
    """Set places[q], a pixel's coordinates, and factors[q]: eight of them and two lengths beside them."""
    for c in range(points.shape[0]):
        places[q, c] = points[c, p]
    for c in range(LEAD):
        factors[q, c] = places[q, c]
    inner, middle = lengths[0, p], lengths[1, p]
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
    places: np.ndarray,
    q: int,
    outside: float,
    centres: np.ndarray,
    sites: np.ndarray,
    slack: np.ndarray,
    ends: np.ndarray,
    floors: np.ndarray,
) -> int:
    """Set a pixel's first floors from the block whose centre scores highest; return that block."""
    block = min(nearest_group(places, q, centres), sites.shape[0] - 1)
    refine(places, q, sites, block, slack, outside, CLOSED, ends)
    if floors.shape[0] == 1:
        floors[0, q] = largest(ends)
    else:
        floors[0, q] = floors[1, q] = NOTHING
        for lane in range(WIDTH):
            _raise(floors, q, ends[0, lane])
    return block


@njit(nogil=True, cache=True)
def _screen(
    first: int,
    places: np.ndarray,
    factors: np.ndarray,
    lead: np.ndarray,
    sites: np.ndarray,
    slack: np.ndarray,
    order: np.ndarray,
    masks: np.ndarray,
    ends: np.ndarray,
    seeds: np.ndarray,
    floors: np.ndarray,
    candidates: np.ndarray,
    uppers: np.ndarray,
    found: np.ndarray,
) -> None:
    """Find the sites that may win for pixels first to first + 7: candidates (8, m), found (8,) of them."""
    last = floors.shape[0] - 1
    for q in range(BATCH):
        found[q] = 0
    for k in range(lead.shape[0]):
        pixels = reach(factors, floors, last, first, lead, k, masks)
        while pixels:
            q = lowest_bit(pixels)
            pixels &= pixels - 1
            p = first + q
            mask = refine(places, p, sites, k, slack, factors[p, LEAD + 1], floors[last, p], ends)
            mask &= np.int64(masks[q])
            while mask:
                lane = lowest_bit(mask)
                mask &= mask - 1
                candidates[q, found[q]] = order[k, lane]
                uppers[q, found[q]] = ends[1, lane]
                found[q] += 1
                if k != seeds[p]:
                    _raise(floors, p, ends[0, lane])
    for q in range(BATCH):
        found[q] = _keep(candidates, uppers, q, found[q], floors[last, first + q])


@njit(nogil=True, cache=True)
def _keep(candidates: np.ndarray, uppers: np.ndarray, q: int, found: int, floor: float) -> int:
    """Drop the candidates that a later floor excludes; return how many stay."""
    kept = 0
    for j in range(found):
        if uppers[q, j] >= floor:
            candidates[q, kept] = candidates[q, j]
            kept += 1
    return kept


@njit(nogil=True, cache=True)
def _take_tile(
    block: np.ndarray, start: int, count: int, invalid: float, axes: np.ndarray, work: Work
) -> int:
    """Bring a tile of pixels on the axes; return how many are not void, work.alive of them."""
    take(block, start, count, invalid, work.tile, work.sums)
    whole = work.tile.itemsize == 4
    sort_out(block.shape[0], count, whole, work.sums, work.kinds, work.means, work.scales)
    project_tile(work.tile, count, work.means, axes, work.points)
    scale_points(work.points, count, work.scales, work.lengths)
    kinds, alive, living = work.kinds, work.alive, 0
    for p in range(count):
        if kinds[p] != VOID:
            alive[living] = p
            living += 1
    return living


@njit(nogil=True, cache=True)
def _seed_tile(living: int, layout: Layout, work: Work) -> None:
    """Give every living pixel its first floors; extreme ones, and none, have floors that no site reaches."""
    # out of the loop: to take a field of a tuple costs as much as a sum over the axes
    kinds, alive, points, lengths = work.kinds, work.alive, work.points, work.lengths
    places, factors, ends, seeds, floors = work.places, work.factors, work.ends, work.seeds, work.floors
    centres, sites, slack, squares = layout.centres, layout.sites, layout.slack, layout.squares
    last = floors.shape[0] - 1
    for q in range(living):
        if kinds[alive[q]] == PLAIN:
            _place(points, alive[q], lengths, squares, places, factors, q)
            seeds[q] = _seed(places, q, factors[q, LEAD + 1], centres, sites, slack, ends, floors)
        else:
            floors[last, q] = CLOSED
    for q in range(living, floors.shape[1]):
        floors[last, q] = CLOSED


@njit(nogil=True, cache=True)
def _settle_tile(
    block: np.ndarray,
    start: int,
    invalid: float,
    living: int,
    table: FloatArray,
    tolerance: float,
    layout: Layout,
    work: Work,
    labels: np.ndarray,
    correlations: np.ndarray,
) -> None:
    """Screen the living pixels, eight at a time, and settle each among the sites that may win."""
    tile, kinds, alive, row, r = work.tile, work.kinds, work.alive, work.row, work.r
    rows, dots, union = work.rows, work.dots, work.union
    candidates, uppers, found, floors = work.candidates, work.uppers, work.found, work.floors
    places, factors, masks, ends, seeds = work.places, work.factors, work.masks, work.ends, work.seeds
    lead, sites, slack, order = layout.lead, layout.sites, layout.slack, layout.order
    for first in range(0, living, BATCH):
        _screen(
            first,
            places,
            factors,
            lead,
            sites,
            slack,
            order,
            masks,
            ends,
            seeds,
            floors,
            candidates,
            uppers,
            found,
        )
        together = unite(alive, kinds, candidates, found, first, living, union)
        if together > 0:
            p = alive[first]
            settle_eight(
                tile,
                p,
                table,
                candidates,
                found,
                union,
                together,
                tolerance,
                rows,
                dots,
                r,
                labels,
                correlations,
                start + p,
            )
            continue
        for q in range(min(BATCH, living - first)):
            p = alive[first + q]
            if kinds[p] == PLAIN:
                length = exact_row(tile, p, block.shape[0], row)
            else:
                length = extreme_row(block, start + p, invalid, row)
                found[q] = _all(candidates, q)
            if length > 0.0:
                settle(
                    row, length, table, candidates, q, found[q], tolerance, r, labels, correlations, start + p
                )


@njit(nogil=True, cache=True)
def _all(candidates: np.ndarray, q: int) -> int:
    for k in range(candidates.shape[1]):
        candidates[q, k] = k
    return candidates.shape[1]


@njit(nogil=True, cache=True)
def _pruned(
    block: np.ndarray,
    invalid: float,
    table: FloatArray,
    tolerance: float,
    layout: Layout,
    work: Work,
    labels: np.ndarray,
    correlations: np.ndarray,
) -> None:
    for start in range(0, block.shape[1], TILE):
        living = _take_tile(block, start, min(TILE, block.shape[1] - start), invalid, layout.axes, work)
        _seed_tile(living, layout, work)
        _settle_tile(block, start, invalid, living, table, tolerance, layout, work, labels, correlations)


def pruned(
    block: np.ndarray, prepared: Prepared, layout: Layout, invalid: int | None, ranks: int
) -> tuple[NDArray[np.int64], FloatArray]:
    """Return labels and correlations (ranks, n) of (E, n) pixels; ranks 2 adds the runner-up."""
    labels = np.zeros((ranks, block.shape[1]), np.int64)
    correlations = np.zeros((ranks, block.shape[1]))
    code = np.nan if invalid is None else float(invalid)
    work = work_for(prepared, layout.axes.shape[1], block.dtype == np.uint16, ranks)
    tolerance = tie_tolerance(prepared.energies)
    _pruned(block, code, prepared.sites, tolerance, layout, work, labels, correlations)
    return labels, correlations
