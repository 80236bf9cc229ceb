"""Limited axis check, the follow-up of [P] (Mathematics 13, 3983, 2025), as far as its abstract tells it.

Public are the steps: a running average, downsampling, samples below a threshold set to zero, principal
components; on every axis the entries within a limited range of the query each get a vote, and the entry with
most votes is the candidate for fine search. Window, step, threshold and range are choices made here. The cut
is not linear, so that these coordinates bound nothing: they name the candidate, fine search does the rest.
"""

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import ArrayLike

from gigaxas.arrays import FloatArray, IntArray
from gigaxas.search.axes import checked_components, longest_of, principal_axes, slack_of
from gigaxas.search.bounds import Scale, apart, settle
from gigaxas.search.definition import ADDITIONS, MULTIPLICATIONS, Found, as_library, run
from gigaxas.search.neighbours import Neighbours, checked_neighbours
from gigaxas.search.reproduction.fine import Rows, rows_of, walk_neighbours

COMPONENTS, WINDOW, STRIDE, CUT, RANGE = 16, 11, 5, 0.02, 128


@dataclass(frozen=True, eq=False)
class AxisSearch:
    """Entries (n, E); axes (m, r) of their thinned, cut spectra; the entries in order along each axis.

    `order` and `sorted` (r, n) are entries and coordinates; `entries` (n, r) the coordinates; `span` is how
    many entries on either side of the query get a vote.
    """

    library: FloatArray
    weights: FloatArray
    entries: FloatArray
    order: IntArray
    sorted: FloatArray
    span: int
    scale: Scale
    neighbours: Neighbours

    def query(self, spectra: ArrayLike, k: int = 1) -> Found:
        """Return the k nearest entries of spectra (q, E); InputError as `run` has it."""
        axes = (self.weights.shape[0], self.entries, self.order, self.sorted, self.span)
        constants = (self.scale, axes, rows_of(self.neighbours))
        return run(_search, spectra, self.library, k, self._placed, *constants)

    def _placed(self, queries: FloatArray) -> tuple[FloatArray]:
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
    entries = np.ascontiguousarray(thinned @ weights)
    order = np.argsort(entries.T, axis=1, kind="stable")
    along = np.take_along_axis(np.ascontiguousarray(entries.T), order, axis=1)
    span = max(4, len(spectra) // RANGE)
    table = checked_neighbours(neighbours, spectra)
    scale = Scale(3 * longest_of(spectra), slack_of(spectra.shape[1], 0))
    return AxisSearch(spectra, weights, entries, order, along, span, scale, table)


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
def _count_thinning(samples: int, thinned: int, components: int, work: IntArray) -> None:
    """Count the running sums, averages, cut and matrix product of one query."""
    work[MULTIPLICATIONS] += thinned * (components + 1) + 1
    work[ADDITIONS] += max(samples, 2 * samples - WINDOW // 2 - 1) + thinned * (components + 2)


@njit(nogil=True, cache=True)
def _vote(
    y: FloatArray,
    entries: FloatArray,
    order: IntArray,
    along: FloatArray,
    span: int,
    votes: IntArray,
    work: IntArray,
) -> int:
    """Return the entry with most votes of the axes, the nearest in coordinates where several have as many."""
    votes[:] = 0
    count = votes.size
    for a in range(y.size):
        low, high = 0, count
        while low < high:
            middle = (low + high) // 2
            work[ADDITIONS] += 2
            if along[a, middle] < y[a]:
                low = middle + 1
            else:
                high = middle
        for i in range(max(0, low - span), min(count, low + span)):
            votes[order[a, i]] += 1
            work[ADDITIONS] += 2
    most, nearest, square = 0, 0, np.inf
    for n in range(count):
        work[ADDITIONS] += 1
        if votes[n] >= most:
            work[ADDITIONS] += 1
            if votes[n] > most:
                most, square = votes[n], np.inf
            away = apart(y, entries, n, square, work)
            work[ADDITIONS] += 1
            if away < square:
                nearest, square = n, away
    return nearest


@njit(nogil=True, cache=True)
def _search(
    queries: FloatArray,
    places: FloatArray,
    library: FloatArray,
    scale: Scale,
    axes: tuple[int, FloatArray, IntArray, FloatArray, int],
    rows: Rows,
    names: IntArray,
    squares: FloatArray,
    work: IntArray,
) -> None:
    thinned, entries, order, along, span = axes
    seen, reach = np.zeros(len(library), np.int64), np.empty(2)
    votes, nowhere = np.zeros(len(library), np.int64), np.empty((1, 0))
    for q in range(len(queries)):
        x, y, best = queries[q], places[q], (names[q], squares[q], reach, work[q])
        reach[:] = np.inf
        _count_thinning(x.size, thinned, y.size, work[q])
        guess = _vote(y, entries, order, along, span, votes, work[q])
        seen[guess] = q + 1
        settle(guess, x, library, scale, *best)
        walk_neighbours(x, nowhere[0], library, nowhere, scale, rows, seen, q + 1, *best)
