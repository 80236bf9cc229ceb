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
from gigaxas.nearest.pixels import (
    EXTREME,
    PLAIN,
    TILE,
    VOID,
    PixelTile,
    any_row,
    make_tile,
    plain_row,
    take_tile,
)
from gigaxas.nearest.prepared import Prepared
from gigaxas.nearest.simd import BATCH, FACTORS, WIDTH, largest, nearest_groups, score_bounds, screen_lead
from gigaxas.nearest.whole import LEAD, SCORES, whole_pixels, whole_score
from gigaxas.simd import lowest_bit

LOWEST = np.float32(-1e30)  # below any score
UNREACHED = np.float32(np.inf)  # a score that no site reaches


class Screen(NamedTuple):
    """What the screenings know of the pixels of a tile that are not void."""

    lengths: np.ndarray
    """(2, 256) float32, of a pixel on the axes that do not lead, and a bound on that of its residual."""
    factors: np.ndarray
    """(5, 256) int32, for the first screening, two int16 in each: leading coordinates, then `lengths`."""
    first_block: IntArray
    """(8,) the block of sites that gave the first lower bounds of each pixel of a batch."""
    lower: np.ndarray
    """(ranks, 8) float32: the largest lower bounds of scores so far, best first."""
    reach: np.ndarray
    """(8,) int32, for the first screening: the last of `lower`."""
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
            lengths=np.zeros((2, TILE), np.float32),
            factors=np.zeros((FACTORS // 2, TILE), np.int32),
            first_block=np.zeros(BATCH, np.int64),
            lower=np.zeros((ranks, BATCH), np.float32),
            reach=np.zeros(BATCH, np.int32),
            masks=np.zeros(BATCH, np.uint16),
            bounds=np.zeros((2, WIDTH), np.float32),
        ),
        make_candidates(len(prepared.sites)),
        make_rows(prepared.energies, prepared.sites),
    )


