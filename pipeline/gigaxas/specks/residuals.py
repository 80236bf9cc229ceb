"""What pixels differ by from their surroundings, on axes whose noise is 1.

A pixel is fitted by its surroundings, and where other labels are near by a non-negative mixture with theirs:
the border of two grains, sharp or blurred, leaves no residual. As in METHOD 2, offset and scale of a spectrum
are nobody's phase.
"""

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from gigaxas.arrays import FloatArray, IntArray
from gigaxas.specks.simd import SIDE
from gigaxas.specks.surroundings import CELL, RADIUS, Surroundings, find_surroundings

MOST_MIXED = 4
"""Labels that a pixel is fitted with at most, those of most pixels near it."""


DEPENDENT = 1e-9
"""Share of its square that a spectrum must keep beside others to be fitted with them."""


class Residuals(NamedTuple):
    """The residuals of a block of pixels (h, w)."""

    values: NDArray[np.float32]
    """(r, h + SIDE - 1, w + SIDE - 1); 0 for a void pixel, and beyond the block."""
    square: NDArray[np.float32]
    """(h, w) their sum of squares; 0 for a void pixel."""


def residuals_of(points: NDArray[np.float32], around: Surroundings) -> Residuals:
    """Return the residuals of pixels with these coordinates (r, h, w)."""
    axes, height, width = points.shape
    values = np.zeros((axes, height + SIDE - 1, width + SIDE - 1), np.float32)
    square = np.zeros((height, width), np.float32)
    _fit_rows(points, around.own, np.ascontiguousarray(around.mean.T), values, square)
    _fit_mixtures(points, around, values, square)
    return Residuals(values, square)


@njit(nogil=True, cache=True, fastmath={"contract"})
def _fit_rows(
    points: NDArray[np.float32],
    own: NDArray[np.int32],
    mean: NDArray[np.float32],
    values: NDArray[np.float32],
    square: NDArray[np.float32],
) -> None:
    """Fit every pixel with its own surroundings, `mean` (r, n), row by row."""
    width = points.shape[2]
    slot = np.zeros(width, np.int32)
    there, along = np.zeros((2, width), np.float32)
    expected = np.empty((points.shape[0], width), np.float32)
    inverse = _inverse_squares(mean)
    for y in range(points.shape[1]):
        for x in range(width):
            slot[x] = max(own[y, x], 0)
            there[x] = np.float32(own[y, x] >= 0)
            along[x] = np.float32(0.0)
        for axis in range(points.shape[0]):
            row, means, here = points[axis, y], mean[axis], expected[axis]
            for x in range(width):
                here[x] = means[slot[x]]
                along[x] += row[x] * here[x]
        for x in range(width):
            along[x] = max(along[x] * inverse[slot[x]], np.float32(0.0))
        total = square[y]
        for axis in range(points.shape[0]):
            row, here, out = points[axis, y], expected[axis], values[axis, y, :width]
            for x in range(width):
                out[x] = (row[x] - along[x] * here[x]) * there[x]
                total[x] += out[x] * out[x]


