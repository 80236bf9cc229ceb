"""From raw counts, or a stack of images, to the cube."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from gigaxas.checkpoint.owner import is_made
from gigaxas.config.schema import Config, Fields
from gigaxas.execution.runner import Runner
from gigaxas.locations import Location
from gigaxas.raw.absorbance import CountLimits
from gigaxas.raw.readers.acquisition import Acquisition
from gigaxas.raw.readers.stack import StackSource
from gigaxas.stores.cube import MAPS, create_cube
from gigaxas.stores.io.groups import partial_of, publish
from gigaxas.tasks import ingest as tasks
from gigaxas.tasks.ingest import Recipe
from gigaxas.tiles import regular_grid
from gigaxas.workflow.edge import ranges_of
from gigaxas.workflow.fingerprints import cube_fingerprint, quantised_step
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
        _ingest_stack(run, source, runner)
        made = Ingested(run.paths.cube)
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
            ingest.pixel_um,
            fingerprint,
            maps=tuple(MAPS),
            step=step,
            quantity="normalised",
        )
        grid = regular_grid(plane, (chunk, chunk))
        counts = runner.over("ingest", tasks.ingest_tile, grid, recipe=recipe, store=store)
        lost = np.sum([part for row in counts for part in row], axis=0)
        write_mosaic(run.paths.output, source, found, lost, store)
        publish(store, path)
    return Ingested(path, mosaic_paths(run.paths.output), found.warnings, found)


def _ingest_stack(run: Resolved, source: StackSource, runner: Runner) -> None:
    ingest, path = run.config.ingest, run.paths.cube
    assert ingest is not None
    fingerprint = cube_fingerprint(run.config, run.references, source)
    if _is_made(run, fingerprint, runner):
        return
    store, chunk = partial_of(path), ingest.chunk
    create_cube(
        store,
        source.energy,
        source.stack.plane,
        chunk,
        ingest.pixel_um,
        fingerprint,
        maps=(),
        plain=source.sample,
        unit=ingest.unit,
    )
    grid = regular_grid(source.stack.plane, (chunk, chunk))
    runner.over(
        "ingest",
        tasks.copy_tile,
        grid,
        stack=source.stack,
        identity=source.identity,
        sample=source.sample.str,
        store=store,
    )
    publish(store, path)


def _recipe(config: Config, source: Acquisition) -> Recipe:
    fields, camera = _fields(config), config.noise.camera()
    return Recipe(
        acquisition=source,
        normaliser=normaliser_of(config, source.energy),
        camera=camera,
        limits=CountLimits(fields.saturation, camera.lowest_count),
        least_step=fields.least_step,
        blend=fields.blend,
    )


def _fields(config: Config) -> Fields:
    assert config.ingest is not None
    assert config.ingest.fields is not None
    return config.ingest.fields
