"""From a cube and its sites to the result: assigned, cleaned up, filled, and its clusters summed."""

from dataclasses import asdict
from typing import Any

import numpy as np

from gigaxas import __version__
from gigaxas.arrays import IntArray
from gigaxas.checkpoint.identity import digest
from gigaxas.checkpoint.owner import is_made
from gigaxas.config.paths import result_path
from gigaxas.config.schema import Config
from gigaxas.execution.runner import Runner
from gigaxas.locations import Place
from gigaxas.nearest import Prepared, prepare
from gigaxas.nearest.approximate import build_index
from gigaxas.nearest.certainty import Certainty, prepare_certainty
from gigaxas.spatial.clean_up import CleanUp
from gigaxas.spatial.cluster_sums import cluster_spectra, merge_sums
from gigaxas.spatial.fill import merge_fill
from gigaxas.spatial.regions import merge_regions
from gigaxas.stores.cube import CubeInfo, cube_identity
from gigaxas.stores.deferred import create_deferred, remove_deferred
from gigaxas.stores.io.groups import partial_of, publish
from gigaxas.stores.result import clusters_are_whole, create_result, write_clusters
from gigaxas.stores.sites import StoredSites
from gigaxas.tasks import maps as stages
from gigaxas.workflow.plan import Plan


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
    create_result(store, plan.plane, plan.tile, info.pixel_um, count, basis, config.maps)
    expected = _make_room(config, plan, info, store)
    prepared = prepare(sites.table.spectra)
    certainty = prepare_certainty(sites.table.spectra, config.noise.model(), config.maps)
    shares = _assign(config, plan, info, prepared, store, expected, certainty, runner)
    states, pixels = clean_up_and_fill(config, plan, store, count, runner)
    settings = {"info": info, "result": store, "step": plan.tile, "sites": count}
    parts = runner.over("clusters", stages.sum_tile, plan.spatial, **settings)
    sums = merge_sums((part for row in parts for part in row), count)
    spectra = cluster_spectra(sums, info.scale, info.offset)
    remove_deferred(store)
    write_clusters(store, info.energy, spectra, pixels[sums.labels], states, fingerprint, shares)
    publish(store, final)


def _make_room(config: Config, plan: Plan, info: CubeInfo, store: Place) -> CleanUp | None:
    """Make room for what the assignment keeps for the clusters; return the clean-up it is kept for."""
    if info.dtype != np.uint16:
        return None
    grid = len(plan.grid), len(plan.grid[0])
    create_deferred(store, grid, plan.tile, info.bytes_per_pixel, config.clean_up.value._asdict())
    return config.clean_up.value


def _assign(
    config: Config,
    plan: Plan,
    info: CubeInfo,
    sites: Prepared,
    store: Place,
    expected: CleanUp | None,
    certainty: Certainty | None,
    runner: Runner,
) -> dict[str, tuple[int, int]]:
    """Assign every tile; return what was counted, (pixels, of so many), where labels are not beyond doubt."""
    shares = {}
    settings: dict[str, Any] = {"info": info, "result": store, "sites": sites}
    more: dict[str, Any] = {"certainty": certainty, "expected": expected}
    if config.engine == "approximate":
        index = build_index(sites)
        task = stages.assign_tile_approximately
        counts = runner.over("assign", task, plan.grid, **settings, index=index, **more)
        shares["right"] = _added(counts)
    else:
        runner.over("assign", stages.assign_tile, plan.grid, **settings, **more)
    if info.step > 1:
        shares["changed"] = _added(runner.over("compare", stages.compare_tile, plan.grid, **settings))
    return shares


def _added(counts: list[list[tuple[int, int]]]) -> tuple[int, int]:
    some, pixels = np.sum([pair for row in counts for pair in row], axis=0).tolist()
    return some, pixels


def clean_up_and_fill(
    config: Config, plan: Plan, store: Place, count: int, runner: Runner
) -> tuple[IntArray, IntArray]:
    """Clean the map up and fill it (METHOD 5 and 6); return the pixels of each state, and of each label.

    Each of the two is a pass over tiles, a merge of what meets at their borders, and a second pass. Labels
    run from 0 to `count`.
    """
    settings = {"result": store, "plane": plan.plane, "clean_up": config.clean_up.value}
    edges = runner.over("regions", stages.find_tile_regions, plan.spatial, **settings)
    keep = merge_regions(edges)
    rings = runner.over("clean-up", stages.keep_tile, plan.spatial, keep, **settings)
    merged = merge_fill(rings)
    counts = runner.over("fill", stages.fill_tile_holes, plan.spatial, merged, **settings, sites=count)
    states, labels = zip(*(pair for row in counts for pair in row), strict=True)
    return np.sum(states, axis=0), np.sum(labels, axis=0)


def result_basis(config: Config, info: CubeInfo, sites: StoredSites) -> str:
    """Return what marks the assignment of a result: cube, sites, missing chunks, maps of certainty."""
    missing = config.cube.missing_chunks if config.cube else "error"
    maps = (config.maps, asdict(config.noise.model())) if config.maps else None
    engine = [] if config.engine == "exact" else [config.engine]
    return digest(__version__, cube_identity(info), sites.table.spectra.tobytes(), missing, maps, *engine)
