"""From raw counts, or a stack of images, to one tile of the cube."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from gigaxas.arrays import Float32Array, FloatArray, IntArray
from gigaxas.raw.absorbance import (
    REASONS,
    Absorbance,
    CountLimits,
    Counts,
    absorbance,
    count_invalid,
    set_exposure,
)
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
from gigaxas.raw.readers.acquisition import Acquisition
from gigaxas.raw.readers.field import RawField, read_counts, read_dark
from gigaxas.raw.readers.images import read_stack
from gigaxas.raw.readers.open_beam import read_mask
from gigaxas.raw.readers.stack import StackSource
from gigaxas.spectra.noise import NoiseModel
from gigaxas.spectra.void import EDGE_STEP, NO_SAMPLES
from gigaxas.stores import cube
from gigaxas.tiles import Region, Tile

STACK_MAPS = ("mu_low", "mu_high", "edge_step")
"""Maps of the cube that are made of a stack which is normalised."""


@dataclass(frozen=True, eq=False)
class Recipe:
    """Everything that turns counts into normalised absorbance."""

    acquisition: Acquisition
    """The files of the measurement."""
    normaliser: Normaliser
    """How spectra are normalised on the energies of the measurement."""
    camera: NoiseModel | None
    """Noise of the counts; None where no camera is known."""
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


def ingest_tile(tile: Tile, *, recipe: Recipe, store: Path) -> dict[int, IntArray]:
    """Make one tile of the cube from the fields that lie in it.

    Returns (4,) for each of these by its number: its invalid samples by reason, and its pixels of this tile.
    """
    counts: dict[int, IntArray] = {}
    plane = recipe.acquisition.plane
    mosaic = empty_mosaic(len(recipe.acquisition.energy), tile.shape)
    for piece in pieces(tile, recipe.corners, plane):
        measured, lost = measure_piece(piece, recipe)
        counts[piece.field] = np.array([*lost, measured.valid.size])
        add_piece(mosaic, piece, measured, weights(piece, plane), recipe.blend)
    normalise_weights(mosaic)
    _write(tile, mosaic, recipe, store)
    return counts


def copy_tile(tile: Tile, *, source: StackSource, store: Path) -> None:
    """Make one tile of the cube from a stack, its samples taken as they are."""
    values = read_stack(source.stack, tile.region)
    cube.write_samples(store, tile, values.astype(source.sample, copy=False))


def ingest_stack_tile(
    tile: Tile, *, source: StackSource, normaliser: Normaliser | None, least_step: float, store: Path
) -> IntArray:
    """Make one tile of the cube from a stack that is masked, normalised, added up, or counts.

    Pixels that are not valid become NaN. Returns (5,): its invalid samples by reason, its pixels outside the
    mask, and its void pixels.
    """
    block, lost = _read_block(source, tile.region)
    outside = ~read_mask(source.mask, tile.region) if source.mask else np.zeros(tile.shape, dtype=np.bool_)
    block = replace(block, valid=block.valid & ~outside)
    maps = {}
    if normaliser:
        found = normalise_block(block, normaliser, None, least_step)
        maps = {name: getattr(found, name) for name in STACK_MAPS}
    void = ~block.valid
    block.mu[:, void] = np.nan
    cube.write_samples(store, tile, block.mu.astype(source.sample, copy=False))
    cube.write_maps(store, tile, **maps)
    return np.array([*lost, outside.sum(), void.sum()])


def measure_piece(piece: Piece, recipe: Recipe) -> tuple[Absorbance, IntArray]:
    """Return the absorbance of a piece on the common energies, without drift, and its lost samples."""
    field = recipe.acquisition.fields[piece.field]
    drift = recipe.drifts[piece.field] if recipe.drifts else None
    wide = piece.source.widened(0 if drift is None else margin(drift), recipe.acquisition.plane)
    core = piece.source.seen_from(wide.y0, wide.x0).region
    counts = read_counts(field, wide.region, read_dark(field.dark, wide.region), recipe.limits)
    measured = _measured(field, counts, recipe.limits)
    inner = Counts(*(np.ascontiguousarray(part[..., *core]) for part in counts))
    lost = count_invalid(inner, recipe.limits, measured.valid[core])
    if drift is not None:
        mu, valid = undo_drift(measured.mu, measured.valid, drift, core)
        measured = Absorbance(mu, measured.c_ref[core], valid)
    if recipe.shift is not None:
        at = recipe.shift.at(*(np.arange(part.start, part.stop) for part in piece.source.region))
        moved = apply_shift(measured.mu, at, recipe.acquisition.energy)
        measured = Absorbance(moved, measured.c_ref, measured.valid)
    return measured, lost


def read_absorbance(
    field: RawField,
    region: Region,
    dark: Float32Array,
    limits: CountLimits,
    images: slice = slice(None),
) -> Absorbance:
    """Return the absorbance of a region (h, w) of a field, of all its images or of some."""
    return _measured(field, read_counts(field, region, dark, limits, images), limits, images)


def _measured(
    field: RawField, counts: Counts, limits: CountLimits, images: slice = slice(None)
) -> Absorbance:
    measured = absorbance(counts, limits)
    return measured if field.exposure_ratio is None else set_exposure(measured, field.exposure_ratio[images])


def _read_block(source: StackSource, region: Region) -> tuple[Absorbance, IntArray]:
    """Return the samples of a region (h, w) of a stack, and the invalid ones among its counts by reason."""
    if source.counts:
        counts = read_counts(source.counts, region, read_dark(source.counts.dark, region), source.limits)
        block = _measured(source.counts, counts, source.limits)
        return block, count_invalid(counts, source.limits, block.valid)
    frames = [read_stack(source.stack, region, frame=number) for number in range(source.stack.frames)]
    values = np.asarray(np.sum(frames, axis=0, dtype=np.float32))
    valid = np.asarray(np.isfinite(values).all(axis=0))
    block = Absorbance(values, np.zeros(valid.shape, dtype=np.float32), valid)
    return block, np.zeros(len(REASONS), dtype=np.int64)


def _write(tile: Tile, mosaic: Mosaic, recipe: Recipe, store: Path) -> None:
    block, measured = Absorbance(mosaic.mu, mosaic.c_ref, mosaic.valid), mosaic.valid.copy()
    maps = normalise_block(block, recipe.normaliser, recipe.camera, recipe.least_step)
    reasons = np.where(block.valid, 0, np.where(measured, EDGE_STEP, NO_SAMPLES)).astype(np.uint8)
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
        void_reason=reasons,
        field=mosaic.source,
    )
