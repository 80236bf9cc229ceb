"""Full search, what every other method is held against, and full search with partial distortion [P]."""

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import ArrayLike

from gigaxas.arrays import FloatArray
from gigaxas.search.definition import Found, Results, as_library, insert, measure, run_queries


@dataclass(frozen=True, eq=False)
class FullSearch:
    """A library made ready for `fit_full` or `fit_partial`."""

    library: FloatArray
    """(n, E)."""
    partial: bool
    """Whether a sum stops once it exceeds the best so far."""

    def query(self, spectra: ArrayLike, k: int = 1) -> Found:
        """Return the k nearest entries of spectra (q, E); InputError as `run_queries`."""
        return run_queries(_search, spectra, self.library, k, lambda queries: (), self.library, self.partial)


def fit_full(library: ArrayLike) -> FullSearch:
    """Make a library (n, E) ready for full search; InputError as `as_library`."""
    return FullSearch(as_library(library), partial=False)


def fit_partial(library: ArrayLike) -> FullSearch:
    """Make a library (n, E) ready for full search with partial distortion; InputError as `as_library`."""
    return FullSearch(as_library(library), partial=True)


@njit(nogil=True, cache=True)
def _search(queries: FloatArray, library: FloatArray, partial: bool, results: Results) -> None:
    for q in range(len(queries)):
        indices, squares, counts = results.indices[q], results.squares[q], results.counts[q]
        for n in range(len(library)):
            limit = squares[-1] if partial else np.inf
            square = measure(queries[q], library, n, limit, counts)
            if square <= limit:
                insert(n, square, indices, squares, counts)
