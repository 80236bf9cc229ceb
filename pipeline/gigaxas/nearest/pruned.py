"""Pruned search: two screenings with proven bounds, then float64 for the few sites that may have won.

A first bound on eight axes and two lengths, in whole numbers, excludes nearly all sites, sixteen at a time;
a second on all axes nearly all of the rest. docs/explanation/exactness.md proves that the winner and its ties
are never excluded.
"""

import math
from typing import NamedTuple

import numpy as np
from numba import njit

from gigaxas.arrays import IntArray
from gigaxas.nearest.definition import tie_tolerance
from gigaxas.nearest.labels import (
    Candidates,
    Labels,
    Rows,
    SiteRows,
    assign_batch,
    assign_label,
    make_candidates,
    make_labels,
    make_rows,
    unite,
)
from gigaxas.nearest.layout import Layout
from gigaxas.nearest.pixels import PLAIN, TILE, PixelTile, any_row, make_tile, plain_row, take_tile
from gigaxas.nearest.prepared import Prepared
from gigaxas.nearest.simd import BATCH, FACTORS, WIDTH, largest, nearest_group, score_bounds, screen_lead
from gigaxas.nearest.whole import LEAD, SCORES, whole_score
from gigaxas.simd import lowest_bit

LOWEST = np.float32(-1e30)  # below any score
UNREACHED = np.float32(np.inf)  # a score that no site reaches


class Screen(NamedTuple):
    """What the screenings know of the pixels of a tile that are not void."""

    coordinates: np.ndarray
    """(256, r) float32."""
    residual: np.ndarray
    """(256,) float32: bounds on the lengths beside the axes."""
    factors: np.ndarray
    """(256, 10) int16, for the first screening: leading coordinates, length on the others, `residual`."""
    first_block: IntArray
    """(256,) the block of sites that gave the first lower bounds."""
    lower: np.ndarray
    """(ranks, 256) float32: the largest lower bounds of scores so far, best first."""
    reach: np.ndarray
    """(256,) int32, for the first screening: the last of `lower`."""
    masks: np.ndarray
    """(8,) uint16: the sites of a block that are left to each pixel of a batch."""
    bounds: np.ndarray
    """(2, 16) float32: lower and upper bounds of the scores of a block."""


class PruningScratch(NamedTuple):
    """The memory of one call, so that its loops allocate nothing."""

    tile: PixelTile
    """The pixels at hand."""
    screen: Screen
    """Their screening."""
    candidates: Candidates
    """What it leaves to a batch."""
    rows: Rows
    """For the float64 arithmetic."""


def make_scratch(prepared: Prepared, axes: int, integers: bool, ranks: int) -> PruningScratch:
    """Return memory for so many axes and ranks; integers: the samples are, and float32 holds them."""
    return PruningScratch(
        make_tile(prepared.energies, axes, integers),
        Screen(
            coordinates=np.zeros((TILE, axes), np.float32),
            residual=np.zeros(TILE, np.float32),
            factors=np.zeros((TILE, FACTORS), np.int16),
            first_block=np.zeros(TILE, np.int64),
            lower=np.zeros((ranks, TILE), np.float32),
            reach=np.zeros(TILE, np.int32),
            masks=np.zeros(BATCH, np.uint16),
            bounds=np.zeros((2, WIDTH), np.float32),
        ),
        make_candidates(len(prepared.sites)),
        make_rows(prepared.energies, prepared.sites),
    )


@njit(nogil=True, cache=True)
def start_screen(living: int, layout: Layout, tile: PixelTile, screen: Screen) -> None:
    """Bring the living pixels of a tile to the screening, each with its first lower bounds.

    These come from the block of sites whose centre scores highest. An extreme pixel, and the places beyond
    the last, get a bound that no site reaches.
    """
    # out of the loop: to take a field of a tuple costs as much as a sum over the axes
    kinds, alive, coordinates, squares = tile.kinds, tile.alive, tile.coordinates, tile.squares
    points, residual, factors, first_block, lower, reach, _, bounds = screen
    centres, sites, margins, units = layout.centres, layout.coordinates, layout.margins, layout.units
    last = lower.shape[0] - 1
    for q in range(living):
        p = alive[q]
        if kinds[p] != PLAIN:
            lower[last, q], reach[q] = UNREACHED, SCORES[1]
            continue
        for c in range(coordinates.shape[0]):
            points[q, c] = coordinates[c, p]
        for c in range(LEAD):
            factors[q, c] = np.int16(np.rint(points[q, c] * units.pixel))
        inner, middle = squares[0, p], squares[1, p]
        beside = math.sqrt(max(1.0 - inner - middle, 0.0) + layout.squares_error)
        residual[q] = beside
        factors[q, LEAD] = np.int16(math.ceil(math.sqrt(middle) * units.pixel))
        factors[q, LEAD + 1] = np.int16(math.ceil(beside * units.pixel))
        block = min(nearest_group(points, q, centres), sites.shape[0] - 1)
        score_bounds(points, q, sites, block, margins, residual[q], UNREACHED, bounds)
        first_block[q] = block
        if last == 0:
            lower[0, q] = largest(bounds)
        else:
            lower[0, q] = lower[1, q] = LOWEST
            for lane in range(WIDTH):
                _raise(lower, q, bounds[0, lane])
        reach[q] = whole_score(lower[last, q], units)
    for q in range(living, lower.shape[1]):
        lower[last, q], reach[q] = UNREACHED, SCORES[1]


