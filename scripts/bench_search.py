"""Cost and speed of the searches of a library: operations, microseconds, build time, on one thread.

Run `OMP_NUM_THREADS=1 python scripts/bench_search.py`, with `--library Raman peaks sites` for some of them,
`--entries N` for the first N entries of each, `--write FILE` to keep the tables. A fifth of the library, with
white noise of 15, 20 and 24 dB, is looked up in it; in the sites, 2,000 pixels. The Raman spectra come with
the package pyopenspecy, and faiss with faiss-cpu; what is not installed is left out and said.
"""

import argparse
import importlib.metadata
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from bench_page import machine
from gigaxas.arrays import FloatArray
from gigaxas.search import METHODS, Found, Neighbours, Search, find_neighbours, fit_search
from search_libraries import LIBRARIES
from threadpoolctl import threadpool_limits

DECIBELS, SHARE, PIXELS, BATCH = (15, 20, 24), 0.2, 2000, 1000
COMPONENTS = (2, 4, 8, 12, 16, 20, 24, 32, 40, 48, 64)
TUNED, ROUNDS, FEW = 100, 5, 100
TABLES = ("tree", "limited")
CHOICES: dict[str, list[dict[str, int]]] = {
    "principal": [{"components": r} for r in (8, 16, 32, 64, 96)],
    "clusters": [{"components": r, "clusters": -c} for r in (8, 16, 32, 48) for c in (1, 2, 4)],
    "pilot": [{"components": r, "pilot": p} for r in (2, 4, 8, 16, 32) for p in (2, 4) if p <= r],
    "tree": [{"components": r, "smooth": s} for r in COMPONENTS for s in (1, 11)],
    "limited": [{"components": r} for r in (2, 4, 8, 16)],
    "segments": [{"components": r} for r in (6, 8, 12, 16, 24)],
}


PAGE = """\
# Searching a library

Operations and microseconds a spectrum of every method of `gx.fit_search`, and of one matrix product in its
place, on three libraries: measured Raman spectra, modelled peaks, sites.

The Raman spectra come with the package pyopenspecy, the sites are those of the modelled phases. A fifth of a
library, with white noise, is looked up in it, in the sites 2,000 noisy pixels. Operations are counted
([the rule, the methods, what the figures say](../explanation/search.md)) and depend on no machine; times are
processor time, medians of {ROUNDS} rounds in turn. Every answer is held against full search. `make bench`
measures again; `.venv/bin/pip install -e '.[bench]'` adds pyopenspecy and faiss.

{machine}; one core used; {versions}.
"""


class Case(NamedTuple):
    """A library, its neighbour table, what is looked up at each noise, and how long the table took."""

    library: FloatArray
    neighbours: Neighbours
    queries: dict[int, FloatArray]
    seconds: float


def make_case(library: FloatArray, pixels: int = 0) -> Case:
    """Draw a fifth of a library (n, E) as queries, or so many pixels, and make its neighbour table."""
    rng = np.random.default_rng(0)
    picked = rng.choice(len(library), pixels or max(1, round(SHARE * len(library))), replace=pixels > 0)
    noise = rng.normal(size=(len(picked), library.shape[1])) / library.shape[1] ** 0.5
    queries = {level: library[picked] + noise * 10 ** (-level / 20) for level in DECIBELS}
    start = time.perf_counter()
    return Case(library, find_neighbours(library), queries, time.perf_counter() - start)


def make_search(case: Case, method: str, **setup: int) -> Search:
    """Make a search; a negative number of clusters is a multiple of the square root of the entries."""
    settings: dict[str, Any] = dict(setup)
    if setup.get("clusters", 0) < 0:
        settings["clusters"] = min(len(case.library), round(-setup["clusters"] * len(case.library) ** 0.5))
    if method in TABLES:
        settings["neighbours"] = case.neighbours
    return fit_search(case.library, method, **settings)


def cost(found: Found) -> float:
    """Return the mean operations of a query."""
    return float((found.multiplications + found.additions).mean())


def best_setup(case: Case, method: str) -> dict[str, int]:
    """Return the settings with fewest operations, over all noises, on the first queries."""
    some = np.concatenate([queries[:TUNED] for queries in case.queries.values()])
    choices = [
        setup for setup in CHOICES.get(method, [{}]) if setup.get("components", 1) <= min(case.library.shape)
    ]
    return min(choices, key=lambda setup: cost(make_search(case, method, **setup).query(some)))


