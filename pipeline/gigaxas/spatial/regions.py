"""Regions of equal label, merged over tile edges and corners: which are kept by a core (METHOD 5)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from gigaxas.arrays import BoolArray, IntArray, LabelArray
from gigaxas.errors import InputError
from gigaxas.spatial.clean_up import CleanUp, check_clean_up, check_labels, effective_labels, find_cores
from gigaxas.tiles import Box

Numbers = NDArray[np.int32] | IntArray


@dataclass(frozen=True)
class Regions:
    """Regions of one tile: components (h, w) numbered 1..n, those on the tile's border 1..border first."""

    components: NDArray[np.int32]
    has_core: BoolArray
    """(n+1,) whether the component holds a core within this tile; entry 0 stands for no region."""
    border: int


@dataclass(frozen=True)
class RegionEdges:
    """What merging needs of one tile: labels and components along its ring, and the border's cores."""

    shape: tuple[int, int]
    labels: LabelArray
    components: NDArray[np.int32]
    has_core: BoolArray


def find_regions(effective: LabelArray, cores: LabelArray) -> Regions:
    """Return the 8-connected regions of equal non-zero label of one tile (h, w)."""
    labels = np.pad(effective, 1)
    parent = np.empty(effective.size + 1, np.int32)
    provisional, count = _scan(labels, parent)
    components, has_core, border = _number(provisional, parent[: count + 1], np.ascontiguousarray(cores))
    return Regions(components, has_core, border)


def region_edges(effective: LabelArray, regions: Regions) -> RegionEdges:
    """Return the small summary of a tile from which `merge_regions` joins its regions to its neighbours'."""
    rings = tile_ring(effective), tile_ring(regions.components)
    return RegionEdges(regions.components.shape, *rings, regions.has_core[: regions.border + 1])


def merge_regions(grid: Sequence[Sequence[RegionEdges]]) -> list[list[BoolArray]]:
    """Join the regions of all tiles over edges and corners; say which border components a core keeps.

    `grid` holds the tiles row by row. The answer for a tile is (border+1,), in the order of its components,
    entry 0 False. Raises InputError when the tiles do not form a grid.
    """
    roots, starts = region_roots(grid)
    has_core = np.concatenate([edges.has_core for row in grid for edges in row])
    kept = np.zeros(roots.size, np.bool_)
    kept[roots[has_core]] = True
    keep = kept[roots]
    keep[starts] = False
    flags = np.split(keep, starts[1:])
    columns = len(grid[0])
    return [flags[row * columns : (row + 1) * columns] for row in range(len(grid))]


def region_roots(grid: Sequence[Sequence[RegionEdges]]) -> tuple[IntArray, IntArray]:
    """Join the border components of all tiles over edges and corners.

    Numbers the components of all tiles (border+1 each, row by row) in one line and returns for each the
    number of the one that stands for its whole region, and where each tile starts. Raises InputError when
    the tiles do not form a grid.
    """
    heights, widths = grid_sizes([[edges.shape for edges in row] for row in grid])
    tiles = [edges for row in grid for edges in row]
    ends = np.cumsum([edges.has_core.size for edges in tiles])
    starts = ends - [edges.has_core.size for edges in tiles]
    labels = np.concatenate([edges.labels for edges in tiles])
    components = np.concatenate([e.components + np.int64(o) for e, o in zip(tiles, starts, strict=True)])
    roots = np.arange(ends[-1])
    _join_tiles(labels, components, heights, widths, roots)
    return roots, starts


def keep_regions(effective: LabelArray, regions: Regions, keep: BoolArray) -> LabelArray:
    """Return the tile's kept labels (h, w), 0 where removed; `keep` is its answer of `merge_regions`."""
    kept = regions.has_core.copy()
    kept[: keep.size] = keep
    return np.where(kept[regions.components], effective, effective.dtype.type(0))


def clean_up_map(labels: LabelArray, clean_up: CleanUp) -> LabelArray:
    """Return the kept map (h, w) of a whole label map held in memory: METHOD 5, removed pixels 0.

    Raises InputError for parameters outside the gate, an image below one window, or what is no label map.
    """
    check_labels(labels)
    check_clean_up(clean_up, labels.shape)
    half = clean_up.radius
    interior = Box(half, labels.shape[0] - half, half, labels.shape[1] - half)
    cores = find_cores(np.pad(labels, half), interior, clean_up)
    effective = effective_labels(labels, cores, interior)
    regions = find_regions(effective, cores)
    return keep_regions(effective, regions, regions.has_core[: regions.border + 1])


def tile_ring(tile: NDArray[Any]) -> NDArray[Any]:
    """Return the ring of a tile (h, w) as one array (2w+2h,): top row, bottom row, left and right column."""
    return np.concatenate([tile[0], tile[-1], tile[:, 0], tile[:, -1]])


def grid_sizes(shapes: Sequence[Sequence[tuple[int, int]]]) -> tuple[IntArray, IntArray]:
    """Return row heights and column widths of a grid of tile shapes; InputError when it is no grid."""
    heights, widths = [row[0][0] for row in shapes], [width for _, width in shapes[0]]
    if [[(height, width) for width in widths] for height in heights] != [list(row) for row in shapes]:
        raise InputError(
            "the tiles do not form a grid: expected one height along a row and one width along a column; "
            "give every tile, row by row"
        )
    return np.array(heights, np.int64), np.array(widths, np.int64)


