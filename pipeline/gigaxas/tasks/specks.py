"""Specks in one tile: what its windows tell of noise, what stands out of it, and the map that shows it."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from gigaxas.arrays import FloatArray, IntArray
from gigaxas.locations import Location
from gigaxas.specks import (
    CELL,
    MARGIN,
    Block,
    Found,
    NullLaw,
    SpeckSearch,
    block_of,
    coordinates_of,
    find_specks,
    join_found,
    sample_squares,
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
TASK_COLUMNS = 1024
"""Columns of a task, about, which tell how much is held at a time."""
TASKS = 2
"""Tasks that an image is shared out to at least, unless it is small."""


def search_grid(plane: Plane, tile: Plane) -> Grid:
    """Return the tiles that are searched: whole tiles of the cube, many of them in a large image."""
    fewest, most = TASK_ROWS
    rows = min(max(plane[0] * plane[1] // (TASKS * TASK_COLUMNS), fewest), most)
    return regular_grid(plane, (max(rows // tile[0], 1) * tile[0], max(TASK_COLUMNS // tile[1], 1) * tile[1]))


def sample_tile(tile: Tile, *, info: CubeInfo, result: Location, search: SpeckSearch) -> list[FloatArray]:
    """Return chi-squares of windows inside the phases of one area, for each shape of window."""
    return sample_squares(_read(block_of(tile.box, info.plane), info, result, search), search)


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


def _read(place: Box, info: CubeInfo, result: Location, search: SpeckSearch) -> Block:
    """Read a block of pixels."""
    block = _empty(place.shape, info, search)
    _fill(block, place, info, result, search)
    return block


def _empty(plane: Plane, info: CubeInfo, search: SpeckSearch) -> Block:
    axes = search.axes.shape[1]
    samples, points = np.empty((info.shape[0], *plane), info.dtype), np.empty((axes, *plane), np.float32)
    return Block(samples, points, *np.empty((2, *plane), np.uint32))


def _fill(block: Block, place: Box, info: CubeInfo, result: Location, search: SpeckSearch) -> None:
    """Read the pixels of a place into a block, two columns of chunks at a time.

    The label is 0 where a pixel has no signal, whatever the map was filled with.
    """
    label, kept, site = (read_map(result, name, place.region) for name in ("label", "kept", "site"))
    block.label[:], block.kept[:] = np.where(site > 0, label, 0), kept
    chunk, wide = info.chunk[1], 2 * info.chunk[1]
    for x0 in range(place.x0 // chunk * chunk, place.x1, wide):
        part = place._replace(x0=max(x0, place.x0), x1=min(x0 + wide, place.x1))
        here = part.seen_from(place.y0, place.x0).region
        samples = read_unmarked(info, Tile(0, 0, *part))
        block.samples[:, *here] = samples
        block.points[:, *here] = coordinates_of(samples, block.label[here] > 0, search.axes)


def _blocks(
    tile: Tile, info: CubeInfo, result: Location, search: SpeckSearch
) -> Iterator[tuple[Box, Box, Block]]:
    """Yield boxes that a tile is made of, from top to bottom, each with its block and where that lies.

    Every chunk is read once: rows that the next box needs too are held.
    """
    step = -(-BAND_ROWS // info.chunk[0]) * info.chunk[0] if info.chunk[0] < BAND_ROWS else BAND_ROWS
    whole = block_of(tile.box, info.plane)
    rows = min(step + 2 * MARGIN + CELL, whole.y1 - whole.y0)
    held = _empty((rows, whole.x1 - whole.x0), info, search)
    top = end = whole.y0
    y0 = tile.y0
    while y0 < tile.y1:
        bottom = min(end // step * step + step, whole.y1)
        new = Box(end, bottom, whole.x0, whole.x1)
        _fill(held.rows(end - top, bottom - top), new, info, result, search)
        end = bottom
        y1 = tile.y1 if end == whole.y1 else min(end - MARGIN, tile.y1)
        if y1 <= y0:
            continue
        box = Box(y0, y1, tile.x0, tile.x1)
        place = block_of(box, info.plane)
        block = held.rows(place.y0 - top, place.y1 - top)
        # kernels are compiled for coordinates without gaps
        yield box, place, block._replace(points=np.ascontiguousarray(block.points))
        y0 = y1
        if y0 < tile.y1:
            first = block_of(Box(y0, y0 + 1, tile.x0, tile.x1), info.plane).y0
            _move_up(held, first - top, end - top)
            top = first


def _move_up(block: Block, first: int, end: int) -> None:
    """Move some rows of a block to its top."""
    for part in block:
        for plane in part.reshape(-1, *part.shape[-2:]):
            plane[: end - first] = plane[first:end].copy()