@njit(nogil=True, cache=True)
def start_screen(count: int, layout: Layout, tile: PixelTile, screen: Screen) -> None:
    """Set the lengths and factors of the first `count` pixels of a tile."""
    coordinates, factors, unit = tile.coordinates, screen.factors, layout.units.pixel
    inner, middle = tile.squares[0, :count], tile.squares[1, :count]
    on_others, residual = screen.lengths[0, :count], screen.lengths[1, :count]
    for p in range(count):
        on_others[p] = math.sqrt(middle[p])
        residual[p] = math.sqrt(max(1.0 - inner[p] - middle[p], 0.0) + layout.squares_error)
    for step in range(LEAD // 2):
        left, right = coordinates[2 * step, :count], coordinates[2 * step + 1, :count]
        whole_pixels(left, right, False, unit, factors[step, :count])
    whole_pixels(on_others, residual, True, unit, factors[LEAD // 2, :count])


@njit(nogil=True, cache=True)
def start_batch(first: int, layout: Layout, tile: PixelTile, screen: Screen) -> None:
    """Set the first lower bounds of the pixels first to first + 7.

    These come from the block of sites whose centre scores highest. A pixel that is not plain gets a bound
    that no site reaches.
    """
    lengths, factors, first_block, lower, reach, _, bounds = screen
    sites, margins, last = layout.coordinates, layout.margins, lower.shape[0] - 1
    nearest_groups(factors, first, layout.centres, sites.shape[0], first_block)
    for q in range(BATCH):
        p = first + q
        if tile.kinds[p] != PLAIN:
            lower[last, q], reach[q] = UNREACHED, SCORES[1]
            continue
        k = first_block[q]
        score_bounds(tile.coordinates, p, sites, k, margins, lengths[1, p], UNREACHED, bounds)
        if last == 0:
            lower[0, q] = largest(bounds)
        else:
            lower[0, q] = lower[1, q] = LOWEST
            for lane in range(WIDTH):
                _raise(lower, q, bounds[0, lane])
        reach[q] = whole_score(lower[last, q], layout.units)


@njit(nogil=True, cache=True)
def _raise(lower: np.ndarray, q: int, value: float) -> None:
    """Take a site's lower bound into the best lower bounds (ranks, 8) of a pixel."""
    last = lower.shape[0] - 1
    if value > lower[last, q]:
        if last == 1 and value > lower[0, q]:
            lower[1, q] = lower[0, q]
            lower[0, q] = value
        else:
            lower[last, q] = value


@njit(nogil=True, cache=True)
def _screen_batch(
    first: int, layout: Layout, tile: PixelTile, screen: Screen, candidates: Candidates
) -> None:
    """Find the sites that may win for the pixels first to first + 7."""
    factors, lower, reach, masks = screen.factors, screen.lower, screen.reach, screen.masks
    chosen, upper, found = candidates
    last = lower.shape[0] - 1
    found[:] = 0
    for k in range(layout.lead.shape[0]):
        if screen_lead(factors, reach, first, layout.lead, k, masks):
            for q in range(BATCH):
                if masks[q]:
                    _screen_block(first, q, k, layout, tile, screen, candidates)
    for q in range(BATCH):
        kept = 0
        for j in range(found[q]):
            if upper[q, j] >= lower[last, q]:
                chosen[q, kept] = chosen[q, j]
                kept += 1
        found[q] = kept


@njit(nogil=True, cache=True)
def _screen_block(
    first: int, q: int, k: int, layout: Layout, tile: PixelTile, screen: Screen, candidates: Candidates
) -> None:
    """Add to the candidates of pixel first + q what the second screening leaves of its sites of block k."""
    lengths, _, first_block, lower, reach, masks, bounds = screen
    chosen, upper, found = candidates
    p, sites, margins, last = first + q, layout.coordinates, layout.margins, lower.shape[0] - 1
    mask = score_bounds(tile.coordinates, p, sites, k, margins, lengths[1, p], lower[last, q], bounds)
    mask &= np.int64(masks[q])
    while mask:
        lane = lowest_bit(mask)
        mask &= mask - 1
        chosen[q, found[q]] = layout.order[k, lane]
        upper[q, found[q]] = bounds[1, lane]
        found[q] += 1
        if k != first_block[q]:
            _raise(lower, q, bounds[0, lane])
            reach[q] = whole_score(lower[last, q], layout.units)


@njit(nogil=True, cache=True)
def _assign_batch(
    block: np.ndarray,
    invalid: float,
    place: tuple[int, int],
    sites: SiteRows,
    scratch: PruningScratch,
    labels: Labels,
) -> None:
    """Label eight pixels of a tile from their candidates; place: the starts of the tile and of these."""
    (start, first), (tile, _, candidates, rows) = place, scratch
    few = unite(candidates, rows.union)
    if few > 0:
        assign_batch(tile.samples, tile.sums[1], first, sites, candidates, few, rows, labels, start + first)
    for q in range(BATCH):
        p, own = first + q, candidates.sites[q]
        if tile.kinds[p] == EXTREME:
            length = any_row(block, start + p, invalid, rows.row)
            for k in range(own.size):
                own[k] = k
        elif few == 0 and tile.kinds[p] == PLAIN:
            length = plain_row(tile.samples, p, block.shape[0], rows.row)
            own = own[: candidates.found[q]]
        else:
            continue
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
    tile, screen, candidates, _ = scratch
    for start in range(0, block.shape[1], TILE):
        count = min(TILE, block.shape[1] - start)
        take_tile(block, start, count, invalid, layout.axes, tile)
        start_screen(count, layout, tile, screen)
        for first in range(0, count, BATCH):
            if np.any(tile.kinds[first : first + BATCH] != VOID):
                start_batch(first, layout, tile, screen)
                _screen_batch(first, layout, tile, screen, candidates)
                _assign_batch(block, invalid, (start, first), sites, scratch, labels)


def pruned(block: np.ndarray, prepared: Prepared, layout: Layout, invalid: int | None, ranks: int) -> Labels:
    """Return the labels of (E, n) pixels; ranks 2 adds the runner-up."""
    labels = make_labels(ranks, block.shape[1])
    code = np.nan if invalid is None else float(invalid)
    scratch = make_scratch(prepared, layout.axes.shape[1], block.dtype == np.uint16, ranks)
    sites = SiteRows(prepared.sites, tie_tolerance(prepared.energies))
    _pruned(block, code, sites, layout, scratch, labels)
    return labels
