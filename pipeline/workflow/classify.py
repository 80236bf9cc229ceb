"""From cube and sites to the maps, the clusters and the report."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import xarray as xr

from pipeline import stages
from pipeline.arrays import IntArray
from pipeline.certainty import prepare_certainty
from pipeline.cluster import open_client, worker_count
from pipeline.clusters import ClusterSpectra, cluster_spectra, merge_sums
from pipeline.config import Config, digest
from pipeline.errors import InputError
from pipeline.filling import settle_fill
from pipeline.nearest import prepare
from pipeline.regions import merge_regions
from pipeline.spectra import ReadRow
from pipeline.stores.chunks import partial_of, publish
from pipeline.stores.cube import CubeInfo, cube_identity, describe_cube
from pipeline.stores.result import create_result, open_result, write_clusters
from pipeline.stores.sites import StoredSites
from pipeline.workflow.check import check
from pipeline.workflow.noise import settle_noise
from pipeline.workflow.paths import claim, is_made, result_path, sites_path
from pipeline.workflow.plan import Plan, make_plan
from pipeline.workflow.prepare import ReferenceSet, energy_grid, make_cube, make_sites
from pipeline.workflow.report import Summary, report
from pipeline.workflow.runner import Progress, Runner, silent
from pipeline.workflow.sites import paths_for_people

Announce = Callable[[str], None]


@dataclass(frozen=True)
class SitesMade:
    """The sites of a run with the settings and the account of the references they come from."""

    config: Config
    references: tuple[ReadRow, ...]
    stored: StoredSites
    paths: tuple[Path, ...]


def run(config: Config) -> xr.Dataset:
    """Run everything that is missing and return the maps of the result. Raises InputError and RunError."""
    classify(config)
    return open_result(config.output)


def classify(
    config: Config,
    progress: Progress = silent,
    announce: Announce = lambda line: None,
    show_plan: Callable[[Plan], None] = lambda plan: None,
    show_sites: Callable[[SitesMade], None] = lambda made: None,
) -> Summary:
    """Make the maps, tables and report of a run, and before them the cube and the sites where missing.

    Nothing starts before all checks have passed. `announce` is told where the dashboard is and what noise was
    measured, `show_sites` of sites that were made anew.
    """
    config = _settled(config, announce)
    plan, references = check(config)
    show_plan(plan)
    with _runner(config, progress, announce) as runner:
        cube = make_cube(config, references, runner)
        info = describe_cube(cube)
        sites = make_sites(
            config,
            info.energy,
            references,
            runner,
            lambda new: show_sites(_made(config, references, new)),
            info,
        )
        plan = make_plan(config, runner.workers, info)
        make_result(config, plan, info, sites, runner)
        return report(config, runner)


def simulate(config: Config, progress: Progress = silent, announce: Announce = lambda line: None) -> Path:
    """Make the cube of a simulated scene and its truth; return the cube's path."""
    if config.simulate is None:
        raise InputError("simulate: the configuration names a measured cube; there is nothing to simulate")
    config = _settled(config, announce)
    _, references = check(config)
    with _runner(config, progress, announce) as runner:
        return make_cube(config, references, runner)


def sites(config: Config, progress: Progress = silent, announce: Announce = lambda line: None) -> SitesMade:
    """Make the sites of a run, or read them where they are made; `announce` hears of measured noise."""
    config = _settled(config, announce)
    _, references = check(config)
    if config.sites.origin in ("observed", "both"):
        return _observed(config, references, progress, announce)
    claim(config)
    energy = energy_grid(config) if config.simulate else describe_cube(config.cube_path).energy
    return _made(config, references, make_sites(config, energy, references, Runner(progress=progress)))


def _observed(config: Config, references: ReferenceSet, progress: Progress, announce: Announce) -> SitesMade:
    with _runner(config, progress, announce) as runner:
        info = describe_cube(make_cube(config, references, runner))
        return _made(config, references, make_sites(config, info.energy, references, runner, info=info))


def _settled(config: Config, announce: Announce) -> Config:
    """Return the configuration with its noise measured; where that fails, as it is: `check` says why."""
    try:
        return settle_noise(config, announce)
    except InputError:
        return config


def _made(config: Config, references: ReferenceSet, stored: StoredSites) -> SitesMade:
    paths = (sites_path(config), *paths_for_people(config.output))
    return SitesMade(config, references.table, stored, paths)


@contextmanager
def _runner(config: Config, progress: Progress, announce: Announce) -> Iterator[Runner]:
    claim(config)
    with open_client(config.compute) as client:
        if client is not None:
            announce(f"dashboard  {client.dashboard_link}")
        yield Runner(client, worker_count(config.compute), progress)


def make_result(config: Config, plan: Plan, info: CubeInfo, sites: StoredSites, runner: Runner) -> None:
    """Make the result store, unless these settings have made it from this cube before."""
    final = result_path(config)
    fingerprint = result_fingerprint(config, info, sites)
    if is_made(final, fingerprint):
        return
    store = partial_of(final)
    count = len(sites.table.spectra)
    create_result(store, plan.plane, plan.tile, info.pixel_um, count, fingerprint, config.maps)
    runner.over(
        "assign",
        stages.assign_tile,
        plan.grid,
        info=info,
        result=store,
        sites=prepare(sites.table.spectra),
        certainty=prepare_certainty(sites.table.spectra, config.noise.model(), config.maps),
    )
    states = clean_up_and_fill(config, plan, store, runner)
    spectra, pixels = _clusters(plan, info, store, count, runner)
    write_clusters(store, info.energy, spectra, pixels, states)
    publish(store, final)


def clean_up_and_fill(config: Config, plan: Plan, store: Path, runner: Runner) -> IntArray:
    """Clean the map up and fill it (METHOD 5 and 6); return the pixels of each state.

    Each of the two is a pass over tiles, a merge of what meets at their borders, and a second pass.
    """
    settings = {"result": store, "plane": plan.plane, "clean_up": config.clean_up}
    edges = runner.over("regions", stages.find_tile_regions, plan.spatial, **settings)
    keep = merge_regions(edges)
    rings = runner.over("clean-up", stages.keep_tile, plan.spatial, keep, **settings)
    settled = settle_fill(rings)
    states = runner.over("fill", stages.fill_tile_holes, plan.spatial, settled, **settings)
    return np.sum([counts for row in states for counts in row], axis=0, dtype=np.int64)


def result_fingerprint(config: Config, info: CubeInfo, sites: StoredSites) -> str:
    """Return what marks a result: the cube, the sites, the clean-up, missing chunks, maps of certainty."""
    missing = config.cube.missing_chunks if config.cube else "error"
    maps = (config.maps, asdict(config.noise.model())) if config.maps else None
    return digest(cube_identity(info), sites.table.spectra.tobytes(), config.clean_up, missing, maps)


def _clusters(
    plan: Plan, info: CubeInfo, store: Path, count: int, runner: Runner
) -> tuple[ClusterSpectra, IntArray]:
    parts = runner.over("clusters", stages.sum_tile, plan.grid, info=info, result=store, sites=count)
    sums = merge_sums((part for row in parts for part, _ in row), count)
    pixels = np.sum([labels for row in parts for _, labels in row], axis=0)
    return cluster_spectra(sums, info.scale, info.offset), pixels[sums.labels]
