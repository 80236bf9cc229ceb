"""Nearest entries of a library: every method of [P] and two more, all as exact as full search."""

from collections.abc import Callable, Mapping
from typing import Any

from numpy.typing import ArrayLike

from gigaxas.errors import InputError
from gigaxas.search.definition import Found, Search
from gigaxas.search.neighbours import Neighbours, find_neighbours
from gigaxas.search.product import fit_product
from gigaxas.search.reproduction.clusters import fit_clusters, fit_pilot
from gigaxas.search.reproduction.fine import fit_tree
from gigaxas.search.reproduction.full import fit_full, fit_partial
from gigaxas.search.reproduction.limited import fit_limited
from gigaxas.search.reproduction.principal import fit_principal
from gigaxas.search.segments import fit_segments

METHODS: Mapping[str, Callable[..., Search]] = {
    "full": fit_full,
    "partial": fit_partial,
    "principal": fit_principal,
    "clusters": fit_clusters,
    "pilot": fit_pilot,
    "tree": fit_tree,
    "limited": fit_limited,
    "segments": fit_segments,
    "product": fit_product,
}


def fit_search(library: ArrayLike, method: str = "segments", **settings: Any) -> Search:
    """Make a library ready for a search of nearest spectra ([P]); every method finds the same entries.

    Args:
        library: Spectra (n, E) in any one unit.
        method: One of METHODS; they differ in speed alone.
        settings: Those of the method's own `fit_` function.

    Returns:
        The search, whose `.query(spectra, k)` of spectra (q, E) gives indices and distances (q, k), and the
        multiplications and additions of each query.

    Raises:
        InputError: An unknown method, or a library or settings that its function refuses.
    """
    if method not in METHODS:
        raise InputError(f"method {method!r}; expected one of {', '.join(METHODS)}")
    return METHODS[method](library, **settings)


__all__ = ["METHODS", "Found", "Neighbours", "Search", "find_neighbours", "fit_search"]
