"""Regions of equal label, merged over tile edges and corners: which are kept by a core (METHOD 5).

A tile finds its own regions and returns what of them lies on its ring; all rings are merged in one place;
every tile applies the answer. Labels are found in two passes; the root of a union-find is its lowest number.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from gigaxas.arrays import BoolArray, IntArray, LabelArray
from gigaxas.spatial.clean_up import CleanUp, check_clean_up, check_labels, effective_labels, find_cores
from gigaxas.spatial.rings import RingGrid, grid_shape, outer_ring, ring_grid, ring_of, touching
from gigaxas.tiles import Tile

Numbers = NDArray[np.int32] | IntArray


@dataclass(frozen=True)
class Regions:
    """The regions 1 to n of one tile, those on its border first."""

    components: NDArray[np.int32]
    """Region of each pixel (h, w), 0 where there is none."""
    has_core: BoolArray
    """Whether a region holds a core within this tile (n+1,); entry 0 stands for no region."""
    border: int
    """Regions 1 to `border` touch the border of the tile, no others do."""


@dataclass(frozen=True)
class RegionEdges:
    """What merging needs of one tile."""

    shape: tuple[int, int]
    """Rows and columns of the tile, in pixels."""
    labels: LabelArray
    """Labels along its ring, in the order of `rings.ring_of`."""
    components: NDArray[np.int32]
    """Regions along its ring."""
    has_core: BoolArray
    """Whether a region holds a core within this tile (border+1,); entry 0 stands for no region."""


def tile_regions(
    window: LabelArray, tile: Tile, plane: tuple[int, int], clean_up: CleanUp
) -> tuple[LabelArray, Regions]:
    """Find the regions of one tile of an image of shape `plane`.

    `window` are its labels and those of `clean_up.radius` pixels around it, cut at the edge of the image.
    Returns the labels (h, w) that the regions are made of, and the regions.
    """
    radius = clean_up.radius
    padded = np.pad(window, tile.padding(radius, plane))
    interior = tile.interior(radius, plane)
    cores = find_cores(padded, interior, clean_up)
    height, width = tile.shape
    effective = effective_labels(padded[radius : radius + height, radius : radius + width], cores, interior)
    return effective, find_regions(effective, cores)


def find_regions(effective: LabelArray, cores: LabelArray) -> Regions:
    """Return the 8-connected regions of equal non-zero label of one tile (h, w)."""
    labels = np.pad(effective, 1)
    parent = np.empty(effective.size + 1, np.int32)
    provisional, count = _scan(labels, parent)
    components, has_core, border = _number(provisional, parent[: count + 1], np.ascontiguousarray(cores))
    return Regions(components, has_core, border)


def region_edges(effective: LabelArray, regions: Regions) -> RegionEdges:
    """Return the small summary of a tile from which `merge_regions` joins its regions to its neighbours'."""
    rings = ring_of(effective), ring_of(regions.components)
    return RegionEdges(regions.components.shape, *rings, regions.has_core[: regions.border + 1])


def merge_regions(
    grid: Sequence[Sequence[RegionEdges]], keep: BoolArray | None = None
) -> list[list[BoolArray]]:
    """Join the regions of all tiles over edges and corners; say which border components a core keeps.

    `grid` holds the tiles row by row. Where more of the image lies around them, `keep` is its answer to what
    `join_regions` makes of them. The answer for a tile is (border+1,), in the order of its components, entry
    0 False. Raises InputError when the tiles do not form a grid.
    """
    joined = number_regions(grid)
    kept = joined.has_core.copy()
    if keep is not None:
        kept[: keep.size] = keep
    flags = np.split(kept[joined.numbers], joined.starts[1:])
    columns = len(grid[0])
    return [flags[row * columns : (row + 1) * columns] for row in range(len(grid))]


def join_regions(grid: Sequence[Sequence[RegionEdges]]) -> RegionEdges:
    """Return the edges of one large tile that tiles make, row by row. InputError when they form no grid."""
    return number_regions(grid).edges


class JoinedRegions(NamedTuple):
    """The regions 1 to n of a grid of tiles, as far as they touch the border of a tile."""

    edges: RegionEdges
    """Those on the border of the grid, which come first, as of one large tile."""
    numbers: IntArray
    """Region of each border component of all tiles (border+1 each, row by row) in one line."""
    has_core: BoolArray
    """Whether a region holds a core within the grid (n+1,); entry 0 stands for no region."""
    starts: IntArray
    """Where each tile starts in `numbers`."""


def number_regions(grid: Sequence[Sequence[RegionEdges]]) -> JoinedRegions:
    """Join the border components of all tiles over edges and corners. InputError when they form no grid."""
    rings = ring_grid([[edges.shape for edges in row] for row in grid])
    tiles = [edges for row in grid for edges in row]
    ends = np.cumsum([edges.has_core.size for edges in tiles])
    starts = ends - [edges.has_core.size for edges in tiles]
    labels = np.concatenate([edges.labels for edges in tiles])
    components = np.concatenate([e.components + np.int64(o) for e, o in zip(tiles, starts, strict=True)])
    roots = np.arange(ends[-1])
    _join_tiles(labels, components, rings, roots)

    outer = outer_ring(rings)
    on_border, inside = np.zeros((2, roots.size), np.bool_)
    on_border[roots[components[outer]]] = inside[roots] = True
    on_border[starts] = inside[starts] = False
    order = np.concatenate([np.flatnonzero(on_border), np.flatnonzero(inside & ~on_border)])
    numbers = np.zeros(roots.size, np.int64)
    numbers[order] = np.arange(1, order.size + 1)
    numbers = numbers[roots]
    has_core = np.zeros(order.size + 1, np.bool_)
    has_core[numbers[np.concatenate([edges.has_core for edges in tiles])]] = True
    border = np.count_nonzero(on_border)
    ring = numbers[components[outer]].astype(np.int32)
    edges = RegionEdges(grid_shape(rings), labels[outer], ring, has_core[: border + 1])
    return JoinedRegions(edges, numbers, has_core, starts)


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
    height, width = labels.shape
    effective, regions = tile_regions(labels, Tile(0, 0, 0, height, 0, width), (height, width), clean_up)
    return keep_regions(effective, regions, regions.has_core[: regions.border + 1])


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
def _join_tiles(labels: LabelArray, components: IntArray, grid: RingGrid, parent: IntArray) -> None:
    """Join components over every pair of touching tiles; `parent` then holds the root of each."""
    for row in range(grid.heights.size):
        for column in range(grid.widths.size):
            for down, right in ((0, 1), (1, -1), (1, 0), (1, 1)):
                line = touching(grid, row, column, down, right)
                _join_lines(labels, components, parent, line)
    for node in range(parent.size):
        parent[node] = parent[parent[node]]


@njit(nogil=True, cache=True)
def _join_lines(
    labels: LabelArray, components: IntArray, parent: IntArray, line: tuple[int, int, int]
) -> None:
    """Join equal labels of two lines that lie side by side, straight across and diagonally."""
    near, far, length = line
    for i in range(length):
        label = labels[near + i]
        if label == 0:
            continue
        for j in range(max(i - 1, 0), min(i + 2, length)):
            if labels[far + j] == label:
                _join(parent, components[near + i], components[far + j])
