"""PCA search [P]: partial distortion over principal components by variance, then over the samples."""

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import ArrayLike

from gigaxas.arrays import FloatArray
from gigaxas.search.axes import Axes, checked_components, count_transform, fit_axes
from gigaxas.search.bounds import PreparedLibrary, Query, best_of, consider, library_of
from gigaxas.search.definition import Found, Results, as_library, run_queries

COMPONENTS = 32


@dataclass(frozen=True, eq=False)
class PrincipalSearch:
    """A library made ready for `fit_principal`."""

    library: FloatArray
    """(n, E)."""
    axes: Axes
    """Its principal axes."""

    def query(self, spectra: ArrayLike, k: int = 1) -> Found:
        """Return the k nearest entries of spectra (q, E); InputError as `run_queries`."""
        library = library_of(self.library, self.axes)
        return run_queries(_search, spectra, self.library, k, self.axes.transform, library)


def fit_principal(library: ArrayLike, components: int | None = None) -> PrincipalSearch:
    """Make a library (n, E) ready for PCA search; InputError for more components than there can be."""
    entries = as_library(library)
    return PrincipalSearch(entries, fit_axes(entries, checked_components(components, COMPONENTS, entries)))


@njit(nogil=True, cache=True)
def _search(queries: FloatArray, coordinates: FloatArray, library: PreparedLibrary, results: Results) -> None:
    radius = np.empty(2)
    for q in range(len(queries)):
        query, best = Query(queries[q], coordinates[q]), best_of(results, q, radius)
        count_transform(query.x.size, query.y.size, best.counts)
        for n in range(len(library.entries)):
            consider(n, query, library, best)
