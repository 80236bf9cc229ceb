"""What a pixel is expected to be: the mean spectrum of the pixels of its label around it.

The image is cut into cells of CELL x CELL pixels, counted from its corner. The surroundings of a label in a
cell are the pixels of that label in the 3 x 3 cells around it that are far enough from any other label to be
free of these. Errors that vary slowly over the field are in them too, and so leave no residual.
"""

from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from gigaxas.arrays import BoolArray, FloatArray, IntArray, LabelArray
from gigaxas.tiles import Region

CELL = 8
"""Side of a cell in pixels."""
RADIUS = 2
"""Chessboard distance in pixels within which a pixel of the surroundings has no other label: blur reaches
so far."""
FEWEST = 64
"""Pixels without which the surroundings of a label are the mean of its whole cluster."""


class LabelMaps(NamedTuple):
    """What the map says of a block of pixels."""

    label: LabelArray
    """(h, w) final labels; 0 where a pixel has no signal, whatever it was filled with."""
    kept: LabelArray
    """(h, w) labels after the clean-up; 0 where the label was filled in, and may be that of a neighbour."""

    def cut(self, region: Region) -> "LabelMaps":
        """Return the part that the slices (y, x) cut out."""
        return LabelMaps(self.label[region], self.kept[region])


class Surroundings(NamedTuple):
    """The surroundings of every label in every cell of a block of pixels (h, w)."""

    first: IntArray
    """(cells + 1,) number of the first surroundings of each cell, cells in reading order."""
    labels: IntArray
    """(n,) label of each."""
    mean: NDArray[np.float32]
    """(n, r) mean coordinates."""
    pixels: FloatArray
    """(n,) how many pixels each is the mean of; infinite for the mean of a cluster."""
    own: NDArray[np.int32]
    """(h, w) number of the surroundings of each pixel: its label in its cell; -1 for a void pixel."""
    uniform: BoolArray
    """(h, w) whether a pixel has no other label within RADIUS, and kept its own."""
    inside: BoolArray
    """(h, w) whether a pixel is one of those that its surroundings are the mean of."""


def surroundings_of(points: NDArray[np.float32], maps: LabelMaps, clusters: FloatArray) -> Surroundings:
    """Return the surroundings of pixels from their coordinates (r, h, w) and labels (h, w).

    Only pixels whose label was kept tell of them. They are a block that starts at the corner of a cell.
    `clusters` (m + 1, r) are the mean coordinates of the cluster of each label, NaN for one without.
    """
    wide = maps.label.astype(np.int64)
    uniform = _uniform(wide) & (maps.kept == maps.label)
    first, listed = _list_labels(wide)
    own = _number(wide, first, listed)
    sums, pixels = _sum_cells(points, own, uniform, len(listed))
    mean, count = _join_cells(sums, pixels, first, listed, wide.shape[1], clusters)
    return Surroundings(first, listed, mean, count, own, uniform, uniform & np.isfinite(count)[own])


@njit(nogil=True, cache=True)
def _uniform(labels: IntArray) -> BoolArray:
    """Return which pixels (h, w) have no other label within RADIUS, the edge of the block left out."""
    height, width = labels.shape
    across = np.zeros((height, width), np.bool_)
    uniform = np.zeros((height, width), np.bool_)
    for y in range(height):
        for x in range(width):
            same = labels[y, x] != 0
            for k in range(max(x - RADIUS, 0), min(x + RADIUS + 1, width)):
                same &= labels[y, k] == labels[y, x]
            across[y, x] = same
    for y in range(height):
        for x in range(width):
            same = across[y, x]
            for k in range(max(y - RADIUS, 0), min(y + RADIUS + 1, height)):
                same &= across[k, x] and labels[k, x] == labels[y, x]
            uniform[y, x] = same
    return uniform


