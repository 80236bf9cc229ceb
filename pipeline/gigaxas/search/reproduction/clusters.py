"""Cluster search and pilot search [P]: clusters, and the triangle inequality at their centres."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import ArrayLike

from gigaxas.arrays import FloatArray, IntArray
from gigaxas.errors import InputError
from gigaxas.search.axes import Axes, checked_components, count_transform, fit_axes
from gigaxas.search.bounds import (
    Best,
    PreparedLibrary,
    Query,
    best_of,
    consider,
    library_of,
    partial_distance,
    update,
)
from gigaxas.search.definition import (
    ADDITIONS,
    MULTIPLICATIONS,
    Found,
    Results,
    as_library,
    insert,
    run_queries,
)

COMPONENTS, PILOT = 32, 4
ITERATIONS = 10


class Clusters(NamedTuple):
    """Clusters of entries; the centre is the member nearest to the mean, distances are of coordinates."""

    bounds: IntArray
    """(c + 1,) cluster j holds members[bounds[j] : bounds[j + 1]]."""
    members: IntArray
    """(n,) entries, in order of their distance to the centre."""
    distance: FloatArray
    """(n,) these distances."""
    centre: IntArray
    """(c,) entries."""
    coordinates: FloatArray
    """(c, r), of the centres."""
    radius: FloatArray
    """(c,) largest distance of a member to the centre."""


@dataclass(frozen=True, eq=False)
class ClusterSearch:
    """A library made ready for `fit_clusters` or `fit_pilot`."""

    library: FloatArray
    """(n, E)."""
    axes: Axes
    """Its principal axes."""
    clusters: Clusters
    """Of the coordinates."""
    pilot: int
    """Axes that make a first guess; 0 for none."""

    def query(self, spectra: ArrayLike, k: int = 1) -> Found:
        """Return the k nearest entries of spectra (q, E); InputError as `run_queries`."""
        axes = self.axes
        leading = np.ascontiguousarray(axes.coordinates[:, : self.pilot])
        constants = (library_of(self.library, axes), self.clusters, leading)
        return run_queries(_search, spectra, self.library, k, axes.transform, *constants)


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
    made = make_clusters(axes.coordinates, count)
    return ClusterSearch(entries, axes, made, min(pilot, axes.coordinates.shape[1]))


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
    for _ in range(ITERATIONS):
        away = [((inside - inside[side].mean(axis=0)) ** 2).sum(axis=1) for side in (~upper, upper)]
        moved = away[1] < away[0]
        if moved.all() or not moved.any() or (moved == upper).all():
            break
        upper = moved
    return group[~upper], group[upper]


@njit(nogil=True, cache=True)
def _pilot(y: FloatArray, leading: FloatArray, counts: IntArray) -> int:
    """Return the entry nearest to y in its leading coordinates, by partial distortion."""
    index, square = np.zeros(1, np.int64), np.full(1, np.inf)
    for n in range(len(leading)):
        here = partial_distance(y[: leading.shape[1]], leading, n, square[0], counts)
        if here <= square[0]:
            insert(n, here, index, square, counts)
    return index[0]


@njit(nogil=True, cache=True)
def _search_cluster(
    j: int,
    distance: float,
    first: int,
    query: Query,
    library: PreparedLibrary,
    clusters: Clusters,
    best: Best,
) -> None:
    """Look at the members of cluster j, its centre at `distance`, that the triangle inequality leaves."""
    bounds, members, stored, _, _, radii = clusters
    counts, radius = best.counts, best.radius
    counts[ADDITIONS] += 3
    if distance - radii[j] > radius[0]:
        return
    for i in range(bounds[j], bounds[j + 1]):
        gap = distance - stored[i]
        counts[ADDITIONS] += 3
        if gap > radius[0]:
            continue
        counts[ADDITIONS] += 1
        if -gap > radius[0]:
            return
        counts[ADDITIONS] += 2
        if members[i] != first:
            consider(members[i], query, library, best)


@njit(nogil=True, cache=True)
def _nearest_centre(y: FloatArray, centres: FloatArray, distances: FloatArray, counts: IntArray) -> int:
    """Fill the distances (c,) of all centres (c, r) to y; return the nearest."""
    nearest = 0
    for j in range(distances.size):
        distances[j] = np.sqrt(partial_distance(y, centres, j, np.inf, counts))
        counts[MULTIPLICATIONS] += 1
        counts[ADDITIONS] += 1
        if distances[j] < distances[nearest]:
            nearest = j
    return nearest


@njit(nogil=True, cache=True)
def _search(
    queries: FloatArray,
    coordinates: FloatArray,
    library: PreparedLibrary,
    clusters: Clusters,
    leading: FloatArray,
    results: Results,
) -> None:
    distances, radius = np.empty(len(clusters.centre)), np.empty(2)
    for q in range(len(queries)):
        query, best = Query(queries[q], coordinates[q]), best_of(results, q, radius)
        count_transform(query.x.size, query.y.size, best.counts)
        nearest = _nearest_centre(query.y, clusters.coordinates, distances, best.counts)
        first = clusters.centre[nearest]
        if leading.shape[1]:
            first = _pilot(query.y, leading, best.counts)
        update(first, query.x, library, best)
        _search_cluster(nearest, distances[nearest], first, query, library, clusters, best)
        for j in range(distances.size):
            if j != nearest:
                _search_cluster(j, distances[j], first, query, library, clusters, best)
