"""The kernel of segment search: nested bounds, each dearer and tighter than the one before.

The distance to the pivot, an entry near the query, says how much of the query lies beside the axes and beside
the segments: the noise, nearly always. Every other entry must bridge that as well, so the noise counts on
both sides of the comparison and drops out.
"""

from typing import NamedTuple

import numpy as np
from numba import njit

from gigaxas.arrays import FloatArray, IntArray
from gigaxas.search.axes import count_transform
from gigaxas.search.bounds import Scale, apart, settle
from gigaxas.search.definition import ADDITIONS, MOVES, MULTIPLICATIONS, keep, sum_to
from gigaxas.search.reproduction.fine import Rows
from gigaxas.search.tree import Tree, Walk, nearest_places, new_walk, next_leaf, restart, search_leaf
from gigaxas.simd import lowest_bit

LEAF_COST = 64  # samples whose distance costs about as much as a look into a leaf


class Levels(NamedTuple):
    """What a library has on its way from samples to coordinates.

    Segments are z = sums * scale, scale (m,), so that |z| <= |x|; `segments` (n, m) are the entries'.
    `beside_segments` and `beside_axes` (n,) are the lengths of what an entry, less the library's mean, has
    beside the segments and beside the axes; `longest` is the largest of the latter.
    """

    scale: FloatArray
    segments: FloatArray
    beside_segments: FloatArray
    beside_axes: FloatArray
    longest: float


@njit(nogil=True, cache=True)
def _span(square: float, inside: float, scale: Scale, reach: float, span: FloatArray, work: IntArray) -> None:
    """Put into `span` (2,) how far the query and the pivot can be apart beside a projection.

    `square` is their squared distance, `inside` that of their projections; rounding is allowed for.
    """
    lengths, slack = scale
    rounding = 4.0 * slack * (reach + lengths) * (reach + lengths)
    span[0] = np.sqrt(max(0.0, square - inside - rounding))
    span[1] = np.sqrt(max(0.0, square - inside + rounding))
    work[MULTIPLICATIONS] += 5
    work[ADDITIONS] += 6


@njit(nogil=True, cache=True)
def _bridge(span: FloatArray, pivot: float, entry: float, work: IntArray) -> float:
    """Return the least squared distance of the query to an entry beside a projection.

    `pivot` and `entry` are the lengths that these have there: they are at most the sum of them apart, and at
    least the difference.
    """
    work[MULTIPLICATIONS] += 1
    work[ADDITIONS] += 8
    gap = max(0.0, span[0] - pivot - entry, abs(pivot - entry) - span[1])
    return gap * gap


@njit(nogil=True, cache=True)
def _from_row(
    y: FloatArray,
    places: FloatArray,
    pivot: int,
    away: float,
    rows: Rows,
    reach: FloatArray,
    found: IntArray,
    near: FloatArray,
    work: IntArray,
) -> int:
    """Find the pivot's neighbours that may be near enough; return how many, -1 if its row ends too soon.

    `away` is the pivot's distance; entries go to `found` (n,), squares from coordinates to `near` (n,).
    """
    index, distance = rows
    length, count, limit = index.shape[1], 0, away + reach[0]
    work[ADDITIONS] += 1
    if length < len(index) - 1:
        work[ADDITIONS] += 2
        if distance[pivot, -1] <= limit:
            return -1
    for i in range(length):
        work[ADDITIONS] += 2
        if distance[pivot, i] > limit:
            break
        n = int(index[pivot, i])
        work[ADDITIONS] += 1
        square = apart(y, places, n, reach[1], work)
        if square <= reach[1]:
            found[count], near[count] = n, square
            count += 1
    return count


@njit(nogil=True, cache=True)
def _from_tree(
    y: FloatArray,
    pivot: int,
    span: FloatArray,
    tree: Tree,
    walk: Walk,
    levels: Levels,
    scale: Scale,
    reach: FloatArray,
    found: IntArray,
    near: FloatArray,
    bests: tuple[IntArray, FloatArray],
    work: IntArray,
) -> int:
    """Find the entries whose coordinates are near enough; return how many.

    Near enough is within reach, and within the most that the k-th best of the entries seen on the way can be
    away, each less what every entry has to bridge; `bests` is room for those k.
    """
    (axis, value, members, leaves), (cells, gaps, inside, sums) = tree, walk
    _, _, _, beside, longest = levels
    (lengths, slack), (names, most), count = scale, bests, 0
    room = max(0.0, span[0] - beside[pivot] - longest) ** 2
    rounding = 3.0 * slack * (reach[0] + lengths) * (reach[0] + lengths)
    limit, bridge = reach[1] - room, span[1] + beside[pivot]
    work[MULTIPLICATIONS] += 4
    work[ADDITIONS] += 7
    most[:] = np.inf
    restart(walk)
    while True:
        leaf = next_leaf(y, limit, axis, value, cells, gaps, inside, work)
        if leaf < 0:
            return count
        within = search_leaf(y, leaf, limit, leaves, sums, work)
        while within:
            e = lowest_bit(within)
            within &= within - 1
            n = members[leaf, e]
            if n >= 0:
                found[count], near[count] = n, sums[e]
                count += 1
                keep(n, sums[e] + (bridge + beside[n]) ** 2 + rounding, names, most, work)
                limit = min(limit, most[-1] - room)
                work[MULTIPLICATIONS] += 1
                work[ADDITIONS] += 6


