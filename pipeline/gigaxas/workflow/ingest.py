"""From raw counts, or a stack of images, to the cube."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from gigaxas import __version__
from gigaxas.checkpoint.identity import digest
from gigaxas.checkpoint.owner import is_made
from gigaxas.config.paths import survey_path
from gigaxas.config.schema import Config, Fields
from gigaxas.execution.runner import Runner
from gigaxas.locations import Place
from gigaxas.raw.absorbance import Limits
from gigaxas.raw.readers.acquisition import Acquisition, describe_acquisition
from gigaxas.raw.readers.stack import StackSource, describe_stack
from gigaxas.stores.cube import MAPS, create_cube
from gigaxas.stores.io.codes import INVALID
from gigaxas.stores.io.groups import partial_of, publish
from gigaxas.tasks import ingest as tasks
from gigaxas.tasks.ingest import Recipe
from gigaxas.tiles import regular_grid
from gigaxas.workflow.mosaic import mosaic_paths, write_mosaic
from gigaxas.workflow.plan import INGEST_RATE, Outline
from gigaxas.workflow.prepare import ReferenceSet, make_cube, normaliser_of, quantised_step
from gigaxas.workflow.raw import make_raw, place_truth
from gigaxas.workflow.registration import Survey, make_survey

FLOATS = 4
"""Blocks of float32 that ingesting one tile holds at once, besides the counts."""
PACKED_TIMES = 4
Source = Acquisition | StackSource
Announce = Callable[[str], None]


@dataclass(frozen=True)
class Ingested:
    """The cube that was made, the other files written, and what the user should know."""

    cube: Place
    paths: tuple[Path, ...] = ()
    warnings: tuple[str, ...] = ()
    survey: Survey | None = None


def describe_source(config: Config) -> Source:
    """Look at the files to be ingested. Raises InputError with a line for everything that is wrong."""
    assert config.ingest is not None
    if config.ingest.stack is not None:
        return describe_stack(config.ingest)
    return describe_acquisition(config.ingest)


def outline_of(config: Config, source: Source) -> Outline:
    """Return the outline of the cube that a source is going to be."""
    assert config.ingest is not None
    chunk = (config.ingest.chunk,) * 2
    energies = len(source.energy)
    if isinstance(source, StackSource):
        bytes_read = int(np.prod(source.stack.shape)) * np.dtype(source.stack.dtype).itemsize
        shape = (energies, *source.stack.plane)
        return Outline(shape, chunk, source.sample.itemsize, INGEST_RATE, bytes_read)
    corners = np.rint(source.stage_px - source.stage_px.min(axis=0)).astype(int)
    height, width = corners.max(axis=0) + source.plane
    pixels = len(source.fields) * source.plane[0] * source.plane[1]
    block = chunk[0] * chunk[1] * (source.bytes_per_pixel + FLOATS * 4 * energies)
    sample = INVALID.bit_length() // 8
    return Outline(
        (energies, int(height), int(width)),
        chunk,
        sample,
        INGEST_RATE,
        pixels * source.bytes_per_pixel,
        block,
    )


def ingest_fingerprint(config: Config, source: Source) -> str:
    """Return what marks a cube made by these settings from these files."""
    if isinstance(source, StackSource):
        return digest(__version__, config.ingest, source.identity)
    ranges = config.references.pre_edge, config.references.post_edge
    made = digest(__version__, config.ingest, ranges, config.noise.a, config.noise.b, source.identity)
    return digest(made, quantised_step(config)) if config.quantise else made


def build_cube(config: Config, references: ReferenceSet, runner: Runner, announce: Announce) -> Ingested:
    """Make the cube of a run where it is missing: simulated, or ingested from real or simulated files."""
    if config.ingest is None:
        return Ingested(make_cube(config, references, runner))
    if config.simulate:
        make_raw(config, references, runner)
    source = describe_source(config)
    made = make_ingested(config, source, runner)
    for warning in (*_packed(source, config.ingest.chunk), *made.warnings):
        announce(f"warning    {warning}")
    if config.simulate and isinstance(source, Acquisition) and made.survey:
        names = [field.name for field in source.fields]
        place_truth(config, names, made.survey.placement, source.plane, ingest_fingerprint(config, source))
    return made


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


def make_ingested(config: Config, source: Source, runner: Runner) -> Ingested:
    """Make the cube of a source, unless these settings have made it from these files before."""
    assert config.ingest is not None
    path, fingerprint = config.cube_path, ingest_fingerprint(config, source)
    made = is_made(path, fingerprint) and runner.is_intact(path)
    if isinstance(source, StackSource):
        if not made:
            _copy_stack(config, source, path, fingerprint, runner)
        return Ingested(path)
    recipe = _recipe(config, source)
    edge = config.references.pre_edge[1], config.references.post_edge[0]
    survey = make_survey(survey_path(config), _fields(config), recipe, edge, fingerprint, runner)
    placement = survey.placement
    recipe = replace(recipe, corners=placement.whole, shift=survey.shift, drifts=survey.drifts)
    if not made:
        store, plane = partial_of(path), placement.shape(source.plane)
        chunk, size = config.ingest.chunk, config.ingest.pixel_um
        step = quantised_step(config)
        create_cube(store, source.energy, plane, chunk, size, fingerprint, maps=tuple(MAPS), step=step)
        grid = regular_grid(plane, (chunk, chunk))
        counts = runner.over("ingest", tasks.ingest_tile, grid, recipe=recipe, store=store)
        lost = np.sum([part for row in counts for part in row], axis=0)
        write_mosaic(config, source, survey, lost, store)
        publish(store, path)
    return Ingested(path, mosaic_paths(config), survey.warnings, survey)


def _copy_stack(config: Config, source: StackSource, path: Place, fingerprint: str, runner: Runner) -> None:
    assert config.ingest is not None
    store, chunk = partial_of(path), config.ingest.chunk
    create_cube(
        store,
        source.energy,
        source.stack.plane,
        chunk,
        config.ingest.pixel_um,
        fingerprint,
        maps=(),
        plain=source.sample,
        unit=config.ingest.unit,
    )
    grid = regular_grid(source.stack.plane, (chunk, chunk))
    runner.over(
        "ingest",
        tasks.copy_tile,
        grid,
        stack=source.stack,
        mark=source.identity,
        sample=source.sample.str,
        store=store,
    )
    publish(store, path)


def _recipe(config: Config, source: Acquisition) -> Recipe:
    fields, camera = _fields(config), config.noise.model()
    return Recipe(
        acquisition=source,
        corners=(),
        normaliser=normaliser_of(config, source.energy),
        camera=camera,
        limits=Limits(fields.saturation, camera.floor),
        least_step=fields.least_step,
        blend=fields.blend,
    )


def _fields(config: Config) -> Fields:
    assert config.ingest is not None
    assert config.ingest.fields is not None
    return config.ingest.fields
