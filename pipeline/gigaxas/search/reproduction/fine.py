"""Fine search [P]: from a candidate along its stored neighbours until none beyond can be nearer."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import ArrayLike, NDArray

from gigaxas.arrays import FloatArray, IntArray
from gigaxas.search.axes import Axes, checked_components, checked_smooth, count_transform, fit_axes
from gigaxas.search.bounds import Scale, consider, scale_of, settle
from gigaxas.search.definition import ADDITIONS, MOVES, MULTIPLICATIONS, Found, as_library, run
from gigaxas.search.neighbours import Neighbours, checked_neighbours
from gigaxas.search.tree import Tree, build_tree, nearest_places, new_walk

COMPONENTS, SMOOTH = 16, 11


Rows = tuple[NDArray[Any], NDArray[Any]]


@dataclass(frozen=True, eq=False)
class TreeSearch:
    """Entries (n, E), their smoothed principal axes with a k-d tree, and the neighbours of each."""

    library: FloatArray
    axes: Axes
    tree: Tree
    neighbours: Neighbours

    def query(self, spectra: ArrayLike, k: int = 1) -> Found:
        """Return the k nearest entries of spectra (q, E); InputError as `run` has it."""
        axes, rows = self.axes, rows_of(self.neighbours)
        constants = (axes.entries, scale_of(axes), self.tree, rows)
        return run(_search, spectra, self.library, k, axes.placed, *constants)


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
    return TreeSearch(entries, axes, build_tree(axes.entries), checked_neighbours(neighbours, entries))


def rows_of(neighbours: Neighbours) -> Rows:
    """Return a table as kernels take it; of one that lies in a file, only the rows asked for are read."""
    return np.asarray(neighbours.index), np.asarray(neighbours.distance)


@njit(nogil=True, cache=True)
def walk_neighbours(
    x: FloatArray,
    y: FloatArray,
    entries: FloatArray,
    places: FloatArray,
    scale: Scale,
    rows: Rows,
    seen: IntArray,
    mark: int,
    names: IntArray,
    squares: FloatArray,
    reach: FloatArray,
    work: IntArray,
) -> None:
    """Walk the neighbours of the nearest so far, move on a nearer one, until the rest must be farther.

    `seen` (n,) holds `mark` for the entries that were looked at. Where a row ends too early, the search goes
    through all others.
    """
    index, distance = rows
    place, length, away = 0, index.shape[1], np.sqrt(squares[0])
    work[MULTIPLICATIONS] += 1
    while place < length:
        work[ADDITIONS] += 3
        if distance[names[0], place] > away + reach[0]:
            return
        n = int(index[names[0], place])
        place += 1
        work[ADDITIONS] += 2
        if seen[n] == mark:
            continue
        seen[n] = mark
        if consider(n, x, y, entries, places, scale, names, squares, reach, work):
            place, away = 0, np.sqrt(squares[0])
            work[MULTIPLICATIONS] += 1
            work[MOVES] += 1
    if length < len(seen) - 1:
        for other in range(len(seen)):
            work[ADDITIONS] += 1
            if seen[other] != mark:
                consider(other, x, y, entries, places, scale, names, squares, reach, work)


@njit(nogil=True, cache=True)
def _search(
    queries: FloatArray,
    places: FloatArray,
    entries: FloatArray,
    entry_places: FloatArray,
    scale: Scale,
    tree: Tree,
    rows: Rows,
    names: IntArray,
    squares: FloatArray,
    work: IntArray,
) -> None:
    seen, reach = np.zeros(len(entries), np.int64), np.empty(2)
    guess, near, walk = np.empty(1, np.int64), np.empty(1), new_walk(places.shape[1])
    for q in range(len(queries)):
        x, y, best = queries[q], places[q], (names[q], squares[q], reach, work[q])
        reach[:] = np.inf
        count_transform(x.size, y.size, work[q])
        nearest_places(y, len(tree[2]), tree, walk, guess, near, work[q])
        seen[guess[0]] = q + 1
        settle(guess[0], x, entries, scale, *best)
        walk_neighbours(x, y, entries, entry_places, scale, rows, seen, q + 1, *best)
