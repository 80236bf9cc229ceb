"""Time the searches that `gigaxas identify` could use, the time to make the library ready included.

Run `OMP_NUM_THREADS=1 python scripts/bench_identify.py`; prints the table of docs/explanation/search.md.
Times are processor time on one thread, the two nearest entries of every query; kernels are compiled before.
What would take minutes is timed on some of the queries and scaled, as its cost is proportional to them.
"""

import time
from collections.abc import Callable

import numpy as np
from bench_page import machine, table
from gigaxas.arrays import FloatArray, IntArray
from gigaxas.search import fit_search
from gigaxas.simulate import modelled_library
from gigaxas.spectra import standardise
from scipy.spatial import cKDTree
from scipy.spatial.distance import cdist
from threadpoolctl import threadpool_limits

ENERGY = np.linspace(7009.2, 7321.2, 178)
ENTRIES, QUERIES = (61, 1_500, 14_000), (1, 100, 10_000)
NOISE = 0.1  # of the length of a spectrum: 20 dB
MOST = 400  # queries that the slow ones are timed on
ROWS = 256  # queries compared at a time
Way = Callable[[FloatArray, FloatArray], IntArray]


def make_library(rng: np.random.Generator, entries: int) -> FloatArray:
    """Return mixtures (n, 178) of three modelled phases each, the 61 phases first, standardised."""
    phases = modelled_library(ENERGY)[1]
    weights = rng.dirichlet(np.ones(3), entries)
    mixtures = np.einsum("nk,nke->ne", weights, phases[rng.integers(0, len(phases), (entries, 3))])
    mixtures[: len(phases)] = phases
    return standardise(mixtures)


def of_method(method: str) -> Way:
    """Return one of the methods of `fit_search`."""
    return lambda library, queries: fit_search(library, method).query(queries, 2).index


def by_tree(library: FloatArray, queries: FloatArray) -> IntArray:
    """Return what scipy's k-d tree finds."""
    return np.asarray(cKDTree(library).query(queries, 2)[1], np.int64)


def by_distances(library: FloatArray, queries: FloatArray) -> IntArray:
    """Return what scipy's cdist finds."""
    found = []
    for start in range(0, len(queries), ROWS):
        squares = cdist(queries[start : start + ROWS], library, "sqeuclidean")
        near = np.argpartition(squares, 1, axis=1)[:, :2]
        order = np.argsort(np.take_along_axis(squares, near, axis=1), axis=1)
        found.append(np.take_along_axis(near, order, axis=1))
    return np.concatenate(found)


WAYS: dict[str, Way] = {
    "product": of_method("product"),
    "segments": of_method("segments"),
    "partial": of_method("partial"),
    "scipy cdist": by_distances,
    "scipy cKDTree": by_tree,
}
SLOW = ("partial", "scipy cdist", "scipy cKDTree")


def spent(way: Way, library: FloatArray, queries: FloatArray, rounds: int) -> float:
    """Return the least seconds of processor time."""
    times = []
    for _ in range(rounds):
        start = time.process_time()
        way(library, queries)
        times.append(time.process_time() - start)
    return min(times)


def seconds(name: str, library: FloatArray, queries: FloatArray) -> float:
    """Return the seconds of one way, scaled where it is slow."""
    rounds = 5 if len(queries) * len(library) < 1e6 else 1
    if name not in SLOW or len(queries) <= MOST:
        return spent(WAYS[name], library, queries, rounds)
    first = spent(WAYS[name], library, queries[:1], 3)
    return first + (spent(WAYS[name], library, queries[:MOST], rounds) - first) * len(queries) / MOST


def main() -> None:
    """Print the machine and the table."""
    rng, rows = np.random.default_rng(0), []
    with threadpool_limits(1):
        for entries in ENTRIES:
            library = make_library(rng, entries)
            for count in QUERIES:
                noise = rng.normal(size=(count, ENERGY.size)) * NOISE / ENERGY.size**0.5
                queries = library[rng.integers(0, entries, count)] + noise
                found = [way(library[:100], queries[:MOST]) for way in WAYS.values()]
                assert all(np.array_equal(index, found[0]) for index in found)
                row = [1e3 * seconds(name, library, queries) for name in WAYS]
                rows.append([f"{entries:,}", f"{count:,}", *(f"{value:,.2f}" for value in row)])
                print(*rows[-1], flush=True)
    print(f"{machine()}.", "", *table(["entries", "queries", *WAYS], rows), sep="\n")


if __name__ == "__main__":
    main()
