"""PCA search [P]: partial distortion over principal components by variance, then over the samples."""

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import ArrayLike

from gigaxas.arrays import FloatArray, IntArray
from gigaxas.search.axes import Axes, checked_components, count_transform, fit_axes
from gigaxas.search.bounds import Scale, consider, scale_of
from gigaxas.search.definition import Found, as_library, run

COMPONENTS = 32


@dataclass(frozen=True, eq=False)
class PrincipalSearch:
    """Entries (n, E) with their principal axes."""

    library: FloatArray
    axes: Axes

    def query(self, spectra: ArrayLike, k: int = 1) -> Found:
        """Return the k nearest entries of spectra (q, E); InputError as `run` has it."""
        axes = self.axes
        return run(_search, spectra, self.library, k, axes.placed, axes.entries, scale_of(axes))


def fit_principal(library: ArrayLike, components: int | None = None) -> PrincipalSearch:
    """Make a library (n, E) ready for PCA search; InputError for more components than there can be."""
    entries = as_library(library)
    return PrincipalSearch(entries, fit_axes(entries, checked_components(components, COMPONENTS, entries)))


@njit(nogil=True, cache=True)
def _search(
    queries: FloatArray,
    places: FloatArray,
    entries: FloatArray,
    entry_places: FloatArray,
    scale: Scale,
    names: IntArray,
    squares: FloatArray,
    work: IntArray,
) -> None:
    reach = np.empty(2)
    for q in range(len(queries)):
        x, y, name, square, count = queries[q], places[q], names[q], squares[q], work[q]
        reach[:] = np.inf
        count_transform(x.size, y.size, count)
        for n in range(len(entries)):
            consider(n, x, y, entries, entry_places, scale, name, square, reach, count)
