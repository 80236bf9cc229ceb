"""Where windows are looked at: blocks that cover the image, and sample areas spread over it."""

from gigaxas.tiles import Grid, Tile, regular_grid, spread_grid

BLOCK_SIDE, LARGE_BLOCK_SIDE = 512, 1024
"""Sides of a block, in windows, and of one of a large image, where less margin is read twice."""
LARGE_IMAGE = 4 * LARGE_BLOCK_SIDE**2
"""Pixels from which on an image is large."""
TALLEST, FEWEST_BLOCKS = 4, 32
"""A block is up to so many times as high as it is wide, as long as there are so many of them."""
SAMPLE_SIDE = 40
"""Side of a sample area in pixels."""
MOST_SAMPLES = 8
"""Most sample areas along y and along x."""
FIELD_SIDE, MOST_FIELD_AREAS = 256, 4
"""Side of an area in which grains are looked at for errors of the field, and most of them along y and x."""


def block_grid(plane: tuple[int, int], k_size: int) -> Grid:
    """Return the blocks of an image (y, x), as the pixels that they read: their windows, whole.

    They start at the image's corner, whatever its tiles or chunks. Neighbours overlap by k_size - 1 pixels;
    every window lies in one block.
    """
    more = k_size - 1
    pixels = plane[0] * plane[1]
    side = LARGE_BLOCK_SIDE if pixels >= LARGE_IMAGE else BLOCK_SIDE
    times = min(max(pixels // (FEWEST_BLOCKS * side**2), 1), TALLEST)
    grid = regular_grid((plane[0] - more, plane[1] - more), (times * side, side))
    return [[Tile(t.row, t.column, t.y0, t.y1 + more, t.x0, t.x1 + more) for t in row] for row in grid]


def sample_grid(plane: tuple[int, int]) -> Grid:
    """Return at most MOST_SAMPLES x MOST_SAMPLES small squares, evenly spread over an image (y, x)."""
    return spread_grid(plane, SAMPLE_SIDE, MOST_SAMPLES)


def field_grid(plane: tuple[int, int]) -> Grid:
    """Return at most MOST_FIELD_AREAS x MOST_FIELD_AREAS squares, evenly spread over an image (y, x)."""
    return spread_grid(plane, FIELD_SIDE, MOST_FIELD_AREAS)