@njit(nogil=True, cache=True)
def _raise(lower: np.ndarray, q: int, value: float) -> None:
    """Take a site's lower bound into the best lower bounds (ranks, 256) of a pixel."""
    last = lower.shape[0] - 1
    if value > lower[last, q]:
        if last == 1 and value > lower[0, q]:
            lower[1, q] = lower[0, q]
            lower[0, q] = value
        else:
            lower[last, q] = value


@njit(nogil=True, cache=True)
def _screen_batch(first: int, layout: Layout, screen: Screen, candidates: Candidates) -> None:
    """Find the sites that may win for the living pixels first to first + 7."""
    _, _, factors, _, lower, reach, masks, _ = screen
    chosen, upper, found = candidates
    last = lower.shape[0] - 1
    for q in range(BATCH):
        found[q] = 0
    for k in range(layout.lead.shape[0]):
        if screen_lead(factors, reach, first, layout.lead, k, masks):
            for q in range(BATCH):
                if masks[q]:
                    _screen_block(first, q, k, layout, screen, candidates)
    for q in range(BATCH):
        kept = 0
        for j in range(found[q]):
            if upper[q, j] >= lower[last, first + q]:
                chosen[q, kept] = chosen[q, j]
                kept += 1
        found[q] = kept


@njit(nogil=True, cache=True)
def _screen_block(first: int, q: int, k: int, layout: Layout, screen: Screen, candidates: Candidates) -> None:
    """Add to the candidates of pixel first + q what the second screening leaves of its sites of block k."""
    points, residual, _, first_block, lower, reach, masks, bounds = screen
    chosen, upper, found = candidates
    p, last = first + q, lower.shape[0] - 1
    mask = score_bounds(points, p, layout.coordinates, k, layout.margins, residual[p], lower[last, p], bounds)
    mask &= np.int64(masks[q])
    while mask:
        lane = lowest_bit(mask)
        mask &= mask - 1
        chosen[q, found[q]] = layout.order[k, lane]
        upper[q, found[q]] = bounds[1, lane]
        found[q] += 1
        if k != first_block[p]:
            _raise(lower, p, bounds[0, lane])
            reach[p] = whole_score(lower[last, p], layout.units)


@njit(nogil=True, cache=True)
def _adjacent(first: int, living: int, tile: PixelTile) -> bool:
    """Say whether the batch is eight plain pixels side by side."""
    kinds, alive = tile.kinds, tile.alive
    if living - first < BATCH or alive[first + BATCH - 1] - alive[first] != BATCH - 1:
        return False
    plain = True
    for q in range(BATCH):
        plain &= kinds[alive[first + q]] == PLAIN
    return plain


@njit(nogil=True, cache=True)
def _assign_singly(
    block: np.ndarray,
    start: int,
    invalid: float,
    batch: tuple[int, int],
    sites: SiteRows,
    scratch: PruningScratch,
    labels: Labels,
) -> None:
    """Label the living pixels `batch` (first, after the last) of a tile that starts at `start`."""
    (first, end), (tile, _, candidates, rows) = batch, scratch
    for q in range(end - first):
        p = tile.alive[first + q]
        own = candidates.sites[q]
        if tile.kinds[p] == PLAIN:
            length = plain_row(tile.samples, p, block.shape[0], rows.row)
            own = own[: candidates.found[q]]
        else:
            length = any_row(block, start + p, invalid, rows.row)
            for k in range(own.size):
                own[k] = k
        if length > 0.0:
            assign_label(rows.row, length, sites, own, rows.r, labels, start + p)


@njit(nogil=True, cache=True)
def _pruned(
    block: np.ndarray,
    invalid: float,
    sites: SiteRows,
    layout: Layout,
    scratch: PruningScratch,
    labels: Labels,
) -> None:
    tile, screen, candidates, rows = scratch
    for start in range(0, block.shape[1], TILE):
        count = min(TILE, block.shape[1] - start)
        living = take_tile(block, start, count, invalid, layout.axes, tile)
        start_screen(living, layout, tile, screen)
        for first in range(0, living, BATCH):
            _screen_batch(first, layout, screen, candidates)
            few = unite(candidates, rows.union) if _adjacent(first, living, tile) else 0
            if few > 0:
                p = tile.alive[first]
                assign_batch(tile.samples, tile.sums[1], p, sites, candidates, few, rows, labels, start + p)
            else:
                batch = (first, min(first + BATCH, living))
                _assign_singly(block, start, invalid, batch, sites, scratch, labels)


def pruned(block: np.ndarray, prepared: Prepared, layout: Layout, invalid: int | None, ranks: int) -> Labels:
    """Return the labels of (E, n) pixels; ranks 2 adds the runner-up."""
    labels = make_labels(ranks, block.shape[1])
    code = np.nan if invalid is None else float(invalid)
    scratch = make_scratch(prepared, layout.axes.shape[1], block.dtype == np.uint16, ranks)
    sites = SiteRows(prepared.sites, tie_tolerance(prepared.energies))
    _pruned(block, code, sites, layout, scratch, labels)
    return labels
