"""Leaving entries out unseen: bounds from coordinates, and what rounding may add to them.

Functions that run for every leaf or entry take arrays one by one: Numba counts the references of arrays that
it takes out of a tuple, which costs more than these functions do.
"""

from typing import NamedTuple

import numpy as np
from numba import njit

from gigaxas.arrays import FloatArray, IntArray
from gigaxas.search.axes import Axes
from gigaxas.search.definition import ADDITIONS, MULTIPLICATIONS, keep, measure

STEP = 4  # coordinates between two looks at a partial sum


class Scale(NamedTuple):
    """Three times the length of the longest entry, and what rounding can add to a distance per length."""

    lengths: float
    slack: float


def scale_of(axes: Axes) -> Scale:
    """Return what the kernels need to know of rounding."""
    return Scale(3 * axes.longest, axes.slack)


@njit(nogil=True, cache=True)
def apart(y: FloatArray, places: FloatArray, n: int, limit: float, work: IntArray) -> float:
    """Return the squared distance of y (r,) to the place of entry n, or a part of it that exceeds `limit`."""
    total = 0.0
    size, done, looks = y.size, 0, 0
    while done < size:
        if done + STEP <= size:
            a, b = y[done] - places[n, done], y[done + 1] - places[n, done + 1]
            c, d = y[done + 2] - places[n, done + 2], y[done + 3] - places[n, done + 3]
            total += (a * a + b * b) + (c * c + d * d)
            done += STEP
        else:
            for i in range(done, size):
                total += (y[i] - places[n, i]) * (y[i] - places[n, i])
            done = size
        looks += 1
        if total > limit:
            break
    work[MULTIPLICATIONS] += done
    work[ADDITIONS] += 2 * done + looks
    return total


@njit(nogil=True, cache=True)
def settle(
    n: int,
    x: FloatArray,
    entries: FloatArray,
    scale: Scale,
    names: IntArray,
    squares: FloatArray,
    reach: FloatArray,
    work: IntArray,
) -> bool:
    """Measure entry n against the nearest so far, names and squares (k,); say whether it became the nearest.

    `reach` (2,) is the distance beyond which no entry can be among them, and its square.
    """
    square = measure(x, entries, n, squares[-1], work)
    if square > squares[-1]:
        return False
    place = keep(n, square, names, squares, work)
    if place == names.size:
        return False
    # A query is no longer than its distance to an entry and that entry together.
    lengths, slack = scale
    distance = np.sqrt(squares[-1])
    reach[0] = distance + slack * (distance + lengths)
    reach[1] = reach[0] * reach[0]
    work[MULTIPLICATIONS] += 3
    work[ADDITIONS] += 2
    return place == 0


@njit(nogil=True, cache=True)
def consider(
    n: int,
    x: FloatArray,
    y: FloatArray,
    entries: FloatArray,
    places: FloatArray,
    scale: Scale,
    names: IntArray,
    squares: FloatArray,
    reach: FloatArray,
    work: IntArray,
) -> bool:
    """Look at entry n, by its place first; say whether it became the nearest."""
    if apart(y, places, n, reach[1], work) > reach[1]:
        return False
    return settle(n, x, entries, scale, names, squares, reach, work)
