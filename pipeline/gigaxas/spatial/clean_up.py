"""Cores of the spatial clean-up: pixels whose window is nearly all of one label (paper [I]; METHOD 5)."""

from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from gigaxas.arrays import LabelArray
from gigaxas.errors import InputError
from gigaxas.tiles import Box


class CleanUp(NamedTuple):
    """What makes a pixel a core of a label (METHOD 5)."""

    k_size: int = 5
    """Side of the window round the pixel, in pixels; an odd number."""
    p_num: int = 23
    """Pixels of the label that the window must hold."""
    fill_void: bool = False
    """Whether a pixel without signal (label 0) may be a core, and is filled."""

    @property
    def radius(self) -> int:
        """Pixels from the middle of the window to its edge."""
        return self.k_size // 2


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


def check_clean_up(clean_up: CleanUp, shape: tuple[int, ...] | None = None) -> None:
    """Raise InputError for clean-up parameters without one defined result, or an image below one window."""
    k_size, p_num, _ = clean_up
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


def find_cores(padded: LabelArray, interior: Box, clean_up: CleanUp) -> LabelArray:
    """Return the core label of each pixel of a tile, 0 where it is no core.

    `padded` (h+2r, w+2r) holds the tile (h, w) with r = clean_up.radius pixels of its surroundings; what lies
    outside the image may hold anything, because only pixels of `interior` are looked at. Label 0 is never a
    core label, and a void pixel (label 0) is a core only with `fill_void`. Paper [I], clean-up; METHOD 5.
    """
    halo = 2 * clean_up.radius
    cores = np.zeros((padded.shape[0] - halo, padded.shape[1] - halo), padded.dtype)
    _mark_cores(np.ascontiguousarray(padded), interior, clean_up, cores)
    return cores


def effective_labels(labels: LabelArray, cores: LabelArray, interior: Box) -> LabelArray:
    """Return the label each pixel of a tile has in a region: its core's, else its own, 0 off the interior.

    Regions of equal effective label are those of METHOD 5, for the reason given in `allowed_p_num`.
    """
    inner = np.s_[interior.y0 : interior.y1, interior.x0 : interior.x1]
    effective = np.zeros_like(labels)
    effective[inner] = np.where(cores[inner] > 0, cores[inner], labels[inner])
    return effective


@njit(nogil=True, cache=True)
def _count(
    padded: LabelArray, y: int, left: int, k_size: int, candidates: LabelArray, counts: NDArray[np.uint16]
) -> None:
    """Count, for each of n windows side by side from (y, left), the pixels of its candidate label (n,)."""
    counts[:] = 0
    for row in range(y, y + k_size):
        for column in range(left, left + k_size):
            labels = padded[row, column : column + counts.size]
            for x in range(counts.size):
                counts[x] += labels[x] == candidates[x]


@njit(nogil=True, cache=True)
def _mark_cores(padded: LabelArray, interior: Box, clean_up: CleanUp, cores: LabelArray) -> None:
    """Count a row of windows at a time, so that the compiler turns the counting into vector instructions.

    A window that misses at most k_size**2 - p_num pixels of a label shows it at one of its first pixels.
    """
    k_size, p_num, fill_void = clean_up
    half = k_size // 2
    top, bottom, left, right = interior
    width = max(right - left, 0)
    counts = np.empty(width, np.uint16)
    for y in range(top, bottom):
        found = cores[y, left:right]
        for first in range(k_size * k_size - p_num + 1):
            down, across = divmod(first, k_size)
            candidates = padded[y + down, left + across : right + across]
            _count(padded, y, left, k_size, candidates, counts)
            for x in range(width):
                if counts[x] >= p_num:
                    found[x] = candidates[x]
        if not fill_void:
            middle = padded[y + half, left + half : right + half]
            for x in range(width):
                if middle[x] == 0:
                    found[x] = 0