@njit(nogil=True, cache=True)
def _settle(
    x: FloatArray,
    sums: FloatArray,
    z: FloatArray,
    guess: IntArray,
    square: float,
    spans: FloatArray,
    count: int,
    found: IntArray,
    near: FloatArray,
    entries: FloatArray,
    scale: Scale,
    levels: Levels,
    names: IntArray,
    squares: FloatArray,
    reach: FloatArray,
    work: IntArray,
) -> None:
    """Look at the entries found: by what is beside the axes, then by segments, then by samples.

    `guess` (k,) are those already settled, the pivot in front, whose squared distance is `square`. The
    query's segments z are scaled when first needed.
    """
    weights, segments, beside_segments, beside_axes, _ = levels
    pivot, scaled = guess[0], False
    for i in range(count):
        n = found[i]
        work[ADDITIONS] += guess.size
        if _among(n, guess):
            continue
        work[ADDITIONS] += 2
        if near[i] + _bridge(spans[0], beside_axes[pivot], beside_axes[n], work) > reach[1]:
            continue
        if z.size < x.size:
            if not scaled:
                scaled = True
                z[:] = sums * weights
                work[MULTIPLICATIONS] += z.size
                inside = sum_to(np.inf, z, segments, pivot, work)
                _span(square, inside, scale, reach[0], spans[1], work)
            limit = reach[1] - _bridge(spans[1], beside_segments[pivot], beside_segments[n], work)
            work[ADDITIONS] += 2
            if limit < 0.0 or sum_to(limit, z, segments, n, work) > limit:
                continue
        work[MOVES] += settle(n, x, entries, scale, names, squares, reach, work)


@njit(nogil=True, cache=True)
def _among(n: int, guess: IntArray) -> bool:
    inside = False
    for known in guess:
        inside |= n == known
    return inside


@njit(nogil=True, cache=True)
def search(
    queries: FloatArray,
    sums: FloatArray,
    places: FloatArray,
    entries: FloatArray,
    entry_places: FloatArray,
    scale: Scale,
    tree: Tree,
    rows: Rows,
    levels: Levels,
    names: IntArray,
    squares: FloatArray,
    work: IntArray,
) -> None:
    """Find the nearest entries (q, k) of queries (q, E) with their sums (q, m) and coordinates (q, r)."""
    size, k, leaves = len(entries), names.shape[1], 1 + queries.shape[1] // LEAF_COST
    guess, there, bests = np.empty(k, np.int64), np.empty(k), (np.empty(k, np.int64), np.empty(k))
    z, spans, reach, walk = np.empty(sums.shape[1]), np.empty((2, 2)), np.empty(2), new_walk(places.shape[1])
    found, near = np.empty(size, np.int64), np.empty(size)
    for q in range(len(queries)):
        x, y, done = queries[q], places[q], work[q]
        best = (names[q], squares[q], reach, done)
        done[ADDITIONS] += x.size if z.size < x.size else 0
        count_transform(z.size, y.size, done)
        nearest_places(y, leaves, tree, walk, guess, there, done)
        settle(guess[0], x, entries, scale, *best)
        square = squares[q, 0]
        for i in range(1, k):
            done[MOVES] += settle(guess[i], x, entries, scale, *best)
        _span(square, there[0], scale, reach[0], spans[0], done)
        done[MULTIPLICATIONS] += 1
        count = _from_row(y, entry_places, guess[0], np.sqrt(square), rows, reach, found, near, done)
        if count < 0:
            room = (tree, walk, levels, scale, reach, found, near, bests)
            count = _from_tree(y, guess[0], spans[0], *room, done)
        hits = (count, found, near, entries, scale, levels)
        _settle(x, sums[q], z, guess, square, spans, *hits, *best)
