"""Leaving entries out unmeasured: bounds from coordinates, and what rounding may add to them."""

from typing import NamedTuple

import numpy as np
from numba import njit

from gigaxas.arrays import FloatArray, IntArray
from gigaxas.search.axes import Axes
from gigaxas.search.definition import ADDITIONS, MULTIPLICATIONS, Results, insert, measure

STEP = 4  # coordinates between two looks at a partial sum


class Rounding(NamedTuple):
    """What rounding can add to a distance of coordinates: slack * (the lengths that are involved)."""

    lengths: float
    """Three times the length of the longest entry."""
    slack: float
    """What it adds per length."""


class PreparedLibrary(NamedTuple):
    """The n entries as kernels read them."""

    entries: FloatArray
    """(n, E)."""
    coordinates: FloatArray
    """(n, r); of no axes where a method bounds nothing by them."""
    rounding: Rounding
    """Of their distances."""


class Query(NamedTuple):
    """One query."""

    x: FloatArray
    """(E,) samples."""
    y: FloatArray
    """(r,) coordinates."""


class Best(NamedTuple):
    """The k nearest entries of a query so far, nearest first."""

    indices: IntArray
    """(k,)."""
    squares: FloatArray
    """(k,) squared distances."""
    radius: FloatArray
    """(2,) distance of coordinates beyond which no entry can be among them, and its square."""
    counts: IntArray
    """(4,) the counts of `Results`."""


def library_of(entries: FloatArray, axes: Axes) -> PreparedLibrary:
    """Return entries (n, E) with their axes as kernels read them."""
    return PreparedLibrary(entries, axes.coordinates, Rounding(3 * axes.longest, axes.slack))


@njit(nogil=True, cache=True)
def best_of(results: Results, q: int, radius: FloatArray) -> Best:
    """Return the best of query q, none yet, with `radius` (2,) as memory."""
    radius[:] = np.inf
    return Best(results.indices[q], results.squares[q], radius, results.counts[q])


@njit(nogil=True, cache=True)
def partial_distance(y: FloatArray, coordinates: FloatArray, n: int, limit: float, counts: IntArray) -> float:
    """Return the squared distance of y (r,) to coordinates[n], or a part of it that exceeds `limit`."""
    total = 0.0
    size, done, looks = y.size, 0, 0
    while done < size:
        if done + STEP <= size:
            a, b = y[done] - coordinates[n, done], y[done + 1] - coordinates[n, done + 1]
            c, d = y[done + 2] - coordinates[n, done + 2], y[done + 3] - coordinates[n, done + 3]
            total += (a * a + b * b) + (c * c + d * d)
            done += STEP
        else:
            for i in range(done, size):
                total += (y[i] - coordinates[n, i]) * (y[i] - coordinates[n, i])
            done = size
        looks += 1
        if total > limit:
            break
    counts[MULTIPLICATIONS] += done
    counts[ADDITIONS] += 2 * done + looks
    return total


@njit(nogil=True, cache=True)
def update(n: int, x: FloatArray, library: PreparedLibrary, best: Best) -> bool:
    """Measure entry n from x (E,) and take it among the best; say whether it became the nearest."""
    indices, squares, radius, counts = best
    square = measure(x, library.entries, n, squares[-1], counts)
    if square > squares[-1]:
        return False
    rank = insert(n, square, indices, squares, counts)
    if rank == indices.size:
        return False
    # A query is no longer than its distance to an entry and that entry together.
    lengths, slack = library.rounding
    distance = np.sqrt(squares[-1])
    radius[0] = distance + slack * (distance + lengths)
    radius[1] = radius[0] * radius[0]
    counts[MULTIPLICATIONS] += 3
    counts[ADDITIONS] += 2
    return rank == 0


@njit(nogil=True, cache=True)
def consider(n: int, query: Query, library: PreparedLibrary, best: Best) -> bool:
    """Look at entry n, by its coordinates first; say whether it became the nearest."""
    limit = best.radius[1]
    if partial_distance(query.y, library.coordinates, n, limit, best.counts) > limit:
        return False
    return update(n, query.x, library, best)
