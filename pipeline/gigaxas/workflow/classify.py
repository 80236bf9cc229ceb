"""From cube and sites to the maps, the clusters and the report, and the verbs that make what comes before."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from gigaxas.checkpoint.owner import claim, start_over
from gigaxas.config.paths import paths_of
from gigaxas.config.schema import Config
from gigaxas.errors import InputError
from gigaxas.execution.bars import bars
from gigaxas.execution.cluster import Announce
from gigaxas.execution.lock import locked
from gigaxas.execution.runner import Progress, silent
from gigaxas.execution.session import on_threads, open_session
from gigaxas.locations import Location
from gigaxas.raw.readers.formats.hdf5 import forget_files
from gigaxas.spectra import ReadRow
from gigaxas.spectra.noise import Noise
from gigaxas.stores.result import CLUSTER_TABLE, open_result, with_names
from gigaxas.stores.sites import StoredSites
from gigaxas.stores.specks import with_speck_map
from gigaxas.workflow.ingest import Ingested
from gigaxas.workflow.products import Listener, make_products, products_of
from gigaxas.workflow.raw import record_slowly
from gigaxas.workflow.report_once import report_once
from gigaxas.workflow.resolve import Resolved, reopen, resolve
from gigaxas.workflow.sites import paths_for_people
from gigaxas.workflow.summary import Summary

if TYPE_CHECKING:
    import xarray as xr

    from gigaxas.workflow.exports import Export


@dataclass(frozen=True)
class SitesMade:
    """The sites of a run and where they come from."""

    config: Config
    """The settings, the noise in numbers."""
    noise: Noise
    """The noise of a sample."""
    references: tuple[ReadRow, ...]
    """What became of every record of the references."""
    stored: StoredSites
    """The sites."""
    paths: tuple[Path, ...]
    """The store, and tables and pictures for people."""


def run(config: Config, progress: bool | None = None) -> "xr.Dataset":
    """Run everything that is missing and return the maps of the result.

    A run that was stopped goes on where it was; a finished one has nothing made again.

    Args:
        config: What `load_config` read.
        progress: Whether a bar is shown for each stage; left out, on a terminal and in a notebook alone.

    Returns:
        The maps over (y, x), y and x in um, read lazily; they are `site`, `kept`, `label`, `state`,
        `correlation`, `void_reason`, and `speck` where these were searched; `spectrum` (cluster, energy), in
        the unit of the cube, with its `standard_error`, `pixels` and `name` for each cluster; `energy` in eV.

    Raises:
        InputError: The configuration or what it names cannot give a right result; every error is told.
        RunError: The run could not be finished; the same call goes on where it was.
    """
    try:
        classify(config, bars(progress))
    finally:
        forget_files()  # the program that called may want to open them in a way of its own
    paths = paths_of(config)
    return with_names(with_speck_map(open_result(paths.result), paths.specks), paths.output / CLUSTER_TABLE)


def classify(
    config: Config,
    progress: Progress = silent,
    announce: Announce = lambda line: None,
    show_plan: Callable[[Resolved], None] = lambda run: None,
    show_sites: Callable[[SitesMade], None] = lambda made: None,
    fresh: bool = False,
) -> Summary:
    """Make the maps, tables and report of a run, and before them the cube and the sites where missing.

    Nothing starts before all checks have passed. `announce` is told where the dashboard is and what noise was
    measured, `show_sites` of sites that were made anew. A run that was stopped goes on where it was; `fresh`
    starts over.
    """
    run = resolve(config, announce)
    show_plan(run)
    listener = Listener(announce, sites=lambda run, sites: show_sites(_sites_made(run, sites)))
    with open_session(run.paths, config, "classify", progress, announce) as runner:
        if fresh:
            start_over(run.paths)
            run = resolve(config)

        def work() -> Summary:
            return report_once(make_products(products_of(run), run, runner, listener), runner)

        return runner.mended(work)


def simulate(config: Config, progress: Progress = silent, announce: Announce = lambda line: None) -> Location:
    """Make the cube, or the raw fields, of a simulated scene and its truth; return its path."""
    if config.simulate is None:
        raise InputError("simulate: the configuration has no section `simulate`; it has nothing to simulate")
    run = resolve(config, announce)
    first = products_of(run)[:1]
    with open_session(run.paths, config, "simulate", progress, announce) as runner:
        make_products(first, run, runner, Listener(announce))
    return first[0].path


def simulate_slowly(config: Config, seconds: float, announce: Announce = lambda line: None) -> Path:
    """Make the raw fields of a simulated scene as an instrument does, a file every so many seconds.

    Only the folder of the fields is held meanwhile, so that another process may watch it; it is returned.
    Raises InputError where there are no raw fields to be simulated.
    """
    if config.simulate is None or config.simulate.raw is None:
        raise InputError(
            "simulate --paced: the configuration has no section `simulate.raw`; give one, and `ingest.fields`"
        )
    run = resolve(config, announce)
    claim(run.paths, config.title)
    run.paths.raw.mkdir(parents=True, exist_ok=True)
    with locked(run.paths.raw, announce):
        record_slowly(run, seconds, announce)
    return run.paths.raw


def ingest(config: Config, progress: Progress = silent, announce: Announce = lambda line: None) -> Ingested:
    """Make the cube of raw fields or of a stack, and before it simulated fields where they are missing."""
    if config.ingest is None:
        raise InputError("ingest: the configuration has no section `ingest`; there is nothing to ingest")
    run = resolve(config, announce)
    products = [product for product in products_of(run) if product.name in ("raw fields", "cube")]
    made: list[Ingested] = []
    with open_session(run.paths, config, "ingest", progress, announce) as runner:
        runner.mended(lambda: make_products(products, run, runner, Listener(announce, made.append)))
    return made[-1]


def sites(config: Config, progress: Progress = silent, announce: Announce = lambda line: None) -> SitesMade:
    """Make the sites of a run, or read them where they are made; `announce` hears of measured noise."""
    run = resolve(config, announce)
    needs_cube = run.config.sites.origin != "library" or not run.knows_noise
    wanted = {"raw fields", "cube", "sites"} if needs_cube else {"sites"}
    products = [product for product in products_of(run) if product.name in wanted]
    with open_session(run.paths, on_threads(config), "sites", progress, announce) as runner:
        run = make_products(products, run, runner, Listener(announce))
    return _sites_made(run, run.sites)


def report_again(config: Config, progress: Progress = silent, exports: "Collection[Export]" = ()) -> Summary:
    """Write the tables and the report of a finished result again. Raises InputError where there is none."""
    paths = paths_of(config)
    from gigaxas.workflow.report import report  # draws, which other verbs do rarely

    open_result(paths.result).close()
    run = reopen(config)
    with open_session(paths, on_threads(config), "report", progress) as runner:
        return report(run, runner, exports)


def _sites_made(run: Resolved, stored: StoredSites) -> SitesMade:
    paths = (run.paths.sites, *paths_for_people(run.paths.output))
    return SitesMade(run.config, run.noise, run.references.table, stored, paths)
