"""Fill of removed pixels by the nearest kept label, unbounded over tiles (METHOD 6), and the state map.

Distance and label travel as one integer, distance * 2**32 + label, so that the smaller key is the nearer
label and, at equal distance, the lower one; one step of growth adds 2**32.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from gigaxas.arrays import BoolArray, IntArray, LabelArray
from gigaxas.errors import InputError
from gigaxas.spatial.clean_up import check_labels
from gigaxas.spatial.rings import RingGrid, grid_shape, outer_ring, ring_grid, ring_of, touching
from gigaxas.tiles import Box

STEP = 1 << 32
# Beyond any distance within an image, with room for an image's steps on top; its label part is 0.
NOWHERE = STEP << 30

VOID, KEPT, CORE_OF_ANOTHER, FILLED, FILLED_BORDER = range(5)


@dataclass(frozen=True)
class FillEdges:
    """Distance and label of the nearest kept pixel along the ring of a tile."""

    shape: tuple[int, int]
    """Rows and columns of the tile, in pixels."""
    keys: IntArray
    """Keys (2w+2h,), in the order of `rings.ring_of`."""


def fill_edges(kept: LabelArray) -> FillEdges:
    """Return the nearest kept label of each ring pixel of a tile (h, w), as the tile alone knows it."""
    keys = _start_keys(np.ascontiguousarray(kept))
    grow(keys)
    return FillEdges((kept.shape[0], kept.shape[1]), ring_of(keys[1:-1, 1:-1]))


def merge_fill(grid: Sequence[Sequence[FillEdges]], ring: FillEdges | None = None) -> list[list[FillEdges]]:
    """Return the rings as the whole image determines them, from each tile's own (`fill_edges`), row by row.

    Where more of the image lies around the tiles, `ring` is its answer to what `join_fill` makes of them.
    Growth meets no obstacle, so a tile is crossed in chessboard distance whatever lies in it: rings suffice.
    Raises InputError when the tiles do not form a grid.
    """
    keys, rings = _laid_out(grid)
    nearer = np.zeros(keys.size, np.bool_)
    if ring is not None:
        outer = outer_ring(rings)
        nearer[outer] = ring.keys < keys[outer]
        keys[outer] = ring.keys
    _relax(keys, rings, nearer)
    return [
        [FillEdges(e.shape, keys[s : s + e.keys.size].copy()) for e, s in zip(row, firsts, strict=True)]
        for row, firsts in zip(grid, rings.starts, strict=True)
    ]


def join_fill(grid: Sequence[Sequence[FillEdges]]) -> FillEdges:
    """Return the edges of one large tile that tiles make, row by row. InputError when they form no grid."""
    keys, rings = _laid_out(grid)
    _relax(keys, rings, np.zeros(keys.size, np.bool_))
    return FillEdges(grid_shape(rings), keys[outer_ring(rings)])


def _laid_out(grid: Sequence[Sequence[FillEdges]]) -> tuple[IntArray, RingGrid]:
    rings = ring_grid([[edges.shape for edges in row] for row in grid])
    return np.concatenate([edges.keys for row in grid for edges in row]), rings


def fill_tile(kept: LabelArray, ring: FillEdges, void: BoolArray | None = None) -> LabelArray:
    """Return the final labels (h, w) of a tile from its kept labels and its ring of `merge_fill`.

    A pixel without kept label takes the lowest label among the nearest kept pixels in chessboard distance;
    pixels of `void` (h, w) get 0 but do not stand in the way. Nothing kept anywhere leaves 0. METHOD 6.
    Raises InputError when ring or `void` belong to another shape.
    """
    height, width = kept.shape
    if ring.shape != kept.shape or (void is not None and void.shape != kept.shape):
        raise InputError(
            f"the tile has shape {kept.shape}, its ring {ring.shape}, its void mask "
            f"{None if void is None else void.shape}; expected the same for all: give those of one tile"
        )
    keys = _start_keys(np.ascontiguousarray(kept))
    inner = keys[1:-1, 1:-1]
    inner[0], inner[-1], inner[:, 0], inner[:, -1] = np.split(
        ring.keys, [width, 2 * width, 2 * width + height]
    )
    grow(keys)
    filled = _key_labels(keys, kept.dtype.type(0))
    if void is not None:
        filled[void] = 0
    return filled


def fill_map(kept: LabelArray, void: BoolArray | None = None) -> LabelArray:
    """Return the final map (h, w) of a whole kept map held in memory: METHOD 6; without `void` all is filled.

    Raises InputError for a map that is no label map or a `void` of another shape.
    """
    check_labels(kept)
    if kept.size == 0:
        raise InputError(f"the kept map has shape {kept.shape}; expected at least one pixel")
    return fill_tile(kept, fill_edges(kept), void)


def pixel_states(
    site: LabelArray, kept: LabelArray, void: BoolArray | None, interior: Box
) -> NDArray[np.uint8]:
    """Return why each pixel of a tile (h, w) has its final label.

    0 void: no signal, no label. 1 kept: its site's label. 2 core of another label: it took the label that
    fills its window; with `fill_void` that may be a void pixel. 3 filled: removed in the clean-up, given the
    nearest kept label. 4 filled border: filled because its window does not fit into the image. Where
    nothing is kept in the whole image, 3 and 4 stand for pixels removed and left without label.
    `void` marks the pixels that stay without label: none of them (None) when void pixels are filled.
    """
    states = np.full(site.shape, FILLED_BORDER, np.uint8)
    states[interior.y0 : interior.y1, interior.x0 : interior.x1] = FILLED
    states[kept > 0] = CORE_OF_ANOTHER
    states[(kept > 0) & (kept == site)] = KEPT
    if void is not None:
        states[void] = VOID
    return states


@njit(nogil=True, cache=True)
def grow(keys: IntArray) -> None:
    """Give every pixel its smallest key, in place, within a margin of one pixel that stays as it is.

    Two raster passes are exact: a shortest chessboard path may take its moves in any order, so those from
    above or left go first, and it stays in the rectangle that its ends span.
    """
    height, width = keys.shape
    for y in range(1, height - 1):
        above, row = keys[y - 1], keys[y]
        for x in range(1, width - 1):
            row[x] = min(row[x], min(above[x - 1], above[x], above[x + 1]) + STEP)
        for x in range(1, width - 1):
            row[x] = min(row[x], row[x - 1] + STEP)
    for y in range(height - 2, 0, -1):
        below, row = keys[y + 1], keys[y]
        for x in range(1, width - 1):
            row[x] = min(row[x], min(below[x - 1], below[x], below[x + 1]) + STEP)
        for x in range(width - 2, 0, -1):
            row[x] = min(row[x], row[x + 1] + STEP)


@njit(nogil=True, cache=True)
def _start_keys(kept: LabelArray) -> IntArray:
    """Return the keys of a tile before growth, with a margin: kept pixels at distance 0, else nowhere."""
    height, width = kept.shape
    keys = np.full((height + 2, width + 2), NOWHERE, np.int64)
    for y in range(height):
        for x in range(width):
            if kept[y, x] != 0:
                keys[y + 1, x + 1] = kept[y, x]
    return keys


@njit(nogil=True, cache=True)
def _key_labels(keys: IntArray, zero: Any) -> LabelArray:
    """Return the labels of keys with a margin, in the type of `zero`."""
    labels = np.full((keys.shape[0] - 2, keys.shape[1] - 2), zero)
    for y in range(labels.shape[0]):
        for x in range(labels.shape[1]):
            labels[y, x] = keys[y + 1, x + 1] & (STEP - 1)
    return labels


@njit(nogil=True, cache=True)
def _relax(keys: IntArray, grid: RingGrid, nearer: BoolArray) -> None:
    """Let rings improve one another until none does, sweeping the grid to and fro over what may change.

    `nearer` are the keys that something outside the grid has improved.
    """
    heights, widths, starts = grid
    rows, columns = starts.shape
    for row in range(rows):
        for column in range(columns):
            ring = slice(starts[row, column], starts[row, column] + 2 * (heights[row] + widths[column]))
            _spread(keys[ring], heights[row], widths[column], nearer[ring])
    due = np.ones(rows * columns, np.bool_)
    improved = np.zeros(2 * (heights.max() + widths.max()), np.bool_)
    forward = True
    while due.any():
        for step in range(due.size):
            tile = step if forward else due.size - 1 - step
            if not due[tile]:
                continue
            due[tile] = False
            row, column = divmod(tile, columns)
            if not _receive(keys, grid, row, column, improved):
                continue
            start, size = starts[row, column], 2 * (heights[row] + widths[column])
            _spread(keys[start : start + size], heights[row], widths[column], improved)
            for y in range(max(row - 1, 0), min(row + 2, rows)):
                for x in range(max(column - 1, 0), min(column + 2, columns)):
                    due[y * columns + x] |= y != row or x != column
        forward = not forward


@njit(nogil=True, cache=True)
def _receive(keys: IntArray, grid: RingGrid, row: int, column: int, improved: BoolArray) -> bool:
    """Take what the eight neighbours offer to a tile's ring; mark what improved, say whether anything did."""
    improved[:] = False
    start, better = grid.starts[row, column], False
    for down in range(-1, 2):
        for right in range(-1, 2):
            if down == 0 and right == 0:
                continue
            near, far, length = touching(grid, row, column, down, right)
            for i in range(length):
                offer = keys[far + i]
                for j in range(max(i - 1, 0), min(i + 2, length)):
                    offer = min(offer, keys[far + j])
                if offer + STEP < keys[near + i]:
                    keys[near + i] = offer + STEP
                    improved[near + i - start] = better = True
    return better


@njit(nogil=True, cache=True)
def _spread(ring: IntArray, height: int, width: int, improved: BoolArray) -> None:
    """Carry each improved key of a ring to the rest of it, straight across the tile."""
    for source in range(ring.size):
        if not improved[source]:
            continue
        key = ring[source]
        y, x = _ring_position(source, height, width)
        for i in range(width):
            ring[i] = min(ring[i], key + STEP * max(y, abs(i - x)))
            ring[width + i] = min(ring[width + i], key + STEP * max(height - 1 - y, abs(i - x)))
        for i in range(height):
            left, right = 2 * width + i, 2 * width + height + i
            ring[left] = min(ring[left], key + STEP * max(x, abs(i - y)))
            ring[right] = min(ring[right], key + STEP * max(width - 1 - x, abs(i - y)))


@njit(nogil=True, cache=True)
def _ring_position(index: int, height: int, width: int) -> tuple[int, int]:
    """Return row and column, within the tile, of an entry of its ring."""
    if index < 2 * width:
        return (0, index) if index < width else (height - 1, index - width)
    index -= 2 * width
    return (index, 0) if index < height else (index - height, width - 1)
