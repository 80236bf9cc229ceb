"""Average linkage on a distance matrix, cut at a height; the lowest candidate breaks ties."""

import numpy as np
from numba import njit

from gigaxas.arrays import BoolArray, FloatArray, IntArray


def average_groups(distance: FloatArray, limit: float) -> IntArray:
    """Return the group number (n,) of average linkage (UPGMA) on `distance` (n, n), cut at `limit`.

    Two clusters join while the mean distance of their members is at most `limit`. Groups are numbered from 0
    by their lowest member. Where several clusters are equally near, the one with the lowest member is taken,
    or the one whose neighbour is being looked for. Overwrites `distance`.
    """
    owner = _nearest_neighbour_chain(distance, limit)
    _, groups = np.unique(owner, return_inverse=True)
    return groups.astype(np.int64)


@njit(nogil=True, cache=True)
def _nearest_neighbour_chain(distance: FloatArray, limit: float) -> IntArray:
    """Return the lowest member (n,) of each candidate's cluster.

    Follows nearest neighbours until two are each other's nearest and joins them: average linkage gives the
    same tree in that order (it is reducible). A cluster with nothing within the limit stays as it is.
    """
    n = distance.shape[0]
    owner = np.arange(n)
    size = np.ones(n)
    active = np.ones(n, dtype=np.bool_)
    chain = np.empty(n + 1, dtype=np.int64)
    length = 0
    start = 0
    while True:
        if length == 0:
            while start < n and not active[start]:
                start += 1
            if start == n:
                return owner
            chain[0] = start
            length = 1
        tip = chain[length - 1]
        before = chain[length - 2] if length > 1 else -1
        near, height = _nearest(distance[tip], active, tip, before)
        if height > limit:
            active[tip] = False
            length -= 1
        elif near == before:
            length -= 2
            _join(distance, size, active, owner, min(tip, near), max(tip, near))
        else:
            chain[length] = near
            length += 1


@njit(nogil=True, cache=True)
def _nearest(row: FloatArray, active: BoolArray, tip: int, before: int) -> tuple[int, float]:
    """Return the nearest active cluster and its distance; on ties `before` (chains end so), or the lowest."""
    near, height = -1, np.inf
    if before >= 0:
        near, height = before, row[before]
    for k in range(row.shape[0]):
        if active[k] and k != tip and row[k] < height:
            near, height = k, row[k]
    return near, height


@njit(nogil=True, cache=True)
def _join(
    distance: FloatArray, size: FloatArray, active: BoolArray, owner: IntArray, low: int, high: int
) -> None:
    """Join cluster `high` into `low`: its distances become the member-weighted means."""
    total = size[low] + size[high]
    for k in range(distance.shape[0]):
        if active[k] and k != low and k != high:
            mean = (size[low] * distance[low, k] + size[high] * distance[high, k]) / total
            distance[low, k] = mean
            distance[k, low] = mean
    size[low] = total
    active[high] = False
    for k in range(owner.shape[0]):
        if owner[k] == high:
            owner[k] = low
