"""Scenes with known truth: backgrounds with planted needles, light and thickness that vary, gradients."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from gigaxas.arrays import FloatArray, IntArray
from gigaxas.errors import InputError
from gigaxas.sites import cross_distance
from gigaxas.spectra.noise import NoiseModel, check_counts, count_variance, sigma_counts

SIZES = (5, 7, 10, 15)
DISTANCES = (4.0, 12.0)
MARGIN = 4
BACKGROUND_Z = 6.0
_TRIES = 20_000
_COMPOSITIONS = 2_000


@dataclass(frozen=True)
class Needle:
    """A small square of a phase of its own."""

    number: int
    """Its phase."""
    y: int
    """First row."""
    x: int
    """First column."""
    size: int
    """Pixels a side."""
    z: float
    """Distance from its background."""
    host: int
    """Phase of the background."""

    @property
    def region(self) -> tuple[slice, slice]:
        """The slices (y, x) that cut the needle out of the image."""
        return slice(self.y, self.y + self.size), slice(self.x, self.x + self.size)


@dataclass(frozen=True)
class VerifyScene:
    """The truth of a scene."""

    phase: IntArray
    """(h, w) phase of each pixel, from 0, the backgrounds first."""
    spectra: NDArray[np.float32]
    """(h, w, E) mean spectra."""
    needles: tuple[Needle, ...]
    """What is planted."""
    backgrounds: int
    """How many phases are backgrounds."""

    def measure(
        self,
        noise: NoiseModel,
        rng: np.random.Generator,
        windows: tuple[slice, slice],
        thickness: float = 1.0,
        light: float = 1.0,
    ) -> NDArray[np.float32]:
        """Measure the scene: counts with camera noise, absorbance, normalised pixel by pixel; (E, h, w).

        `windows` are the pre- and post-edge samples. Thickness and light vary smoothly over the field by
        these factors, their geometric means as the working point has them. A count below the camera's lowest
        makes the sample NaN.
        """
        step = noise.edge_step * _smooth_factor(self.phase.shape, thickness, rng)
        reference = noise.c_ref * _smooth_factor(self.phase.shape, light, rng)
        return expose(self.spectra, reference, step, noise, rng, windows)


def expose(
    spectra: NDArray[np.float32],
    reference: FloatArray,
    step: FloatArray,
    noise: NoiseModel,
    rng: np.random.Generator,
    windows: tuple[slice, slice],
) -> NDArray[np.float32]:
    """Return normalised absorbance (E, h, w) measured on mean spectra (h, w, E) with noise on all counts.

    reference (h, w) are the mean reference counts, step (h, w) the edge steps. Raises InputError where the
    reference counts are below the camera's lowest count.
    """
    check_counts(reference, noise.a, noise.b, "the reference image")
    out = np.empty((spectra.shape[2], *spectra.shape[:2]), np.float32)
    spread = sigma_counts(reference, noise.a, noise.b)
    for e in range(out.shape[0]):
        expected = reference * np.exp(-(spectra[:, :, e] * step + noise.mu_low))
        first = np.rint(reference + spread * rng.standard_normal(step.shape))
        width = np.sqrt(np.maximum(count_variance(expected, noise.a, noise.b), 0.0))
        second = np.rint(expected + width * rng.standard_normal(step.shape))
        fewest = np.minimum(np.minimum(first, second), expected)
        good = (fewest >= noise.lowest_count) & (fewest > 0)
        out[e] = np.where(good, np.log(np.maximum(first, 1.0) / np.maximum(second, 1.0)), np.nan)
    low, high = (np.nanmean(out[window], axis=0) for window in windows)
    return ((out - low) / (high - low)).astype(np.float32)


def needle_scene(
    references: FloatArray,
    noise: NoiseModel,
    seed: int,
    *,
    side: int = 256,
    backgrounds: int = 6,
    needles: int = 32,
    sizes: Sequence[int] = SIZES,
    distances: tuple[float, float] = DISTANCES,
    gradient: float = 0.0,
) -> VerifyScene:
    """Draw backgrounds of random composition in a few large areas, and needles inside these.

    Compositions are of three references (n, E) each. A needle lies `distances` (z at this noise) from the
    background around it; nothing holds it away from the other needles. With a gradient, every background
    drifts smoothly towards another composition that is so far in z.
    Raises InputError where the references or the side leave no room.
    """
    rng = np.random.default_rng([seed, 9])
    means = draw_backgrounds(references, noise, backgrounds, rng)
    area = _areas(side, backgrounds, rng)
    spectra = np.array(means, np.float32)[area]
    if gradient > 0.0:
        share = smooth_field(area.shape, side / 6, rng)
        for k, mean in enumerate(means):
            other = at_distance(mean, references, gradient, noise, rng)
            here = area == k
            spectra[here] = mean + (other - mean) * share[here][:, None]
    phase, planted = area.copy(), list[Needle]()
    for y, x, size in _places(area, needles, sizes, rng):
        z = float(rng.uniform(*distances))
        needle = Needle(backgrounds + len(planted), y, x, size, z, int(area[y, x]))
        # the pixel to the left is the surround, whatever the gradient has made of it
        around = spectra[y + size // 2, x - 1].astype(np.float64)
        spectra[needle.region] = at_distance(around, references, z, noise, rng)
        phase[needle.region] = needle.number
        planted.append(needle)
    return VerifyScene(phase, spectra, tuple(planted), backgrounds)


def inset_grid(spectra: FloatArray, side: int, size: int, count: int) -> VerifyScene:
    """Draw count x count squares of the second spectrum (2, E) on a field of the first."""
    phase = np.zeros((side, side), np.int64)
    pitch = side // count
    needles = []
    for row in range(count):
        for column in range(count):
            y, x = (k * pitch + (pitch - size) // 2 for k in (row, column))
            needles.append(Needle(1, y, x, size, np.nan, 0))
            phase[needles[-1].region] = 1
    return VerifyScene(phase, spectra.astype(np.float32)[phase], tuple(needles), 1)


def uniform_scene(references: FloatArray, side: int, seed: int) -> VerifyScene:
    """Draw a field of one random composition: all that differs from pixel to pixel is noise."""
    return field_of(composition(references, np.random.default_rng([seed, 10])), side)


def field_of(spectrum: FloatArray, side: int) -> VerifyScene:
    """Draw a field of one spectrum (E,)."""
    phase = np.zeros((side, side), np.int64)
    return VerifyScene(phase, spectrum.astype(np.float32)[None][phase], (), 1)


def composition(references: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Return a random mixture (E,) of three references."""
    chosen = rng.choice(len(references), min(3, len(references)), replace=False)
    return np.asarray(rng.dirichlet(np.ones(chosen.size)) @ references[chosen])


