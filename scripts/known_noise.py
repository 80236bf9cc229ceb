"""Measure the noise of images whose noise is known: the table of docs/verification.md.

`python scripts/known_noise.py` prints it; `--write docs/verification.md` puts it in its section of that page,
after what `gigaxas verify` writes.
"""

import argparse
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from gigaxas.arrays import FloatArray
from gigaxas.spectra.measured_noise import MeasuredNoise, measure_noise
from scipy import ndimage

SEED = 20261126
HEADING = "## Noise measured on images\n"
SECTION = (
    HEADING
    + """
The [noise that is measured on an image alone](explanation/noise.md), against the very noise that is in it.
Scenes of 90 energies x 96 x 96 pixels: two phases in squares of 24 pixels, a smooth thickness that varies by
20 %. Wanted: sigma within 10 %, every correlation within 0.05 (1 and 2 pixels apart along y, x and both
diagonals; 1 and 2 energies apart). `x` is the correlation with the next pixel along x. In another unit, and
with a constant added, each figure is the same to 1e-6 (`tests/test_measured_noise.py`). Written by
`scripts/known_noise.py`.

"""
)
HEADER = (
    "| noise | sigma, measured over true | x, true | x, measured | largest error, space | energy | gain |"
)
NEIGHBOURS = ((0, 1), (0, 2), (1, 0), (2, 0), (1, 1), (2, 2), (1, -1), (2, -2))
LAGS = (1, 2)
FILTERS: dict[str, Callable[[FloatArray], FloatArray]] = {
    "white": lambda noise: noise,
    "blurred by 0.5 px": lambda noise: ndimage.gaussian_filter(noise, (0, 0.5, 0.5)),
    "blurred by 1 px": lambda noise: ndimage.gaussian_filter(noise, (0, 1, 1)),
    "blurred by 1.5 px": lambda noise: ndimage.gaussian_filter(noise, (0, 1.5, 1.5)),
    "3 x 3 mean": lambda noise: ndimage.uniform_filter(noise, (0, 3, 3)),
    "interpolated by half a pixel along x": lambda noise: ndimage.shift(
        noise, (0, 0, 0.5), order=1, mode="nearest"
    ),
    "five-point smoothing in energy": lambda noise: ndimage.uniform_filter1d(noise, 5, axis=0),
}
COUNTS = (5, 100, 1_000, 10_000)
SIGMA, READ, PATTERN, FAINT = 0.02, 3.5, 0.02, 0.2


class Noisy(NamedTuple):
    """An image with its noise."""

    image: FloatArray
    """(E, y, x), with noise."""
    noise: FloatArray
    """(E, y, x), what was added."""
    counted: bool = False
    """Whether it is an intensity, counted from zero, with a gain of 1."""


def edge(energy: FloatArray, position: float, white_line: float = 0.0) -> FloatArray:
    """Return an edge of step 1 with a white line, on energies (E,)."""
    line = white_line * np.exp(-(((energy - position - 3) / 2.5) ** 2))
    return np.asarray(1 / (1 + np.exp(-(energy - position) / 2)) + line)


def scene() -> FloatArray:
    """Return absorbance (90, 96, 96): two phases in squares of 24 pixels, a smooth thickness."""
    energy, square = np.linspace(7009, 7321, 90), np.arange(96) // 24
    texture = ndimage.gaussian_filter(np.random.default_rng(11).normal(size=(96, 96)), 6)
    early, late = edge(energy, 7122)[:, None, None], edge(energy, 7128)[:, None, None]
    phases = np.where(np.add.outer(square, square) % 2, early, late)
    return np.asarray(phases * (1 + 0.2 * texture / texture.std()))


def third_without_iron() -> FloatArray:
    """Return absorbance (58, 60, 60): two phases above, nothing in the lowest third."""
    energy = np.linspace(7090, 7175, 58)
    spectra = np.stack([edge(energy, 7121, 0.8), edge(energy, 7125, 0.4), 0 * energy], axis=1)
    phase = np.zeros((60, 60), int)
    phase[:, 30:], phase[40:] = 1, 2
    return np.asarray(0.5 * spectra[:, phase])


def grains(rng: np.random.Generator) -> FloatArray:
    """Return absorbance (58, 96, 96) of nine phases in grains of about 4 pixels."""
    energy = np.linspace(7090, 7175, 58)
    spectra = np.stack([edge(energy, 7118 + i, 0.2 * (i % 4)) for i in range(9)], axis=1)
    phase = ndimage.gaussian_filter(rng.normal(size=(9, 96, 96)), (0, 1.5, 1.5)).argmax(axis=0)
    return np.asarray(spectra[:, phase])


