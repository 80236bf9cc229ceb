"""Fine search [P]: from a candidate along its stored neighbours until none beyond can be nearer."""

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import ArrayLike

from gigaxas.arrays import FloatArray, IntArray
from gigaxas.search.axes import Axes, checked_components, checked_smooth, count_transform, fit_axes
from gigaxas.search.bounds import Best, PreparedLibrary, Query, best_of, consider, library_of, update
from gigaxas.search.definition import (
    ADDITIONS,
    MOVES,
    MULTIPLICATIONS,
    Found,
    Results,
    as_library,
    run_queries,
)
from gigaxas.search.neighbours import Neighbours, checked_neighbours
from gigaxas.search.tree import Tree, build_tree, nearest_entries, new_walk

COMPONENTS, SMOOTH = 16, 11


@dataclass(frozen=True, eq=False)
class TreeSearch:
    """A library made ready for `fit_tree`."""

    library: FloatArray
    """(n, E)."""
    axes: Axes
    """Its smoothed principal axes."""
    tree: Tree
    """A k-d tree of the coordinates."""
    neighbours: Neighbours
    """Those of every entry."""

    def query(self, spectra: ArrayLike, k: int = 1) -> Found:
        """Return the k nearest entries of spectra (q, E); InputError as `run_queries`."""
        constants = (library_of(self.library, self.axes), self.tree, self.neighbours)
        return run_queries(_search, spectra, self.library, k, self.axes.transform, *constants)


def fit_tree(
    library: ArrayLike,
    components: int | None = None,
    smooth: int | None = None,
    neighbours: Neighbours | None = None,
) -> TreeSearch:
    """Make a library (n, E) ready for the k-d tree with fine search.

    `smooth` is the width of the running average (11 in [P]); `neighbours` a table made earlier. InputError
    for more components than there can be, an even width, or the table of a library of another size.
    """
    entries = as_library(library)
    components = checked_components(components, COMPONENTS, entries)
    axes = fit_axes(entries, components, checked_smooth(smooth, SMOOTH, entries))
    return TreeSearch(entries, axes, build_tree(axes.coordinates), checked_neighbours(neighbours, entries))


@njit(nogil=True, cache=True)
def walk_neighbours(
    query: Query, library: PreparedLibrary, rows: Neighbours, seen: IntArray, mark: int, best: Best
) -> None:
    """Walk the neighbours of the nearest so far, move on a nearer one, until the rest must be farther.

    `seen` (n,) holds `mark` for the entries that were looked at. Where a row ends too early, the search goes
    through all others.
    """
    index, stored = rows
    nearest, squares, radius, counts = best
    position, length, distance = 0, index.shape[1], np.sqrt(squares[0])
    counts[MULTIPLICATIONS] += 1
    while position < length:
        counts[ADDITIONS] += 3
        if stored[nearest[0], position] > distance + radius[0]:
            return
        n = int(index[nearest[0], position])
        position += 1
        counts[ADDITIONS] += 2
        if seen[n] == mark:
            continue
        seen[n] = mark
        if consider(n, query, library, best):
            position, distance = 0, np.sqrt(squares[0])
            counts[MULTIPLICATIONS] += 1
            counts[MOVES] += 1
    if length < len(seen) - 1:
        for other in range(len(seen)):
            counts[ADDITIONS] += 1
            if seen[other] != mark:
                consider(other, query, library, best)


@njit(nogil=True, cache=True)
def _search(
    queries: FloatArray,
    coordinates: FloatArray,
    library: PreparedLibrary,
    tree: Tree,
    rows: Neighbours,
    results: Results,
) -> None:
    seen, radius = np.zeros(len(library.entries), np.int64), np.empty(2)
    guess, square, walk = np.empty(1, np.int64), np.empty(1), new_walk(coordinates.shape[1])
    for q in range(len(queries)):
        query, best = Query(queries[q], coordinates[q]), best_of(results, q, radius)
        count_transform(query.x.size, query.y.size, best.counts)
        nearest_entries(query.y, len(tree.members), tree, walk, guess, square, best.counts)
        seen[guess[0]] = q + 1
        update(guess[0], query.x, library, best)
        walk_neighbours(query, library, rows, seen, q + 1, best)
