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
from gigaxas.components.composition import plan_composition
from gigaxas.components.decide import Decision, Rules, decide
from gigaxas.components.decisions import Decisions, read_decisions, render_decisions
from gigaxas.components.evidence import Clusters
from gigaxas.config.paths import composition_path, decisions_path, result_path, sites_path
from gigaxas.config.schema import Config
from gigaxas.errors import InputError
from gigaxas.execution.runner import Progress, Runner, silent
from gigaxas.execution.session import open_runner
from gigaxas.locations import Place
from gigaxas.report import Truth
from gigaxas.report.components import ComponentMap, write_component_figure
from gigaxas.spatial.cluster_sums import cluster_spectra, merge_sums
from gigaxas.stores.composition import create_composition, read_sizes, save_components
from gigaxas.stores.cube import CubeInfo
from gigaxas.stores.io.chunks import read
from gigaxas.stores.io.files import publish_file
from gigaxas.stores.io.groups import partial_of, publish
from gigaxas.stores.result import open_result
from gigaxas.stores.sites import read_sites
from gigaxas.tasks import components as phase_tiles
from gigaxas.workflow.noise import settle_noise
from gigaxas.workflow.phase_evidence import gather_evidence
from gigaxas.workflow.phase_rows import Component, Row, make_components, make_rows, step_record
from gigaxas.workflow.phase_tables import write_phase_tables
from gigaxas.workflow.plan import Plan, make_plan
from gigaxas.workflow.prepare import describe
from gigaxas.workflow.report import report
from gigaxas.workflow.truth import score

MM_PER_INCH = 25.4


@dataclass(frozen=True)
class PhaseSummary:
    """What the phases of a run have to say: the decided clusters, the components, the truth, the paths."""

    rows: Sequence[Row]
    components: Sequence[Component]
    truth: Truth | None
    paths: Sequence[Place]


def phases(config: Config, progress: Progress = silent) -> PhaseSummary:
    """Decide which clusters are components; write the maps, tables, spectra and figure of these.

    The report is written again, with them. An expert's decisions in the decision file are applied. Raises
    InputError where there is no finished result with clusters, and for decisions that do not fit it.
    """
    check_owner(config)
    with open_result(result_path(config)) as result, open_runner(config, "phases", progress) as runner:
        if not result.sizes.get("cluster"):
            raise InputError(
                f"{config.output}: the result has no cluster; there is nothing to make phases of"
            )
        config = settle_noise(config)
        found = _phases(config, result, runner)
        pages = [path for path in report(config, runner).paths if str(path).endswith(".html")]
        return replace(found, paths=[*found.paths, *pages])


def _phases(config: Config, result: xr.Dataset, runner: Runner) -> PhaseSummary:
    info, sites = describe(config), read_sites(sites_path(config))
    mark, file = str(result.attrs["fingerprint"]), decisions_path(config)
    decisions = read_decisions(file, config.title, mark)
    _check_labels(decisions, result, file)
    plan = make_plan(config, runner.workers, info)
    extents, clusters = gather_evidence(config, result, info, plan, runner)
    with runner.step("decide", 1) as advance:
        rules = Rules(config.phases.level, config.phases.floor, config.phases.members)
        decided = decide(clusters, rules, decisions.keep, decisions.merge)
        advance(1)
    rows = make_rows(
        clusters, decided, result, extents, sites, info.pixel_um, config.noise.model(), decisions
    )
    _compose(config, mark, info, plan, clusters, decided, runner)
    components = make_components(rows, *read_sizes(composition_path(config)), info.pixel_um, decisions)
    truth = _score(config, runner, rows, len(sites.table.names))
    with runner.step("figure", 1) as advance:
        paths: list[Place] = [
            composition_path(config),
            *write_phase_tables(config.output, info.energy, rows, components),
        ]
        paths += write_component_figure(
            config.output / "components", _component_map(config, info, components)
        )
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
    config: Config,
    mark: str,
    info: CubeInfo,
    plan: Plan,
    clusters: Clusters,
    decided: Sequence[Decision],
    runner: Runner,
) -> None:
    """Make the composition store, unless these decisions have made it from this result before."""
    noise, wanted = config.noise.model(), config.phases
    made = plan_composition(clusters, decided, noise, wanted.composition == "all", wanted.sum_to_one)
    shares = [(d.label, d.kind, d.members, d.weights) for d in decided]
    spectra = (clusters.spectra.tobytes(), clusters.noise.tobytes())
    fingerprint = digest(__version__, mark, shares, wanted.composition, wanted.sum_to_one, noise, *spectra)
    final = composition_path(config)
    if is_made(final, fingerprint):
        return
    store = partial_of(final)
    numbers = np.array(made.components)
    dtype = label_dtype(int(clusters.labels.max()))
    create_composition(store, plan.plane, plan.tile, info.pixel_um, numbers, dtype, fingerprint, mark)
    parts = runner.over(
        "compose",
        phase_tiles.compose_tile,
        plan.grid,
        info=info,
        result=result_path(config),
        store=store,
        plan=made,
        noise=noise,
    )
    sums = merge_sums((sums for row in parts for sums, _, _ in row), 1)
    means = cluster_spectra(sums)
    main = np.sum([counts for row in parts for _, counts, _ in row], axis=0)
    rows = np.searchsorted(clusters.labels, numbers)
    error = np.sqrt(clusters.variance[rows])
    amounts = means.mean[0] * means.pixels[0]
    save_components(store, info.energy, clusters.spectra[rows], error, amounts, main)
    publish(store, final)


def _score(config: Config, runner: Runner, rows: Sequence[Row], sites: int) -> Truth | None:
    """Compare the main component of every pixel with the truth of a simulated cube."""
    names = {row.label: row.near[0].name for row in rows if row.decision.kind == "component"}
    return score(config, runner, names, sites, (composition_path(config), "main"))


def _component_map(config: Config, info: CubeInfo, components: Sequence[Component]) -> ComponentMap:
    """Read the maps at the resolution of the figure."""
    dots = config.phases.figure_mm / MM_PER_INCH * config.phases.figure_dpi
    step = max(1, int(max(info.plane) // dots))
    every = tuple(slice(0, size, step) for size in info.plane)
    store = composition_path(config)
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
