"""Cores of the spatial clean-up: pixels whose window is nearly all of one label (paper [I]; METHOD 5)."""

from typing import Any

import numpy as np
from numba import njit

from pipeline.arrays import LabelArray
from pipeline.errors import InputError

Interior = tuple[int, int, int, int]
"""First row, end row, first column, end column of a tile's interior, in the tile's own coordinates."""


def allowed_p_num(k_size: int) -> tuple[int, int]:
    """Return the smallest and largest P_num for which the clean-up has one result, whatever the order.

    With r = k_size // 2 and d = k_size**2 - p_num that is 2d < (r+1)**2 and d <= r+1. Two cores of different
    labels are then more than r apart, because their windows would share more pixels than both may miss.
    So a pixel labelled k that is a core of another label has at most d pixels of k in its window and none
    of them a core. A path of k from it to a core of k uses r+1 of these before it leaves the window, so
    d = r+1 and the pixel is the path's loose end: giving it to its core's label parts no region of k.
    """
    half = k_size // 2
    missing = min(((half + 1) ** 2 - 1) // 2, half + 1)
    return k_size**2 - missing, k_size**2


def check_clean_up(k_size: int, p_num: int, shape: tuple[int, ...] | None = None) -> None:
    """Raise InputError for clean-up parameters without one defined result, or an image below one window."""
    if k_size < 3 or k_size % 2 == 0:
        raise InputError(f"k_size is {k_size}; expected an odd number of at least 3, such as 5")
    low, high = allowed_p_num(k_size)
    if not low <= p_num <= high:
        raise InputError(
            f"p_num is {p_num} with k_size {k_size}; expected {', '.join(map(str, range(low, high + 1)))}: "
            f"with any other the result would depend on the order of the labels"
        )
    if shape is not None and (len(shape) != 2 or min(shape) < k_size):
        raise InputError(
            f"the image has shape {shape}; expected at least k_size = {k_size} rows and columns: "
            f"give a larger image or a smaller k_size"
        )


def check_labels(labels: Any) -> None:
    """Raise InputError unless `labels` is a two-dimensional map of unsigned integers of at most 32 bits."""
    if labels.ndim != 2 or labels.dtype.kind != "u" or labels.dtype.itemsize > 4:
        raise InputError(
            f"the label map is {labels.ndim}-dimensional {labels.dtype}; expected two dimensions of "
            f"uint16 or uint32: convert it with labels.astype(np.uint32), 0 meaning no label"
        )


def find_cores(
    padded: LabelArray, interior: Interior, k_size: int, p_num: int, fill_void: bool = False
) -> LabelArray:
    """Return the core label of each pixel of a tile, 0 where it is no core.

    `padded` (h+2r, w+2r) holds the tile (h, w) with r = k_size // 2 pixels of its surroundings; what lies
    outside the image may hold anything, because only pixels of `interior` are looked at. Label 0 is never a
    core label, and a void pixel (label 0) is a core only with `fill_void`. Paper [I], clean-up; METHOD 5.
    """
    half = k_size // 2
    height, width = padded.shape[0] - 2 * half, padded.shape[1] - 2 * half
    cores = np.zeros((height, width), padded.dtype)
    _mark_cores(np.ascontiguousarray(padded), interior, k_size, p_num, fill_void, cores)
    return cores


def effective_labels(labels: LabelArray, cores: LabelArray, interior: Interior) -> LabelArray:
    """Return the label each pixel of a tile has in a region: its core's, else its own, 0 off the interior.

    Regions of equal effective label are those of METHOD 5, for the reason given in `allowed_p_num`.
    """
    top, bottom, left, right = interior
    inner = np.s_[top:bottom, left:right]
    effective = np.zeros_like(labels)
    effective[inner] = np.where(cores[inner] > 0, cores[inner], labels[inner])
    return effective


@njit(nogil=True, cache=True)
def _column_count(labels: LabelArray, row: int, column: int, k_size: int, label: int) -> int:
    count = 0
    for y in range(row, row + k_size):
        count += labels[y, column] == label
    return count


@njit(nogil=True, cache=True)
def _majority_vote(labels: LabelArray, row: int, column: int, k_size: int) -> int:
    """Boyer-Moore vote: the label of more than half of the window, if there is one."""
    winner, votes = labels[row, column], 0
    for y in range(row, row + k_size):
        for x in range(column, column + k_size):
            if votes == 0:
                winner = labels[y, x]
            votes += 1 if labels[y, x] == winner else -1
    return winner


@njit(nogil=True, cache=True)
def _mark_cores(
    padded: LabelArray, interior: Interior, k_size: int, p_num: int, fill_void: bool, cores: LabelArray
) -> None:
    """Slide the window along each row; `count` follows `label`, the one label that can still be a core's."""
    half, missing = k_size // 2, k_size * k_size - p_num
    top, bottom, left, right = interior
    for y in range(top, bottom):
        label, count = padded[y, left], 0
        for x in range(left, right):
            if x > left:
                count += _column_count(padded, y, x + k_size - 1, k_size, label)
                count -= _column_count(padded, y, x - 1, k_size, label)
            # With more than `missing` pixels of `label` here, no other label can reach p_num.
            if count <= missing:
                label, count = _majority_vote(padded, y, x, k_size), 0
                for column in range(x, x + k_size):
                    count += _column_count(padded, y, column, k_size, label)
            if count >= p_num and (fill_void or padded[y + half, x + half] != 0):
                cores[y, x] = label
