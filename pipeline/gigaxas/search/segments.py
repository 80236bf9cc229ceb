"""Segment search, this project's own: nested bounds, each dearer and tighter than the one before.

Samples are summed in segments, which takes additions alone; principal axes of the sums give r coordinates and
a k-d tree, whose nearest entry is the pivot. A short row of the pivot's neighbours, or else the tree, names
the entries that may be nearer. docs/explanation/search.md derives the bounds.

The distance to the pivot says how much of the query lies beside the axes and beside the segments: the noise,
nearly always. Every other entry must bridge that as well, so the noise counts on both sides of the comparison
and drops out.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import ArrayLike

from gigaxas.arrays import FloatArray, IntArray
from gigaxas.errors import InputError
from gigaxas.search.axes import (
    Axes,
    checked_components,
    count_transform,
    longest_of,
    principal_axes,
    slack_of,
)
from gigaxas.search.bounds import (
    Best,
    PreparedLibrary,
    Rounding,
    best_of,
    library_of,
    partial_distance,
    update,
)
from gigaxas.search.definition import (
    ADDITIONS,
    MOVES,
    MULTIPLICATIONS,
    Found,
    Results,
    as_library,
    insert,
    run_queries,
    sum_to,
)
from gigaxas.search.neighbours import Neighbours, checked_neighbours, find_neighbours
from gigaxas.search.simd import sum_range
from gigaxas.search.tree import (
    Tree,
    Walk,
    build_tree,
    nearest_entries,
    new_walk,
    next_leaf,
    restart,
    search_leaf,
)
from gigaxas.simd import lowest_bit

SEGMENTS, ROW = 150, 16
FEW, MANY = 8, 24  # axes that find a pivot; axes that hold nearly all of a library of low dimension
NEARLY_ALL = 0.05
LEAF_COST = 64  # samples whose distance costs about as much as a look into a leaf


class Levels(NamedTuple):
    """What a library has on its way from samples to coordinates; "residual" is of an entry less the mean."""

    scale: FloatArray
    """(m,) what makes sums to segments: z = sums * scale, so that |z| <= |x|."""
    segments: FloatArray
    """(n, m) those of the entries."""
    segment_residual: FloatArray
    """(n,) length of what an entry has beside the segments."""
    axis_residual: FloatArray
    """(n,) length of what it has beside the axes."""
    largest: float
    """The largest of the latter."""


@dataclass(frozen=True, eq=False)
class SegmentSearch:
    """A library made ready for `fit_segments`."""

    library: FloatArray
    """(n, E)."""
    width: int
    """Samples of a segment."""
    axes: Axes
    """Of the sums over segments."""
    tree: Tree
    """A k-d tree of the coordinates."""
    rows: Neighbours
    """The nearest of every entry."""
    levels: Levels
    """The way from samples to coordinates."""

    def query(self, spectra: ArrayLike, k: int = 1) -> Found:
        """Return the k nearest entries of spectra (q, E); InputError as `run_queries`."""
        library = library_of(self.library, self.axes)
        constants = (Segmented(library, self.tree, self.rows, self.levels),)
        return run_queries(_search, spectra, self.library, k, self._transform, *constants)

    def _transform(self, queries: FloatArray) -> tuple[FloatArray, FloatArray]:
        sums = segment_sums(queries, self.width)
        return sums, *self.axes.transform(sums)


class Segmented(NamedTuple):
    """A `SegmentSearch` as the kernel reads it."""

    library: PreparedLibrary
    """Entries and coordinates."""
    tree: Tree
    """Of the coordinates."""
    rows: Neighbours
    """The nearest of every entry."""
    levels: Levels
    """The way from samples to coordinates."""


class SegmentQuery(NamedTuple):
    """One query."""

    x: FloatArray
    """(E,) samples."""
    sums: FloatArray
    """(m,) over segments."""
    y: FloatArray
    """(r,) coordinates."""


class Hits(NamedTuple):
    """Entries that may be nearer than the best, the first so many of n."""

    indices: IntArray
    """(n,)."""
    squares: FloatArray
    """(n,) squared distances of their coordinates."""


class SegmentScratch(NamedTuple):
    """Memory for one query after the other."""

    guess: Hits
    """(k,) the entries nearest in coordinates, the pivot first."""
    upper: Hits
    """(k,) those of the least upper bounds."""
    hits: Hits
    """(n,) what may be nearer."""
    z: FloatArray
    """(m,) the query's segments."""
    ranges: FloatArray
    """(2, 2) how far query and pivot can be apart beside the axes, and beside the segments."""
    radius: FloatArray
    """(2,) that of `Best`."""
    walk: Walk
    """Through the tree."""


