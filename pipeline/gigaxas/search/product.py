"""Search by one matrix product: it bounds the distance to every entry from below, and few are measured.

With x' and e' a spectrum and an entry less the library's mean, |x - e|^2 = |x'|^2 + |e'|^2 - 2 x'.e'. In
float64 the right side differs from the distance that is measured by no more than
2 eps (E + 8) (|x'|^2 + |e'|^2); docs/explanation/search.md counts the roundings.
"""

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import ArrayLike

from gigaxas.arrays import FloatArray
from gigaxas.search.definition import (
    ADDITIONS,
    EPS,
    MULTIPLICATIONS,
    Found,
    Results,
    as_library,
    insert,
    measure,
    run_queries,
)


@dataclass(frozen=True, eq=False)
class ProductSearch:
    """A library made ready for `fit_product`."""

    library: FloatArray
    """(n, E)."""
    mean: FloatArray
    """(E,), of the entries."""
    twice: FloatArray
    """(E, n), -2 e'."""
    squares: FloatArray
    """(n,), |e'|^2 less its share of the rounding."""

    def query(self, spectra: ArrayLike, k: int = 1) -> Found:
        """Return the k nearest entries of spectra (q, E); InputError as `run_queries`."""
        return run_queries(_search, spectra, self.library, k, self._lower_bounds, self.library)

    def _lower_bounds(self, queries: FloatArray) -> tuple[FloatArray]:
        centred = queries - self.mean
        lower = centred @ self.twice
        lower += self.squares
        lower += _less_rounding(centred)[:, None]
        return (lower,)


def fit_product(library: ArrayLike) -> ProductSearch:
    """Make a library (n, E) ready for search by a matrix product; InputError as `as_library`."""
    entries = as_library(library)
    mean = entries.mean(axis=0)
    centred = entries - mean
    return ProductSearch(entries, mean, np.ascontiguousarray(-2.0 * centred.T), _less_rounding(centred))


def _less_rounding(centred: FloatArray) -> FloatArray:
    """Return the squared lengths of rows (., E) less what rounding may add to a distance on their account."""
    return np.einsum("ne,ne->n", centred, centred) * (1.0 - 2.0 * EPS * (centred.shape[1] + 8))


@njit(nogil=True, cache=True)
def _search(queries: FloatArray, lower: FloatArray, library: FloatArray, results: Results) -> None:
    entries, samples = library.shape
    for q in range(len(queries)):
        indices, squares, counts = results.indices[q], results.squares[q], results.counts[q]
        counts[MULTIPLICATIONS] += (entries + 1) * samples + 1
        counts[ADDITIONS] += (entries + 2) * samples + 3 * entries
        for n in range(entries):
            if lower[q, n] <= squares[-1]:
                square = measure(queries[q], library, n, squares[-1], counts)
                if square <= squares[-1]:
                    insert(n, square, indices, squares, counts)
