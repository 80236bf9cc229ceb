"""Time the assignment engine against its peers, all in one interleaved run on one thread, then on two.

Run `python scripts/bench_nearest.py`; writes docs/benchmarks/nearest.md. faiss-cpu is timed where it is
installed. Every round times every entry once, so that a busy machine slows all alike; a ratio is the
median over the rounds of (peer's time per pixel / engine's time per pixel).
"""

import importlib.util
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import numpy as np
from bench_page import machine, table, write_page
from gigaxas.arrays import FloatArray, IntArray
from gigaxas.nearest import Prepared, assign_block, brute, prepare
from gigaxas.nearest.approximate import assign_approximately, build_index
from gigaxas.simulate import modelled_library
from gigaxas.sites import grow_candidates, mix_pairs, reduce_sites
from gigaxas.spectra.noise import NoiseModel
from threadpoolctl import threadpool_limits

ENERGY = np.linspace(7009.2, 7321.2, 178)
NOISE = NoiseModel(c_ref=2.7e4, mu_low=0.36, mu_high=1.56)
SIDE = 256  # pixels along a tile's edge
FEW = 4096  # pixels given to the slow peers
ROUNDS = 7
INVALID = 65535
BEST = "engine, grains"
Work = Callable[[], object]


def make_sites() -> FloatArray:
    """Return about 1,560 sites (m, 178) of the modelled library: a net finer than the default."""
    standards = modelled_library(ENERGY)[1]
    candidates = grow_candidates(mix_pairs(standards), standards, NOISE)
    return reduce_sites(candidates, NOISE, limit=0.06, method="net")


def grain_labels(rng: np.random.Generator, sites: int, size: int = 24) -> IntArray:
    """Return the labels of a tile of grains about `size` pixels wide, row by row."""
    count = SIDE * SIDE // size**2
    y, x = rng.uniform(0.0, SIDE, (2, count))
    across, down = np.meshgrid(np.arange(SIDE), np.arange(SIDE))
    nearest = np.argmin((down[..., None] - y) ** 2 + (across[..., None] - x) ** 2, axis=2)
    labels: IntArray = rng.integers(0, sites, count)[nearest].ravel()
    return labels


def make_codes(
    rng: np.random.Generator, spectra: FloatArray, labels: IntArray, sigma: float, blank: float
) -> np.ndarray:
    """Return uint16 codes (178, n) of noisy pixels, a share of them blank."""
    pixels = spectra[labels] + rng.normal(0.0, sigma, (labels.size, spectra.shape[1]))
    pixels[rng.random(labels.size) < blank] = -1.0
    return np.ascontiguousarray(np.clip((pixels + 1.0) * 16000, 0, INVALID - 1).astype(np.uint16).T)


def scenes(sites: FloatArray) -> dict[str, np.ndarray]:
    """Return the tiles the engine is timed on, the best case first."""
    rng = np.random.default_rng(0)
    grains = grain_labels(rng, len(sites))
    scattered = rng.integers(0, len(sites), SIDE * SIDE)
    return {
        BEST: make_codes(rng, sites, grains, 0.037, 0.0),
        "engine, labels without order": make_codes(rng, sites, scattered, 0.037, 0.0),
        "engine, 5 % blank": make_codes(rng, sites, grains, 0.037, 0.05),
        "engine, sigma 0.05": make_codes(rng, sites, grains, 0.05, 0.0),
    }


def product(prepared: Prepared, dtype: type) -> Callable[[np.ndarray], np.ndarray]:
    """Return the plain way: centre, one matrix product with all sites, argmax."""
    sites: Any = np.ascontiguousarray(prepared.sites[:, : prepared.energies].T, dtype)

    def nearest(block: np.ndarray) -> np.ndarray:
        pixels: Any = block.T.astype(dtype)
        pixels -= pixels.mean(axis=1, keepdims=True)
        return np.asarray(np.argmax(pixels @ sites, axis=1) + 1)

    return nearest


