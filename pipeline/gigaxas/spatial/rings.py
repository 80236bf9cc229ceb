"""The rings of a grid of tiles: the outermost pixels of each, and where the rings of neighbours touch.

What crosses the borders of tiles is joined on their rings alone: regions in `regions`, nearest labels in
`fill`.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from gigaxas.arrays import IntArray
from gigaxas.errors import InputError


class RingGrid(NamedTuple):
    """A grid of tiles whose rings are laid one after another, row by row."""

    heights: IntArray
    """Heights (rows,) of the tiles, in pixels."""
    widths: IntArray
    """Widths (columns,) of the tiles, in pixels."""
    starts: IntArray
    """Where the ring of each tile starts (rows, columns)."""


def ring_of(tile: NDArray[Any]) -> NDArray[Any]:
    """Return the ring of a tile (h, w) as one array (2w+2h,): top row, bottom row, left and right column."""
    return np.concatenate([tile[0], tile[-1], tile[:, 0], tile[:, -1]])


def ring_grid(shapes: Sequence[Sequence[tuple[int, int]]]) -> RingGrid:
    """Return the grid of tiles of these shapes, given row by row. Raises InputError when they form none."""
    heights, widths = [row[0][0] for row in shapes], [width for _, width in shapes[0]]
    if [[(height, width) for width in widths] for height in heights] != [list(row) for row in shapes]:
        raise InputError(
            "the tiles do not form a grid: expected one height along a row and one width along a column; "
            "give every tile, row by row"
        )
    sizes = 2 * np.add.outer(np.array(heights, np.int64), np.array(widths, np.int64))
    starts = (np.cumsum(sizes) - sizes.ravel()).reshape(sizes.shape)
    return RingGrid(np.array(heights, np.int64), np.array(widths, np.int64), starts)


def outer_ring(grid: RingGrid) -> IntArray:
    """Return where the ring of a whole grid lies among the rings of its tiles, in the order of `ring_of`."""
    heights, widths, starts = grid
    bottom, left, right = widths, 2 * widths[0], 2 * widths[-1] + heights
    lines = [
        *zip(starts[0], widths, strict=True),
        *zip(starts[-1] + bottom, widths, strict=True),
        *zip(starts[:, 0] + left, heights, strict=True),
        *zip(starts[:, -1] + right, heights, strict=True),
    ]
    return np.concatenate([np.arange(start, start + length) for start, length in lines])


def grid_shape(grid: RingGrid) -> tuple[int, int]:
    """Return rows and columns of a whole grid, in pixels."""
    return int(grid.heights.sum()), int(grid.widths.sum())


@njit(nogil=True, cache=True)
def touching(grid: RingGrid, row: int, column: int, down: int, right: int) -> tuple[int, int, int]:
    """Return where the rings of a tile and of a neighbour touch: start in its own, in the other's, length.

    `down` and `right` (-1, 0, 1) say where the neighbour lies; a diagonal one touches in one pixel, one that
    is not there in none. Starts count from that of the first ring.
    """
    heights, widths, starts = grid
    y, x = row + down, column + right
    if not (0 <= y < heights.size and 0 <= x < widths.size):
        return 0, 0, 0
    width, other = widths[column], widths[x]
    near, far = starts[row, column], starts[y, x]
    if down == 0:
        near += 2 * width + (heights[row] if right > 0 else 0)
        far += 2 * other + (0 if right > 0 else heights[row])
        return near, far, heights[row]
    near += width if down > 0 else 0
    far += 0 if down > 0 else other
    if right == 0:
        return near, far, width
    return near + (width - 1 if right > 0 else 0), far + (0 if right > 0 else other - 1), 1
