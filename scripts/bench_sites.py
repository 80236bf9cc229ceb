"""Time from standards, and from window groups, to sites: the published size and loops, and what is large.

Run `python scripts/bench_sites.py`, or with `--large` for 500 references and 100,000 trials, and 100,000
window groups, as well; `--groups` is about window groups alone. Prints a Markdown table, and with `--write
PAGE` puts it in the place of the table of a page. Peak memory is that of the whole process so far.
"""

import argparse
import os
import re
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy as np
from bench_page import machine
from gigaxas.arrays import FloatArray
from gigaxas.errors import InputError
from gigaxas.observed import NoiseLevel, WindowGroups, merge_groups
from gigaxas.observed.noise_level import noise_profile
from gigaxas.observed.selection import select_sites
from gigaxas.simulate import modelled_library
from gigaxas.sites import (
    Mixtures,
    audit_sites,
    build_candidates,
    prove_error,
    reduce_sites,
    reduce_table,
    site_distance,
)
from gigaxas.spectra import read_library
from gigaxas.spectra.noise import NoiseModel

ENERGY = np.linspace(7009.2, 7321.2, 178)
NOISE = NoiseModel(c_ref=2.7e4, mu_low=0.36, mu_high=1.56)
Result = TypeVar("Result")
LINES: list[str] = []


def say(line: str) -> None:
    """Print a line of the table and keep it for the page."""
    print(line, flush=True)
    LINES.append(line)


def timed(work: Callable[[], Result]) -> tuple[Result, float]:
    """Return what work returns and the seconds it took."""
    start = time.perf_counter()
    return work(), time.perf_counter() - start


def row(name: str, made: int, seconds: float) -> None:
    """Print one line of the table."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    say(f"| {name} | {made:,} | {seconds:.2f} | {peak:.2f} |")


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
        bench_audit(title, candidates)


def bench_audit(title: str, candidates: Mixtures) -> None:
    """Time what `gigaxas sites` adds: the audit of the sites and the proof of Eq. 1."""
    table = reduce_table([str(k) for k in range(candidates.weights.shape[1])], candidates, NOISE)
    _, seconds = timed(lambda: audit_sites(table, candidates, NOISE))
    row(f"{title}, audit with 3 x 10,000 mixtures", 30_000, seconds)
    sample = candidates.spectra[:: max(1, len(candidates.spectra) // 600)]
    _, seconds = timed(lambda: prove_error(sample, NOISE, pairs=24, draws=3000))
    row(f"{title}, noisy spectra of the proof", 24 * 2 * 3000, seconds)


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


def window_level(spectrum: FloatArray, share: float = 1.0) -> NoiseLevel:
    """Return the level of a share of NOISE's variance on single pixels of about this spectrum (E,)."""
    profile, variance = noise_profile(NOISE, spectrum)
    variance *= share
    return NoiseLevel(
        k_size=5,
        p_num=23,
        error=1e-4,
        profile=profile,
        variance=variance,
        model=variance,
        space=np.ones((1, 1)),
        energy=np.ones(1),
        contrast=1.0,
        contrast_limit=np.inf,
        coherence=0.0,
        coherence_limit=np.inf,
        windows=1000,
    )


def window_groups(spectra: FloatArray, level: NoiseLevel) -> WindowGroups:
    """Return window groups of these compositions (k, E), of 1 to some 1,000 windows, with their noise."""
    rng = np.random.default_rng(0)
    count = len(spectra)
    windows = rng.geometric(1 / 200, count)
    centred = spectra - spectra.mean(axis=1, keepdims=True)
    means = centred / np.linalg.norm(centred, axis=1)[:, None]
    means += rng.normal(size=means.shape) * np.sqrt(level.variance * level.profile / (24 + windows)[:, None])
    place = np.stack([np.arange(count), np.zeros(count, np.int64)], axis=1)
    noise = np.asarray(level.variance * windows, np.float64)
    return WindowGroups(
        means * windows[:, None], windows, noise, np.zeros(count), windows.astype(float), place
    )


def bench_groups(title: str, spectra: FloatArray, share: float = 1.0) -> None:
    """Time how window groups of these compositions (k, E) merge, and the selection of their sites.

    `share` is that of NOISE's variance.
    """
    level = window_level(spectra.mean(axis=0), share)
    groups = window_groups(spectra, level)
    (merged, _), seconds = timed(lambda: merge_groups([groups], level))
    row(f"{title}: {len(spectra):,} window groups -> merged", merged.windows.size, seconds)
    chosen, seconds = timed(lambda: select_sites(merged, level))
    row(f"{title}: {merged.windows.size:,} window groups -> sites", len(chosen.spectra), seconds)


def bench_all_groups(large: bool) -> None:
    """Time window groups that stand apart, and such of smooth mixtures, which crowd."""
    rng = np.random.default_rng(0)
    standards = modelled_library(ENERGY)[1]

    mean = standards.mean(axis=0)
    length = np.linalg.norm(mean - mean.mean())
    z = 2.0 * np.sqrt(window_level(mean).variance / ENERGY.size) * length
    axes = np.linalg.qr(rng.normal(size=(ENERGY.size, 12)))[0].T

    def apart(count: int) -> FloatArray:
        return np.asarray(mean + 3.0 * z * rng.normal(size=(count, 12)) @ axes)

    def mixed(count: int) -> FloatArray:
        shares = np.exp(2.5 * rng.normal(size=(count, 20)))
        return np.asarray(shares / shares.sum(axis=1, keepdims=True) @ standards[:20])

    level = window_level(mean)
    select_sites(merge_groups([window_groups(mixed(300), level)], level)[0], level)
    bench_groups("smooth mixtures of 20", mixed(10_000))
    bench_groups("smooth mixtures of 20, 0.3 of the noise variance", mixed(50_500), 0.3)
    bench_groups("apart", apart(20_000))
    if large:
        bench_groups("smooth mixtures of 20", mixed(150_000))
        bench_groups("apart", apart(100_000))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--large", action="store_true", help="500 references and 100,000 trials too")
    parser.add_argument("--groups", action="store_true", help="window groups alone")
    parser.add_argument("--write", type=Path, metavar="PAGE", help="put the table into this page")
    asked = parser.parse_args()
    say("| step | made | s | peak GiB |")
    say("|---|---:|---:|---:|")
    if not asked.groups:
        bench_references(asked.large)
    bench_all_groups(asked.large)
    if asked.write:
        write_page(asked.write)


def bench_references(large: bool) -> None:
    """Time everything that starts from references."""
    compile_kernels()
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


def write_page(page: Path) -> None:
    """Put the table, with a line about the machine, between the marks of a page."""
    table = "\n".join([f"{machine()}; one core used.", "", *LINES])
    text = page.read_text(encoding="utf-8")
    marks = r"(?<=<!-- measured -->\n).*?(?=<!-- end -->)"
    if not re.search(marks, text, re.DOTALL):
        raise InputError(f"{page}: no lines <!-- measured --> and <!-- end -->; expected them around a table")
    page.write_text(re.sub(marks, lambda _: f"{table}\n", text, flags=re.DOTALL), encoding="utf-8")


if __name__ == "__main__":
    main()
