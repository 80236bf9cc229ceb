"""Limited axis check, the follow-up of [P] (Mathematics 13, 3983, 2025), as far as its abstract tells it.

Public are the steps: a running average, downsampling, samples below a threshold set to zero, principal
components; on every axis the entries within a limited range of the query each get a vote, and the entry with
most votes is the candidate for fine search. Window, step, threshold and range are choices made here. The cut
is not linear, so that these coordinates bound nothing: they name the candidate, fine search does the rest.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import ArrayLike

from gigaxas.arrays import FloatArray, IntArray
from gigaxas.search.axes import checked_components, longest_of, principal_axes, slack_of
from gigaxas.search.bounds import PreparedLibrary, Query, Rounding, best_of, partial_distance, update
from gigaxas.search.definition import ADDITIONS, MULTIPLICATIONS, Found, Results, as_library, run_queries
from gigaxas.search.neighbours import Neighbours, checked_neighbours
from gigaxas.search.reproduction.fine import walk_neighbours

COMPONENTS, WINDOW, STRIDE, CUT, RANGE = 16, 11, 5, 0.02, 128


class Order(NamedTuple):
    """The n entries in order along each of r axes."""

    entries: IntArray
    """(r, n)."""
    along: FloatArray
    """(r, n) their coordinates."""
    span: int
    """How many entries on either side of the query get a vote."""


@dataclass(frozen=True, eq=False)
class AxisSearch:
    """A library made ready for `fit_limited`."""

    library: FloatArray
    """(n, E)."""
    weights: FloatArray
    """(m, r), axes of the thinned, cut spectra."""
    coordinates: FloatArray
    """(n, r), of the entries."""
    order: Order
    """The entries along the axes."""
    rounding: Rounding
    """Of distances."""
    neighbours: Neighbours
    """Those of every entry."""

    def query(self, spectra: ArrayLike, k: int = 1) -> Found:
        """Return the k nearest entries of spectra (q, E); InputError as `run_queries`."""
        library = PreparedLibrary(self.library, np.empty((1, 0)), self.rounding)
        constants = (len(self.weights), self.coordinates, self.order, library, self.neighbours)
        return run_queries(_search, spectra, self.library, k, self._transform, *constants)

    def _transform(self, queries: FloatArray) -> tuple[FloatArray]:
        return (np.ascontiguousarray(thin(queries) @ self.weights),)


def fit_limited(
    library: ArrayLike, components: int | None = None, neighbours: Neighbours | None = None
) -> AxisSearch:
    """Make a library (n, E) ready for the limited axis check.

    InputError for more components than entries or thinned samples, or the table of a library of another size.
    """
    spectra = as_library(library)
    thinned = thin(spectra)
    weights = principal_axes(thinned, checked_components(components, COMPONENTS, thinned))
    coordinates = np.ascontiguousarray(thinned @ weights)
    order = np.argsort(coordinates.T, axis=1, kind="stable")
    along = np.take_along_axis(np.ascontiguousarray(coordinates.T), order, axis=1)
    span = max(4, len(spectra) // RANGE)
    table = checked_neighbours(neighbours, spectra)
    rounding = Rounding(3 * longest_of(spectra), slack_of(spectra.shape[1], 0))
    return AxisSearch(spectra, weights, coordinates, Order(order, along, span), rounding, table)


def thin(spectra: FloatArray) -> FloatArray:
    """Return spectra (q, E) averaged over 11 samples at every fifth (q, m), small ones set to zero."""
    thinned = np.empty((len(spectra), -(-spectra.shape[1] // STRIDE)))
    _thin(spectra, thinned)
    return thinned


@njit(nogil=True, cache=True)
def _thin(spectra: FloatArray, thinned: FloatArray) -> None:
    samples, half = spectra.shape[1], WINDOW // 2
    for q in range(len(spectra)):
        row, peak, total = spectra[q], 0.0, 0.0
        for i in range(min(half, samples)):
            total += row[i]
        for i in range(samples):
            if i + half < samples:
                total += row[i + half]
            if i - half - 1 >= 0:
                total -= row[i - half - 1]
            if i % STRIDE == 0:
                thinned[q, i // STRIDE] = total / WINDOW
                peak = max(peak, abs(thinned[q, i // STRIDE]))
        small = CUT * peak
        for j in range(thinned.shape[1]):
            if abs(thinned[q, j]) < small:
                thinned[q, j] = 0.0


@njit(nogil=True, cache=True)
def _count_thinning(samples: int, thinned: int, components: int, counts: IntArray) -> None:
    """Count the running sums, averages, cut and matrix product of one query."""
    counts[MULTIPLICATIONS] += thinned * (components + 1) + 1
    counts[ADDITIONS] += max(samples, 2 * samples - WINDOW // 2 - 1) + thinned * (components + 2)


@njit(nogil=True, cache=True)
def _vote(y: FloatArray, coordinates: FloatArray, order: Order, votes: IntArray, counts: IntArray) -> int:
    """Return the entry with most votes of the axes, the nearest in coordinates where several have as many."""
    entries, along, span = order
    votes[:] = 0
    for a in range(y.size):
        low, high = 0, votes.size
        while low < high:
            middle = (low + high) // 2
            counts[ADDITIONS] += 2
            if along[a, middle] < y[a]:
                low = middle + 1
            else:
                high = middle
        for i in range(max(0, low - span), min(votes.size, low + span)):
            votes[entries[a, i]] += 1
            counts[ADDITIONS] += 2
    most, nearest, square = 0, 0, np.inf
    for n in range(votes.size):
        counts[ADDITIONS] += 1
        if votes[n] >= most:
            counts[ADDITIONS] += 1
            if votes[n] > most:
                most, square = votes[n], np.inf
            here = partial_distance(y, coordinates, n, square, counts)
            counts[ADDITIONS] += 1
            if here < square:
                nearest, square = n, here
    return nearest


@njit(nogil=True, cache=True)
def _search(
    queries: FloatArray,
    transformed: FloatArray,
    thinned: int,
    coordinates: FloatArray,
    order: Order,
    library: PreparedLibrary,
    rows: Neighbours,
    results: Results,
) -> None:
    seen, radius = np.zeros(len(coordinates), np.int64), np.empty(2)
    votes = np.zeros(len(coordinates), np.int64)
    for q in range(len(queries)):
        y, best = transformed[q], best_of(results, q, radius)
        query = Query(queries[q], library.coordinates[0])
        _count_thinning(query.x.size, thinned, y.size, best.counts)
        guess = _vote(y, coordinates, order, votes, best.counts)
        seen[guess] = q + 1
        update(guess, query.x, library, best)
        walk_neighbours(query, library, rows, seen, q + 1, best)