def fit_segments(
    library: ArrayLike,
    components: int | None = None,
    width: int | None = None,
    neighbours: Neighbours | None = None,
) -> SegmentSearch:
    """Make a library (n, E) ready for segment search.

    By default with 150 to 299 segments, and 24 axes where these leave no more than a twentieth of the typical
    entry beside them, else 8: then what lies beside does not decide, and more axes cost more than they save.
    `neighbours` is a table made earlier, of this search (its `rows`) or of `find_neighbours`. InputError for
    a width that does not fit, more components than entries or segments, or the table of another library.
    """
    entries = as_library(library)
    samples = entries.shape[1]
    width = _usual_width(samples) if width is None else width
    if not 1 <= width <= samples:
        raise InputError(f"width = {width}; expected segments of 1 to {samples} samples")
    sums = segment_sums(entries, width)
    lengths = segment_sums(np.ones((1, samples)), width)[0]
    scale = 1.0 / np.sqrt(lengths)
    directions = _directions(sums * scale, components) * scale[:, None]
    mean = entries.mean(axis=0)
    offset = segment_sums(mean[None], width)[0] @ directions
    coordinates = sums @ directions - offset
    axes = Axes(directions, offset, coordinates, longest_of(entries), slack_of(samples, len(offset)))
    level = (sums - segment_sums(mean[None], width)) / lengths
    segment_residual = _residual(entries, mean, level, lengths)
    axis_residual = _residual(entries, mean, coordinates @ directions.T, lengths)
    if neighbours is None:
        # Sums and their residual make a vector again, with distances no longer than the spectra's.
        whole = np.column_stack([level * np.sqrt(lengths), segment_residual])
        neighbours = find_neighbours(whole, min(ROW, len(entries) - 1))
    rows = checked_neighbours(neighbours, entries)
    levels = Levels(scale, sums * scale, segment_residual, axis_residual, axis_residual.max())
    return SegmentSearch(entries, width, axes, build_tree(coordinates), rows, levels)


