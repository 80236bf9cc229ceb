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
    Found,
    LabelMaps,
    NullLaw,
    SpeckSearch,
    block_of,
    find_specks,
    join_found,
    sample_squares,
)
from gigaxas.stores.cube import CubeInfo
from gigaxas.stores.result import read_map
from gigaxas.stores.specks import write_speck_map
from gigaxas.tasks.pixels import read_unmarked
from gigaxas.tiles import Box, Tile

BAND_ROWS = 256
"""Rows of pixels, about, that are read at a time."""


def sample_tile(tile: Tile, *, info: CubeInfo, result: Location, search: SpeckSearch) -> list[FloatArray]:
    """Return chi-squares of windows inside the phases of one area, for each shape of window."""
    block = block_of(tile.box, info.plane)
    return sample_squares(read_unmarked(info, _tile(block)), _maps(result, block), search)


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
        find_specks(samples, _maps(result, block), block, box, info.plane, search, law, probability)
        for box, block, samples in _bands(tile, info)
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


def _maps(result: Location, block: Box) -> LabelMaps:
    """Read the labels of a block, 0 where a pixel has no signal, whatever the map was filled with."""
    label, kept, site = (read_map(result, name, block.region) for name in ("label", "kept", "site"))
    return LabelMaps(np.where(site > 0, label, label.dtype.type(0)), kept)


def _bands(tile: Tile, info: CubeInfo) -> Iterator[tuple[Box, Box, NDArray[Any]]]:
    """Yield boxes that a tile is made of, from top to bottom, each with its block and the block's samples.

    Every chunk is read once: rows that the next band needs too are held.
    """
    step = -(-BAND_ROWS // info.chunk[0]) * info.chunk[0] if info.chunk[0] < BAND_ROWS else BAND_ROWS
    whole = block_of(tile.box, info.plane)
    rows = min(step + 2 * MARGIN + CELL, whole.y1 - whole.y0)
    held = np.empty((info.shape[0], rows, whole.x1 - whole.x0), info.dtype)
    top = end = whole.y0
    y0 = tile.y0
    while y0 < tile.y1:
        bottom = min(end // step * step + step, whole.y1)
        held[:, end - top : bottom - top] = read_unmarked(info, _tile(Box(end, bottom, whole.x0, whole.x1)))
        end = bottom
        y1 = tile.y1 if end == whole.y1 else min(end - MARGIN, tile.y1)
        if y1 <= y0:
            continue
        box = Box(y0, y1, tile.x0, tile.x1)
        block = block_of(box, info.plane)
        yield box, block, held[:, block.y0 - top : block.y1 - top]
        y0 = y1
        if y0 < tile.y1:
            first = block_of(Box(y0, y0 + 1, tile.x0, tile.x1), info.plane).y0
            held[:, : end - first] = held[:, first - top : end - top].copy()
            top = first


def _tile(box: Box) -> Tile:
    return Tile(0, 0, *box)
