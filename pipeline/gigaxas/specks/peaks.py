"""The windows that stand out most: the strongest first, none that overlaps a stronger one."""

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from gigaxas.arrays import BoolArray, FloatArray, IntArray
from gigaxas.specks.significance import Limits
from gigaxas.specks.simd import SIDE
from gigaxas.specks.surroundings import CELL, Surroundings
from gigaxas.tiles import Box

ROUNDS = 2
"""Times that the strongest windows are taken and what overlaps them is left out."""
REACH = (2 * ROUNDS - 1) * (SIDE - 1) + SIDE - 1
"""Pixels beyond its own that decide whether a window is among the strongest."""


LEAST_SHARE = 0.5
"""Noise of the surroundings never makes the chi-square of a window inside them less than this share."""


class Peaks(NamedTuple):
    """Windows that do not overlap."""

    y: IntArray
    """(n,) first row of each."""
    x: IntArray
    """(n,) first column."""
    shape: IntArray
    """(n,) number of its shape."""
    first: BoolArray
    """(n,) whether no window at all that overlaps it is stronger."""


def standing_out(
    squares: NDArray[np.float32], around: Surroundings, scale: NDArray[np.float32], limits: Limits
) -> NDArray[np.float32]:
    """Return how far windows (16, h, w) stand out of noise, in standard deviations; 0 where they do not.

    The cube root of a chi-square is normal (Wilson & Hilferty 1931).
    """
    out = np.zeros(squares.shape, np.float32)
    _stand_out(squares, around, scale, limits, out)
    return out