def _usual_width(samples: int) -> int:
    """Return about one part in SEGMENTS of the samples, whole vectors of a processor where there are many."""
    width = max(1, samples // SEGMENTS)
    return width if width < 8 else 8 * round(width / 8)


def _directions(segments: FloatArray, components: int | None) -> FloatArray:
    """Return the axes (m, r) of segments (n, m)."""
    axes = principal_axes(segments, checked_components(components, MANY, segments))
    if components is None:
        centred = segments - segments.mean(axis=0)
        residual = np.linalg.norm(centred - centred @ axes @ axes.T, axis=1)
        if np.median(residual) > NEARLY_ALL * np.median(np.linalg.norm(centred, axis=1)):
            return axes[:, :FEW]
    return axes


def segment_sums(spectra: FloatArray, width: int) -> FloatArray:
    """Return the sums (q, m) of spectra (q, E) over segments of `width` samples; the last may be shorter."""
    if width == 1:
        return spectra
    sums = np.empty((len(spectra), -(-spectra.shape[1] // width)))
    _sum_segments(spectra, width, sums)
    return sums


def _residual(entries: FloatArray, mean: FloatArray, level: FloatArray, lengths: FloatArray) -> FloatArray:
    """Return the length (n,) of entries less their mean and less a level (n, m) in every segment."""
    times = lengths.astype(np.int64)
    rest = (entry - mean - np.repeat(row, times) for entry, row in zip(entries, level, strict=True))
    return np.array([np.linalg.norm(row) for row in rest])


@njit(nogil=True, cache=True)
def _sum_segments(spectra: FloatArray, width: int, sums: FloatArray) -> None:
    samples = spectra.shape[1]
    for q in range(len(spectra)):
        for j in range(sums.shape[1]):
            sums[q, j] = sum_range(spectra, q, j * width, min((j + 1) * width, samples))


@njit(nogil=True, cache=True)
def _residual_range(
    square: float, inside: float, rounding: Rounding, radius: float, ends: FloatArray, counts: IntArray
) -> None:
    """Set ends (2,) to the least and most that the query and the pivot can be apart beside a projection.

    `square` is their squared distance, `inside` that of their projections.
    """
    lengths, slack = rounding
    error = 4.0 * slack * (radius + lengths) * (radius + lengths)
    ends[0] = np.sqrt(max(0.0, square - inside - error))
    ends[1] = np.sqrt(max(0.0, square - inside + error))
    counts[MULTIPLICATIONS] += 5
    counts[ADDITIONS] += 6


@njit(nogil=True, cache=True)
def _residual_gap(ends: FloatArray, pivot: float, entry: float, counts: IntArray) -> float:
    """Return the least squared distance of the query to an entry beside a projection.

    `pivot` and `entry` are the lengths that these have there: they are at most the sum of them apart, and at
    least the difference.
    """
    counts[MULTIPLICATIONS] += 1
    counts[ADDITIONS] += 8
    gap = max(0.0, ends[0] - pivot - entry, abs(pivot - entry) - ends[1])
    return gap * gap


@njit(nogil=True, cache=True)
def _hits_of_row(
    y: FloatArray, distance: float, segmented: Segmented, scratch: SegmentScratch, best: Best
) -> int:
    """Find the pivot's neighbours that may be near enough; return how many, -1 if its row ends too soon.

    `distance` is that of the pivot.
    """
    index, stored = segmented.rows
    coordinates, pivot = segmented.library.coordinates, scratch.guess.indices[0]
    found, near = scratch.hits
    _, _, radius, counts = best
    length, count, limit = index.shape[1], 0, distance + radius[0]
    counts[ADDITIONS] += 1
    if length < len(index) - 1:
        counts[ADDITIONS] += 2
        if stored[pivot, -1] <= limit:
            return -1
    for i in range(length):
        counts[ADDITIONS] += 2
        if stored[pivot, i] > limit:
            break
        n = int(index[pivot, i])
        counts[ADDITIONS] += 1
        square = partial_distance(y, coordinates, n, radius[1], counts)
        if square <= radius[1]:
            found[count], near[count] = n, square
            count += 1
    return count


@njit(nogil=True, cache=True)
def _hits_of_tree(y: FloatArray, segmented: Segmented, scratch: SegmentScratch, best: Best) -> int:
    """Find the entries whose coordinates are near enough; return how many.

    Near enough is within the radius, and within the most that the k-th best of the entries seen on the way
    can be away, each less what every entry has to bridge.
    """
    tree, walk, residual = segmented.tree, scratch.walk, segmented.levels.axis_residual
    members, leaves, sums = tree.members, tree.leaves, walk.sums
    (found, near), (indices, most) = scratch.hits, scratch.upper
    (lengths, slack), ends, own = (
        segmented.library.rounding,
        scratch.ranges[0],
        residual[scratch.guess.indices[0]],
    )
    _, _, radius, counts = best
    least = max(0.0, ends[0] - own - segmented.levels.largest) ** 2
    error = 3.0 * slack * (radius[0] + lengths) * (radius[0] + lengths)
    limit, bridge, count = radius[1] - least, ends[1] + own, 0
    counts[MULTIPLICATIONS] += 4
    counts[ADDITIONS] += 7
    most[:] = np.inf
    restart(walk)
    while True:
        leaf = next_leaf(y, limit, tree, walk, counts)
        if leaf < 0:
            return count
        within = search_leaf(y, leaf, limit, leaves, sums, counts)
        while within:
            e = lowest_bit(within)
            within &= within - 1
            n = members[leaf, e]
            if n >= 0:
                found[count], near[count] = n, sums[e]
                count += 1
                insert(n, sums[e] + (bridge + residual[n]) ** 2 + error, indices, most, counts)
                limit = min(limit, most[-1] - least)
                counts[MULTIPLICATIONS] += 1
                counts[ADDITIONS] += 6


@njit(nogil=True, cache=True)
def _measure_hits(
    query: SegmentQuery, square: float, hits: int, segmented: Segmented, scratch: SegmentScratch, best: Best
) -> None:
    """Look at the entries found: by their residual, then by segments, then by samples.

    `square` is the squared distance of the pivot. The query's segments are scaled when first needed.
    """
    library, levels, ends, z = segmented.library, segmented.levels, scratch.ranges, scratch.z
    weights, segments, segment_residual, axis_residual, _ = levels
    guess, (found, near), (_, _, radius, counts) = scratch.guess.indices, scratch.hits, best
    pivot, scaled = guess[0], False
    for i in range(hits):
        n = found[i]
        counts[ADDITIONS] += guess.size
        if _among(n, guess):
            continue
        counts[ADDITIONS] += 2
        if near[i] + _residual_gap(ends[0], axis_residual[pivot], axis_residual[n], counts) > radius[1]:
            continue
        if z.size < query.x.size:
            if not scaled:
                scaled = True
                z[:] = query.sums * weights
                counts[MULTIPLICATIONS] += z.size
                inside = sum_to(np.inf, z, segments, pivot, counts)
                _residual_range(square, inside, library.rounding, radius[0], ends[1], counts)
            gap = _residual_gap(ends[1], segment_residual[pivot], segment_residual[n], counts)
            limit = radius[1] - gap
            counts[ADDITIONS] += 2
            if limit < 0.0 or sum_to(limit, z, segments, n, counts) > limit:
                continue
        counts[MOVES] += update(n, query.x, library, best)


@njit(nogil=True, cache=True)
def _among(n: int, guess: IntArray) -> bool:
    inside = False
    for known in guess:
        inside |= n == known
    return inside


@njit(nogil=True, cache=True)
def _new_scratch(k: int, entries: int, segments: int, components: int) -> SegmentScratch:
    return SegmentScratch(
        Hits(np.empty(k, np.int64), np.empty(k)),
        Hits(np.empty(k, np.int64), np.empty(k)),
        Hits(np.empty(entries, np.int64), np.empty(entries)),
        np.empty(segments),
        np.empty((2, 2)),
        np.empty(2),
        new_walk(components),
    )


@njit(nogil=True, cache=True)
def _search(
    queries: FloatArray, sums: FloatArray, coordinates: FloatArray, segmented: Segmented, results: Results
) -> None:
    library, tree, leaves = segmented.library, segmented.tree, 1 + queries.shape[1] // LEAF_COST
    scratch = _new_scratch(
        results.indices.shape[1], len(library.entries), sums.shape[1], coordinates.shape[1]
    )
    (guess, there), ends = scratch.guess, scratch.ranges
    for q in range(len(queries)):
        query, best = SegmentQuery(queries[q], sums[q], coordinates[q]), best_of(results, q, scratch.radius)
        x, y, counts, radius = query.x, query.y, best.counts, best.radius
        counts[ADDITIONS] += x.size if sums.shape[1] < x.size else 0
        count_transform(sums.shape[1], y.size, counts)
        nearest_entries(y, leaves, tree, scratch.walk, guess, there, counts)
        update(guess[0], x, library, best)
        square = best.squares[0]
        for i in range(1, guess.size):
            counts[MOVES] += update(guess[i], x, library, best)
        _residual_range(square, there[0], library.rounding, radius[0], ends[0], counts)
        counts[MULTIPLICATIONS] += 1
        hits = _hits_of_row(y, np.sqrt(square), segmented, scratch, best)
        if hits < 0:
            hits = _hits_of_tree(y, segmented, scratch, best)
        _measure_hits(query, square, hits, segmented, scratch, best)
