"""What every search of a library returns, how its operations are counted, and the distance all of them share.

The rule of counting. A multiplication, a division and a square root count as one multiplication each. An
addition, a subtraction, a comparison of two numbers and a look-up of a stored distance, length, order or tree
node count as one addition each; a sum of n terms counts n additions. So a distance over E samples counts E
multiplications and 2 E additions, and one addition for each time its sum is compared on the way; a transform
to r coordinates E r multiplications and, with its offset, (E + 1) r additions. Empty positions of a leaf
count as full ones do. Checks of the input, loop counters, copies and changes of sign do not count, nor does
anything done once for a library.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
from numba import njit
from numpy.typing import ArrayLike

from gigaxas.arrays import FloatArray, IntArray
from gigaxas.errors import InputError
from gigaxas.search.simd import BLOCK, sum_squares

EPS = 2.0**-52
SMALLEST, LARGEST = 1e-100, 1e100  # beyond these, squares leave float64
MULTIPLICATIONS, ADDITIONS, MEASURED, MOVES = range(4)
NO_ENTRY = np.iinfo(np.int64).max
CACHED = 2**19  # bytes of queries that stay in the cache next to what they are compared with
LIMITS = tuple(np.array([SMALLEST, LARGEST]).view(np.int64))
FINITE = np.array(np.finfo(np.float64).max).view(np.int64)

# What a method makes of queries (q, E) at once, before it looks at each: arrays of q rows.
Prepare = Callable[[FloatArray], tuple[FloatArray, ...]]


@dataclass(frozen=True, eq=False)
class Found:
    """The k nearest entries of each of q queries, nearest first, equal distances by the lower index."""

    index: IntArray
    """(q, k), from 0."""
    distance: FloatArray
    """(q, k), Euclidean."""
    multiplications: IntArray
    """(q,) by the rule of counting."""
    additions: IntArray
    """(q,) by the rule of counting."""
    measured: IntArray
    """(q,) entries whose distance over all samples was begun."""
    moves: IntArray
    """(q,) how often the search left a candidate for a nearer one."""


class Results(NamedTuple):
    """What a kernel fills for a block of queries; row q is that of query q."""

    indices: IntArray
    """(q, k) nearest entries, nearest first; NO_ENTRY where none was found yet."""
    squares: FloatArray
    """(q, k) their squared distances."""
    counts: IntArray
    """(q, 4) MULTIPLICATIONS, ADDITIONS, MEASURED, MOVES."""


class Search(Protocol):
    """A library made ready by one method."""

    def query(self, spectra: ArrayLike, k: int = 1) -> Found:
        """Return the k nearest entries of spectra (q, E) or (E,); InputError as `run_queries`."""


def as_library(library: ArrayLike) -> FloatArray:
    """Return the entries (n, E) as float64; InputError for no entry, another shape or unusable samples."""
    entries = np.ascontiguousarray(library, dtype=np.float64)
    if entries.ndim != 2 or entries.shape[0] < 1 or entries.shape[1] < 2:
        raise InputError(
            f"library of shape {np.shape(library)}; expected (n, E), at least one entry of at least 2 samples"
        )
    _refuse_unusable(entries, slice(0, len(entries)), "library entry")
    return entries


def _as_queries(spectra: ArrayLike, library: FloatArray, k: int) -> FloatArray:
    """Return queries (q, E) as float64; InputError for another length, or k beyond n."""
    queries = np.atleast_2d(np.ascontiguousarray(spectra, dtype=np.float64))
    if queries.ndim != 2 or queries.shape[1] != library.shape[1]:
        raise InputError(
            f"spectra of shape {np.shape(spectra)}; expected (q, {library.shape[1]}) as the library has: "
            "resample both on one grid"
        )
    if not 1 <= k <= library.shape[0]:
        raise InputError(f"k = {k}; expected 1 to {library.shape[0]}, the number of entries in the library")
    return queries


def run_queries(
    kernel: Any, spectra: ArrayLike, library: FloatArray, k: int, prepare: Prepare, *constants: Any
) -> Found:
    """Return what kernel(queries, *prepare(queries), *constants, results) finds.

    Queries are taken a few at a time, so that they stay in the cache from one step to the next. InputError
    for spectra of another length than the library's, unusable samples, or k beyond n.
    """
    queries = _as_queries(spectra, library, k)
    count, rows = len(queries), max(1, CACHED // queries[:1].nbytes)
    results = Results(
        np.full((count, k), NO_ENTRY, np.int64), np.full((count, k), np.inf), np.zeros((count, 4), np.int64)
    )
    for start in range(0, count, rows):
        some = slice(start, start + rows)
        _refuse_unusable(queries, some, "spectrum")
        part = Results(results.indices[some], results.squares[some], results.counts[some])
        kernel(queries[some], *prepare(queries[some]), *constants, part)
    return Found(results.indices, np.sqrt(results.squares), *np.ascontiguousarray(results.counts.T))


@njit(nogil=True, cache=True)
def measure(x: FloatArray, entries: FloatArray, n: int, limit: float, counts: IntArray) -> float:
    """Return the squared distance of x (E,) to entry n, or a partial sum once it exceeds `limit`.

    Eight sums side by side, then added pairwise: the same bits for every method. Partial sums never exceed
    the whole, in float64 either, so a limit can be compared without any slack.
    """
    counts[MEASURED] += 1
    return sum_to(limit, x, entries, n, counts)


@njit(nogil=True, cache=True)
def sum_to(limit: float, x: FloatArray, rows: FloatArray, n: int, counts: IntArray) -> float:
    """Return the squared distance of x (m,) to row n, or a partial sum once it exceeds `limit`."""
    total, done = sum_squares(x, rows, n, limit)
    counts[MULTIPLICATIONS] += done
    counts[ADDITIONS] += 2 * done + (done + BLOCK - 1) // BLOCK
    return total


@njit(nogil=True, cache=True)
def insert(entry: int, square: float, indices: IntArray, squares: FloatArray, counts: IntArray) -> int:
    """Put an entry into the sorted list of the nearest (k,) and return its rank, k for none."""
    rank = indices.size
    while rank > 0:
        counts[ADDITIONS] += 1
        before = squares[rank - 1]
        if before < square or (before == square and indices[rank - 1] < entry):
            break
        rank -= 1
    for i in range(indices.size - 1, rank, -1):
        indices[i], squares[i] = indices[i - 1], squares[i - 1]
    if rank < indices.size:
        indices[rank], squares[rank] = entry, square
    return rank


def _refuse_unusable(spectra: FloatArray, some: slice, what: str) -> None:
    row, peak = _first_unusable(spectra[some].view(np.int64), *LIMITS)
    if peak < 0:
        return
    row += some.start
    if peak > FINITE:
        raise InputError(
            f"{what} {row + 1} of {len(spectra)} holds a sample that is not finite; expected a number at "
            "every point; leave it out"
        )
    raise InputError(
        f"{what} {row + 1} of {len(spectra)} has values up to {np.abs(spectra[row]).max():.3g}; expected "
        f"them between {SMALLEST:g} and {LARGEST:g}; use other units"
    )


@njit(nogil=True, cache=True)
def _first_unusable(bits: IntArray, low: int, high: int) -> tuple[int, int]:
    """Return the first row whose largest sample leaves the limits, and that sample; -1, -1 for none.

    All as the bits of float64: without their sign they are in order of size, infinity and NaN last.
    """
    for n in range(len(bits)):
        row, peak = bits[n], 0
        for i in range(row.size):
            size = row[i] & 0x7FFF_FFFF_FFFF_FFFF
            peak = size if size > peak else peak
        if peak > high or 0 < peak < low:
            return n, peak
    return -1, -1