def counted(expected: FloatArray, rng: np.random.Generator, read: float = 0.0) -> Noisy:
    """Return counts about what is expected (E, y, x), with read noise."""
    counts = rng.poisson(expected) + read * rng.standard_normal(expected.shape)
    return Noisy(counts, counts - expected, counted=True)


def median_filtered(clean: FloatArray, rng: np.random.Generator) -> Noisy:
    """Return a 3 x 3 median; its noise, known from a second draw, as a median is not linear."""
    once, again = (
        ndimage.median_filter(clean + rng.normal(0, SIGMA, clean.shape), (1, 3, 3)) for _ in range(2)
    )
    return Noisy(once, (once - again) / np.sqrt(2))


def noisy_images() -> Iterator[tuple[str, Noisy]]:
    """Yield every image by its name."""
    clean, rng = scene(), np.random.default_rng(SEED)
    for name, smooth in FILTERS.items():
        drawn = rng.normal(0, SIGMA, clean.shape)
        yield name, Noisy(smooth(clean + drawn), smooth(drawn))
    yield "3 x 3 median of the image", median_filtered(clean, rng)
    for low in COUNTS:
        yield f"Poisson, {low:,} counts", counted(low * 2 * clean + FAINT, rng)
    yield f"Poisson, read noise of {READ:g}", counted(100 * clean + 10, rng, READ)
    expected = 1000 * np.exp(-clean)
    image = np.log(1000 / rng.poisson(expected))
    yield "ln(1000 / counts)", Noisy(image, image - clean)
    pattern = 1 + PATTERN * rng.normal(size=clean.shape[1:])
    yield "Poisson, 1,000 counts, fixed pattern of 2 %", counted((1000 * clean + 10) * pattern, rng)
    partly = third_without_iron()
    noise = rng.normal(0, SIGMA / 2, partly.shape)
    yield "white, 58 x 60 x 60, a third without signal", Noisy(partly + noise, noise)
    for low in COUNTS[:2]:
        yield f"Poisson, {low} counts, the same", counted(low * 2 * partly + FAINT, rng)
    fine = grains(rng)
    noise = rng.normal(0, SIGMA / 4, fine.shape)
    yield "white, nine phases in grains of about 4 pixels", Noisy(fine + noise, noise)


def row(name: str, known: Noisy, found: MeasuredNoise) -> str:
    """Return a line of the table."""
    space, energy = found.model.space, found.model.energy
    middle = space.shape[0] // 2
    true = {step: shared_by_pixels(known.noise, *step) for step in NEIGHBOURS}
    far = max(abs(space[middle + dy, middle + dx] - true[dy, dx]) for dy, dx in NEIGHBOURS)
    off = max(abs(energy[lag] - shared_by_energies(known.noise, lag)) for lag in LAGS)
    over = found.sigma / np.sqrt(np.mean(known.noise**2))
    gain = f"{found.model.gain:.2f}" if known.counted else ""
    # adding 0.0 turns -0.00 into 0.00
    x, seen = (round(value, 2) + 0.0 for value in (true[0, 1], float(space[middle, middle + 1])))
    return f"| {name} | {over:.3f} | {x:.2f} | {seen:.2f} | {far:.3f} | {off:.3f} | {gain} |"


def shared_by_pixels(noise: FloatArray, dy: int, dx: int) -> float:
    """Return the correlation of noise (E, y, x) with that of the pixel a step away."""
    width = noise.shape[2]
    left, right = slice(max(0, -dx), width - max(0, dx)), slice(max(0, dx), width - max(0, -dx))
    product = noise[:, dy:, right] * noise[:, : noise.shape[1] - dy, left]
    return float(np.mean(product) / np.mean(noise**2))


def shared_by_energies(noise: FloatArray, lag: int) -> float:
    """Return the correlation of noise (E, y, x) with that some energies on."""
    return float(np.mean(noise[lag:] * noise[:-lag]) / np.mean(noise**2))


def with_section(page: str, table: str) -> str:
    """Return a page whose section on measured noise, the last one, holds a table."""
    return f"{page.split(HEADING)[0].rstrip()}\n\n{SECTION}{table}\n"


def main() -> None:
    """Print the table, and write it where that is asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", type=Path, metavar="PAGE", help="put the table into its section of a page")
    page = parser.parse_args().write
    lines = [HEADER, "|---" + "|---:" * 6 + "|"]
    for name, known in noisy_images():
        lines.append(row(name, known, measure_noise([known.image], known.counted)))
        print(lines[-1], flush=True)
    if page:
        page.write_text(with_section(page.read_text(encoding="utf-8"), "\n".join(lines)), encoding="utf-8")


if __name__ == "__main__":
    main()
