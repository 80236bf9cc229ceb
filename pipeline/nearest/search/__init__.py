"""Nearest entries of a library: every method of [P], one of our own, all as exact as full search."""

from collections.abc import Callable, Mapping
from typing import Any

from numpy.typing import ArrayLike

from pipeline.errors import InputError
from pipeline.nearest.search.clusters import fit_clusters, fit_pilot
from pipeline.nearest.search.definition import Found, Search
from pipeline.nearest.search.fine import fit_tree
from pipeline.nearest.search.full import fit_full, fit_partial
from pipeline.nearest.search.limited import fit_limited
from pipeline.nearest.search.neighbours import Neighbours, find_neighbours
from pipeline.nearest.search.principal import fit_principal
from pipeline.nearest.search.segments import fit_segments

METHODS: Mapping[str, Callable[..., Search]] = {
    "full": fit_full,
    "partial": fit_partial,
    "principal": fit_principal,
    "clusters": fit_clusters,
    "pilot": fit_pilot,
    "tree": fit_tree,
    "limited": fit_limited,
    "segments": fit_segments,
}


def fit_search(library: ArrayLike, method: str = "segments", **settings: Any) -> Search:
    """Make a library (n, E) ready for one of METHODS; `settings` are those of its own `fit_` function.

    Every method finds the same entries. InputError for an unknown method and for what its function refuses.
    """
    if method not in METHODS:
        raise InputError(f"method {method!r}; expected one of {', '.join(METHODS)}")
    return METHODS[method](library, **settings)


__all__ = ["METHODS", "Found", "Neighbours", "Search", "find_neighbours", "fit_search"]
