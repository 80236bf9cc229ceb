"""The specks of a result: searched in the cube, joined to kinds, named by the library, and written."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from gigaxas import __version__
from gigaxas.arrays import FloatArray, IntArray
from gigaxas.checkpoint.identity import digest
from gigaxas.checkpoint.owner import is_made
from gigaxas.execution.runner import Runner
from gigaxas.observed import explain
from gigaxas.report import ClusterRow, SpeckKind, SpeckReport, SpeckRow
from gigaxas.sites import mixture_name
from gigaxas.specks import (
    ImageSpecks,
    SpeckSearch,
    area_grid,
    gather_specks,
    law_of,
    probability_of,
    settle_search,
)
from gigaxas.spectra import standardise
from gigaxas.stores.io.groups import partial_of, publish
from gigaxas.stores.result import open_result
from gigaxas.stores.specks import create_specks, read_specks, save_specks, specks_are_of
from gigaxas.stores.truth import describe_truth
from gigaxas.tasks import specks as tasks
from gigaxas.tiles import Box
from gigaxas.workflow.component_tables import ComponentTables
from gigaxas.workflow.naming import cluster_rows
from gigaxas.workflow.observed import OUTSIDE
from gigaxas.workflow.resolve import Resolved, result_fingerprint

OF_ITS_OWN = "of its own"
"""What is said of a kind that is a piece of no component."""


def specks_fingerprint(run: Resolved) -> str:
    """Return what marks the specks: the result, the noise, the references and the rate of false alarms."""
    references = run.sites.references.tobytes()
    return digest(__version__, result_fingerprint(run), run.config.specks, run.noise.record(), references)


def make_specks(run: Resolved, runner: Runner) -> None:
    """Find the specks of the result and write their store, unless these settings have made it before."""
    final, fingerprint = run.paths.specks, specks_fingerprint(run)
    if is_made(final, fingerprint) and runner.is_intact(final, content=True):
        return
    wanted, info, plan = run.config.specks, run.info, run.plan
    assert wanted is not None
    store = partial_of(final)
    create_specks(store, plan.plane, plan.tile, info.pixel_um, fingerprint, result_fingerprint(run))
    # sums that are shared out to threads differ in their last digits, and a run would not find its own result
    with threadpool_limits(limits=1):
        search, pixels = _settle(run)
    given: dict[str, Any] = {"info": info, "result": run.paths.result, "search": search}
    areas = runner.over("speck noise", tasks.sample_tile, area_grid(plan.plane), **given)
    law = law_of([area for row in areas for area in row], search)
    given |= {"law": law, "probability": probability_of(wanted.false_alarms, pixels)}
    parts = runner.over("specks", tasks.search_tile, tasks.search_grid(plan.plane, plan.tile), **given)
    with threadpool_limits(limits=1):
        found = gather_specks([part for row in parts for part in row], law, search)
    runner.over("speck map", tasks.draw_tile, plan.grid, store=store, boxes=speck_boxes(found))
    _save(run, store, found)
    publish(store, final)


def _settle(run: Resolved) -> tuple[SpeckSearch, int]:
    """Return how specks are searched, and how many pixels there are to search.

    A cluster of few pixels is as noisy as a speck: what it is called by is the mean spectrum all the same.
    """
    info = run.info
    with open_result(run.paths.result) as result:
        clusters, means = result.cluster.values, result.spectrum.values
        pixels = int(np.sum(result.attrs["states"][1:]))
    count = len(run.sites.table.names) + 1
    spectra, sigma = np.full((2, count, run.energy.size), np.nan)
    spectra[clusters], sigma[clusters] = means, run.noise.sigma(means)
    known = run.sites.references
    search = settle_search(
        (spectra - info.offset) / info.scale,
        (known - info.offset) / info.scale,
        sigma / abs(info.scale),
        run.noise.energy,
    )
    return search, pixels


def _save(run: Resolved, store: Any, found: ImageSpecks) -> None:
    """Write the table, the kinds in the unit of the cube with what the library calls them, and figures."""
    kinds, info = found.kinds, run.info
    spectra = kinds.spectrum * info.scale + info.offset
    error = kinds.error * abs(info.scale)
    with open_result(run.paths.result) as result:
        clusters = {row.label: row for row in cluster_rows(run, result)}
    named = [
        (clusters[label].title, clusters[label].outside) if label else _name(run, number, mean, sigma)
        for number, (label, mean, sigma) in enumerate(
            zip(kinds.cluster.tolist(), spectra, error, strict=True), 1
        )
    ]
    assert run.config.specks is not None
    told = {
        "false_alarms": run.config.specks.false_alarms,
        "hits": found.hits,
        "explained": found.explained,
        "tail": found.tail,
        "unsearched": int(np.count_nonzero(np.isinf(found.law.scale))),
    }
    save_specks(
        store,
        run.energy,
        speck_columns(found),
        {"spectrum": spectra, "standard_error": error},
        [name for name, _ in named],
        [outside for _, outside in named],
        kinds.cluster.tolist(),
        told,
    )


def speck_boxes(found: ImageSpecks) -> IntArray:
    """Return the boxes (n, 4) of the specks, in the order of Box."""
    specks = found.specks
    return np.stack([specks.y, specks.y + specks.height, specks.x, specks.x + specks.width], axis=1)


def speck_columns(found: ImageSpecks) -> dict[str, NDArray[Any]]:
    """Return the table of specks (n,) by the names of its columns."""
    specks, kinds = found.specks, found.kinds
    return {
        "y": specks.y,
        "x": specks.x,
        "height": specks.height,
        "width": specks.width,
        "label": specks.label,
        "kind": kinds.number,
        "distance": specks.distance,
        "log_p": specks.log_p,
        "share": kinds.share,
        "hits": specks.hits,
    }


def _name(run: Resolved, number: int, spectrum: FloatArray, error: FloatArray) -> tuple[str, bool]:
    """Return what the library calls a kind, and whether it holds none that explains it."""
    sites = run.sites
    if not _has_library(run):
        return f"kind {number}", False
    best = explain(spectrum, error**2, sites.references, run.config.sites.limit)
    name = mixture_name(sites.table.standards, best.shares)
    return (f"{OUTSIDE} (nearest: {name})", True) if best.outside else (name, False)


def speck_report(
    run: Resolved, clusters: Sequence[ClusterRow], phases: ComponentTables | None
) -> SpeckReport | None:
    """Return what the search for specks has found in a result; None where these were not searched.

    `clusters` are the rows as they are shown, `phases` the components where they were decided.
    """
    store = run.paths.specks
    if run.config.specks is None or not specks_are_of(store, result_fingerprint(run)):
        return None
    columns, spectra, attributes = read_specks(store)
    shown = {row.label: row for row in clusters}
    labels = attributes["clusters"]
    names = [shown[c].title if c else name for c, name in zip(labels, attributes["kinds"], strict=True)]
    outside = [shown[c].outside if c else own for c, own in zip(labels, attributes["outside"], strict=True)]
    places = {name: values.tolist() for name, values in columns.items()}
    rows = [
        SpeckRow(
            number=number,
            kind=places["kind"][at],
            name=names[places["kind"][at] - 1],
            **{name: places[name][at] for name in ("y", "x", "height", "width", "label", "hits")},
            distance=places["distance"][at],
            log10_p=places["log_p"][at] / np.log(10.0),
            share=places["share"][at],
        )
        for at, number in enumerate(range(1, len(columns["y"]) + 1))
    ]
    own, pixels = columns["kind"], columns["height"] * columns["width"]
    around = [rows[int(np.argmax(own == number + 1))].label for number in range(len(names))]
    kinds = [
        SpeckKind(
            number,
            names[at],
            outside[at],
            labels[at],
            int(np.count_nonzero(own == number)),
            int(pixels[own == number].sum()),
            spectra["spectrum"][at],
            spectra["standard_error"][at],
            *_beside(run, spectra["spectrum"][at], labels[at], shown[labels[at] or around[at]]),
            _component(labels[at], phases) if phases else "",
        )
        for at, number in enumerate(range(1, len(names) + 1))
    ]
    told = attributes["told"]
    return SpeckReport(
        rows,
        kinds,
        told["false_alarms"],
        told["hits"],
        told["explained"],
        told["tail"],
        told["unsearched"],
        _planted(run, rows),
    )


def _beside(run: Resolved, spectrum: FloatArray, label: int, row: ClusterRow) -> tuple[str, FloatArray]:
    """Return name and spectrum (E,) of what a kind is shown beside.

    That is the cluster it is a piece of, by its label, or the nearest reference, or without a library the
    cluster around it.
    """
    if label or not _has_library(run):
        return row.title, row.spectrum
    sites = run.sites
    nearest = int((standardise(sites.references) @ standardise(spectrum)).argmax())
    return sites.table.standards[nearest], sites.references[nearest]


def _component(label: int, phases: ComponentTables) -> str:
    """Return of which components a kind is a piece, by the label of its cluster, in words."""
    if not label:
        return OF_ITS_OWN
    return " + ".join(phases.names[member] for member in phases.members[label])


def _has_library(run: Resolved) -> bool:
    """Return whether there are references that a kind may be called by."""
    return run.config.references.is_given or run.config.sites.file is not None


def _planted(run: Resolved, rows: list[SpeckRow]) -> tuple[int, int] | None:
    """Return how many specks of a simulated scene were found, and how many were planted."""
    if run.config.simulate is None or not run.config.simulate.specks:
        return None
    planted = describe_truth(run.paths.truth).specks
    boxes = [Box(row.y, row.y + row.height, row.x, row.x + row.width) for row in rows]
    found = sum(any(one.overlaps(other) for other in boxes) for one in planted)
    return found, len(planted)
