"""Segment search, this project's own: nested bounds, each dearer and tighter than the one before.

Samples are summed in segments, which takes additions alone; principal axes of the sums give r coordinates and
a k-d tree, whose nearest entry is the pivot. A short row of the pivot's neighbours, or else the tree, names
the entries that may be nearer. docs/explanation/search.md derives the bounds.
"""

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import ArrayLike

from gigaxas.arrays import FloatArray
from gigaxas.errors import InputError
from gigaxas.search.axes import Axes, checked_components, longest_of, principal_axes, slack_of
from gigaxas.search.bounds import scale_of
from gigaxas.search.definition import Found, as_library, run
from gigaxas.search.neighbours import Neighbours, checked_neighbours, find_neighbours
from gigaxas.search.nested import Levels, search
from gigaxas.search.reproduction.fine import rows_of
from gigaxas.search.simd import sum_range
from gigaxas.search.tree import Tree, build_tree

SEGMENTS, ROW = 150, 16
FEW, MANY = 8, 24  # axes that find a pivot; axes that hold nearly all of a library of low dimension
NEARLY_ALL = 0.05


@dataclass(frozen=True, eq=False)
class SegmentSearch:
    """Entries (n, E), segments of `width` samples, their axes with a k-d tree, the nearest of each entry."""

    library: FloatArray
    width: int
    axes: Axes
    tree: Tree
    rows: Neighbours
    levels: Levels

    def query(self, spectra: ArrayLike, k: int = 1) -> Found:
        """Return the k nearest entries of spectra (q, E); InputError as `run` has it."""
        axes = self.axes
        constants = (axes.entries, scale_of(axes), self.tree, rows_of(self.rows), self.levels)
        return run(search, spectra, self.library, k, self._sums_and_places, *constants)

    def _sums_and_places(self, queries: FloatArray) -> tuple[FloatArray, ...]:
        sums = segment_sums(queries, self.width)
        return sums, self.axes.place(sums)


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
    places = sums @ directions - offset
    axes = Axes(directions, offset, places, longest_of(entries), slack_of(samples, len(offset)))
    level = (sums - segment_sums(mean[None], width)) / lengths
    beside_segments = _beside(entries, mean, level, lengths)
    beside_axes = _beside(entries, mean, places @ directions.T, lengths)
    if neighbours is None:
        # Sums and what lies beside them make a vector again, with distances no longer than the spectra's.
        whole = np.column_stack([level * np.sqrt(lengths), beside_segments])
        neighbours = find_neighbours(whole, min(ROW, len(entries) - 1))
    rows = checked_neighbours(neighbours, entries)
    levels = Levels(scale, sums * scale, beside_segments, beside_axes, beside_axes.max())
    return SegmentSearch(entries, width, axes, build_tree(places), rows, levels)


def _usual_width(samples: int) -> int:
    """Return about one part in SEGMENTS of the samples, whole vectors of a processor where there are many."""
    width = max(1, samples // SEGMENTS)
    return width if width < 8 else 8 * round(width / 8)


def _directions(segments: FloatArray, components: int | None) -> FloatArray:
    """Return the axes (m, r) of segments (n, m)."""
    axes = principal_axes(segments, checked_components(components, MANY, segments))
    if components is None:
        centred = segments - segments.mean(axis=0)
        beside = np.linalg.norm(centred - centred @ axes @ axes.T, axis=1)
        if np.median(beside) > NEARLY_ALL * np.median(np.linalg.norm(centred, axis=1)):
            return axes[:, :FEW]
    return axes


def segment_sums(spectra: FloatArray, width: int) -> FloatArray:
    """Return the sums (q, m) of spectra (q, E) over segments of `width` samples; the last may be shorter."""
    if width == 1:
        return spectra
    sums = np.empty((len(spectra), -(-spectra.shape[1] // width)))
    _sum_segments(spectra, width, sums)
    return sums


def _beside(entries: FloatArray, mean: FloatArray, level: FloatArray, lengths: FloatArray) -> FloatArray:
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
