"""Pixels without a label of their own between two phases: each may be a mixture of both.

The clean-up removes a pixel that looks like nothing around it, and the fill gives it the label of a
neighbour. Where two phases meet, light of both reaches a pixel, and its spectrum tells how much of each.
"""

from typing import NamedTuple

import numpy as np
from numba import njit

from gigaxas.arrays import IntArray, LabelArray


class Borders(NamedTuple):
    """Filled pixels of a tile that stand between two labels."""

    pixels: IntArray
    """(n,) their numbers in reading order, rising."""
    labels: IntArray
    """(n, 2) the two labels that are commonest around each, in rising order."""


NO_BORDERS = Borders(np.empty(0, np.int64), np.empty((0, 2), np.int64))


def border_radius(quantity: str, k_size: int) -> int:
    """Return how many pixels around a filled one tell what it may be a mixture of: half of the window.

    It is 0 unless spectra are normalised: a background of its own would decide what others are taken for, as
    ratios are fitted without an offset.
    """
    return k_size // 2 if quantity == "normalised" else 0


def find_borders(label: LabelArray, kept: LabelArray, first: tuple[int, int], radius: int) -> Borders:
    """Return the pixels of a tile with labels (h, w) that were filled in, and have several kept ones around.

    The tile starts at the pixel `first` of `kept`, the labels after the clean-up, which tell what is within
    `radius` pixels of it. Of labels that are as common the lowest count.
    """
    (top, left), (height, width) = first, label.shape
    y, x = np.nonzero((label > 0) & (kept[top : top + height, left : left + width] == 0))
    labels = _commonest_around(kept, y + top, x + left, radius)
    between = labels[:, 0] > 0
    return Borders((y * width + x)[between], labels[between])


@njit(nogil=True, cache=True)
def _commonest_around(kept: LabelArray, y: IntArray, x: IntArray, radius: int) -> IntArray:
    """Return the two commonest labels (n, 2) around pixels, in rising order; 0 where there are fewer."""
    out = np.zeros((y.size, 2), np.int64)
    labels, counts = np.empty((2, (2 * radius + 1) ** 2), np.int64)
    for pixel in range(y.size):
        found = 0
        for i in range(max(y[pixel] - radius, 0), min(y[pixel] + radius + 1, kept.shape[0])):
            for j in range(max(x[pixel] - radius, 0), min(x[pixel] + radius + 1, kept.shape[1])):
                k = 0
                while k < found and labels[k] != kept[i, j]:
                    k += 1
                if k == found:
                    labels[found], counts[found] = kept[i, j], 0
                    found += 1
                counts[k] += kept[i, j] > 0
        for place in range(2):
            most, best = 0, 0
            for k in range(found):
                if counts[k] > most or (counts[k] == most > 0 and labels[k] < labels[best]):
                    most, best = counts[k], k
            if most:
                out[pixel, place], counts[best] = labels[best], 0
        out[pixel].sort()
    return out