def draw_backgrounds(
    references: FloatArray, noise: NoiseModel, count: int, rng: np.random.Generator
) -> list[FloatArray]:
    """Return compositions that are BACKGROUND_Z apart; raises InputError where there are not so many."""
    means = [composition(references, rng)]
    for _ in range(_COMPOSITIONS):
        if len(means) == count:
            return means
        one = composition(references, rng)
        if _z(one, np.array(means), noise).min() >= BACKGROUND_Z:
            means.append(one)
    raise InputError(
        f"verify: the references leave no room for {count} compositions {BACKGROUND_Z} apart in z"
    )


def at_distance(
    start: FloatArray, references: FloatArray, z: float, noise: NoiseModel, rng: np.random.Generator
) -> FloatArray:
    """Return a composition z away from a spectrum, on the way to a random one that is further away."""
    for _ in range(_COMPOSITIONS):
        other = composition(references, rng)
        if _z(start, other[None], noise)[0] < z:
            continue
        return between(start, other, z, noise)
    raise InputError(f"verify: the references hold no composition {z:.3g} away in z; give other distances")


def between(start: FloatArray, other: FloatArray, z: float, noise: NoiseModel) -> FloatArray:
    """Return the mixture (E,) of two spectra that is z away from the first, or the second if it is nearer."""
    low, high = 0.0, 1.0
    for _ in range(40):
        share = 0.5 * (low + high)
        near = _z(start, ((1 - share) * start + share * other)[None], noise)[0] < z
        low, high = (share, high) if near else (low, share)
    return np.asarray((1 - high) * start + high * other)


def _z(one: FloatArray, others: FloatArray, noise: NoiseModel) -> FloatArray:
    there, back = cross_distance(one[None], others, noise)
    return np.asarray(0.5 * (there + back)[0])


def _areas(side: int, count: int, rng: np.random.Generator) -> IntArray:
    """Return an area map (side, side): each area of the pixels nearest to its two seeds."""
    seeds = rng.uniform(0, side, (2 * count, 2))
    y, x = np.mgrid[:side, :side]
    distance = (y[..., None] - seeds[:, 0]) ** 2 + (x[..., None] - seeds[:, 1]) ** 2
    return np.asarray(distance.argmin(axis=-1) % count, np.int64)


def _places(
    area: IntArray, count: int, sizes: Sequence[int], rng: np.random.Generator
) -> list[tuple[int, int, int]]:
    """Return (y, x, size) of needles that keep MARGIN pixels from each other and inside one area."""
    taken, found = np.zeros(area.shape, np.bool_), list[tuple[int, int, int]]()
    for _ in range(_TRIES):
        if len(found) == count:
            return found
        size = sizes[len(found) % len(sizes)]
        y, x = rng.integers(MARGIN, area.shape[0] - size - MARGIN, 2).tolist()
        around = np.s_[y - MARGIN : y + size + MARGIN, x - MARGIN : x + size + MARGIN]
        if taken[around].any() or np.any(area[around] != area[y, x]):
            continue
        taken[around] = True
        found.append((y, x, size))
    raise InputError(f"verify: no room for {count} needles in {area.shape} pixels; give a larger side")


def smooth_field(shape: tuple[int, ...], scale: float, rng: np.random.Generator) -> FloatArray:
    """Return a smooth field (h, w) from 0 to 1."""
    field = gaussian_filter(rng.standard_normal(shape), scale, mode="reflect")
    return np.asarray((field - field.min()) / (field.max() - field.min()))


def _smooth_factor(shape: tuple[int, ...], factor: float, rng: np.random.Generator) -> FloatArray:
    """Return a smooth field (h, w) whose largest value is `factor` times its smallest."""
    if factor == 1.0:
        return np.ones(shape)
    return np.asarray(factor ** (smooth_field(shape, shape[0] / 8, rng) - 0.5))
