"""The windows that a speck can fill, every rectangle from 1 x 1 to 4 x 4 pixels: the chi-square of each."""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from gigaxas.arrays import IntArray
from gigaxas.specks.simd import SIDE, WIDTH, square_windows
from gigaxas.tiles import Box

HEIGHTS: IntArray = np.repeat(np.arange(1, SIDE + 1), SIDE)
"""(16,) rows of each shape."""
WIDTHS: IntArray = np.tile(np.arange(1, SIDE + 1), SIDE)
"""(16,) columns of each shape."""
PIXELS: IntArray = HEIGHTS * WIDTHS
"""(16,) pixels of each shape."""


def window_squares(values: NDArray[np.float32], box: Box) -> NDArray[np.float32]:
    """Return the chi-square (16, h, w) of every window whose first pixel, by which it is named, is in a box.

    It is the sum over axes of the square of the sum of its residuals, over its pixels; elsewhere 0. values
    (r, h + 3, w + 3) are the residuals of h x w pixels, and 0 beyond these.
    """
    _, height, width = values.shape
    # NumPy asks for large pages of memory, Numba does not
    squares = np.zeros((SIDE * SIDE, height - SIDE + 1, width - SIDE + 1), np.float32)
    _write_squares(values, box, squares)
    return squares


@njit(nogil=True, cache=True)
def _write_squares(values: NDArray[np.float32], box: Box, squares: NDArray[np.float32]) -> None:
    shares = np.empty(SIDE * SIDE, np.float32)
    for s in range(shares.size):
        shares[s] = 1.0 / ((s // SIDE + 1) * (s % SIDE + 1))
    last = np.zeros((values.shape[0], SIDE, WIDTH + SIDE - 1), np.float32)
    part = np.empty((SIDE * SIDE, 1, WIDTH), np.float32)
    for y in range(box.y0, box.y1):
        for x in range(box.x0, box.x1, WIDTH):
            count = min(WIDTH, box.x1 - x)
            if count == WIDTH:
                square_windows(values, y, x, shares, squares, y, x)
            else:
                there = count + SIDE - 1
                last[:, :, :there] = values[:, y : y + SIDE, x : x + there]
                square_windows(last, 0, 0, shares, part, 0, 0)
                squares[:, y, x : x + count] = part[:, 0, :count]
