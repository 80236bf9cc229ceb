"""Time the assignment engine against its peers, all in one interleaved run on one thread, then on two.

Run `OMP_NUM_THREADS=1 python scripts/bench_nearest.py`; prints a Markdown table. faiss-cpu is timed where it is
installed. Every round times every entry once, so that a busy machine slows all alike; a ratio is the median over
the rounds of (peer's time per pixel / engine's time per pixel).
"""

import importlib.util
import os
import platform
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from threadpoolctl import threadpool_limits

from pipeline.arrays import FloatArray, IntArray
from pipeline.nearest import Prepared, assign_block, brute, prepare
from pipeline.nearest.approximate import assign_approximately, build_index, measure_recall
from pipeline.noise import NoiseModel
from pipeline.simulate import modelled_library
from pipeline.sites import grow_candidates, mix_pairs, reduce_sites

ENERGY = np.linspace(7009.2, 7321.2, 178)
NOISE = NoiseModel(c_ref=2.7e4, mu_low=0.36, mu_high=1.56)
SIDE = 256  # pixels along a tile's edge
FEW = 4096  # pixels given to the slow peers
ROUNDS = 7
INVALID = 65535
Work = Callable[[], object]


def make_sites() -> FloatArray:
    """Return about 1,560 sites (m, 178) of the modelled library, a net somewhat finer than the published one."""
    standards = modelled_library(ENERGY)[1]
    candidates = grow_candidates(mix_pairs(standards), standards, NOISE)
    return reduce_sites(candidates, NOISE, limit=0.06, method="net")


def grain_labels(rng: np.random.Generator, sites: int, size: int = 24) -> IntArray:
    """Return the labels of a tile of grains about `size` pixels wide, row by row."""
    count = SIDE * SIDE // size**2
    y, x = rng.uniform(0, SIDE, (2, count))
    across, down = np.meshgrid(np.arange(SIDE), np.arange(SIDE))
    nearest = np.argmin((down[..., None] - y) ** 2 + (across[..., None] - x) ** 2, axis=2)
    return rng.integers(0, sites, count)[nearest].ravel()


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
        "engine, grains": make_codes(rng, sites, grains, 0.037, 0.0),
        "engine, labels without order": make_codes(rng, sites, scattered, 0.037, 0.0),
        "engine, 5 % blank": make_codes(rng, sites, grains, 0.037, 0.05),
        "engine, sigma 0.05": make_codes(rng, sites, grains, 0.05, 0.0),
    }


def product(prepared: Prepared, dtype: type) -> Callable[[np.ndarray], np.ndarray]:
    """Return the plain way: centre, one matrix product with all sites, argmax."""
    sites = np.ascontiguousarray(prepared.sites[:, : prepared.energies].T, dtype)

    def nearest(block: np.ndarray) -> np.ndarray:
        pixels = block.T.astype(dtype)
        pixels -= pixels.mean(axis=1, keepdims=True)
        return np.argmax(pixels @ sites, axis=1) + 1

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


def main() -> None:
    """Print the machine, the table and the checks of exactness."""
    sites = make_sites()
    prepared = prepare(sites)
    tiles = scenes(sites)
    best = tiles["engine, grains"]
    few = np.ascontiguousarray(best[:, :FEW])
    index = build_index(prepared)
    peers = {
        "float64 product + argmax": product(prepared, np.float64),
        "float32 product + argmax": product(prepared, np.float32),
        "faiss flat": flat_index(prepared),
        "pynndescent": lambda block: assign_approximately(block, prepared, index, INVALID),
    }
    entries: dict[str, tuple[Work, int]] = {}
    for name, tile in tiles.items():
        entries[name] = (lambda tile=tile: assign_block(tile, prepared, INVALID), tile.shape[1])
    exact = brute(few, prepared, INVALID)[0][0]
    wrong = {"engine, grains": np.mean(assign_block(few, prepared, INVALID).labels != exact)}
    for name, nearest in peers.items():
        if nearest is not None:
            entries[name] = (lambda nearest=nearest: nearest(few), FEW)
            wrong[name] = np.mean(nearest(few) != exact)
    with threadpool_limits(1):
        one = time_rounds(entries, 1)
        two = time_rounds({"engine, grains": entries["engine, grains"]}, 2)["engine, grains"]
        again = time_rounds({"engine, grains": entries["engine, grains"]}, 1)["engine, grains"]
    print(
        f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores; {len(sites)} sites, 178 energies\n"
    )
    print("| one thread | Mpx/s | engine is faster by | wrong labels |\n|---|---|---|---|")
    for name, times in one.items():
        ratio = float(np.median(times / one["engine, grains"]))
        share = f"{wrong[name]:.1e}" if name in wrong else ""
        print(f"| {name} | {1e3 / np.median(times):.3f} | {ratio:.2f} | {share} |")
    print(
        f"\nTwo threads against one: {np.median(again / two):.2f}; pynndescent's recall on a sample:", end=" "
    )
    print(f"{measure_recall(best, prepared, index, INVALID):.3f}")


if __name__ == "__main__":
    main()
