"""What every search of a library returns, how its operations are counted, and the distance all of them share.

The rule of counting. A multiplication, a division and a square root count as one multiplication each. An
addition, a subtraction, a comparison of two numbers and a look-up of a stored distance, length, order or tree
node count as one addition each; a sum of n terms counts n additions. So a distance over E samples counts E
multiplications and 2 E additions, and one addition for each time its sum is compared on the way; a transform
to r coordinates E r multiplications and, with its offset, (E + 1) r additions. Empty places of a leaf count
as full ones do. Checks of the input, loop counters, copies and changes of sign do not count, nor does
anything done once for a library.
"""

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numba import njit
from numpy.typing import ArrayLike, NDArray

from pipeline.arrays import FloatArray, IntArray
from pipeline.errors import InputError
from pipeline.nearest.search.lanes import BLOCK, sum_squares

EPS = 2.0**-52
SMALLEST, LARGEST = 1e-100, 1e100  # beyond these, squares leave float64
MULTIPLICATIONS, ADDITIONS, MEASURED, MOVES = range(4)
NO_ENTRY = np.iinfo(np.int64).max
USABLE, NOT_FINITE, OUT_OF_RANGE = range(3)


@dataclass(frozen=True, eq=False)
class Found:
    """The k nearest entries of each of q queries, nearest first, equal distances by the lower index.

    `index` and `distance` are (q, k), 0-based and Euclidean; (q,) each: `multiplications` and `additions` as
    the rule of counting has them, `measured` the entries whose distance over all samples was begun, `moves`
    how often the search left a candidate for a nearer one.
    """

    index: IntArray
    distance: FloatArray
    multiplications: IntArray
    additions: IntArray
    measured: IntArray
    moves: IntArray


class Search(Protocol):
    """A library made ready by one method."""

    def query(self, spectra: ArrayLike, k: int = 1) -> Found:
        """Return the k nearest entries of spectra (q, E) or (E,); InputError as `as_queries` has it."""


def as_library(library: ArrayLike) -> FloatArray:
    """Return the entries (n, E) as float64; InputError for no entry, another shape or unusable samples."""
    entries = np.ascontiguousarray(library, dtype=np.float64)
    if entries.ndim != 2 or entries.shape[0] < 1 or entries.shape[1] < 2:
        raise InputError(
            f"library of shape {np.shape(library)}; expected (n, E), at least one entry of at least 2 samples"
        )
    _refuse_unusable(entries, "library entry")
    return entries


def as_queries(spectra: ArrayLike, library: FloatArray, k: int) -> FloatArray:
    """Return queries (q, E) as float64; InputError for another length, unusable samples, or k beyond n."""
    queries = np.atleast_2d(np.ascontiguousarray(spectra, dtype=np.float64))
    if queries.ndim != 2 or queries.shape[1] != library.shape[1]:
        raise InputError(
            f"spectra of shape {np.shape(spectra)}; expected (q, {library.shape[1]}) as the library has: "
            "resample both on one grid"
        )
    if not 1 <= k <= library.shape[0]:
        raise InputError(f"k = {k}; expected 1 to {library.shape[0]}, the number of entries in the library")
    _refuse_unusable(queries, "spectrum")
    return queries


def run(kernel: Any, queries: FloatArray, k: int, *constants: Any) -> Found:
    """Call kernel(queries, *plain, names, squares, work) on new arrays and return what it found.

    Named tuples become plain ones, so that no compiled kernel on disk depends on a class of this package.
    """
    plain = [tuple(value) if isinstance(value, tuple) else value for value in constants]
    count = queries.shape[0]
    names = np.full((count, k), NO_ENTRY, np.int64)
    squares = np.full((count, k), np.inf)
    work = np.zeros((count, 4), np.int64)
    kernel(queries, *plain, names, squares, work)
    return Found(names, np.sqrt(squares), *np.ascontiguousarray(work.T))


@njit(nogil=True, cache=True)
def measure(x: FloatArray, entries: FloatArray, n: int, limit: float, work: IntArray) -> float:
    """Return the squared distance of x (E,) to entry n, or a partial sum once it exceeds `limit`.

    Eight sums side by side, then added pairwise: the same bits for every method. Partial sums never exceed
    the whole, in float64 either, so a limit can be compared without any slack.
    """
    total, done = sum_squares(x, entries, n, limit)
    work[MEASURED] += 1
    work[MULTIPLICATIONS] += done
    work[ADDITIONS] += 2 * done + (done + BLOCK - 1) // BLOCK
    return total


@njit(nogil=True, cache=True)
def keep(entry: int, square: float, names: IntArray, squares: FloatArray, work: IntArray) -> int:
    """Put an entry into the sorted list of the nearest (k,) and return its place there, k for none."""
    place = names.size
    while place > 0:
        work[ADDITIONS] += 1
        before = squares[place - 1]
        if before < square or (before == square and names[place - 1] < entry):
            break
        place -= 1
    for i in range(names.size - 1, place, -1):
        names[i], squares[i] = names[i - 1], squares[i - 1]
    if place < names.size:
        names[place], squares[place] = entry, square
    return place


def _refuse_unusable(spectra: NDArray[Any], what: str) -> None:
    row, why = _first_unusable(spectra)
    if why == NOT_FINITE:
        raise InputError(
            f"{what} {row + 1} of {len(spectra)} holds a sample that is not finite; expected a number at "
            "every point; leave it out"
        )
    if why == OUT_OF_RANGE:
        raise InputError(
            f"{what} {row + 1} of {len(spectra)} has values up to {np.abs(spectra[row]).max():.3g}; expected "
            f"them between {SMALLEST:g} and {LARGEST:g}; use other units"
        )


@njit(nogil=True, cache=True)
def _first_unusable(spectra: FloatArray) -> tuple[int, int]:
    for n in range(len(spectra)):
        row = spectra[n]
        inside = large = zero = 0
        for value in row:
            inside += abs(value) <= LARGEST
            large += abs(value) >= SMALLEST
            zero += value == 0.0
        if inside < row.size:
            return n, OUT_OF_RANGE if np.isfinite(row).all() else NOT_FINITE
        if large == 0 and zero < row.size:
            return n, OUT_OF_RANGE
    return -1, USABLE
