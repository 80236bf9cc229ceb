"""Specks in one tile: what its windows tell of noise, what stands out of it, and the map that shows it."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gigaxas.arrays import FloatArray, IntArray
from gigaxas.locations import Location
from gigaxas.specks import (
    CELL,
    MARGIN,
    Block,
    Found,
    LabelMaps,
    NullLaw,
    SpeckSearch,
    block_of,
    find_specks,
    join_found,
    sample_squares,
    write_coordinates,
)
from gigaxas.stores.cube import CubeInfo
from gigaxas.stores.result import read_map
from gigaxas.stores.specks import write_speck_map
from gigaxas.tasks.pixels import read_unmarked
from gigaxas.tiles import Box, Grid, Plane, Tile, regular_grid

BAND_ROWS = 256
"""Rows of pixels, about, that are read at a time."""
TASK_ROWS = (512, 2048)
"""Fewest and most rows of a task: what lies around it is read for its neighbours too."""
TASK_COLUMNS = 512
"""Columns of a task, about, which tell how much is held at a time."""
TASKS = 2
"""Tasks that an image is shared out to at least, unless it is small."""


def search_grid(plane: Plane, tile: Plane) -> Grid:
    """Return the tiles that are searched, many tiles of the cube each in a large image."""
    fewest, most = TASK_ROWS
    rows = min(max(plane[0] * plane[1] // (TASKS * TASK_COLUMNS), fewest), most)
    grid = regular_grid(plane, (max(rows // tile[0], 1) * tile[0], max(TASK_COLUMNS // tile[1], 1) * tile[1]))
    return [[_moved(one, plane) for one in row] for row in grid]


def _moved(tile: Tile, plane: Plane) -> Tile:
    """Return a tile that ends where what lies around it ends with a chunk: that is read from fewer chunks."""
    y0, x0 = (max(start - MARGIN, 0) for start in (tile.y0, tile.x0))
    y1, x1 = (
        end if end == side else end - MARGIN for end, side in zip((tile.y1, tile.x1), plane, strict=True)
    )
    return Tile(tile.row, tile.column, y0, y1, x0, x1)


def sample_tile(tile: Tile, *, info: CubeInfo, result: Location, search: SpeckSearch) -> list[FloatArray]:
    """Return chi-squares of windows inside the phases of one area, for each shape of window."""
    place = block_of(tile.box, info.plane)
    samples = read_unmarked(info, Tile(0, 0, *place))
    return sample_squares(Block.of(samples, _read_maps(result, place), search), search)


def search_tile(
    tile: Tile,
    *,
    info: CubeInfo,
    result: Location,
    search: SpeckSearch,
    law: NullLaw,
    probability: float,
) -> Found:
    """Find the specks whose first pixel lies in one tile; noise makes a window pass with this probability."""
    found = [
        find_specks(block, place, box, info.plane, search, law, probability)
        for box, place, block in _blocks(tile, info, result, search)
    ]
    return join_found(found)


def draw_tile(tile: Tile, *, store: Location, boxes: IntArray) -> None:
    """Write the numbers of specks, from 1 in the order of their `boxes` (n, 4), into one tile of the map."""
    write_speck_map(store, tile, draw_boxes(tile.box, boxes))


def draw_boxes(place: Box, boxes: IntArray) -> NDArray[np.uint32]:
    """Return the part of the map at a place, with the numbers of specks, from 1, in their boxes (n, 4)."""
    drawn = np.zeros((place.y1 - place.y0, place.x1 - place.x0), np.uint32)
    y0, y1, x0, x1 = boxes.T
    near = (y0 < place.y1) & (y1 > place.y0) & (x0 < place.x1) & (x1 > place.x0)
    for number in np.flatnonzero(near).tolist():
        inside = Box(*boxes[number].tolist()).seen_from(place.y0, place.x0)
        drawn[max(inside.y0, 0) : inside.y1, max(inside.x0, 0) : inside.x1] = number + 1
    return drawn


def _read_maps(result: Location, place: Box) -> LabelMaps:
    """Read the labels of a place.

    The final one is 0 where a pixel has no signal, whatever the map was filled with.
    """
    site, *labels = (read_map(result, name, place.region) for name in ("site", "label", "kept"))
    label, kept = (values.astype(np.uint32) for values in labels)
    label[site == 0] = 0
    return LabelMaps(label, kept)


def _read_samples(out: NDArray[Any], info: CubeInfo, place: Box) -> None:
    """Read the samples (E, h, w) of a place, two columns of chunks at a time."""
    chunk, wide = info.chunk[1], 2 * info.chunk[1]
    for start in range(place.x0 // chunk * chunk, place.x1, wide):
        x0, x1 = max(start, place.x0), min(start + wide, place.x1)
        part = Tile(0, 0, place.y0, place.y1, x0, x1)
        read_unmarked(info, part, out[:, :, x0 - place.x0 : x1 - place.x0])


def _blocks(
    tile: Tile, info: CubeInfo, result: Location, search: SpeckSearch
) -> Iterator[tuple[Box, Box, Block]]:
    """Yield boxes that a tile is made of, from top to bottom, each with its block and where that lies.

    Every chunk is read once: rows that the next box needs too are held.
    """
    step = -(-BAND_ROWS // info.chunk[0]) * info.chunk[0] if info.chunk[0] < BAND_ROWS else BAND_ROWS
    whole = block_of(tile.box, info.plane)
    height, width = whole.shape
    maps = _read_maps(result, whole)
    rows, axes = min(step + 2 * MARGIN + CELL, height), search.axes.shape[1]
    samples = np.empty((info.shape[0], rows, width), info.dtype)
    memory, known = np.empty(axes * rows * width, np.float32), np.empty((axes, 0, width), np.float32)
    top = end = whole.y0
    y0 = tile.y0
    while y0 < tile.y1:
        bottom = min(end // step * step + step, whole.y1)
        place = whole._replace(y0=top, y1=bottom)
        _read_samples(samples[:, end - top : bottom - top], info, place._replace(y0=end))
        here = maps.cut((slice(top - whole.y0, bottom - whole.y0), slice(None)))
        points = memory[: axes * (bottom - top) * width].reshape(axes, bottom - top, width)
        points[:, : end - top] = known
        write_coordinates(samples, here.label > 0, search.axes, points, end - top)
        end = bottom
        y1 = tile.y1 if end == whole.y1 else min(end - MARGIN, tile.y1)
        known = points
        if y1 <= y0:
            continue
        yield Box(y0, y1, tile.x0, tile.x1), place, Block(samples[:, : end - top], points, *here)
        y0 = y1
        if y0 < tile.y1:
            first = block_of(Box(y0, y0 + 1, tile.x0, tile.x1), info.plane).y0
            for plane in samples:
                plane[: end - first] = plane[first - top : end - top].copy()
            known = points[:, first - top :].copy()
            top = first
