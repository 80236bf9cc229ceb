"""Time the composition of pixels against scipy.optimize.nnls called for each, on one thread.

Run `OMP_NUM_THREADS=1 python scripts/bench_phases.py`; prints a Markdown table, and with `--write PAGE` puts
it in the place of the table of a page. Both start from the uint16 codes of a tile and end with weights and
residual of every pixel; scipy's calls alone leave out that codes have to be turned into absorbance first.
Every round times every entry once; figures are medians.
"""

import argparse
import re
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from bench_page import machine
from gigaxas.arrays import FloatArray
from gigaxas.components.nnls import Fit, fit
from gigaxas.components.projection import Frame, make_frame, project
from gigaxas.simulate import modelled_library
from gigaxas.spectra.noise import NoiseModel
from numpy.typing import NDArray
from scipy.optimize import nnls as scipy_nnls
from threadpoolctl import threadpool_limits

ENERGY = np.linspace(7009.2, 7321.2, 178)
NOISE = NoiseModel(c_ref=2.7e4, mu_low=0.36, mu_high=1.56)
SCALE, OFFSET = 8.0 / 65534, -2.0
PIXELS, FEW, ROUNDS = 65536, 1000, 9
NAMES = (
    "hematite",
    "magnetite",
    "SFCA",
    "wustite",
    "fayalite",
    "CF",
    "C2F",
    "SFCA-I",
    "goethite",
    "siderite",
)


def make_tile(count: int) -> tuple[FloatArray, NDArray[np.uint16]]:
    """Return `count` phases (E, k) and the codes (E, n) of noisy pixels that mix them in every proportion."""
    names, spectra = modelled_library(ENERGY)
    basis = np.array([spectra[names.index(name)] for name in NAMES[:count]])
    rng = np.random.default_rng(count)
    pixels = rng.dirichlet(np.ones(count), PIXELS) @ basis
    pixels += rng.normal(0.0, NOISE.sigma(basis.mean(axis=0)), pixels.shape)
    return np.ascontiguousarray(basis.T), np.ascontiguousarray(
        np.rint((pixels - OFFSET) / SCALE).astype(np.uint16).T
    )


def ours(frame: Frame, codes: NDArray[np.uint16]) -> Fit:
    """Fit all pixels of a tile."""
    coordinates, total = project(frame, codes, SCALE, OFFSET)
    return fit(frame.components, coordinates, total, np.eye(len(frame.components)), False)


def theirs(basis: FloatArray, codes: NDArray[np.uint16]) -> list[tuple[FloatArray, float]]:
    """Fit the first pixels of a tile, one call each."""
    return [scipy_nnls(basis, codes[:, pixel] * SCALE + OFFSET) for pixel in range(FEW)]


def seconds(work: Callable[[], object]) -> float:
    """Return the processor's seconds that a piece of work takes."""
    start = time.process_time()
    work()
    return time.process_time() - start


def measure(count: int) -> tuple[float, float, float, float]:
    """Return microseconds a pixel of ours, of scipy's and of its bare calls, and the largest difference."""
    basis, codes = make_tile(count)
    frame = make_frame(basis)
    spectra = [codes[:, pixel] * SCALE + OFFSET for pixel in range(FEW)]
    weights = np.array([x for x, _ in theirs(basis, codes)])
    apart = float(np.abs(ours(frame, codes).weights[:, :FEW].T - weights).max())
    times = [
        (
            seconds(lambda: ours(frame, codes)) / PIXELS,
            seconds(lambda: theirs(basis, codes)) / FEW,
            seconds(lambda: [scipy_nnls(basis, spectrum) for spectrum in spectra]) / FEW,
        )
        for _ in range(ROUNDS)
    ]
    own, whole, bare = (1e6 * statistics.median(column) for column in zip(*times, strict=True))
    return own, whole, bare, apart


def table(counts: tuple[int, ...] = (2, 3, 5, 10)) -> list[str]:
    """Return the lines of the table, one number of components a line."""
    lines = [
        "| components | us a pixel | scipy, us a pixel | its calls alone | times faster | differs by |",
        "|---|---|---|---|---|---|",
    ]
    with threadpool_limits(limits=1):
        for count in counts:
            own, whole, bare, apart = measure(count)
            lines.append(
                f"| {count} | {own:.3f} | {whole:.2f} | {bare:.2f} | {whole / own:.0f} ({bare / own:.0f}) | "
                f"{apart:.1e} |"
            )
    return lines


def write_page(page: Path, lines: Sequence[str]) -> None:
    """Put the table, with a line about the machine, between the marks of a page."""
    text, marks = page.read_text(encoding="utf-8"), r"(?<=<!-- measured -->\n).*?(?=<!-- end -->)"
    if not re.search(marks, text, re.DOTALL):
        sys.exit(f"{page}: found no marks `<!-- measured -->` and `<!-- end -->`")
    told = "\n".join([f"{machine()}; one core used.", "", *lines, ""])
    page.write_text(re.sub(marks, lambda _: told, text, flags=re.DOTALL), encoding="utf-8")


def main() -> None:
    """Measure, print and, where asked, write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", type=Path, metavar="PAGE", help="put the table into this page")
    asked = parser.parse_args()
    lines = table()
    print("\n".join(lines))
    if asked.write:
        write_page(asked.write, lines)


if __name__ == "__main__":
    main()