@njit(nogil=True, cache=True)
def _list_labels(labels: IntArray) -> tuple[IntArray, IntArray]:
    """List the labels in and within RADIUS of each cell, in rising order; return where each list starts."""
    height, width = labels.shape
    rows, columns = -(-height // CELL), -(-width // CELL)
    first = np.zeros(rows * columns + 1, np.int64)
    found = np.empty(rows * columns * (CELL + 2 * RADIUS) ** 2, np.int64)
    near = np.empty((CELL + 2 * RADIUS) ** 2, np.int64)
    count = 0
    for cell in range(rows * columns):
        top, left = cell // columns * CELL, cell % columns * CELL
        there = 0
        for y in range(max(top - RADIUS, 0), min(top + CELL + RADIUS, height)):
            for x in range(max(left - RADIUS, 0), min(left + CELL + RADIUS, width)):
                label, k = labels[y, x], 0
                while k < there and near[k] != label:
                    k += 1
                if k == there and label != 0:
                    near[there] = label
                    there += 1
        found[count : count + there] = np.sort(near[:there])
        count += there
        first[cell + 1] = count
    return first, found[:count].copy()


@njit(nogil=True, cache=True)
def find_surroundings(first: IntArray, listed: IntArray, cell: int, label: int) -> int:
    """Return the number of the surroundings of a label in a cell; -1 where it is not there."""
    for k in range(first[cell], first[cell + 1]):
        if listed[k] == label:
            return int(k)
    return -1


@njit(nogil=True, cache=True)
def _number(labels: IntArray, first: IntArray, listed: IntArray) -> NDArray[np.int32]:
    height, width = labels.shape
    columns = -(-width // CELL)
    own = np.full((height, width), -1, np.int32)
    for y in range(height):
        for x in range(width):
            if labels[y, x] != 0:
                cell = y // CELL * columns + x // CELL
                own[y, x] = find_surroundings(first, listed, cell, labels[y, x])
    return own


@njit(nogil=True, cache=True)
def _sum_cells(
    points: Any, own: NDArray[np.int32], inside: BoolArray, count: int
) -> tuple[NDArray[np.float32], FloatArray]:
    """Sum the coordinates (r, h, w) of the pixels `inside` by number; return (n, r), and how many (n,)."""
    axes, height, width = points.shape
    sums, pixels = np.zeros((count, axes), np.float32), np.zeros(count)
    main = np.zeros(-(-width // CELL), np.int32)
    mask = np.zeros(width, np.float32)
    row = np.zeros(main.size * CELL, np.float32)
    for y in range(height):
        _mark_main(own[y], inside[y], main, mask, pixels)
        for axis in range(axes):
            samples = points[axis, y]
            for x in range(width):
                row[x] = samples[x] * mask[x]
            for cell in range(main.size):
                total = np.float32(0.0)
                for x in range(cell * CELL, cell * CELL + CELL):
                    total += row[x]
                sums[main[cell], axis] += total
        for x in range(width):
            if inside[y, x] and mask[x] == 0.0:
                for axis in range(axes):
                    sums[own[y, x], axis] += points[axis, y, x]
    return sums, pixels


@njit(nogil=True, cache=True)
def _mark_main(
    own: NDArray[np.int32],
    inside: BoolArray,
    main: NDArray[np.int32],
    mask: NDArray[np.float32],
    pixels: FloatArray,
) -> None:
    """Find the number that most of a row is summed for, cell by cell: that of the first pixel inside.

    Marks the pixels that it stands for, and counts all that are inside.
    """
    main[:] = -1
    for x in range(own.size):
        mask[x] = 0.0
        if inside[x]:
            pixels[own[x]] += 1.0
            if main[x // CELL] < 0:
                main[x // CELL] = own[x]
            mask[x] = np.float32(main[x // CELL] == own[x])
    for cell in range(main.size):
        main[cell] = max(main[cell], 0)


@njit(nogil=True, cache=True)
def _join_cells(
    sums: NDArray[np.float32],
    pixels: FloatArray,
    first: IntArray,
    listed: IntArray,
    width: int,
    clusters: FloatArray,
) -> tuple[NDArray[np.float32], FloatArray]:
    """Return the means (n, r) over 3 x 3 cells, or those of clusters, and how many pixels they are of."""
    columns = -(-width // CELL)
    rows = (first.size - 1) // columns
    mean = np.empty(sums.shape, np.float32)
    count = np.empty(pixels.size)
    total = np.empty(sums.shape[1])
    for cell in range(first.size - 1):
        row, column = cell // columns, cell % columns
        for k in range(first[cell], first[cell + 1]):
            total[:] = 0.0
            there = 0.0
            for i in range(max(row - 1, 0), min(row + 2, rows)):
                for j in range(max(column - 1, 0), min(column + 2, columns)):
                    other = find_surroundings(first, listed, i * columns + j, listed[k])
                    if other >= 0 and pixels[other] > 0:
                        there += pixels[other]
                        total += sums[other]
            if there >= FEWEST or np.isnan(clusters[listed[k], 0]):
                mean[k] = (total / max(there, 1.0)).astype(np.float32)
                count[k] = there
            else:
                mean[k] = clusters[listed[k]].astype(np.float32)
                count[k] = np.inf
    return mean, count
