"""Full search, what every other method is held against, and full search with partial distortion [P]."""

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import ArrayLike

from gigaxas.arrays import FloatArray, IntArray
from gigaxas.search.definition import Found, as_library, keep, measure, run


@dataclass(frozen=True, eq=False)
class FullSearch:
    """Entries (n, E); with `partial` a sum stops once it exceeds the best so far."""

    library: FloatArray
    partial: bool

    def query(self, spectra: ArrayLike, k: int = 1) -> Found:
        """Return the k nearest entries of spectra (q, E); InputError as `run` has it."""
        return run(_search, spectra, self.library, k, lambda queries: (), self.partial)


def fit_full(library: ArrayLike) -> FullSearch:
    """Make a library (n, E) ready for full search; InputError as `as_library` has it."""
    return FullSearch(as_library(library), partial=False)


def fit_partial(library: ArrayLike) -> FullSearch:
    """Make a library (n, E) ready for full search with partial distortion; InputError likewise."""
    return FullSearch(as_library(library), partial=True)


@njit(nogil=True, cache=True)
def _search(
    queries: FloatArray,
    library: FloatArray,
    partial: bool,
    names: IntArray,
    squares: FloatArray,
    work: IntArray,
) -> None:
    for q in range(len(queries)):
        for n in range(len(library)):
            limit = squares[q, -1] if partial else np.inf
            square = measure(queries[q], library, n, limit, work[q])
            if square <= limit:
                keep(n, square, names[q], squares[q], work[q])