@njit(nogil=True, cache=True)
def _stand_out(
    squares: NDArray[np.float32],
    around: Surroundings,
    scale: NDArray[np.float32],
    limits: Limits,
    out: NDArray[np.float32],
) -> None:
    shapes, height, width = squares.shape
    own, inside, pixels = around.own, around.inside, around.pixels
    columns = -(-width // CELL)
    for s in range(shapes):
        high, wide = s // SIDE + 1, s % SIDE + 1
        least, spread = limits.limit[s] * limits.scale[s], 2.0 / (9.0 * limits.freedom[s])
        for y in range(height - high + 1):
            row = squares[s, y]
            for left in range(0, width - wide + 1, CELL):
                right = min(left + CELL, width - wide + 1)
                here = scale[y // CELL * columns + left // CELL]
                if not _any_reaches(row[left:right], LEAST_SHARE * least * here):
                    continue
                for x in range(left, right):
                    if row[x] < LEAST_SHARE * least * here:
                        continue
                    noise = here * _share_of_noise(own, inside, pixels, y, x, high, wide)
                    if row[x] >= least * noise:
                        value = row[x] / (limits.scale[s] * noise)
                        root = (value / limits.freedom[s]) ** (1.0 / 3.0)
                        out[s, y, x] = (root - 1.0 + spread) / np.sqrt(spread)


@njit(nogil=True, cache=True)
def _any_reaches(values: NDArray[np.float32], least: float) -> bool:
    """Return whether any value is so large; unlike a search for the first, it is done in vectors."""
    found = False
    for x in range(values.size):
        found |= values[x] >= least
    return found


@njit(nogil=True, cache=True)
def _share_of_noise(
    own: NDArray[np.int32], inside: BoolArray, pixels: FloatArray, y: int, x: int, height: int, width: int
) -> float:
    """Return what the noise of the surroundings makes of the chi-square of a window, as a factor.

    Pixels that the surroundings are the mean of share noise with it: 1 + n / N - 2 n_inside / N. Infinite
    where a pixel of the window is void.
    """
    count = 0
    for i in range(y, y + height):
        for j in range(x, x + width):
            if own[i, j] < 0:
                return np.inf
            count += inside[i, j]
    return float(1.0 + (height * width - 2.0 * count) / pixels[own[y, x]])


def strongest(out: NDArray[np.float32]) -> Peaks:
    """Return windows that stand out: those that no stronger one overlaps, then what is left.

    `out` (16, h, w) is changed: it tells in the end what was taken in no round.
    """
    shape, y, x = _list(out)
    taken = _take(out, shape, y, x)
    found = taken > 0
    return Peaks(y[found], x[found], shape[found], taken[found] == 1)


@njit(nogil=True, cache=True)
def _list(out: NDArray[np.float32]) -> tuple[IntArray, IntArray, IntArray]:
    """List the windows that stand out by shape, row and column, in this order."""
    shapes, height, width = out.shape
    there = np.zeros((shapes, height), np.int64)
    for s in range(shapes):
        for y in range(height):
            count = 0
            for value in out[s, y]:
                count += value > 0
            there[s, y] = count
    found = np.empty((3, there.sum()), np.int64)
    count = 0
    for s in range(shapes):
        for y in range(height):
            for x in range(width if there[s, y] else 0):
                if out[s, y, x] > 0:
                    found[0, count], found[1, count], found[2, count] = s, y, x
                    count += 1
    return found[0], found[1], found[2]


@njit(nogil=True, cache=True)
def _take(left: NDArray[np.float32], shape: IntArray, y: IntArray, x: IntArray) -> IntArray:
    """Return the round, from 1, in which each window (n,) is taken; 0 where it is not."""
    taken = np.zeros(shape.size, np.int64)
    for number in range(1, ROUNDS + 1):
        strong = np.zeros(shape.size, np.bool_)
        for k in range(shape.size):
            if left[shape[k], y[k], x[k]] > 0:
                strong[k] = not _beaten(left, shape[k], y[k], x[k])
        for k in range(shape.size):
            if strong[k]:
                taken[k] = number
                _remove_near(left, shape[k], y[k], x[k])
    return taken


@njit(nogil=True, cache=True)
def _beaten(left: NDArray[np.float32], shape: int, y: int, x: int) -> bool:
    """Return whether a window that overlaps this one is stronger, or as strong and first."""
    here = left[shape, y, x]
    high, wide = shape // 4 + 1, shape % 4 + 1
    for s in range(left.shape[0]):
        for i in range(max(y - s // 4, 0), min(y + high, left.shape[1])):
            for j in range(max(x - s % 4, 0), min(x + wide, left.shape[2])):
                other = left[s, i, j]
                if other > here or (other == here and (s, i, j) < (shape, y, x)):
                    return True
    return False


@njit(nogil=True, cache=True)
def _remove_near(left: NDArray[np.float32], shape: int, y: int, x: int) -> None:
    high, wide = shape // 4 + 1, shape % 4 + 1
    for s in range(left.shape[0]):
        for i in range(max(y - s // 4, 0), min(y + high, left.shape[1])):
            for j in range(max(x - s % 4, 0), min(x + wide, left.shape[2])):
                left[s, i, j] = np.float32(0.0)


@njit(nogil=True, cache=True)
def count_beyond(
    squares: NDArray[np.float32],
    around: Surroundings,
    scale: NDArray[np.float32],
    limits: Limits,
    box: Box,
    peaks: Peaks,
) -> tuple[int, int]:
    """Count the square windows of a box beyond limits, and all of them, those near a peak left out."""
    own, inside, pixels = around.own, around.inside, around.pixels
    columns = -(-own.shape[1] // CELL)
    free = own >= 0
    for k in range(peaks.y.size):
        y, x = peaks.y[k], peaks.x[k]
        free[max(y - 2 * SIDE, 0) : y + 2 * SIDE, max(x - 2 * SIDE, 0) : x + 2 * SIDE] = False
    beyond = counted = 0
    for s in range(0, squares.shape[0], SIDE + 1):
        if limits.scale[s] == np.inf:
            continue
        high, wide = s // SIDE + 1, s % SIDE + 1
        least = limits.limit[s] * limits.scale[s]
        for y in range(box.y0, min(box.y1, squares.shape[1] - high + 1)):
            row, end = squares[s, y], min(box.x1, squares.shape[2] - wide + 1)
            for x in range(box.x0, end):
                counted += free[y, x]
            for cell in range(box.x0 // CELL, -(-end // CELL)):
                left, right = max(cell * CELL, box.x0), min(cell * CELL + CELL, end)
                here = scale[y // CELL * columns + cell]
                if not _any_reaches(row[left:right], LEAST_SHARE * least * here):
                    continue
                for x in range(left, right):
                    # no window has less noise than one whose pixels are all of its surroundings
                    if free[y, x] and row[x] >= least * (here * (1.0 - high * wide / pixels[own[y, x]])):
                        noise = here * _share_of_noise(own, inside, pixels, y, x, high, wide)
                        beyond += row[x] >= least * noise
    return beyond, counted
