"""What one tile of raw counts goes through: the first look at a field, and the way into the cube."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gigaxas.arrays import FloatArray, IntArray
from gigaxas.raw.absorbance import REASONS, Absorbance, Float32Array, Limits, absorbance, count_invalid
from gigaxas.raw.blending import Blend, Mosaic, Piece, add_piece, empty_mosaic, pieces, settle, weights
from gigaxas.raw.drift import margin, measure_drift, undo_drift
from gigaxas.raw.energy_shift import EnergyShift, apply_shift
from gigaxas.raw.normalisation import Normaliser, normalise_block, normalise_spectra
from gigaxas.raw.readers.acquisition import Acquisition, RawField
from gigaxas.raw.readers.images import Stack, read_stack
from gigaxas.raw.registration import Pair, measure_offset, shared
from gigaxas.spectra.noise import NoiseModel, sigma_absorbance
from gigaxas.stores import cube
from gigaxas.stores.registration import read_step, write_step
from gigaxas.tiles import Tile

Region = tuple[slice, slice]
LOOK_IMAGES = 8
"""Images of each range that the first look at a field reads."""
BLOCK_SIDE = 16
BLOCKS = 12
"""Blocks of pixels along each side of a field whose edges tell the shift of energy."""
DRIFT_SIDE = 512
LEAST_FULL = 0.5
LEAST_STEP = 0.2
"""Share of valid pixels, and edge step, that such a block has at least."""


@dataclass(frozen=True, eq=False)
class Recipe:
    """Everything that turns counts into normalised absorbance.

    `corners` are where the fields lie in the mosaic, in whole pixels; `drifts` holds (E, 2) for every field.
    """

    acquisition: Acquisition
    corners: tuple[tuple[int, int], ...]
    normaliser: Normaliser
    camera: NoiseModel
    limits: Limits
    least_step: float
    blend: Blend
    shift: EnergyShift | None = None
    drifts: tuple[FloatArray, ...] | None = None


def look_at_tile(tile: Tile, *, recipe: Recipe, survey: Path) -> float:
    """Write the edge step of a tile of the tower, from a few images before and after the edge.

    Returns the variance that the camera's noise gives it; NaN where no pixel is valid.
    """
    acquisition, normaliser, limits = recipe.acquisition, recipe.normaliser, recipe.limits
    number, tile = storey(tile, acquisition.plane)
    field = acquisition.fields[number]
    dark = read_dark(field.dark, tile.region)
    levels, variance = [], 0.0
    for weight in (normaliser.low, normaliser.high):
        total = np.zeros(tile.shape, dtype=np.float32)
        chosen = few(np.flatnonzero(weight), LOOK_IMAGES)
        for i in chosen:
            one = slice(int(i), int(i) + 1)
            seen = _absorbance(field, tile.region, dark, limits, one)
            total += np.where(seen.valid, seen.mu[0], np.float32(np.nan))
            variance += _variance(seen, recipe.camera) / len(chosen) ** 2
        levels.append(total / np.float32(len(chosen)))
    write_step(survey, number, tile, levels[1] - levels[0])
    return variance


def look_at_blocks(
    tile: Tile, *, fields: tuple[RawField, ...], recipe: Recipe
) -> tuple[FloatArray, FloatArray]:
    """Return normalised mean spectra (n, E) and places (n, 2) of blocks of pixels spread over a storey.

    Blocks without a clear edge are left out.
    """
    number, tile = storey(tile, recipe.acquisition.plane)
    field, normaliser, limits = fields[number], recipe.normaliser, recipe.limits
    spectra, places = [], []
    for y in block_starts(tile.shape[0]):
        for x in block_starts(tile.shape[1]):
            region = slice(y, min(y + BLOCK_SIDE, tile.y1)), slice(x, min(x + BLOCK_SIDE, tile.x1))
            seen = _absorbance(field, region, read_dark(field.dark, region), limits)
            if seen.valid.mean() < LEAST_FULL:
                continue
            mean = seen.mu[:, seen.valid].mean(axis=1, dtype=np.float64)
            if normaliser.step @ mean > LEAST_STEP:
                spectra.append(mean)
                places.append([(part.start + part.stop - 1) / 2 for part in region])
    if not spectra:
        return np.empty((0, len(normaliser.low))), np.empty((0, 2))
    return normalise_spectra(np.array(spectra), normaliser), np.array(places)


def look_at_drift(tile: Tile, *, recipe: Recipe) -> FloatArray:
    """Return the drift (E, 2) of a storey's field, measured at its middle."""
    number, tile = storey(tile, recipe.acquisition.plane)
    field = recipe.acquisition.fields[number]
    sides = [min(DRIFT_SIDE, size) for size in tile.shape]
    y, x = ((size - side) // 2 for size, side in zip(tile.shape, sides, strict=True))
    region = slice(y, y + sides[0]), slice(x, x + sides[1])
    seen = _absorbance(field, region, read_dark(field.dark, region), recipe.limits)
    filled = np.where(seen.valid, seen.mu, seen.mu[:, seen.valid].mean(axis=1)[:, None, None])
    return measure_drift(filled, np.flatnonzero(recipe.normaliser.high))


def compare_pair(
    tile: Tile, ends: tuple[int, int], *, survey: Path, corners: FloatArray, noise: float, reach: float
) -> Pair:
    """Measure how the two fields `ends` lie to each other, from their edge-step images.

    The stage says `corners` (n, 2) in pixels. Only the overlap and `reach` pixels around it are read;
    `tile` has the shape of a field.
    """
    expected = corners[ends[1]] - corners[ends[0]]
    cuts, starts = [], []
    for number, box in zip(ends, shared(expected, tile.shape), strict=True):
        y0, x0 = max(box.y0 - int(reach), 0), max(box.x0 - int(reach), 0)
        y1, x1 = min(box.y1 + int(reach), tile.shape[0]), min(box.x1 + int(reach), tile.shape[1])
        cuts.append(read_step(survey, number, (slice(y0, y1), slice(x0, x1))))
        starts.append(np.array([y0, x0], dtype=np.float64))
    moved = starts[1] - starts[0]
    offset, correlation, why = measure_offset(cuts[0], cuts[1], expected + moved, noise, reach)
    found = offset - moved
    return Pair(*ends, _pair(expected), _pair(found), correlation, why)


def ingest_tile(tile: Tile, *, recipe: Recipe, store: Path) -> IntArray:
    """Make one tile of the cube from the fields that lie in it.

    Returns (fields, 4): the invalid samples of every field by reason, and its pixels of this tile.
    """
    counts = np.zeros((len(recipe.corners), len(REASONS) + 1), dtype=np.int64)
    energies = len(recipe.acquisition.energy)
    parts = pieces(tile, recipe.corners, recipe.acquisition.plane)
    mosaic = empty_mosaic(energies, tile.shape)
    for piece in parts:
        seen, counts[piece.field, :-1] = measure(piece, recipe)
        counts[piece.field, -1] = seen.valid.size
        weight = weights(piece, recipe.acquisition.plane)
        add_piece(mosaic, piece, seen.mu, seen.c_ref, seen.valid, weight, recipe.blend)
    settle(mosaic)
    _write(tile, mosaic, recipe, store)
    return counts


def copy_tile(tile: Tile, *, stack: Stack, mark: str, sample: str, store: Path) -> None:
    """Make one tile of the cube from a stack, its samples taken as they are; `mark` tells its files apart."""
    values = read_stack(stack, tile.region)
    cube.write_samples(store, tile, values.astype(sample, copy=False))


def measure(piece: Piece, recipe: Recipe) -> tuple[Absorbance, IntArray]:
    """Return the absorbance of a piece on the common energies, without drift, and its bad samples."""
    field = recipe.acquisition.fields[piece.field]
    drift = recipe.drifts[piece.field] if recipe.drifts else None
    halo = margin(drift) if drift is not None else 0
    region, core = _with_halo(piece.inside, halo, recipe.acquisition.plane)
    transmitted, reference = read_stack(field.transmitted, region), read_stack(field.reference, region)
    dark = read_dark(field.dark, region)
    seen = absorbance(transmitted, reference, dark, recipe.limits)
    inner = (slice(None), *core)
    lost = count_invalid(
        transmitted[inner],
        reference[inner],
        None if dark is None else np.ascontiguousarray(dark[core]),
        recipe.limits,
        seen.valid[core],
    )
    if drift is not None:
        seen = _without_drift(seen, drift, core)
    if recipe.shift is not None:
        at = recipe.shift.at(*(np.arange(part.start, part.stop) for part in piece.inside))
        moved = apply_shift(seen.mu, at, recipe.acquisition.energy)
        seen = Absorbance(moved, seen.c_ref, seen.valid)
    return seen, lost


def storey(tile: Tile, plane: tuple[int, int]) -> tuple[int, Tile]:
    """Return which field a tile belongs to, and the tile in that field, all fields standing on each other.

    A first look is at tiles of this tower, so that no two tiles of different fields are the same.
    """
    number, y0 = divmod(tile.y0, plane[0])
    return number, replace(tile, y0=y0, y1=y0 + tile.y1 - tile.y0)


def read_dark(dark: Stack | None, region: Region) -> Float32Array | None:
    """Return the mean (h, w) of the dark images of a region, None where there are none."""
    if dark is None:
        return None
    return np.asarray(read_stack(dark, region).mean(axis=0, dtype=np.float64), dtype=np.float32)


def few(numbers: NDArray[np.intp], count: int) -> NDArray[np.intp]:
    """Return at most `count` of some numbers, evenly spread."""
    return numbers[np.unique(np.linspace(0, len(numbers) - 1, min(count, len(numbers))).round().astype(int))]


def block_starts(size: int) -> NDArray[np.intp]:
    """Return where the blocks that are looked at start along one side of a field."""
    last = max(size - BLOCK_SIDE, 0)
    return np.unique(np.linspace(0, last, BLOCKS).round().astype(int))


def _absorbance(
    field: RawField, region: Region, dark: Float32Array | None, limits: Limits, images: slice = slice(None)
) -> Absorbance:
    transmitted = read_stack(field.transmitted, region, images)
    return absorbance(transmitted, read_stack(field.reference, region, images), dark, limits)


def _variance(seen: Absorbance, camera: NoiseModel) -> float:
    """Return the variance of the absorbance of one image, at the mean counts of its valid pixels."""
    if not seen.valid.any():
        return float("nan")
    open_beam = float(seen.c_ref[seen.valid].mean())
    through = max(open_beam * float(np.exp(-seen.mu[:, seen.valid].mean())), camera.lowest_count)
    return float(sigma_absorbance(np.array(open_beam), np.array(through), camera.a, camera.b)) ** 2


def _with_halo(inside: Region, halo: int, plane: tuple[int, int]) -> tuple[Region, Region]:
    """Return a region widened by a halo, as far as the field goes, and where the region lies in that."""
    wide = [slice(max(p.start - halo, 0), min(p.stop + halo, n)) for p, n in zip(inside, plane, strict=True)]
    core = [slice(p.start - w.start, p.stop - w.start) for p, w in zip(inside, wide, strict=True)]
    return (wide[0], wide[1]), (core[0], core[1])


def _without_drift(seen: Absorbance, drift: FloatArray, core: Region) -> Absorbance:
    mu, valid = undo_drift(seen.mu, seen.valid, drift, core)
    return Absorbance(mu, seen.c_ref[core], valid)


def _write(tile: Tile, mosaic: Mosaic, recipe: Recipe, store: Path) -> None:
    valid = mosaic.valid
    maps = normalise_block(
        mosaic.mu, mosaic.c_ref, valid, recipe.normaliser, recipe.camera, recipe.least_step
    )
    c_ref = np.where(mosaic.source > 0, mosaic.c_ref, np.float32(np.nan))
    cube.write_tile(
        store,
        tile,
        mosaic.mu,
        c_ref=c_ref,
        mu_low=maps.mu_low,
        mu_high=maps.mu_high,
        edge_step=maps.edge_step,
        edge_step_noise=maps.edge_step_noise,
        field=mosaic.source,
    )


def _pair(values: FloatArray) -> tuple[float, float]:
    return float(values[0]), float(values[1])
