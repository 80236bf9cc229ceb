"""From raw counts, or a stack of images, to one tile of the cube."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gigaxas.arrays import Float32Array, FloatArray, IntArray
from gigaxas.raw.absorbance import REASONS, Absorbance, CountLimits, absorbance, count_invalid
from gigaxas.raw.blending import (
    Blend,
    Mosaic,
    Piece,
    add_piece,
    empty_mosaic,
    normalise_weights,
    pieces,
    weights,
)
from gigaxas.raw.drift import margin, undo_drift
from gigaxas.raw.energy_shift import ShiftMap, apply_shift
from gigaxas.raw.normalisation import Normaliser, normalise_block
from gigaxas.raw.readers.acquisition import Acquisition, RawField
from gigaxas.raw.readers.images import Stack, read_stack
from gigaxas.spectra.noise import NoiseModel
from gigaxas.stores import cube
from gigaxas.tiles import Region, Tile


@dataclass(frozen=True, eq=False)
class Recipe:
    """Everything that turns counts into normalised absorbance."""

    acquisition: Acquisition
    """The files of the measurement."""
    normaliser: Normaliser
    """How spectra are normalised on the energies of the measurement."""
    camera: NoiseModel
    """Noise of the counts."""
    limits: CountLimits
    """Which counts can be used."""
    least_step: float
    """Edge step, over its own noise, that a pixel has at least."""
    blend: Blend
    """What becomes of pixels that several fields show."""
    corners: tuple[tuple[int, int], ...] = ()
    """Where the fields lie in the mosaic, in whole pixels; empty before they are registered."""
    shift: ShiftMap | None = None
    """The shift of energy over a field that is taken out."""
    drifts: tuple[FloatArray, ...] | None = None
    """The drift (E, 2) of every field in pixels that is taken out."""


def ingest_tile(tile: Tile, *, recipe: Recipe, store: Path) -> IntArray:
    """Make one tile of the cube from the fields that lie in it.

    Returns (fields, 4): the invalid samples of every field by reason, and its pixels of this tile.
    """
    counts = np.zeros((len(recipe.corners), len(REASONS) + 1), dtype=np.int64)
    plane = recipe.acquisition.plane
    mosaic = empty_mosaic(len(recipe.acquisition.energy), tile.shape)
    for piece in pieces(tile, recipe.corners, plane):
        measured, counts[piece.field, :-1] = measure_piece(piece, recipe)
        counts[piece.field, -1] = measured.valid.size
        add_piece(mosaic, piece, measured, weights(piece, plane), recipe.blend)
    normalise_weights(mosaic)
    _write(tile, mosaic, recipe, store)
    return counts


def copy_tile(tile: Tile, *, stack: Stack, identity: str, sample: str, store: Path) -> None:
    """Make one tile of the cube from a stack, its samples taken as they are.

    `identity` tells the files from others in the journal, `sample` is the type of the cube's samples.
    """
    values = read_stack(stack, tile.region)
    cube.write_samples(store, tile, values.astype(sample, copy=False))


def measure_piece(piece: Piece, recipe: Recipe) -> tuple[Absorbance, IntArray]:
    """Return the absorbance of a piece on the common energies, without drift, and its lost samples."""
    field = recipe.acquisition.fields[piece.field]
    drift = recipe.drifts[piece.field] if recipe.drifts else None
    wide = piece.source.widened(0 if drift is None else margin(drift), recipe.acquisition.plane)
    core = piece.source.seen_from(wide.y0, wide.x0).region
    transmitted = read_stack(field.transmitted, wide.region)
    reference = read_stack(field.reference, wide.region)
    dark = read_dark(field.dark, wide.region)
    measured = absorbance(transmitted, reference, dark, recipe.limits)
    inner = (slice(None), *core)
    lost = count_invalid(
        transmitted[inner],
        reference[inner],
        None if dark is None else np.ascontiguousarray(dark[core]),
        recipe.limits,
        measured.valid[core],
    )
    if drift is not None:
        mu, valid = undo_drift(measured.mu, measured.valid, drift, core)
        measured = Absorbance(mu, measured.c_ref[core], valid)
    if recipe.shift is not None:
        at = recipe.shift.at(*(np.arange(part.start, part.stop) for part in piece.source.region))
        moved = apply_shift(measured.mu, at, recipe.acquisition.energy)
        measured = Absorbance(moved, measured.c_ref, measured.valid)
    return measured, lost


def read_dark(dark: Stack | None, region: Region) -> Float32Array | None:
    """Return the mean (h, w) of the dark images of a region, None where there are none."""
    if dark is None:
        return None
    return np.asarray(read_stack(dark, region).mean(axis=0, dtype=np.float64), dtype=np.float32)


def read_absorbance(
    field: RawField,
    region: Region,
    dark: Float32Array | None,
    limits: CountLimits,
    images: slice = slice(None),
) -> Absorbance:
    """Return the absorbance of a region (h, w) of a field, of all its images or of some."""
    transmitted = read_stack(field.transmitted, region, images)
    return absorbance(transmitted, read_stack(field.reference, region, images), dark, limits)


def _write(tile: Tile, mosaic: Mosaic, recipe: Recipe, store: Path) -> None:
    block = Absorbance(mosaic.mu, mosaic.c_ref, mosaic.valid)
    maps = normalise_block(block, recipe.normaliser, recipe.camera, recipe.least_step)
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
