"""From cube and sites to the maps, the clusters and the report."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import xarray as xr

from gigaxas.checkpoint.owner import start_over
from gigaxas.config.paths import result_path, sites_path
from gigaxas.config.schema import Config
from gigaxas.errors import InputError
from gigaxas.execution.runner import Progress, Runner, silent
from gigaxas.execution.session import Announce, on_threads, open_runner
from gigaxas.locations import Place
from gigaxas.spectra import ReadRow
from gigaxas.stores.result import open_result
from gigaxas.stores.sites import StoredSites
from gigaxas.workflow.check import check, measured_energy
from gigaxas.workflow.ingest import Ingested, build_cube
from gigaxas.workflow.noise import settle_noise
from gigaxas.workflow.plan import Plan, make_plan
from gigaxas.workflow.prepare import ReferenceSet, describe, make_cube, make_sites
from gigaxas.workflow.raw import make_raw
from gigaxas.workflow.report import Summary, report
from gigaxas.workflow.result import make_result
from gigaxas.workflow.sites import paths_for_people


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
    return open_result(result_path(config))


def classify(
    config: Config,
    progress: Progress = silent,
    announce: Announce = lambda line: None,
    show_plan: Callable[[Plan], None] = lambda plan: None,
    show_sites: Callable[[SitesMade], None] = lambda made: None,
    fresh: bool = False,
) -> Summary:
    """Make the maps, tables and report of a run, and before them the cube and the sites where missing.

    Nothing starts before all checks have passed. `announce` is told where the dashboard is and what noise was
    measured, `show_sites` of sites that were made anew. A run that was stopped goes on where it was; `fresh`
    starts over.
    """
    config = _settled(config, announce)
    plan, references = check(config)
    show_plan(plan)
    with open_runner(config, "classify", progress, announce) as runner:
        if fresh:
            start_over(config)
        return runner.mended(lambda: _make_all(config, references, runner, show_sites, announce))


def _make_all(
    config: Config,
    references: ReferenceSet,
    runner: Runner,
    show_sites: Callable[[SitesMade], None],
    announce: Announce,
) -> Summary:
    build_cube(config, references, runner, announce)
    config = _settled(config, announce)
    info = describe(config)
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


def simulate(config: Config, progress: Progress = silent, announce: Announce = lambda line: None) -> Place:
    """Make the cube, or the raw fields, of a simulated scene and its truth; return its path."""
    if config.simulate is None:
        raise InputError("simulate: the configuration names a measured cube; there is nothing to simulate")
    raw = config.simulate.raw is not None
    config = _settled(config, announce)
    _, references = check(config)
    with open_runner(config, "simulate", progress, announce) as runner:
        if raw:
            return make_raw(config, references, runner)
        return make_cube(config, references, runner)


def ingest(config: Config, progress: Progress = silent, announce: Announce = lambda line: None) -> Ingested:
    """Make the cube of raw fields or of a stack, and before it simulated fields where they are missing."""
    if config.ingest is None:
        raise InputError("ingest: the configuration has no section `ingest`; there is nothing to ingest")
    config = _settled(config, announce)
    _, references = check(config)
    with open_runner(config, "ingest", progress, announce) as runner:
        return runner.mended(lambda: build_cube(config, references, runner, announce))


def sites(config: Config, progress: Progress = silent, announce: Announce = lambda line: None) -> SitesMade:
    """Make the sites of a run, or read them where they are made; `announce` hears of measured noise."""
    config = _settled(config, announce)
    _, references = check(config)
    with open_runner(on_threads(config), "sites", progress) as runner:
        info = None
        if config.sites.origin in ("observed", "both"):
            build_cube(config, references, runner, announce)
            info = describe(config)
        energy = info.energy if info else measured_energy(config)
        return _made(config, references, make_sites(config, energy, references, runner, info=info))


def _settled(config: Config, announce: Announce) -> Config:
    """Return the configuration with its noise measured; where that fails, as it is: `check` says why."""
    try:
        return settle_noise(config, announce)
    except InputError:
        return config


def _made(config: Config, references: ReferenceSet, stored: StoredSites) -> SitesMade:
    paths = (sites_path(config), *paths_for_people(config.output))
    return SitesMade(config, references.table, stored, paths)


def report_again(
    config: Config, progress: Progress = silent, ome_zarr: bool = False, tiff: bool = False
) -> Summary:
    """Write the tables and the report of a finished result again. Raises InputError where there is none."""
    open_result(result_path(config)).close()
    config = settle_noise(config)
    with open_runner(on_threads(config), "report", progress) as runner:
        return report(config, runner, ome_zarr, tiff)