def component_table(case: Case) -> Iterator[str]:
    """Yield the lines of cost against the number of components, at 20 dB (Table 1 of [P]).

    The last line says where the costs are least, and from where on fine search never leaves its candidate.
    """
    costs: dict[str, list[float]] = {"tree": [], "segments": []}
    moves: list[int] = []
    yield "| components | multiplications | additions | fine search moves on | segments: operations |"
    yield "|---:|---:|---:|---:|---:|"
    tried = [components for components in COMPONENTS if components <= min(case.library.shape)]
    for components in tried:
        found = make_search(case, "tree", components=components).query(case.queries[20])
        own = make_search(case, "segments", components=components).query(case.queries[20])
        costs["tree"].append(cost(found))
        costs["segments"].append(cost(own))
        moves.append(int((found.moves > 0).sum()))
        yield (
            f"| {components} | {found.multiplications.mean():,.0f} | {found.additions.mean():,.0f} | "
            f"{(found.moves > 0).mean():.2%} | {cost(own):,.0f} |"
        )
    least = {method: tried[int(np.argmin(values))] for method, values in costs.items()}
    idle = [components for place, components in enumerate(tried) if not any(moves[place:])]
    yield ""
    yield (
        f"Fewest operations: tree with {least['tree']}, segments with {least['segments']} components. "
        + (f"From {idle[0]} on, fine search is idle." if idle else "Fine search is never idle.")
    )


def method_table(case: Case, setups: dict[str, dict[str, int]]) -> Iterator[str]:
    """Yield the lines of cost against method and noise (Table 2 of [P]), every answer checked."""
    yield "| method | settings | " + " | ".join(f"{level} dB: x / +" for level in DECIBELS) + " | of full |"
    yield "|---|---|" + "---:|" * (len(DECIBELS) + 1)
    searches = {method: make_search(case, method, **setups[method]) for method in METHODS}
    whole = cost(searches["full"].query(case.queries[20][:1]))
    answers = {level: searches["partial"].query(queries) for level, queries in case.queries.items()}
    for method, search in searches.items():
        cells, middle = [], 0.0
        for level, queries in case.queries.items():
            some = queries[:FEW] if method == "full" else queries
            found = answers[level] if method == "partial" else search.query(some)
            if not np.array_equal(found.index, answers[level].index[: len(some)]):
                raise SystemExit(f"{method} at {level} dB differs from full search")
            cells.append(f"{found.multiplications.mean():,.0f} / {found.additions.mean():,.0f}")
            middle = cost(found) if level == DECIBELS[1] else middle
        said = ", ".join(f"{name} {value}" for name, value in described(case, setups[method]).items())
        yield f"| {method} | {said} | " + " | ".join(cells) + f" | {middle / whole:.2%} |"


def described(case: Case, setup: dict[str, int]) -> dict[str, int]:
    """Return settings as they are, clusters counted."""
    if setup.get("clusters", 0) < 0:
        return setup | {"clusters": round(-setup["clusters"] * len(case.library) ** 0.5)}
    return setup


def share_table(case: Case, setups: dict[str, dict[str, int]]) -> Iterator[str]:
    """Yield by how much the tree is below the clusters, and segments below the tree, as [P] states it."""
    yield "| | " + " | ".join(f"{level} dB" for level in DECIBELS) + " | published |"
    yield "|---|" + "---:|" * (len(DECIBELS) + 1)
    pairs = (
        ("tree below clusters", "tree", "clusters", "47.57 %"),
        ("tree below pilot", "tree", "pilot", "34.78 %"),
        ("segments below tree", "segments", "tree", ""),
    )
    defaults: dict[str, dict[str, int]] = {method: {} for method in METHODS}
    for title, choice in (("each at its best", setups), ("each as it comes", defaults)):
        used = {name for _, lower, upper, _ in pairs for name in (lower, upper)}
        costs = {
            name: [cost(make_search(case, name, **choice[name]).query(q)) for q in case.queries.values()]
            for name in used
        }
        for text, lower, upper, published in pairs:
            cells = [f"{1 - a / b:.2%}" for a, b in zip(costs[lower], costs[upper], strict=True)]
            yield f"| {text}, {title} | " + " | ".join(cells) + f" | {published} |"


def blas(library: FloatArray, kind: type[Any]) -> Callable[[FloatArray], Any]:
    """Return full search as one matrix product, in float64 or float32."""
    entries = library.astype(kind)
    squares = (entries**2).sum(axis=1)
    return lambda queries: (squares - 2 * (queries.astype(kind) @ entries.T)).argmin(axis=1)


def faiss_flat(library: FloatArray) -> Callable[[FloatArray], Any] | None:
    """Return faiss's flat index, in float32, or None where faiss is not installed."""
    try:
        import faiss  # type: ignore[import-not-found,import-untyped,unused-ignore]
    except ImportError:
        return None
    faiss.omp_set_num_threads(1)
    index = faiss.IndexFlatL2(library.shape[1])
    index.add(library.astype(np.float32))
    return lambda queries: index.search(queries.astype(np.float32), 1)


