"""Time from standards to sites: the published size, the published loops, and a library of 500 references.

Run `python scripts/bench_sites.py`, or with `--large` for 500 references and 100,000 trials as well; prints a
Markdown table. Peak memory is that of the whole process so far.
"""

import argparse
import os
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy as np

from pipeline.arrays import FloatArray
from pipeline.noise import NoiseModel
from pipeline.simulate import modelled_library
from pipeline.sites import Mixtures, build_candidates, reduce_sites, site_distance
from pipeline.spectra import read_library

ENERGY = np.linspace(7009.2, 7321.2, 178)
NOISE = NoiseModel(c_ref=2.7e4, mu_low=0.36, mu_high=1.56)
Result = TypeVar("Result")


def timed(work: Callable[[], Result]) -> tuple[Result, float]:
    """Return what work returns and the seconds it took."""
    start = time.perf_counter()
    return work(), time.perf_counter() - start


def row(name: str, made: int, seconds: float) -> None:
    """Print one line of the table."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"| {name} | {made:,} | {seconds:.2f} | {peak:.2f} |", flush=True)


def compile_kernels() -> None:
    """Run everything once on a few spectra, so that no compilation is timed."""
    spectra = modelled_library(ENERGY)[1][:4]
    for method in ("average", "net"):
        reduce_sites(build_candidates(spectra, NOISE, trials=5).spectra, NOISE, method=method)


def bench_library(name: str, standards: FloatArray, trials: int, *, average: bool = True) -> None:
    """Time candidates and reductions of standards (n, E)."""

    def grown() -> Mixtures:
        return build_candidates(standards, NOISE, trials=trials)

    title = f"{name}: {standards.shape[0]} standards"
    candidates, seconds = timed(grown)
    count = len(candidates.spectra)
    row(f"{title}, pairs and {trials:,} trials -> candidates", count, seconds)
    net, seconds = timed(lambda: reduce_sites(candidates.spectra, NOISE, method="net"))
    row(f"{title}, net -> sites", len(net), seconds)
    if average:
        sites, seconds = timed(lambda: reduce_sites(candidates.spectra, NOISE))
        row(f"{title}, average linkage -> sites", len(sites), seconds)


def bench_full_size() -> None:
    """Time distances and reductions of exactly 5,967 candidates, the paper's count."""
    standards = modelled_library(ENERGY)[1]
    weights = np.random.default_rng(0).dirichlet(np.full(len(standards), 0.05), size=5967)
    spectra = weights @ standards
    _, seconds = timed(lambda: site_distance(spectra, NOISE))
    row("5,967 candidates, all distances", 5967 * 5966 // 2, seconds)
    net, seconds = timed(lambda: reduce_sites(spectra, NOISE, method="net"))
    row("5,967 candidates, net -> sites", len(net), seconds)
    sites, seconds = timed(lambda: reduce_sites(spectra, NOISE))
    row("5,967 candidates, average linkage -> sites", len(sites), seconds)


def bench_loops() -> None:
    """Time the formula as loops over pairs in Python with NumPy vectors, on a sample, scaled to 5,967."""
    spectra = modelled_library(ENERGY)[1]
    sigma = NOISE.sigma(spectra)

    def z(i: int, j: int) -> float:
        one, two = spectra[i] - spectra[i].mean(), spectra[j] - spectra[j].mean()
        n1, n2 = np.linalg.norm(one), np.linalg.norm(two)
        t1, t2 = one / n1, two / n2
        return float((1.0 - t1 @ t2) / np.sqrt(np.sum(((t1 - t2) * sigma[i] / n1) ** 2)))

    pairs = [(i, j) for i in range(61) for j in range(61) if i != j]
    _, seconds = timed(lambda: [z(i, j) for i, j in pairs])
    row(
        "5,967 candidates, the same in Python loops (scaled from 61)",
        5967 * 5966 // 2,
        seconds / 3660 * 5967 * 5966,
    )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--large", action="store_true", help="500 references and 100,000 trials too")
    large = parser.parse_args().large
    compile_kernels()
    print("| step | made | s | peak GiB |\n|---|---:|---:|---:|")
    bench_full_size()
    bench_loops()
    bench_library("modelled", modelled_library(ENERGY)[1], 10_000)
    folder = Path(os.environ.get("GIGAXAS_STANDARDS", ""))
    if "GIGAXAS_STANDARDS" in os.environ:
        bench_library("measured", read_library(folder, ENERGY).spectra, 10_000)
    else:
        print("measured standards left out: GIGAXAS_STANDARDS is not set", file=sys.stderr)
    if large:
        shifted = [modelled_library(ENERGY + shift)[1] for shift in np.linspace(-4.0, 4.0, 9)]
        bench_library("large", np.concatenate(shifted)[:500], 100_000, average=False)


if __name__ == "__main__":
    main()