@njit(nogil=True, cache=True)
def facing_lines(
    height: int, width: int, other_height: int, other_width: int, down: int, right: int
) -> tuple[int, int, int]:
    """Return where two neighbours' rings touch: start in this ring, start in the other's, length.

    `down` and `right` (-1, 0, 1) say where the other tile lies; a diagonal one touches in a single pixel.
    """
    if down == 0:
        near = 2 * width + (height if right > 0 else 0)
        far = 2 * other_width + (0 if right > 0 else other_height)
        return near, far, height
    near, far = (width, 0) if down > 0 else (0, other_width)
    if right == 0:
        return near, far, width
    return near + (width - 1 if right > 0 else 0), far + (0 if right > 0 else other_width - 1), 1


@njit(nogil=True, cache=True)
def ring_starts(heights: IntArray, widths: IntArray) -> IntArray:
    """Return where each tile's ring starts (rows, columns) when all rings are laid one after another."""
    starts = np.empty((heights.size, widths.size), np.int64)
    start = 0
    for row in range(heights.size):
        for column in range(widths.size):
            starts[row, column] = start
            start += 2 * (heights[row] + widths[column])
    return starts


@njit(nogil=True, cache=True)
def _root(parent: Numbers, node: int) -> int:
    while parent[node] != node:
        parent[node] = parent[parent[node]]
        node = parent[node]
    return node


@njit(nogil=True, cache=True)
def _join(parent: Numbers, first: int, second: int) -> int:
    """Join two sets under their smaller root, so that no parent ever exceeds its child."""
    first, second = _root(parent, first), _root(parent, second)
    low, high = min(first, second), max(first, second)
    parent[high] = low
    return low


@njit(nogil=True, cache=True)
def _scan(labels: LabelArray, parent: Numbers) -> tuple[NDArray[np.int32], int]:
    """Number the pixels of a map with a margin of zeros; note in `parent` what belongs together."""
    provisional = np.zeros(labels.shape, np.int32)
    count, parent[0] = 0, 0
    for y in range(1, labels.shape[0] - 1):
        for x in range(1, labels.shape[1] - 1):
            label = labels[y, x]
            if label == 0:
                continue
            if labels[y - 1, x] == label:
                provisional[y, x] = provisional[y - 1, x]
                continue
            number = 0
            if labels[y, x - 1] == label:
                number = int(provisional[y, x - 1])
            elif labels[y - 1, x - 1] == label:
                number = int(provisional[y - 1, x - 1])
            if labels[y - 1, x + 1] == label:
                other = int(provisional[y - 1, x + 1])
                number = other if number == 0 else _join(parent, number, other)
            if number == 0:
                count += 1
                number = count
                parent[count] = count
            provisional[y, x] = number
    return provisional, count


@njit(nogil=True, cache=True)
def _number(
    provisional: Numbers, parent: Numbers, cores: LabelArray
) -> tuple[NDArray[np.int32], BoolArray, int]:
    """Turn provisional numbers (with margin) into components 1..n, those on the tile's border first."""
    height, width = cores.shape
    for node in range(parent.size):
        parent[node] = parent[parent[node]]
    final = np.zeros(parent.size, np.int32)
    count = 0
    for y in range(height):
        for x in range(0, width, 1 if y in (0, height - 1) else max(width - 1, 1)):
            root = parent[provisional[y + 1, x + 1]]
            if root != 0 and final[root] == 0:
                count += 1
                final[root] = count
    border = count
    for node in range(1, parent.size):
        if parent[node] == node and final[node] == 0:
            count += 1
            final[node] = count
    components = np.empty((height, width), np.int32)
    has_core = np.zeros(count + 1, np.bool_)
    for y in range(height):
        for x in range(width):
            component = final[parent[provisional[y + 1, x + 1]]]
            components[y, x] = component
            if cores[y, x] != 0:
                has_core[component] = True
    return components, has_core, border


@njit(nogil=True, cache=True)
def _join_tiles(
    labels: LabelArray, components: IntArray, heights: IntArray, widths: IntArray, parent: IntArray
) -> None:
    """Join components over every pair of touching tiles; `parent` then holds the root of each."""
    starts = ring_starts(heights, widths)
    for row in range(heights.size):
        for column in range(widths.size):
            for down, right in ((0, 1), (1, -1), (1, 0), (1, 1)):
                if row + down < heights.size and 0 <= column + right < widths.size:
                    near, far, length = facing_lines(
                        heights[row], widths[column], heights[row + down], widths[column + right], down, right
                    )
                    near += starts[row, column]
                    far += starts[row + down, column + right]
                    _join_lines(labels, components, parent, near, far, length)
    for node in range(parent.size):
        parent[node] = parent[parent[node]]


@njit(nogil=True, cache=True)
def _join_lines(
    labels: LabelArray, components: IntArray, parent: IntArray, near: int, far: int, length: int
) -> None:
    """Join equal labels of two lines that lie side by side, straight across and diagonally."""
    for i in range(length):
        label = labels[near + i]
        if label == 0:
            continue
        for j in range(max(i - 1, 0), min(i + 2, length)):
            if labels[far + j] == label:
                _join(parent, components[near + i], components[far + j])
