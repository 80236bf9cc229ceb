"""From cube and sites to the maps, the clusters and the report."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import xarray as xr

from pipeline import __version__, stages
from pipeline.arrays import IntArray
from pipeline.clusters import ClusterSpectra, cluster_spectra, merge_sums
from pipeline.config import Config, digest
from pipeline.errors import InputError
from pipeline.filling import settle_fill
from pipeline.nearest import prepare
from pipeline.places import Place
from pipeline.regions import merge_regions
from pipeline.stores.cube import CubeInfo, cube_identity
from pipeline.stores.groups import partial_of, publish
from pipeline.stores.result import clusters_are_whole, create_result, open_result, write_clusters
from pipeline.stores.sites import StoredSites
from pipeline.workflow.check import check
from pipeline.workflow.paths import is_made, result_path, sites_path, start_over
from pipeline.workflow.plan import Plan, make_plan
from pipeline.workflow.prepare import ReferenceSet, describe, energy_grid, make_cube, make_sites
from pipeline.workflow.report import Summary, report
from pipeline.workflow.runner import Progress, Runner, silent
from pipeline.workflow.session import Announce, on_threads, open_runner


def run(config: Config) -> xr.Dataset:
    """Run everything that is missing and return the maps of the result. Raises InputError and RunError."""
    classify(config)
    return open_result(result_path(config))


def classify(
    config: Config,
    progress: Progress = silent,
    announce: Announce = lambda line: None,
    show_plan: Callable[[Plan], None] = lambda plan: None,
    fresh: bool = False,
) -> Summary:
    """Make the maps, tables and report of a run, and before them the cube and the sites where missing.

    Nothing starts before all checks have passed. `announce` is told where the dashboard is. A run that
    was stopped goes on where it was; `fresh` starts over.
    """
    plan, references = check(config)
    show_plan(plan)
    with open_runner(config, "classify", progress, announce) as runner:
        if fresh:
            start_over(config)
        return runner.mended(lambda: _make_all(config, references, runner))


def _make_all(config: Config, references: ReferenceSet, runner: Runner) -> Summary:
    make_cube(config, references, runner)
    info = describe(config)
    sites = make_sites(config, info.energy, references, runner)
    plan = make_plan(config, runner.workers, info)
    make_result(config, plan, info, sites, runner)
    return report(config, runner)


def simulate(config: Config, progress: Progress = silent, announce: Announce = lambda line: None) -> Place:
    """Make the cube of a simulated scene and its truth; return the cube's path."""
    if config.simulate is None:
        raise InputError("simulate: the configuration names a measured cube; there is nothing to simulate")
    _, references = check(config)
    with open_runner(config, "simulate", progress, announce) as runner:
        return make_cube(config, references, runner)


def sites(config: Config, progress: Progress = silent) -> tuple[StoredSites, Path]:
    """Make the sites of a run; return them and their path."""
    _, references = check(config)
    with open_runner(on_threads(config), "sites", progress) as runner:
        energy = energy_grid(config) if config.simulate else describe(config).energy
        return make_sites(config, energy, references, runner), sites_path(config)


def report_again(config: Config, progress: Progress = silent) -> Summary:
    """Write the tables and the report of a finished result again. Raises InputError where there is none."""
    open_result(result_path(config)).close()
    with open_runner(on_threads(config), "report", progress) as runner:
        return report(config, runner)


def make_result(config: Config, plan: Plan, info: CubeInfo, sites: StoredSites, runner: Runner) -> None:
    """Make the result store, unless these settings have made it from this cube before and it is whole.

    What other settings of the clean-up leave as it is, the assignment, is not done again.
    """
    final = result_path(config)
    basis = result_basis(config, info, sites)
    fingerprint = digest(basis, config.clean_up)
    if is_made(final, fingerprint) and clusters_are_whole(final) and runner.is_intact(final, content=True):
        return
    store = partial_of(final)
    count = len(sites.table.spectra)
    create_result(store, plan.plane, plan.tile, info.pixel_um, count, basis)
    runner.over(
        "assign", stages.assign_tile, plan.grid, info=info, result=store, sites=prepare(sites.table.spectra)
    )
    states = clean_up_and_fill(config, plan, store, runner)
    spectra, pixels = _clusters(plan, info, store, count, runner)
    write_clusters(store, info.energy, spectra, pixels, states, fingerprint)
    publish(store, final)


def clean_up_and_fill(config: Config, plan: Plan, store: Place, runner: Runner) -> IntArray:
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


def result_basis(config: Config, info: CubeInfo, sites: StoredSites) -> str:
    """Return what marks the assignment of a result: the cube, the sites, how missing chunks are taken."""
    missing = config.cube.missing_chunks if config.cube else "error"
    return digest(__version__, cube_identity(info), sites.table.spectra.tobytes(), missing)


def _clusters(
    plan: Plan, info: CubeInfo, store: Place, count: int, runner: Runner
) -> tuple[ClusterSpectra, IntArray]:
    parts = runner.over("clusters", stages.sum_tile, plan.grid, info=info, result=store, sites=count)
    sums = merge_sums((part for row in parts for part, _ in row), count)
    pixels = np.sum([labels for row in parts for _, labels in row], axis=0)
    return cluster_spectra(sums, info.scale, info.offset), pixels[sums.labels]
