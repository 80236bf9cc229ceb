"""Where windows are looked at: parcels that cover the image and probes spread over it, whatever its tiles."""

import numpy as np

from gigaxas.tiles import Grid, Tile, regular_grid

SIDE, LARGE_SIDE = 512, 1024
"""Sides of a parcel, in windows, and of one of a large image, where less margin is read twice."""
LARGE = 4 * LARGE_SIDE**2
PROBE_SIDE = 40
MOST_PROBES = 8


def parcels(plane: tuple[int, int], k_size: int) -> Grid:
    """Return the parcels of an image (y, x), as the pixels that they read: their windows, whole.

    They start at the image's corner, whatever its tiles or chunks. Neighbours overlap by k_size - 1 pixels;
    every window lies in one parcel.
    """
    more = k_size - 1
    side = LARGE_SIDE if plane[0] * plane[1] >= LARGE else SIDE
    grid = regular_grid((plane[0] - more, plane[1] - more), (side, side))
    return [[Tile(t.row, t.column, t.y0, t.y1 + more, t.x0, t.x1 + more) for t in row] for row in grid]


def probes(plane: tuple[int, int]) -> Grid:
    """Return at most MOST_PROBES x MOST_PROBES small squares, evenly spread over an image (y, x)."""
    ys, xs = (_starts(length) for length in plane)
    height, width = min(PROBE_SIDE, plane[0]), min(PROBE_SIDE, plane[1])
    return [[Tile(i, j, y, y + height, x, x + width) for j, x in enumerate(xs)] for i, y in enumerate(ys)]


def _starts(length: int) -> list[int]:
    count = max(1, min(MOST_PROBES, length // PROBE_SIDE))
    last = max(0, length - PROBE_SIDE)
    return [int(start) for start in np.linspace(0, last, count).round()] if count > 1 else [last // 2]
