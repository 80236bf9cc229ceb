"""How far each label reaches: its regions, the largest of them, and bounding boxes, exact over tiles."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from gigaxas.arrays import IntArray, LabelArray
from gigaxas.spatial.regions import RegionEdges, find_regions, number_regions, region_edges


@dataclass(frozen=True)
class Extents:
    """How far labels reach, one entry a label; boxes are y0, y1, x0, x1 in pixels, as in `tiles.Box`."""

    labels: IntArray
    """Labels (n,)."""
    regions: IntArray
    """Number of 8-connected regions of each label (n,)."""
    box: IntArray
    """Box round all pixels of the label (n, 4)."""
    largest: IntArray
    """Pixels of its largest region (n,); of equally large ones it is the first in reading order."""
    first: IntArray
    """First pixel of the largest region (n,): its place in reading order over the whole image."""
    largest_box: IntArray
    """Box round the largest region (n, 4)."""


@dataclass(frozen=True)
class TileExtents:
    """What merging needs of one tile."""

    edges: RegionEdges
    """Labels and regions along its ring."""
    border: Extents
    """An entry for every region that touches the ring, by its number; entry 0 is no region."""
    inner: Extents
    """An entry for every label, over the regions that do not touch the ring."""


def find_extents(label: LabelArray, y0: int, x0: int, width: int) -> TileExtents:
    """Measure the regions of one tile (h, w) that starts at (y0, x0) of an image `width` pixels wide."""
    regions = find_regions(label, np.zeros_like(label))
    measures = _measure(label, regions.components, regions.has_core.size, y0, x0, width)
    labels, pixels, first, box = measures[:, 0], measures[:, 1], measures[:, 2], measures[:, 3:]
    every = Extents(labels, (labels > 0).astype(np.int64), box, pixels, first, box)
    border = regions.border + 1
    return TileExtents(
        region_edges(label, regions),
        _rows(every, slice(border)),
        combine([_rows(every, slice(border, None))]),
    )


def whole_extents(image: TileExtents) -> Extents:
    """Return one row a label, in rising order, of tiles that were joined to the whole image."""
    return combine([image.border, image.inner])


def join_extents(grid: Sequence[Sequence[TileExtents]]) -> TileExtents:
    """Join regions over edges and corners: return what merging needs of the large tile that tiles make."""
    tiles = [tile for row in grid for tile in row]
    joined = number_regions([[tile.edges for tile in row] for row in grid])
    border = _stack([tile.border for tile in tiles])
    where, count = joined.numbers, joined.has_core.size
    labels, pixels = np.zeros((2, count), np.int64)
    labels[where] = border.labels
    np.add.at(pixels, where, border.largest)
    first = np.full(count, np.iinfo(np.int64).max)
    np.minimum.at(first, where, border.first)
    box = _join_boxes(border.box, where, count)
    every = Extents(labels, (labels > 0).astype(np.int64), box, pixels, first, box)
    outer = joined.edges.has_core.size
    inner = combine([_rows(every, slice(outer, None)), *(tile.inner for tile in tiles)])
    return TileExtents(joined.edges, _rows(every, slice(outer)), inner)


def combine(parts: Iterable[Extents]) -> Extents:
    """Sum up rows that belong to the same label; rows of label 0 are left out."""
    rows = _stack(parts)
    rows = _rows(rows, np.flatnonzero(rows.labels > 0))
    labels, where = np.unique(rows.labels, return_inverse=True)
    regions = np.zeros(labels.size, np.int64)
    np.add.at(regions, where, rows.regions)
    order = np.lexsort((rows.first, -rows.largest, rows.labels))
    best = order[np.searchsorted(rows.labels[order], labels)]
    box = _join_boxes(rows.box, where, labels.size)
    return Extents(labels, regions, box, rows.largest[best], rows.first[best], rows.largest_box[best])


def _stack(parts: Iterable[Extents]) -> Extents:
    columns = zip(*(vars(part).values() for part in parts), strict=True)
    return Extents(*(np.concatenate(column) for column in columns))


def _rows(extents: Extents, rows: slice | IntArray) -> Extents:
    return Extents(*(column[rows] for column in vars(extents).values()))


def _join_boxes(box: IntArray, where: IntArray, count: int) -> IntArray:
    joined = np.tile(np.array([np.iinfo(np.int64).max, 0] * 2), (count, 1))
    for side in (0, 2):
        np.minimum.at(joined[:, side], where, box[:, side])
        np.maximum.at(joined[:, side + 1], where, box[:, side + 1])
    return joined


@njit(nogil=True, cache=True)
def _measure(
    label: LabelArray, components: NDArray[np.int32], count: int, y0: int, x0: int, width: int
) -> IntArray:
    """Return label, pixels, first pixel and box (y0, y1, x0, x1) of each component; row 0 is of no label."""
    table = np.zeros((count, 7), np.int64)
    for y in range(label.shape[0]):
        for x in range(label.shape[1]):
            component = components[y, x]
            if component == 0:
                continue
            row = table[component]
            if row[1] == 0:
                row[0] = label[y, x]
                row[2] = (y0 + y) * width + x0 + x
                row[3], row[5] = y0 + y, x0 + x
            row[1] += 1
            row[3], row[4] = min(row[3], y0 + y), max(row[4], y0 + y + 1)
            row[5], row[6] = min(row[5], x0 + x), max(row[6], x0 + x + 1)
    return table
