"""Cluster search and pilot search [P]: clusters, and the triangle inequality at their centres."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import ArrayLike

from gigaxas.arrays import FloatArray, IntArray
from gigaxas.errors import InputError
from gigaxas.search.axes import Axes, checked_components, count_transform, fit_axes
from gigaxas.search.bounds import Scale, apart, consider, scale_of, settle
from gigaxas.search.definition import ADDITIONS, MULTIPLICATIONS, Found, as_library, keep, run

COMPONENTS, PILOT = 32, 4
SETTLING = 10


class Clusters(NamedTuple):
    """Cluster j holds `members[bounds[j]:bounds[j + 1]]` in order of their `distance` to its `centre[j]`.

    The centre is the member nearest to the cluster's mean; distances are those of the coordinates.
    """

    bounds: IntArray
    members: IntArray
    distance: FloatArray
    centre: IntArray
    coordinates: FloatArray
    radius: FloatArray


@dataclass(frozen=True, eq=False)
class ClusterSearch:
    """Entries (n, E), their principal axes and clusters; `pilot` axes make a first guess."""

    library: FloatArray
    axes: Axes
    clusters: Clusters
    pilot: int

    def query(self, spectra: ArrayLike, k: int = 1) -> Found:
        """Return the k nearest entries of spectra (q, E); InputError as `run` has it."""
        axes = self.axes
        leading = np.ascontiguousarray(axes.entries[:, : self.pilot])
        constants = (axes.entries, scale_of(axes), self.clusters, leading)
        return run(_search, spectra, self.library, k, axes.placed, *constants)


def fit_clusters(
    library: ArrayLike, components: int | None = None, clusters: int | None = None
) -> ClusterSearch:
    """Make a library (n, E) ready for cluster search, by default in sqrt(n) clusters.

    InputError for more components or clusters than there can be.
    """
    return _fit(library, components, clusters, 0)


def fit_pilot(
    library: ArrayLike, components: int | None = None, clusters: int | None = None, pilot: int = PILOT
) -> ClusterSearch:
    """Make a library (n, E) ready for cluster search after a pilot search; InputError likewise."""
    if pilot < 1:
        raise InputError(f"pilot = {pilot}; expected 1 to as many components as there are")
    return _fit(library, components, clusters, pilot)


def _fit(library: ArrayLike, components: int | None, clusters: int | None, pilot: int) -> ClusterSearch:
    entries = as_library(library)
    axes = fit_axes(entries, checked_components(components, COMPONENTS, entries))
    count = max(1, round(len(entries) ** 0.5)) if clusters is None else clusters
    if not 1 <= count <= len(entries):
        raise InputError(f"clusters = {count}; expected 1 to {len(entries)}, the number of entries")
    return ClusterSearch(entries, axes, make_clusters(axes.entries, count), min(pilot, axes.entries.shape[1]))


def make_clusters(coordinates: FloatArray, count: int) -> Clusters:
    """Divide coordinates (n, r) again and again in two, the widest group first, into `count` clusters.

    Fewer where no group is left that holds two different entries.
    """
    groups = [np.arange(len(coordinates))]
    widths = [_width(coordinates)]
    while len(groups) < count and max(widths) > 0:
        widest = int(np.argmax(widths))
        group = groups.pop(widest)
        widths.pop(widest)
        for half in _halves(coordinates, group):
            groups.append(half)
            widths.append(_width(coordinates[half]))
    members, distance, centre, radius = [], [], [], []
    for group in groups:
        inside = coordinates[group]
        middle = int(np.argmin(((inside - inside.mean(axis=0)) ** 2).sum(axis=1)))
        away = np.sqrt(((inside - inside[middle]) ** 2).sum(axis=1))
        order = np.argsort(away, kind="stable")
        members.append(group[order])
        distance.append(away[order])
        centre.append(group[middle])
        radius.append(away.max())
    return Clusters(
        np.cumsum([0, *map(len, groups)]),
        np.concatenate(members),
        np.concatenate(distance),
        np.array(centre),
        np.ascontiguousarray(coordinates[centre]),
        np.array(radius),
    )


def _width(inside: FloatArray) -> float:
    return float(((inside - inside.mean(axis=0)) ** 2).sum()) if np.ptp(inside, axis=0).any() else 0.0


def _halves(coordinates: FloatArray, group: IntArray) -> tuple[IntArray, IntArray]:
    """Split a group in two by k-means from either end of its longest axis."""
    inside = coordinates[group]
    centred = inside - inside.mean(axis=0)
    along = centred @ np.linalg.eigh(centred.T @ centred)[1][:, -1]
    upper = along > along.min() + 0.5 * np.ptp(along)
    if upper.all() or not upper.any():
        upper = np.arange(len(group)) >= len(group) // 2
    for _ in range(SETTLING):
        away = [((inside - inside[side].mean(axis=0)) ** 2).sum(axis=1) for side in (~upper, upper)]
        moved = away[1] < away[0]
        if moved.all() or not moved.any() or (moved == upper).all():
            break
        upper = moved
    return group[~upper], group[upper]


@njit(nogil=True, cache=True)
def _pilot(y: FloatArray, leading: FloatArray, work: IntArray) -> int:
    """Return the entry nearest to y in its leading coordinates, by partial distortion."""
    name, square = np.zeros(1, np.int64), np.full(1, np.inf)
    for n in range(len(leading)):
        here = apart(y[: leading.shape[1]], leading, n, square[0], work)
        if here <= square[0]:
            keep(n, here, name, square, work)
    return name[0]


@njit(nogil=True, cache=True)
def _search_cluster(
    j: int,
    away: float,
    first: int,
    x: FloatArray,
    y: FloatArray,
    entries: FloatArray,
    places: FloatArray,
    scale: Scale,
    clusters: Clusters,
    names: IntArray,
    squares: FloatArray,
    reach: FloatArray,
    work: IntArray,
) -> None:
    """Look at the members of cluster j, whose centre is `away`, that the triangle inequality leaves."""
    bounds, members, distance, _, _, radius = clusters
    work[ADDITIONS] += 3
    if away - radius[j] > reach[0]:
        return
    for i in range(bounds[j], bounds[j + 1]):
        gap = away - distance[i]
        work[ADDITIONS] += 3
        if gap > reach[0]:
            continue
        work[ADDITIONS] += 1
        if -gap > reach[0]:
            return
        work[ADDITIONS] += 2
        if members[i] != first:
            consider(members[i], x, y, entries, places, scale, names, squares, reach, work)


@njit(nogil=True, cache=True)
def _nearest_centre(y: FloatArray, clusters: Clusters, away: FloatArray, work: IntArray) -> int:
    """Put the distances of all centres to y into `away`; return the nearest."""
    coordinates, nearest = clusters[4], 0
    for j in range(away.size):
        away[j] = np.sqrt(apart(y, coordinates, j, np.inf, work))
        work[MULTIPLICATIONS] += 1
        work[ADDITIONS] += 1
        if away[j] < away[nearest]:
            nearest = j
    return nearest


@njit(nogil=True, cache=True)
def _search(
    queries: FloatArray,
    places: FloatArray,
    entries: FloatArray,
    entry_places: FloatArray,
    scale: Scale,
    clusters: Clusters,
    leading: FloatArray,
    names: IntArray,
    squares: FloatArray,
    work: IntArray,
) -> None:
    centre = clusters[3]
    away, reach = np.empty(len(centre)), np.empty(2)
    library = (entries, entry_places, scale, clusters)
    for q in range(len(queries)):
        x, y, best = queries[q], places[q], (names[q], squares[q], reach, work[q])
        reach[:] = np.inf
        count_transform(x.size, y.size, work[q])
        nearest = _nearest_centre(y, clusters, away, work[q])
        first = centre[nearest]
        if leading.shape[1]:
            first = _pilot(y, leading, work[q])
        settle(first, x, entries, scale, *best)
        _search_cluster(nearest, away[nearest], first, x, y, *library, *best)
        for j in range(away.size):
            if j != nearest:
                _search_cluster(j, away[j], first, x, y, *library, *best)
