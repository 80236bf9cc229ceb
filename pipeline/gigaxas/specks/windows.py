"""The windows that a speck can fill, every rectangle from 1 x 1 to 4 x 4 pixels: the chi-square of each."""

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from gigaxas.arrays import IntArray
from gigaxas.tiles import Box

SIDE = 4
"""Longest side of a window in pixels."""
HEIGHTS: IntArray = np.repeat(np.arange(1, SIDE + 1), SIDE)
"""(16,) rows of each shape."""
WIDTHS: IntArray = np.tile(np.arange(1, SIDE + 1), SIDE)
"""(16,) columns of each shape."""
PIXELS: IntArray = HEIGHTS * WIDTHS
"""(16,) pixels of each shape."""


@njit(nogil=True, cache=True, fastmath={"contract"})
def window_squares(values: Any, box: Box) -> NDArray[np.float32]:
    """Return the chi-square (16, h, w) of every window whose first pixel, by which it is named, is in a box.

    It is the sum over axes of the square of the sum of its residuals, over its pixels; elsewhere 0. values
    (r, h + 3, w + 3) are the residuals of h x w pixels, and 0 beyond these.
    """
    axes, width = values.shape[0], box.x1 - box.x0
    shape = (SIDE * SIDE, values.shape[1] - SIDE + 1, values.shape[2] - SIDE + 1)
    squares = np.zeros(shape, np.float32)
    column = np.zeros(width + SIDE - 1, np.float32)
    sums = np.zeros((SIDE * SIDE, width), np.float32)
    for y in range(box.y0, box.y1):
        sums[:] = np.float32(0.0)
        for axis in range(axes):
            column[:] = np.float32(0.0)
            for h in range(SIDE):
                _add(values[axis, y + h, box.x0 :], column)
                one = 4 * h
                _add_squares(
                    column[:width],
                    column[1:][:width],
                    column[2:][:width],
                    column[3:][:width],
                    sums[one],
                    sums[one + 1],
                    sums[one + 2],
                    sums[one + 3],
                )
        for s in range(SIDE * SIDE):
            share = np.float32(1.0 / ((s // SIDE + 1) * (s % SIDE + 1)))
            row, out = sums[s], squares[s, y, box.x0 : box.x1]
            for x in range(width):
                out[x] = row[x] * share
    return squares


@njit(nogil=True, cache=True)
def _add(row: Any, total: Any) -> None:
    for x in range(total.size):
        total[x] += row[x]


@njit(nogil=True, cache=True, fastmath={"contract"})
def _add_squares(a: Any, b: Any, c: Any, d: Any, one: Any, two: Any, three: Any, four: Any) -> None:
    """Add the squares of the sums over 1 to 4 neighbours of a row."""
    for x in range(one.size):
        value = a[x]
        one[x] += value * value
        value += b[x]
        two[x] += value * value
        value += c[x]
        three[x] += value * value
        value += d[x]
        four[x] += value * value
