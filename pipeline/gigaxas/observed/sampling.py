"""Where windows are looked at: blocks that cover the image, and sample areas spread over it."""

import numpy as np

from gigaxas.tiles import Grid, Tile, regular_grid

BLOCK_SIDE, LARGE_BLOCK_SIDE = 512, 1024
"""Sides of a block, in windows, and of one of a large image, where less margin is read twice."""
LARGE_IMAGE = 4 * LARGE_BLOCK_SIDE**2
"""Pixels from which on an image is large."""
SAMPLE_SIDE = 40
"""Side of a sample area in pixels."""
MOST_SAMPLES = 8
"""Most sample areas along y and along x."""


def block_grid(plane: tuple[int, int], k_size: int) -> Grid:
    """Return the blocks of an image (y, x), as the pixels that they read: their windows, whole.

    They start at the image's corner, whatever its tiles or chunks. Neighbours overlap by k_size - 1 pixels;
    every window lies in one block.
    """
    more = k_size - 1
    side = LARGE_BLOCK_SIDE if plane[0] * plane[1] >= LARGE_IMAGE else BLOCK_SIDE
    grid = regular_grid((plane[0] - more, plane[1] - more), (side, side))
    return [[Tile(t.row, t.column, t.y0, t.y1 + more, t.x0, t.x1 + more) for t in row] for row in grid]


def sample_grid(plane: tuple[int, int]) -> Grid:
    """Return at most MOST_SAMPLES x MOST_SAMPLES small squares, evenly spread over an image (y, x)."""
    ys, xs = (_starts(length) for length in plane)
    height, width = min(SAMPLE_SIDE, plane[0]), min(SAMPLE_SIDE, plane[1])
    return [[Tile(i, j, y, y + height, x, x + width) for j, x in enumerate(xs)] for i, y in enumerate(ys)]


def _starts(length: int) -> list[int]:
    count = max(1, min(MOST_SAMPLES, length // SAMPLE_SIDE))
    last = max(0, length - SAMPLE_SIDE)
    return [int(start) for start in np.linspace(0, last, count).round()] if count > 1 else [last // 2]
