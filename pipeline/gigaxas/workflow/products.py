"""What a run makes, in order, and the stages each takes: data that can be listed before anything runs."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from gigaxas.checkpoint.ledger import recorded_tiles
from gigaxas.checkpoint.owner import is_made
from gigaxas.execution.cluster import Announce
from gigaxas.execution.reduction import reduction_grids
from gigaxas.execution.runner import Runner
from gigaxas.locations import Location
from gigaxas.observed import block_grid, field_grid, sample_grid
from gigaxas.raw.readers.stack import StackSource
from gigaxas.raw.registration import overlapping
from gigaxas.report.viewer import TILE
from gigaxas.spatial.pyramid import level_shapes
from gigaxas.specks import area_grid
from gigaxas.stores.io.folders import exists
from gigaxas.stores.io.groups import partial_of
from gigaxas.stores.sites import StoredSites
from gigaxas.tasks.pyramid import BLOCK, CLIMB
from gigaxas.tasks.specks import search_grid
from gigaxas.tiles import cut, regular_grid
from gigaxas.workflow.cube import simulate_cube
from gigaxas.workflow.fingerprints import cube_fingerprint, raw_is_made
from gigaxas.workflow.ingest import Ingested, ingest_cube
from gigaxas.workflow.plan import CODE_BYTES, MAP_BYTES, SPATIAL_SIDE, Plan, cell_bytes
from gigaxas.workflow.raw import field_layout, record_fields
from gigaxas.workflow.registration import BAND
from gigaxas.workflow.resolve import (
    Resolved,
    describe_source,
    outline_of,
    result_fingerprint,
    with_cube,
    with_sites,
)
from gigaxas.workflow.result import make_result
from gigaxas.workflow.site_store import made_sites, make_sites
from gigaxas.workflow.specks import make_specks, specks_fingerprint

LABEL_BYTES = 2
"""Of a pixel in a label map."""
SPECK_BYTES = 4
"""Of a pixel in the map of specks."""


@dataclass(frozen=True)
class Listener:
    """Who is told what a run finds out while it works."""

    announce: Announce = lambda line: None
    """Takes lines: measured noise, warnings, where the dashboard is."""
    ingested: Callable[[Ingested], None] = lambda made: None
    """Takes what was made of raw fields or of a stack."""
    sites: Callable[[Resolved, StoredSites], None] = lambda run, sites: None
    """Takes sites that were made anew."""


@dataclass(frozen=True)
class Stage:
    """One pass of tasks over tiles."""

    name: str
    """As progress bars, timings and the log have it."""
    tiles: int
    """Tasks."""
    bytes_read: int = 0
    """Without compression."""
    bytes_written: int = 0
    """At most, without compression."""
    done: int = 0
    """Tiles that an earlier run has left."""


@dataclass(frozen=True)
class Product:
    """A store or folder that a run makes."""

    name: str
    """As `gigaxas check` lists it."""
    path: Location
    """Where it lies."""
    is_made: bool
    """Whether these settings have made it before."""
    make: Callable[[Resolved, Runner, Listener], Resolved]
    """Makes it where it is not made, and returns the run that knows it."""
    stages: Sequence[Stage] = field(default_factory=list)
    """In the order they run."""


def products_of(run: Resolved) -> list[Product]:
    """Return what a run makes, in order, each with its stages and how much of these is done."""
    sites = made_sites(run)
    run = with_sites(run, sites) if sites else run
    products = []
    if run.config.simulate and run.config.simulate.raw:
        products.append(_raw_fields(run))
    if not run.config.cube:
        products.append(_cube(run))
    products += [_sites(run), _result(run)]
    if run.config.specks:
        products.append(_specks(run))
    return [_with_done(run, product) for product in products]


def report_stages(run: Resolved) -> list[Stage]:
    """Return the stages of the report, which is written anew where anything that it tells of has changed."""
    pixels = run.plan.pixels
    shapes = level_shapes(run.plan.plane, TILE)
    levels = range(0, max(1, len(shapes) - 1), CLIMB)
    blocks = sum(_tiles(shapes[level], BLOCK) for level in levels)
    truth = [Stage("truth", _tiles(run.plan.plane, SPATIAL_SIDE), 2 * LABEL_BYTES * pixels)]
    return [
        *(truth if run.config.simulate else []),
        Stage("map tiles", blocks, MAP_BYTES * pixels, MAP_BYTES * pixels),
        Stage("report", 1),
    ]


def make_products(products: Sequence[Product], run: Resolved, runner: Runner, listener: Listener) -> Resolved:
    """Make what is missing, in order; return the run that knows all of it."""
    for product in products:
        run = product.make(run, runner, listener)
    return run


def _with_done(run: Resolved, product: Product) -> Product:
    """Return a product whose stages tell how many of their tiles are done."""
    if product.is_made:
        return replace(product, stages=[replace(stage, done=stage.tiles) for stage in product.stages])
    if not exists(partial_of(product.path)):
        return product
    stages = [
        replace(stage, done=min(stage.tiles, recorded_tiles(run.paths.output, stage.name, run.mark)))
        for stage in product.stages
    ]
    return replace(product, stages=stages)


def _raw_fields(run: Resolved) -> Product:
    wanted = run.config.simulate
    assert wanted is not None

    def make(run: Resolved, runner: Runner, listener: Listener) -> Resolved:
        record_fields(run, runner)
        return replace(run, source=describe_source(run.config))

    fields, outline = field_layout(wanted)[1], outline_of(run.config, None)
    stages = [Stage("simulate", len(fields), 0, outline.written if outline else 0)]
    made = raw_is_made(run.config, run.paths, run.references)
    return Product("raw fields", run.paths.raw, made, make, stages)


def _cube(run: Resolved) -> Product:
    def make(run: Resolved, runner: Runner, listener: Listener) -> Resolved:
        if run.config.ingest:
            made = ingest_cube(run, runner)
            for warning in made.warnings:
                listener.announce(f"warning    {warning}")
            listener.ingested(made)
        else:
            simulate_cube(run, runner)
        return with_cube(run, listener.announce)

    is_there = is_made(run.paths.cube, cube_fingerprint(run.config, run.references, run.source))
    return Product("cube", run.paths.cube, is_there, make, _ingest_stages(run) or [_simulate_stage(run)])


def _simulate_stage(run: Resolved) -> Stage:
    wanted = run.config.simulate
    assert wanted is not None
    return Stage("simulate", _tiles(wanted.shape, wanted.chunk), 0, _cube_bytes(run))


def _ingest_stages(run: Resolved) -> list[Stage]:
    ingest, outline = run.config.ingest, outline_of(run.config, run.source)
    if ingest is None:
        return []
    read = outline.raw_bytes if outline else 0
    last = Stage("ingest", _tiles(run.plan.plane, ingest.chunk), read, _cube_bytes(run))
    if ingest.fields is None or isinstance(run.source, StackSource):
        return [last]
    if run.source is not None:
        plane, fields = run.source.plane, len(run.source.fields)
        pairs = len(overlapping(run.source.stage_px, plane))
    else:
        assert run.config.simulate is not None
        plane, found = field_layout(run.config.simulate)
        fields, pairs = len(found), len(overlapping(np.array([one.stage for one in found], float), plane))
    first = [Stage("edge steps", fields * len(cut(plane[0], BAND))), Stage("overlaps", pairs)]
    if ingest.fields.energy_shift:
        first.append(Stage("energy shift", 1 if ingest.fields.energy_shift.foil else fields))
    if ingest.fields.drift:
        first.append(Stage("drift", fields))
    return [*first, last]


def _sites(run: Resolved) -> Product:
    def make(run: Resolved, runner: Runner, listener: Listener) -> Resolved:
        sites = make_sites(run, runner, lambda new: listener.sites(run, new), listener.announce)
        return with_sites(run, sites)

    stages = [Stage("sites", 1)]
    if run.config.sites.origin in ("observed", "both"):
        windows = sum(map(len, block_grid(run.plan.plane, run.config.clean_up.k_size)))
        samples = sum(map(len, sample_grid(run.plan.plane)))
        areas = sum(map(len, field_grid(run.plan.plane)))
        looked = [Stage("sample", samples), Stage("field", areas)]
        stages = [*looked, Stage("observe", windows, _cube_bytes(run)), *stages]
    return Product("sites", run.paths.sites, run.stored_sites is not None, make, stages)


def _result(run: Resolved) -> Product:
    def make(run: Resolved, runner: Runner, listener: Listener) -> Resolved:
        make_result(run, runner)
        return run

    plan, pixels = run.plan, run.plan.pixels
    spatial, labels = sum(map(len, plan.spatial)), LABEL_BYTES * pixels
    again = 0 if run.cube is None or run.cube.dtype.itemsize == CODE_BYTES else _cube_bytes(run)
    assigned = (LABEL_BYTES + 4) * pixels + cell_bytes(plan.shape[0], pixels)
    stages = [
        Stage("assign", plan.tiles, _cube_bytes(run), assigned),
        *([Stage("compare", plan.tiles, _cube_bytes(run))] if run.config.quantise else []),
        Stage("regions", spatial, labels),
        *_block_stages(plan, "join regions", "answer regions"),
        Stage("clean-up", spatial, labels, labels),
        *_block_stages(plan, "join fill", "answer fill"),
        Stage("fill", spatial, 2 * labels + pixels, labels + pixels),
        *_block_stages(plan, "join counts"),
        Stage("clusters", spatial, labels + again),
        *_block_stages(plan, "join sums"),
    ]
    fingerprint = result_fingerprint(run) if run.stored_sites else None
    made = fingerprint is not None and is_made(run.paths.result, fingerprint)
    return Product("result", run.paths.result, made, make, stages)


def _block_stages(plan: Plan, *names: str) -> list[Stage]:
    """Return the stages that go over blocks of tiles; none where the image is one block."""
    blocks = sum(len(grid) * len(grid[0]) for grid in reduction_grids(plan.spatial)[1:])
    return [Stage(name, blocks) for name in names] if blocks else []


def _specks(run: Resolved) -> Product:
    def make(run: Resolved, runner: Runner, listener: Listener) -> Resolved:
        make_specks(run, runner)
        return run

    plan = run.plan
    areas, searched = (
        sum(map(len, grid)) for grid in (area_grid(plan.plane), search_grid(plan.plane, plan.tile))
    )
    stages = [
        Stage("speck noise", areas),
        Stage("specks", searched, _cube_bytes(run) + 2 * LABEL_BYTES * plan.pixels),
        Stage("speck map", plan.tiles, 0, SPECK_BYTES * plan.pixels),
    ]
    fingerprint = specks_fingerprint(run) if run.stored_sites else None
    made = fingerprint is not None and is_made(run.paths.specks, fingerprint)
    return Product("specks", run.paths.specks, made, make, stages)


def _cube_bytes(run: Resolved) -> int:
    return run.plan.pixels * run.plan.spectrum_bytes


def _tiles(plane: tuple[int, int], side: int) -> int:
    return sum(map(len, regular_grid(plane, (side, side))))
