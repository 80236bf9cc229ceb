"""From raw counts, or a stack of images, to the cube."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from gigaxas.arrays import IntArray
from gigaxas.checkpoint.owner import is_made
from gigaxas.config.schema import Config, Fields, Ingest
from gigaxas.errors import InputError
from gigaxas.execution.runner import Runner
from gigaxas.locations import Location
from gigaxas.raw.absorbance import REASONS, CountLimits
from gigaxas.raw.readers.acquisition import Acquisition
from gigaxas.raw.readers.field import measure_open_beam
from gigaxas.raw.readers.images import Stack
from gigaxas.raw.readers.stack import StackSource
from gigaxas.spectra.noise import NoiseModel
from gigaxas.spectra.quantity import Quantity
from gigaxas.stores.cube import MAPS, create_cube
from gigaxas.stores.io.groups import partial_of, publish
from gigaxas.tasks import ingest as tasks
from gigaxas.tasks.ingest import Recipe
from gigaxas.tiles import regular_grid
from gigaxas.workflow.edge import ranges_of
from gigaxas.workflow.fingerprints import cube_fingerprint, field_marks, quantised_step, tile_mark
from gigaxas.workflow.mosaic import mosaic_paths, write_mosaic
from gigaxas.workflow.raw import place_truth
from gigaxas.workflow.references import normaliser_of
from gigaxas.workflow.registration import Registration, make_registration
from gigaxas.workflow.resolve import Resolved, Source

PACKED_TIMES = 4
"""How often an image may be unpacked before the user is told."""


@dataclass(frozen=True)
class Ingested:
    """What was made of raw fields or of a stack."""

    cube: Location
    """The cube."""
    paths: tuple[Path, ...] = ()
    """Tables and pictures beside the cube."""
    warnings: tuple[str, ...] = ()
    """What the user should know."""
    registration: Registration | None = None
    """How raw fields were registered; None for a stack."""


def ingest_cube(run: Resolved, runner: Runner) -> Ingested:
    """Make the cube of raw fields or of a stack, unless these settings have made it of these files before."""
    source, ingest = run.source, run.config.ingest
    assert source is not None
    assert ingest is not None
    if isinstance(source, StackSource):
        made = _ingest_stack(run, source, runner)
    else:
        made = _ingest_fields(run, source, runner)
        if run.config.simulate and made.registration:
            place_truth(run, source, made.registration.placement)
    return replace(made, warnings=(*_packed(source, ingest.chunk), *made.warnings))


def _packed(source: Source, chunk: int) -> list[str]:
    stack = source.stack if isinstance(source, StackSource) else source.fields[0].transmitted
    times = stack.piece[0] * stack.piece[1] // chunk**2
    if times <= PACKED_TIMES:
        return []
    name = Path(stack.files[0]).name
    return [
        f"{name} is compressed in pieces of {stack.piece[0]} x {stack.piece[1]} pixels, each "
        f"unpacked about {times} times; store the images uncompressed or in tiles to save that"
    ]


def _is_made(run: Resolved, fingerprint: str, runner: Runner) -> bool:
    return is_made(run.paths.cube, fingerprint) and runner.is_intact(run.paths.cube)


def _ingest_fields(run: Resolved, source: Acquisition, runner: Runner) -> Ingested:
    config, ingest, path = run.config, run.config.ingest, run.paths.cube
    assert ingest is not None
    fingerprint = cube_fingerprint(config, run.references, source)
    source = replace(source, fields=tuple(measure_open_beam(field) for field in source.fields))
    made = _is_made(run, fingerprint, runner)
    recipe = _recipe(config, source)
    ranges = ranges_of(config)
    edge = ranges.pre_edge[1], ranges.post_edge[0]
    found = make_registration(run.paths.registration, _fields(config), recipe, edge, fingerprint, runner)
    if not made:
        placement = found.placement
        recipe = replace(recipe, corners=placement.whole, shift=found.shift, drifts=found.drifts)
        store, plane, chunk = partial_of(path), placement.shape(source.plane), ingest.chunk
        step = quantised_step(config)
        create_cube(
            store,
            source.energy,
            plane,
            chunk,
            source.pixel_um,
            fingerprint,
            maps=tuple(MAPS),
            step=step,
            quantity="normalised",
            grows=True,
        )
        grid, marks = regular_grid(plane, (chunk, chunk)), field_marks(recipe)
        own = [[tile_mark(tile, recipe, marks, step) for tile in row] for row in grid]
        counts = runner.over_marked("ingest", tasks.ingest_tile, grid, own, recipe=recipe, store=store)
        lost = np.zeros((len(source.fields), len(REASONS) + 1), dtype=np.int64)
        for number, part in (item for row in counts for tile in row for item in tile.items()):
            lost[number] += part
        write_mosaic(run.paths.output, source, found, lost, store)
        publish(store, path)
    return Ingested(path, mosaic_paths(run.paths.output), found.warnings, found)


def _ingest_stack(run: Resolved, source: StackSource, runner: Runner) -> Ingested:
    config, ingest, path = run.config, run.config.ingest, run.paths.cube
    assert ingest is not None
    fingerprint = cube_fingerprint(config, run.references, source)
    if _is_made(run, fingerprint, runner):
        return Ingested(path)
    store, chunk = partial_of(path), ingest.chunk
    normaliser = normaliser_of(config, source.energy) if ingest.is_normalised else None
    create_cube(
        store,
        source.energy,
        source.stack.plane,
        chunk,
        source.pixel_um,
        fingerprint,
        maps=tasks.STACK_MAPS if normaliser else (),
        plain=source.sample,
        unit=source.unit,
        quantity=_quantity(ingest),
    )
    grid = regular_grid(source.stack.plane, (chunk, chunk))
    if source.is_plain and normaliser is None:
        runner.over("ingest", tasks.copy_tile, grid, source=source, store=store)
        warnings: tuple[str, ...] = ()
    else:
        ready = replace(source, counts=measure_open_beam(source.counts)) if source.counts else source
        rows = runner.over(
            "ingest",
            tasks.ingest_stack_tile,
            grid,
            source=ready,
            normaliser=normaliser,
            least_step=config.void.least_step,
            store=store,
        )
        warnings = _told_of_void(np.sum([part for row in rows for part in row], axis=0), source)
    publish(store, path)
    return Ingested(path, warnings=warnings)


def _told_of_void(lost: IntArray, source: StackSource) -> tuple[str, ...]:
    """Say how many pixels are void and why. Raises InputError where all are."""
    height, width = source.stack.plane
    *reasons, outside, void = lost.tolist()
    why = [f"{number:,} samples {reason}" for number, reason in zip(reasons, REASONS, strict=True) if number]
    why += [f"{outside:,} pixels outside the mask"] if outside else []
    why += [f"{len(source.stack.absent):,} parts of the images are missing"] if source.stack.absent else []
    said = f"{void:,} of {height * width:,} pixels are void" + (f" ({', '.join(why)})" if why else "")
    if void == height * width:
        raise InputError(
            f"ingest: {said}; expected some with a signal; look at the counts, i0, dark and mask"
        )
    return (said,) if void > outside else ()


def _quantity(ingest: Ingest) -> Quantity | None:
    """Return what the samples of a cube are that is made of a stack, None where nothing says so."""
    if ingest.is_normalised:
        return "normalised"
    if ingest.fields or ingest.quantity == "counts":
        return "absorbance"
    return ingest.quantity


def _recipe(config: Config, source: Acquisition) -> Recipe:
    fields, first = _fields(config), source.fields[0]
    camera = _camera_of_means(config, min(field.transmitted.frames for field in source.fields))
    reference = fields.saturation if isinstance(first.reference, Stack) else np.inf
    return Recipe(
        acquisition=source,
        normaliser=normaliser_of(config, source.energy),
        camera=camera,
        limits=CountLimits(fields.saturation, reference, camera.lowest_count if camera else 0.0),
        least_step=fields.least_step,
        blend=fields.blend,
    )


def _camera_of_means(config: Config, frames: int) -> NoiseModel | None:
    """Return the camera's noise in means of so many frames; None where no camera is known."""
    if config.noise_kind != "camera":
        return None
    camera = config.noise.camera()
    return replace(camera, a=camera.a / frames, b=camera.b / frames)


def _fields(config: Config) -> Fields:
    assert config.ingest is not None
    assert config.ingest.fields is not None
    return config.ingest.fields
