"""The nearest site of every pixel of one tile."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gigaxas.arrays import FloatArray, IntArray, LabelArray
from gigaxas.locations import Location
from gigaxas.nearest import Assignment, Prepared, assign_block
from gigaxas.nearest.approximate import assign_approximately, count_right
from gigaxas.nearest.certainty import Certainty, certainty_maps
from gigaxas.observed import class_map
from gigaxas.spatial.cell_sums import cell_means, cell_sums
from gigaxas.spatial.certain import certain_from_tile
from gigaxas.spatial.clean_up import CleanUp
from gigaxas.spatial.cluster_sums import sum_spectra
from gigaxas.stores import cube
from gigaxas.stores.cells import write_cells
from gigaxas.stores.cube import CubeInfo
from gigaxas.stores.deferred import Deferred, join_deferred, write_deferred
from gigaxas.stores.result import read_map, write_maps
from gigaxas.tasks.pixels import read_in_turn, reasons_of_labels
from gigaxas.tiles import Tile, blocks_of

SAMPLE = 4000
"""Pixels of a tile on which the approximate engine is compared with the exact one."""


class Outputs(NamedTuple):
    """What is kept of the pixels that are assigned."""

    info: CubeInfo
    """The cube they come from."""
    result: Location
    """The store of their maps."""
    classes: IntArray
    """(m,) number, from 1, of the site that stands for each of m sites in the map."""
    certainty: Certainty | None
    """What is asked of how sure a label is."""
    expected: CleanUp | None
    """The clean-up to follow, where what the clusters will need of the cube is kept for them."""
    cells: int
    """Side of the cells whose mean spectra are kept, in pixels; 0 where none are."""


def assign_tile(
    tile: Tile,
    *,
    info: CubeInfo,
    result: Location,
    sites: Prepared,
    classes: IntArray,
    certainty: Certainty | None = None,
    expected: CleanUp | None = None,
    cells: int = 0,
) -> None:
    """Give every pixel of one tile the number that stands for its nearest site, and say how sure that is.

    `classes` (m,) has these numbers, from 1. With the clean-up that is `expected` to follow, what the
    clusters will need of the cube is kept for them; so are the mean spectra of `cells` of that side.
    """
    ranked = certainty is not None and certainty.gain is not None

    def find(part: Tile, block: NDArray[Any]) -> Assignment:
        return assign_block(block, sites, invalid=info.invalid, want_runner_up=ranked)

    _assign(tile, find, Outputs(info, result, classes, certainty, expected, cells))


def assign_tile_approximately(
    tile: Tile,
    *,
    info: CubeInfo,
    result: Location,
    sites: Prepared,
    classes: IntArray,
    index: Any,
    certainty: Certainty | None = None,
    expected: CleanUp | None = None,
    cells: int = 0,
) -> tuple[int, int]:
    """Do as `assign_tile`, by a neighbour graph; return the right labels of a sample and its pixels."""
    counts = []

    def find(part: Tile, block: NDArray[Any]) -> Assignment:
        found = assign_approximately(block, sites, index, info.invalid)
        seed = part.y0 * info.plane[1] + part.x0
        counts.append(count_right(block, found.labels, sites, info.invalid, SAMPLE, seed))
        return found

    _assign(tile, find, Outputs(info, result, classes, certainty, expected, cells))
    return sum(right for right, _ in counts), sum(compared for _, compared in counts)


def compare_tile(
    tile: Tile, *, info: CubeInfo, result: Location, sites: Prepared, classes: IntArray
) -> tuple[int, int]:
    """Count the labels that rounding the samples has changed in one tile, and the pixels compared.

    Those are the pixels that a quantised cube holds as they were, too, unless both have no signal.
    """
    samples, rows = cube.read_lossless(info, tile)
    labels = read_map(result, "site", tile.region)[rows]
    exact = class_map(assign_block(samples, sites, invalid=info.invalid).labels, classes)
    return int(np.count_nonzero(exact != labels)), int(np.count_nonzero((exact > 0) | (labels > 0)))


def _assign(tile: Tile, find: Callable[[Tile, NDArray[Any]], Assignment], outputs: Outputs) -> None:
    """Assign a tile block by block, so that one block is held at a time, and write its maps whole."""
    info, certainty = outputs.info, outputs.certainty
    maps: dict[str, NDArray[Any]] = {}
    deferred = []
    cells = []
    for part, block, reasons in read_in_turn(info, blocks_of(tile, info.chunk, info.bytes_per_pixel)):
        found = find(part, block)
        labels = class_map(found.labels, outputs.classes)
        values = {"site": labels, "correlation": found.correlation}
        values["void_reason"] = reasons_of_labels(labels) if reasons is None else reasons
        if certainty is not None:
            values |= certainty_maps(block, found, certainty, info.scale, info.offset)
        for name, value in values.items():
            maps.setdefault(name, np.empty(tile.shape, value.dtype))[part.within(tile)] = value
        if outputs.cells:
            cells.append((part, *cell_sums(block, labels > 0, outputs.cells)))
        if outputs.expected is not None:
            deferred.append(_defer(part, tile, block, labels, info, outputs.expected))
    if outputs.cells:
        _write_cells(tile, cells, outputs)
    if outputs.expected is not None:
        write_deferred(outputs.result, tile, join_deferred(deferred, len(outputs.classes)))
    write_maps(outputs.result, tile, **maps)


def _write_cells(tile: Tile, parts: list[tuple[Tile, FloatArray, IntArray]], outputs: Outputs) -> None:
    """Write the mean spectra of the cells of a tile, from their sums over its blocks."""
    info, side = outputs.info, outputs.cells
    shape = (-(-tile.shape[0] // side), -(-tile.shape[1] // side))
    means, pixels = np.empty((info.shape[0], *shape), np.float32), np.empty(shape, np.int64)
    for part, sums, counted in parts:
        y, x = (part.y0 - tile.y0) // side, (part.x0 - tile.x0) // side
        region = (slice(y, y + counted.shape[0]), slice(x, x + counted.shape[1]))
        means[:, *region] = cell_means(sums, counted, info.scale, info.offset)
        pixels[region] = counted
    write_cells(outputs.result, tile, side, means, pixels)


def _defer(
    part: Tile, tile: Tile, block: NDArray[Any], labels: LabelArray, info: CubeInfo, expected: CleanUp
) -> Deferred:
    """Sum what is certain to be kept of a part of a tile, and take the spectra of what is not decided."""
    certain = certain_from_tile(labels, part.interior(expected.radius, info.plane), expected)
    y, x = np.nonzero(certain.deferred)
    pixels = (y + part.y0 - tile.y0) * tile.shape[1] + x + part.x0 - tile.x0
    # only a void pixel has an invalid sample, and none of these is kept but with fill_void
    invalid = info.invalid if expected.fill_void else None
    return Deferred(sum_spectra(block, certain.kept, invalid), pixels, block[:, y, x])