def time_table(case: Case, setups: dict[str, dict[str, int]]) -> Iterator[str]:
    """Yield microseconds a query, one thread, queries in batches of 1,000; medians of interleaved rounds."""
    work: dict[str, Callable[[FloatArray], Any] | None] = {
        "BLAS, float64": blas(case.library, np.float64),
        "BLAS, float32 (not exact)": blas(case.library, np.float32),
        "faiss flat, float32 (not exact)": faiss_flat(case.library),
    }
    for method in METHODS:
        work[method] = make_search(case, method, **setups[method]).query
    work["tree as it comes"] = make_search(case, "tree").query
    work["segments as it comes"] = make_search(case, "segments").query
    heads = " | ".join(f"{level} dB" for level in DECIBELS)
    yield f"| us a query | {heads} | queries a second, 20 dB |"
    yield "|---|" + "---:|" * (len(DECIBELS) + 1)
    for name in [name for name, task in work.items() if task is None]:
        yield f"| {name} | not installed |" + " |" * len(DECIBELS)
    tasks = {name: task for name, task in work.items() if task is not None}
    times = {level: _times(tasks, queries[:BATCH]) for level, queries in case.queries.items()}
    for name in tasks:
        cells = [f"{times[level][name]:,.1f}" for level in DECIBELS]
        yield f"| {name} | " + " | ".join(cells) + f" | {1e6 / times[DECIBELS[1]][name]:,.0f} |"


def _times(tasks: dict[str, Callable[[FloatArray], Any]], queries: FloatArray) -> dict[str, float]:
    slow = {name for name in tasks if name in ("full", "partial", "principal")}
    taken: dict[str, list[float]] = {name: [] for name in tasks}
    for turn in range(ROUNDS + 1):
        for name, task in tasks.items():
            some = queries[: FEW // 2] if name in slow else queries
            start = time.process_time()
            task(some)
            if turn:
                taken[name].append((time.process_time() - start) / len(some) * 1e6)
    return {name: float(np.median(values)) for name, values in taken.items()}


def build_table(case: Case, setups: dict[str, dict[str, int]]) -> Iterator[str]:
    """Yield how long every method takes to make a library ready, and the size of its tables."""
    count, table = len(case.library), case.neighbours
    held = table.entries.nbytes + table.distances.nbytes
    whole = count * (count - 1) * (table.entries.itemsize + 4)
    yield "| | seconds | table |"
    yield "|---|---:|---:|"
    row = f"{table.entries.shape[1]:,} of {count - 1:,} neighbours"
    yield f"| neighbour table ({row}) | {case.seconds:.2f} | {held / 1e6:,.1f} MB of {whole / 1e6:,.0f} MB |"
    for method in METHODS:
        start = time.perf_counter()
        search = make_search(case, method, **setups[method])
        seconds, rows = time.perf_counter() - start, getattr(search, "rows", None)
        size = f"{(rows.entries.nbytes + rows.distances.nbytes) / 1e6:,.1f} MB" if rows is not None else ""
        yield f"| {method}{', its table apart' if method in TABLES else ''} | {seconds:.2f} | {size} |"


def versions() -> str:
    """Return the versions of what does the arithmetic."""
    found = {name: name for name in ("numpy", "numba", "faiss-cpu", "pyopenspecy")}
    for name in found:
        try:
            found[name] += f" {importlib.metadata.version(name)}"
        except importlib.metadata.PackageNotFoundError:
            found[name] += " not installed"
    return ", ".join(found.values())


def tables(name: str, library: FloatArray) -> Iterator[str]:
    """Yield all tables of one library."""
    case = make_case(library, PIXELS if name == "sites" else 0)
    setups = {method: best_setup(case, method) for method in METHODS}
    yield f"## {name}: {len(library):,} x {library.shape[1]:,}, {len(case.queries[20]):,} queries"
    sections = (
        ("Components (k-d tree with fine search, 20 dB)", component_table(case)),
        ("Operations a query, each method at its best setting", method_table(case, setups)),
        ("Saved", share_table(case, setups)),
        ("Time", time_table(case, setups)),
        ("Making a library ready", build_table(case, setups)),
    )
    for title, lines in sections:
        yield ""
        yield f"### {title}"
        yield ""
        yield from lines
    yield ""


def main() -> None:
    """Print the tables, and write them where asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--library", nargs="+", choices=LIBRARIES, default=list(LIBRARIES))
    parser.add_argument("--entries", type=int, help="only the first so many")
    parser.add_argument("--write", type=Path, help="write the tables to this file too")
    given = parser.parse_args()
    lines = PAGE.format(ROUNDS=ROUNDS, machine=machine(), versions=versions()).split("\n")
    print("\n".join(lines))
    with threadpool_limits(limits=1):
        for name in given.library:
            library = LIBRARIES[name](given.entries)
            if library is None:
                lines += [f"## {name}", "", "Left out: the package pyopenspecy is not installed.", ""]
                print("\n".join(lines[-4:]))
                continue
            for line in tables(name, library):
                lines.append(line)
                print(line, flush=True)
    if given.write:
        given.write.write_text("\n".join(lines).rstrip() + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