@njit(nogil=True, cache=True)
def _inverse_squares(mean: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return one over the squared length (n,) of each column (r, n)."""
    squares = np.zeros(mean.shape[1], np.float32)
    for axis in range(mean.shape[0]):
        for k in range(squares.size):
            squares[k] += mean[axis, k] * mean[axis, k]
    for k in range(squares.size):
        squares[k] = np.float32(1.0) / max(squares[k], np.float32(1e-30))
    return squares


@njit(nogil=True, cache=True)
def _fit_mixtures(
    points: NDArray[np.float32],
    around: Surroundings,
    values: NDArray[np.float32],
    square: NDArray[np.float32],
) -> None:
    """Fit the pixels that have other labels near, and more than noise left, with a mixture of these."""
    axes, height, width = points.shape
    columns = -(-width // CELL)
    own, uniform, first, labels = around.own, around.uniform, around.first, around.labels
    mean, most = around.mean, axes + np.sqrt(2.0 * axes)
    chosen = np.empty(MOST_MIXED, np.int64)
    dots, weights = np.empty(MOST_MIXED), np.empty(MOST_MIXED)
    gram = np.empty((MOST_MIXED, MOST_MIXED))
    for y in range(height):
        for x in range(width):
            if uniform[y, x] or own[y, x] < 0 or square[y, x] < most:
                continue
            count = _choose(own, first, labels, y // CELL * columns + x // CELL, y, x, chosen)
            if count == 1:
                continue
            _multiply(points, y, x, mean, chosen[:count], gram, dots)
            mix_weights(gram, dots, count, weights)
            total = 0.0
            for axis in range(axes):
                left = np.float64(points[axis, y, x])
                for i in range(count):
                    left -= weights[i] * mean[chosen[i], axis]
                values[axis, y, x] = left
                total += left * left
            square[y, x] = total


@njit(nogil=True, cache=True)
def _multiply(
    points: NDArray[np.float32],
    y: int,
    x: int,
    mean: NDArray[np.float32],
    chosen: IntArray,
    gram: FloatArray,
    dots: FloatArray,
) -> None:
    """Write the products of some rows of `mean` (n, r) with each other, and with a pixel."""
    for i in range(chosen.size):
        dots[i] = 0.0
        for axis in range(mean.shape[1]):
            dots[i] += points[axis, y, x] * mean[chosen[i], axis]
        for j in range(i + 1):
            product = 0.0
            for axis in range(mean.shape[1]):
                product += mean[chosen[i], axis] * mean[chosen[j], axis]
            gram[i, j] = gram[j, i] = product


@njit(nogil=True, cache=True)
def _choose(
    own: NDArray[np.int32],
    first: IntArray,
    labels: IntArray,
    cell: int,
    y: int,
    x: int,
    chosen: IntArray,
) -> int:
    """Write the surroundings of the labels of most pixels within RADIUS, its own first; return how many."""
    height, width = own.shape
    start = first[cell]
    near = np.zeros(first[cell + 1] - start, np.int64)
    for i in range(max(y - RADIUS, 0), min(y + RADIUS + 1, height)):
        for j in range(max(x - RADIUS, 0), min(x + RADIUS + 1, width)):
            if own[i, j] >= 0:
                near[find_surroundings(first, labels, cell, labels[own[i, j]]) - start] += 1
    chosen[0] = own[y, x]
    near[chosen[0] - start] = 0
    count = 1
    while count < chosen.size:
        best = int(np.argmax(near))
        if near[best] == 0:
            break
        chosen[count] = start + best
        near[best] = 0
        count += 1
    return count


@njit(nogil=True, cache=True)
def mix_weights(gram: FloatArray, dots: FloatArray, count: int, weights: FloatArray) -> None:
    """Write the non-negative weights of the least squares with products `gram` and `dots` of `count` spectra.

    Every set of them is tried: there are few.
    """
    for k in range(count):
        weights[k] = 0.0
    best = 0.0
    trial = np.empty((count, count + 1))
    for free in range(1, 1 << count):
        explained = _solve(gram, dots, free, trial)
        if explained > best:
            best = explained
            for k in range(count):
                weights[k] = trial[k, count]


@njit(nogil=True, cache=True)
def _solve(gram: FloatArray, dots: FloatArray, free: int, trial: FloatArray) -> float:
    """Solve the least squares with the spectra `free`, as bits; the weights are the last column.

    Returns what they explain of the square; -1 where one is not above 0 or they depend on each other.
    """
    count = trial.shape[0]
    for i in range(count):
        trial[i, count] = dots[i] if (free >> i) & 1 else 0.0
        for j in range(count):
            both = (free >> i) & (free >> j) & 1
            trial[i, j] = gram[i, j] if both else (1.0 if i == j else 0.0)
    for k in range(count):
        if trial[k, k] <= DEPENDENT * gram[k, k] and (free >> k) & 1:
            return -1.0
        for i in range(k + 1, count):
            factor = trial[i, k] / trial[k, k]
            for j in range(k, count + 1):
                trial[i, j] -= factor * trial[k, j]
    explained = 0.0
    for k in range(count - 1, -1, -1):
        for j in range(k + 1, count):
            trial[k, count] -= trial[k, j] * trial[j, count]
        trial[k, count] /= trial[k, k]
        if (free >> k) & 1 and not trial[k, count] > 0.0:
            return -1.0
        explained += trial[k, count] * dots[k]
    return explained
