"""From the clusters of a finished result to its components: their maps, tables, spectra and figure."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import xarray as xr

from gigaxas import __version__
from gigaxas.arrays import label_dtype
from gigaxas.checkpoint.identity import digest
from gigaxas.checkpoint.owner import check_owner, is_made
from gigaxas.components.borders import border_radius
from gigaxas.components.composition import plan_composition
from gigaxas.components.decide import Decision, Rules, decide
from gigaxas.components.decision_file import Decisions, read_decisions, render_decisions
from gigaxas.components.evidence import ClusterEvidence
from gigaxas.config.paths import paths_of
from gigaxas.config.schema import Config
from gigaxas.errors import InputError
from gigaxas.execution.runner import Progress, Runner, silent
from gigaxas.execution.session import open_session
from gigaxas.locations import Location
from gigaxas.report import SpeckReport, Truth
from gigaxas.report.components import ComponentMap, write_component_figure
from gigaxas.spatial.cluster_sums import cluster_spectra, merge_sums
from gigaxas.stores.composition import create_composition, read_sizes, save_components
from gigaxas.stores.io.chunks import read
from gigaxas.stores.io.files import publish_file
from gigaxas.stores.io.groups import partial_of, publish
from gigaxas.stores.result import open_result
from gigaxas.tasks import components as tasks
from gigaxas.workflow.cluster_evidence import gather_evidence
from gigaxas.workflow.cluster_rows import Component, DecidedCluster, make_components, make_rows, step_record
from gigaxas.workflow.component_tables import write_component_tables
from gigaxas.workflow.naming import cluster_rows, floor_of
from gigaxas.workflow.report import report
from gigaxas.workflow.resolve import Resolved, reopen
from gigaxas.workflow.truth import score

MM_PER_INCH = 25.4


@dataclass(frozen=True)
class PhaseSummary:
    """What the phases of a run have to say."""

    rows: Sequence[DecidedCluster]
    """The clusters, as decided."""
    components: Sequence[Component]
    """The components, in the order of the maps."""
    truth: Truth | None
    """How much is right, of a simulated cube."""
    paths: Sequence[Location]
    """What was written."""
    specks: SpeckReport | None = None
    """The specks, and of which components they are pieces, where these were searched."""


def phases(config: Config, progress: Progress = silent) -> PhaseSummary:
    """Decide which clusters are components; write the maps, tables, spectra and figure of these.

    The report is written again, with them. An expert's decisions in the decision file are applied. Raises
    InputError where there is no finished result with clusters, and for decisions that do not fit it.
    """
    paths = paths_of(config)
    check_owner(paths, config.title)
    with open_result(paths.result) as result, open_session(paths, config, "phases", progress) as runner:
        if not result.sizes.get("cluster"):
            raise InputError(
                f"{config.output}: the result has no cluster; there is nothing to make phases of"
            )
        run = reopen(config)
        found = _phases(run, result, runner)
        told = report(run, runner)
        pages = [path for path in told.paths if str(path).endswith(".html")]
        return replace(found, paths=[*found.paths, *pages], specks=told.specks)


def _phases(run: Resolved, result: xr.Dataset, runner: Runner) -> PhaseSummary:
    config, info, folder = run.config, run.info, run.paths.output
    mark, file = str(result.attrs["fingerprint"]), run.paths.decisions
    decisions = read_decisions(file, config.title, mark)
    _check_labels(decisions, result, file)
    extents, clusters = gather_evidence(run, result, runner)
    with runner.step("decide", 1) as advance:
        wanted = config.phases
        rules = Rules(wanted.level, floor_of(run), wanted.members, run.quantity == "intensity")
        continua = {one.site + 1: [end + 1 for end in one.ends] for one in run.sites.continua}
        decided = decide(clusters, rules, decisions.keep, decisions.merge, continua)
        advance(1)
    told = cluster_rows(run, result)
    rows = make_rows(clusters, decided, told, extents, run.sites, run.noise, rules.floor, decisions)
    _compose(run, mark, clusters, decided, runner)
    components = make_components(rows, *read_sizes(run.paths.composition), info.pixel_um, decisions)
    truth = _score(run, runner, rows)
    with runner.step("figure", 1) as advance:
        paths: list[Location] = [
            run.paths.composition,
            *write_component_tables(folder, info.energy, rows, components),
        ]
        paths += write_component_figure(folder / "components", _component_map(run, components))
        advance(1)
    publish_file(file, render_decisions(decisions, mark, [step_record(row) for row in rows]).encode())
    return PhaseSummary(rows, components, truth, [*paths, file])


def _check_labels(decisions: Decisions, result: xr.Dataset, file: Path) -> None:
    unknown = sorted(set(decisions.overrule) - set(result.cluster.values.tolist()))
    if unknown:
        raise InputError(
            f"{file}: overrules the labels {', '.join(map(str, unknown))}, which no cluster has; the "
            "labels are those of clusters.csv"
        )


def _compose(
    run: Resolved, mark: str, clusters: ClusterEvidence, decided: Sequence[Decision], runner: Runner
) -> None:
    """Make the composition store, unless these decisions have made it from this result before."""
    info, noise, wanted, final = run.info, run.noise, run.config.phases, run.paths.composition
    made = plan_composition(clusters, decided, noise, wanted.composition == "all", wanted.sum_to_one)
    shares = [(d.label, d.kind, d.members, d.weights) for d in decided]
    spectra = (clusters.spectra.tobytes(), clusters.noise.tobytes())
    radius = border_radius(run.quantity, run.config.clean_up.k_size)
    fingerprint = digest(
        __version__, mark, shares, wanted.composition, wanted.sum_to_one, radius, noise.record(), *spectra
    )
    if is_made(final, fingerprint):
        return
    store = partial_of(final)
    numbers = np.array(made.components)
    dtype = label_dtype(int(clusters.labels.max()))
    create_composition(store, run.plan.plane, run.plan.tile, info.pixel_um, numbers, dtype, fingerprint, mark)
    parts = runner.over(
        "compose",
        tasks.compose_tile,
        run.plan.grid,
        info=info,
        result=run.paths.result,
        store=store,
        plan=made,
        noise=noise,
        radius=radius,
    )
    sums = merge_sums((sums for row in parts for sums, _, _ in row), 1)
    means = cluster_spectra(sums)
    main = np.sum([counts for row in parts for _, counts, _ in row], axis=0)
    rows = np.searchsorted(clusters.labels, numbers)
    error = np.sqrt(clusters.variance[rows])
    amounts = means.mean[0] * means.pixels[0]
    save_components(store, info.energy, clusters.spectra[rows], error, amounts, main)
    publish(store, final)


def _score(run: Resolved, runner: Runner, rows: Sequence[DecidedCluster]) -> Truth | None:
    """Compare the main component of every pixel with the truth of a simulated cube."""
    names = {row.label: row.near[0].name for row in rows if row.decision.kind == "component"}
    return score(run, runner, names, (run.paths.composition, "main"))


def _component_map(run: Resolved, components: Sequence[Component]) -> ComponentMap:
    """Read the maps at the resolution of the figure."""
    config, info, store = run.config, run.info, run.paths.composition
    dots = config.phases.figure_mm / MM_PER_INCH * config.phases.figure_dpi
    step = max(1, int(max(info.plane) // dots))
    every = tuple(slice(0, size, step) for size in info.plane)
    density = None
    if info.maps:
        low, high = (read(info.path, name, every).astype(np.float64) for name in info.maps)
        density = high - low
    return ComponentMap(
        title=config.title,
        main=read(store, "main", every),
        ratio=read(store, "ratio", (slice(0, len(components)), *every)),
        density=density,
        labels=[component.row.label for component in components],
        names=[component.name for component in components],
        colours=[component.colour for component in components],
        shares=[component.share for component in components],
        pixel_um=info.pixel_um * step,
        width_mm=config.phases.figure_mm,
        dpi=config.phases.figure_dpi,
    )
