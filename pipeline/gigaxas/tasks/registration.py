"""What is measured of one raw field, or of two that overlap, before the cube is made of them."""

from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gigaxas.arrays import FloatArray
from gigaxas.raw.absorbance import Absorbance
from gigaxas.raw.drift import measure_drift
from gigaxas.raw.energy_shift import Blocks
from gigaxas.raw.normalisation import normalise_spectra
from gigaxas.raw.readers.field import RawField, read_dark
from gigaxas.raw.registration import Pair, measure_offset, shared
from gigaxas.spectra.noise import NoiseModel, sigma_absorbance
from gigaxas.stores.registration import read_step, write_step
from gigaxas.tasks.ingest import Recipe, read_absorbance
from gigaxas.tiles import Box, Plane, Tile

STEP_IMAGES = 8
"""Images before, and images after the edge, from which the edge step of a field is measured."""
BLOCK_SIDE = 16
"""Side of a block of pixels whose edge is measured."""
BLOCKS = 12
"""Blocks of pixels along each side of a field."""
DRIFT_SIDE = 512
"""Side of the part in the middle of a field in which its drift is measured."""
LEAST_FULL = 0.5
"""Share of valid pixels that a block has at least."""
LEAST_STEP = 0.2
"""Edge step, in absorbance, that a block has at least."""


def measure_edge_step(tile: Tile, *, recipe: Recipe, registration: Path) -> float:
    """Write the edge step of a tile of a field, from a few images before and after the edge.

    Returns the variance that the camera's noise gives it; NaN without a valid pixel or a camera. As in all
    tasks of this file, the fields lie below each other in one tall image that `tile` is a part of.
    """
    acquisition, normaliser = recipe.acquisition, recipe.normaliser
    number, tile = field_of(tile, acquisition.plane)
    field = acquisition.fields[number]
    dark = read_dark(field.dark, tile.region)
    levels, variance = [], 0.0
    for weight in (normaliser.low, normaliser.high):
        total = np.zeros(tile.shape, dtype=np.float32)
        chosen = evenly_chosen(np.flatnonzero(weight), STEP_IMAGES)
        for i in chosen:
            image = slice(int(i), int(i) + 1)
            measured = read_absorbance(field, tile.region, dark, recipe.limits, image)
            total += np.where(measured.valid, measured.mu[0], np.float32(np.nan))
            variance += _variance(measured, recipe.camera) / len(chosen) ** 2
        levels.append(total / np.float32(len(chosen)))
    write_step(registration, number, tile, levels[1] - levels[0])
    return variance


def measure_blocks(tile: Tile, *, fields: tuple[RawField, ...], recipe: Recipe) -> Blocks:
    """Return blocks of pixels spread over a field; those without a clear edge are left out."""
    number, tile = field_of(tile, recipe.acquisition.plane)
    field, normaliser = fields[number], recipe.normaliser
    spectra, positions = [], []
    for y in block_starts(tile.shape[0]):
        for x in block_starts(tile.shape[1]):
            region = slice(y, min(y + BLOCK_SIDE, tile.y1)), slice(x, min(x + BLOCK_SIDE, tile.x1))
            measured = read_absorbance(field, region, read_dark(field.dark, region), recipe.limits)
            if measured.valid.mean() < LEAST_FULL:
                continue
            mean = measured.mu[:, measured.valid].mean(axis=1, dtype=np.float64)
            if normaliser.step @ mean > LEAST_STEP:
                spectra.append(mean)
                positions.append([(part.start + part.stop - 1) / 2 for part in region])
    if not spectra:
        return Blocks(np.empty((0, len(normaliser.low))), np.empty((0, 2)))
    return Blocks(normalise_spectra(np.array(spectra), normaliser), np.array(positions))


def measure_field_drift(tile: Tile, *, recipe: Recipe) -> FloatArray:
    """Return the drift (E, 2) of a field in pixels, measured in its middle."""
    number, tile = field_of(tile, recipe.acquisition.plane)
    field = recipe.acquisition.fields[number]
    sides = [min(DRIFT_SIDE, size) for size in tile.shape]
    y, x = ((size - side) // 2 for size, side in zip(tile.shape, sides, strict=True))
    region = slice(y, y + sides[0]), slice(x, x + sides[1])
    measured = read_absorbance(field, region, read_dark(field.dark, region), recipe.limits)
    mean = measured.mu[:, measured.valid].mean(axis=1)
    filled = np.where(measured.valid, measured.mu, mean[:, None, None])
    return measure_drift(filled, np.flatnonzero(recipe.normaliser.high))


def register_pair(
    tile: Tile,
    ends: tuple[int, int],
    *,
    registration: Path,
    stage_px: FloatArray,
    noise: float,
    shift_limit: float,
) -> Pair:
    """Measure how the two fields `ends` lie to each other, from their edge steps.

    `stage_px` (n, 2) is where the stage says that the fields lie and `shift_limit` how many pixels
    that may be wrong by. Only the overlap and as many pixels around it are read; `tile` has the shape of a
    field.
    """
    expected = stage_px[ends[1]] - stage_px[ends[0]]
    margin = int(shift_limit)
    wide = [box.widened(margin, tile.shape) for box in shared(expected, tile.shape)]
    first, second = (
        read_step(registration, number, box.region) for number, box in zip(ends, wide, strict=True)
    )
    cut = _origin(wide[1]) - _origin(wide[0])
    found, correlation, rejected = measure_offset(first, second, expected + cut, noise, shift_limit)
    return Pair(*ends, _offset(expected), _offset(found - cut), correlation, rejected)


def field_of(tile: Tile, plane: Plane) -> tuple[int, Tile]:
    """Return which field a tile of the tall image belongs to, and the tile in that field.

    In that image no two tiles of different fields are the same.
    """
    number, y0 = divmod(tile.y0, plane[0])
    return number, replace(tile, y0=y0, y1=y0 + tile.y1 - tile.y0)


def evenly_chosen(numbers: NDArray[np.intp], count: int) -> NDArray[np.intp]:
    """Return at most `count` of some numbers, evenly spread."""
    return numbers[np.unique(np.linspace(0, len(numbers) - 1, min(count, len(numbers))).round().astype(int))]


def block_starts(size: int) -> NDArray[np.intp]:
    """Return where the blocks that are measured start along one side of a field."""
    last = max(size - BLOCK_SIDE, 0)
    return np.unique(np.linspace(0, last, BLOCKS).round().astype(int))


def _variance(measured: Absorbance, camera: NoiseModel | None) -> float:
    """Return the variance of the absorbance of one image, at the mean counts of its valid pixels."""
    if camera is None or not measured.valid.any():
        return float("nan")
    open_beam = float(measured.c_ref[measured.valid].mean())
    through = max(open_beam * float(np.exp(-measured.mu[:, measured.valid].mean())), camera.lowest_count)
    return float(sigma_absorbance(np.array(open_beam), np.array(through), camera.a, camera.b)) ** 2


def _origin(box: Box) -> FloatArray:
    return np.array([box.y0, box.x0], dtype=np.float64)


def _offset(values: FloatArray) -> tuple[float, float]:
    return float(values[0]), float(values[1])
