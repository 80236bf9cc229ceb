"""Coarser and coarser copies of a map, each half as wide and as high as the one before."""

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from gigaxas.arrays import FloatArray, IntArray, LabelArray
from gigaxas.tiles import Plane


def level_shapes(shape: Plane, side: int) -> list[Plane]:
    """Return the (rows, columns) of every level, the finest first, the last no longer than `side`."""
    shapes = [shape]
    while max(shapes[-1]) > side:
        height, width = shapes[-1]
        shapes.append((-(-height // 2), -(-width // 2)))
    return shapes


def rank_labels(pixels: IntArray, rare_first: bool = True) -> IntArray:
    """Return the rank (n + 1,) of labels 0 to n: between labels equally frequent in a block the lowest wins.

    `pixels` (n + 1,) counts the pixels of each label. The rare wins over the common, so that a needle stays
    in sight longest (or the common over the rare), the lower label where they are equal, and 0 never.
    """
    order = np.lexsort((np.arange(len(pixels)), pixels if rare_first else -pixels))
    rank = np.empty(len(pixels), np.int64)
    rank[order] = np.arange(len(pixels))
    rank[0] = len(pixels)
    return rank


def halve_labels(labels: LabelArray, rank: IntArray) -> LabelArray:
    """Return a map (h, w) at half the size, rounded up: the most frequent label of every 2 x 2 pixels.

    Where several are equally frequent the one of the lowest `rank` (by label) wins. The last row and column
    of an odd map stand for the pixels that are there.
    """
    height, width = labels.shape
    half = np.empty((-(-height // 2), -(-width // 2)), labels.dtype)
    _vote(np.ascontiguousarray(labels), rank, half)
    return half


def halve_values(values: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
    """Return a map (h, w) at half the size, rounded up: the mean of the finite values of every 2 x 2 pixels.

    NaN stands where none is finite.
    """
    height, width = values.shape
    half = np.empty((-(-height // 2), -(-width // 2)), np.float32)
    _average(np.ascontiguousarray(values), half)
    return half


def halve_numbers(numbers: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """Return a map (h, w) at half the size, rounded up: the lowest number but 0 of every 2 x 2 pixels.

    What is numbered stays in sight however small it is; 0 stands where nothing is.
    """
    height, width = numbers.shape
    even = np.pad(numbers, ((0, height % 2), (0, width % 2)))
    # 0 less 1 is the largest number, so that the lowest of all is found at once
    least = (even - np.uint32(1)).reshape(-(-height // 2), 2, -(-width // 2), 2).min(axis=(1, 3))
    return least + np.uint32(1)


def find_boxes(labels: LabelArray, count: int, side: int) -> IntArray:
    """Return where the labels 1 to `count` lie in a map (h, w): rows (label, y0, y1, x0, x1, pixels).

    The map is cut into cells of `side` pixels; a row holds the box, ends excluded, of the label's pixels in
    one cell.
    """
    return _boxes(np.ascontiguousarray(labels), count, side)


@njit(nogil=True, cache=True)
def _vote(labels: LabelArray, rank: IntArray, half: LabelArray) -> None:
    height, width = labels.shape
    block = np.empty(4, labels.dtype)
    for y in range(half.shape[0]):
        for x in range(half.shape[1]):
            first = labels[2 * y, 2 * x]
            if 2 * y + 1 < height and 2 * x + 1 < width:
                below = labels[2 * y + 1, 2 * x] == first
                if below and labels[2 * y, 2 * x + 1] == first and labels[2 * y + 1, 2 * x + 1] == first:
                    half[y, x] = first
                    continue
            count = 0
            for v in range(2 * y, min(2 * y + 2, height)):
                for u in range(2 * x, min(2 * x + 2, width)):
                    block[count] = labels[v, u]
                    count += 1
            best, most = block[0], 0
            for i in range(count):
                votes = 0
                for j in range(count):
                    votes += block[i] == block[j]
                if votes > most or (votes == most and rank[block[i]] < rank[best]):
                    best, most = block[i], votes
            half[y, x] = best


@njit(nogil=True, cache=True)
def _average(values: FloatArray, half: NDArray[np.float32]) -> None:
    height, width = values.shape
    for y in range(half.shape[0]):
        for x in range(half.shape[1]):
            total, count = 0.0, 0
            for v in range(2 * y, min(2 * y + 2, height)):
                for u in range(2 * x, min(2 * x + 2, width)):
                    if np.isfinite(values[v, u]):
                        total += values[v, u]
                        count += 1
            half[y, x] = total / count if count else np.nan


@njit(nogil=True, cache=True)
def _boxes(labels: LabelArray, count: int, side: int) -> IntArray:
    """Return rows of `find_boxes`: cell by cell, in each by label."""
    height, width = labels.shape
    found, rows = np.empty((64, 6), np.int64), 0
    boxes = np.empty((count + 1, 5), np.int64)
    for top in range(0, height, side):
        for left in range(0, width, side):
            boxes[:] = 0
            for y in range(top, min(top + side, height)):
                for x in range(left, min(left + side, width)):
                    box = boxes[labels[y, x]]
                    if box[4] == 0:
                        box[0], box[2] = y, x
                    box[1] = y + 1
                    box[2] = min(box[2], x)
                    box[3] = max(box[3], x + 1)
                    box[4] += 1
            for label in range(1, count + 1):
                if boxes[label, 4]:
                    if rows == len(found):
                        found = np.concatenate((found, np.empty_like(found)))
                    found[rows, 0] = label
                    for i in range(5):
                        found[rows, 1 + i] = boxes[label, i]
                    rows += 1
    return found[:rows]
