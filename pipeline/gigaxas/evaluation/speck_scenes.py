"""Scenes with specks: a mosaic of grains of all sizes, and squares in it that are smaller than a window."""

from itertools import pairwise, product

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from scipy.spatial import cKDTree

from gigaxas.arrays import BoolArray, FloatArray, IntArray
from gigaxas.errors import InputError
from gigaxas.evaluation.scenes import Needle, VerifyScene, at_distance, draw_backgrounds
from gigaxas.spectra.noise import NoiseModel

SPECK_SIZES = (1, 2, 3, 4)
SPECK_EDGES = (7.0, 8.0, 10.0, 14.0)
"""Distances z n^(1/2) of specks of n pixels between which recall is told."""
EVERY = 2
"""Specks of each size and each of these ranges in a scene."""
GRAINS = (16.0, 40.0)
"""Side of a typical grain, in pixels, from the left of a mosaic to its right: most are of 10 to 60 px."""
BORDERS = (0.0, 0.6, 1.2)
"""Pixels (standard deviation) that the borders of grains are blurred by."""
PHASES = 6
CLEAR = 2
"""Pixels around a speck that are of its grain."""
APART = 4
"""Pixels between two specks, and from the edge of the image."""
_TRIES = 20_000


def mosaic_scene(
    references: FloatArray, noise: NoiseModel, seed: int, border: float, side: int = 256
) -> VerifyScene:
    """Draw grains of PHASES random compositions of references (n, E), borders blurred by so many pixels.

    A pixel's phase is that of its grain, whatever blur mixes into it. Raises InputError where the references
    hold no such compositions.
    """
    phase, means = _mosaic(references, noise, seed, side)
    return VerifyScene(phase, _blurred(phase, means, border), (), PHASES)


def speck_scene(
    references: FloatArray, noise: NoiseModel, seed: int, border: float, side: int = 256
) -> VerifyScene:
    """Plant squares in a mosaic, EVERY of each size and each range of z n^(1/2), none blurred.

    Each is a random composition of its own. Raises InputError where the references or the side leave no room.
    """
    rng = np.random.default_rng([seed, 12])
    phase, means = _mosaic(references, noise, seed, side)
    spectra, specks = _blurred(phase, means, border), list[Needle]()
    taken = np.ones(phase.shape, np.bool_)
    taken[APART:-APART, APART:-APART] = False
    for _, (low, high), size in product(range(EVERY), pairwise(SPECK_EDGES), SPECK_SIZES):
        y, x = _place(phase, taken, size, rng)
        host, z = int(phase[y, x]), float(rng.uniform(low, high)) / size
        speck = Needle(PHASES + len(specks), y, x, size, z, host)
        spectra[speck.region] = at_distance(means[host], references, z, noise, rng)
        phase[speck.region] = speck.number
        specks.append(speck)
    return VerifyScene(phase, spectra, tuple(specks), PHASES)


def _mosaic(references: FloatArray, noise: NoiseModel, seed: int, side: int) -> tuple[IntArray, FloatArray]:
    """Return phases (side, side), each grain of the pixels nearest to its seed, and spectra (PHASES, E)."""
    rng = np.random.default_rng([seed, 11])
    means = np.array(draw_backgrounds(references, noise, PHASES, rng))
    small, large = GRAINS
    many = rng.uniform(0, side, (round((side / small) ** 2), 2))
    wanted = small * (large / small) ** (many[:, 1] / side)
    seeds = many[rng.random(len(many)) < (small / wanted) ** 2]
    pixels = np.moveaxis(np.indices((side, side)), 0, -1)
    grain = cKDTree(seeds).query(pixels)[1]
    return rng.integers(0, PHASES, len(seeds))[grain], means


def _blurred(phase: IntArray, means: FloatArray, border: float) -> NDArray[np.float32]:
    shares = [gaussian_filter((phase == k).astype(np.float64), border) for k in range(PHASES)]
    return (np.stack(shares, axis=-1) @ means).astype(np.float32)


def _place(phase: IntArray, taken: BoolArray, size: int, rng: np.random.Generator) -> tuple[int, int]:
    """Return the first pixel (y, x) of a square inside one grain, and mark what is near it as taken."""
    for _ in range(_TRIES):
        y, x = rng.integers(APART, len(phase) - size - APART + 1, 2).tolist()
        here = np.s_[y : y + size, x : x + size]
        clear = phase[y - CLEAR : y + size + CLEAR, x - CLEAR : x + size + CLEAR]
        if not taken[here].any() and np.all(clear == phase[y, x]):
            taken[y - APART : y + size + APART, x - APART : x + size + APART] = True
            return y, x
    raise InputError(f"verify: no room for specks in {phase.shape} pixels; give a larger side")