def flat_index(prepared: Prepared) -> Callable[[np.ndarray], np.ndarray] | None:
    """Return faiss' exhaustive search, or None where faiss is not installed."""
    if importlib.util.find_spec("faiss") is None:
        return None
    import faiss  # type: ignore[import-not-found]

    faiss.omp_set_num_threads(1)
    index = faiss.IndexFlatL2(prepared.energies)
    index.add(np.ascontiguousarray(prepared.sites[:, : prepared.energies], np.float32))

    def nearest(block: np.ndarray) -> np.ndarray:
        pixels = block.T.astype(np.float32)
        pixels -= pixels.mean(axis=1, keepdims=True)
        pixels /= np.linalg.norm(pixels, axis=1, keepdims=True)
        return np.asarray(index.search(pixels, 1)[1][:, 0] + 1)

    return nearest


def time_rounds(entries: dict[str, tuple[Work, int]], threads: int) -> dict[str, FloatArray]:
    """Return ns per pixel of every entry in every round; each of the threads does the entry's work once."""
    spent: dict[str, list[float]] = {name: [] for name in entries}
    with ThreadPoolExecutor(threads) as pool:
        for turn in range(ROUNDS + 1):
            for name, (work, pixels) in entries.items():
                start = time.perf_counter()
                for done in [pool.submit(work) for _ in range(threads)]:
                    done.result()
                if turn:
                    spent[name].append((time.perf_counter() - start) / (pixels * threads) * 1e9)
    return {name: np.array(times) for name, times in spent.items()}


def peers_of(prepared: Prepared) -> dict[str, Callable[[np.ndarray], np.ndarray]]:
    """Return the other ways to find the nearest site, those that are installed."""
    index = build_index(prepared)
    peers = {
        "float64 product + argmax": product(prepared, np.float64),
        "float32 product + argmax": product(prepared, np.float32),
        "pynndescent": lambda block: assign_approximately(block, prepared, index, INVALID).labels,
    }
    flat = flat_index(prepared)
    return peers if flat is None else {**peers, "faiss flat": flat}


def main() -> None:
    """Print the machine, the table with the share of wrong labels, and the gain of a second thread."""
    sites = make_sites()
    prepared, tiles = prepare(sites), scenes(sites)
    few = np.ascontiguousarray(tiles[BEST][:, :FEW])
    exact = brute(few, prepared, INVALID)[0][0]
    entries: dict[str, tuple[Work, int]] = {}
    for name, tile in tiles.items():
        entries[name] = (partial(assign_block, tile, prepared, INVALID), tile.shape[1])
    wrong = {BEST: float(np.mean(assign_block(few, prepared, INVALID).labels != exact))}
    for name, nearest in peers_of(prepared).items():
        entries[name] = (partial(nearest, few), FEW)
        wrong[name] = float(np.mean(nearest(few) != exact))
    with threadpool_limits(1):
        times = time_rounds(entries, 1)
        alone = time_rounds({BEST: entries[BEST]}, 1)[BEST]
        paired = time_rounds({BEST: entries[BEST]}, 2)[BEST]
    rows = [
        [
            name,
            f"{1e3 / np.median(spent):.3f}",
            f"{np.median(spent / times[BEST]):.2f}",
            f"{wrong[name]:.1e}" if name in wrong else "",
        ]
        for name, spent in times.items()
    ]
    lines = [
        f"Million pixels a second on one thread, {len(sites)} sites, {prepared.energies} energies of uint16, "
        f"all in turn, medians of {ROUNDS} rounds; from one thread to two the engine gains "
        f"{np.median(alone / paired):.2f} times. Wrong labels are counted against float64 brute force.",
        "",
        f"{machine()}.",
        "",
        *table(["one thread", "Mpx/s", "the engine's best is faster by", "wrong labels"], rows),
    ]
    write_page("nearest", "The nearest site of every pixel", lines)


if __name__ == "__main__":
    main()
