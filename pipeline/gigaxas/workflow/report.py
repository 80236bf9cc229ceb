"""What a run leaves for people: tables, the manifest, the picture of the map and the report."""

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gigaxas import __version__
from gigaxas.arrays import FloatArray
from gigaxas.config.schema import Config
from gigaxas.execution.runner import Runner
from gigaxas.locations import Location
from gigaxas.report import (
    STATE_NAMES,
    ClusterRow,
    ReportData,
    Truth,
    Underway,
    site_pictures,
    void_views,
    write_label_png,
    write_report,
)
from gigaxas.stores.cube import CubeInfo, read_plane
from gigaxas.stores.result import open_result, read_map
from gigaxas.stores.sites import StoredSites
from gigaxas.workflow.alignment import told_shift
from gigaxas.workflow.component_tables import ComponentTables, read_component_tables
from gigaxas.workflow.exports import Export, write_ome_zarr, write_signals, write_tiffs
from gigaxas.workflow.image import told_noise
from gigaxas.workflow.naming import cluster_rows
from gigaxas.workflow.observed import told_continua
from gigaxas.workflow.pyramid import component_labels
from gigaxas.workflow.resolve import Resolved
from gigaxas.workflow.result import named_void
from gigaxas.workflow.speck_tables import write_speck_tables
from gigaxas.workflow.specks import speck_report
from gigaxas.workflow.summary import Summary
from gigaxas.workflow.tables import earlier_seconds, write_manifest, write_tables
from gigaxas.workflow.truth import score
from gigaxas.workflow.viewer import write_report_folder

if TYPE_CHECKING:
    import xarray as xr

OVERVIEW_SIDE = 2048
NOISE_SLACK = 0.1
SHARING_SLACK = 0.25


def report(
    run: Resolved, runner: Runner, exports: Collection[Export] = (), underway: Underway | None = None
) -> Summary:
    """Write the tables, the manifest, label.png, report.html and the report folder of a finished result.

    `exports` names the formats of other programs that the maps are written in too; pages of a measurement
    that is `underway` show themselves anew. Raises InputError where there is no finished result.
    """
    paths, folder, sites = run.paths, run.paths.output, run.sites
    with open_result(paths.result) as result:
        clusters = cluster_rows(run, result)
        names, shares = {row.label: row.name for row in clusters}, result.attrs["shares"]
        found = component_labels(paths.composition, result.attrs["fingerprint"])[0]
        phases = read_component_tables(folder, found)
        truth = score(run, runner, names)
        decided = _as_decided(clusters, phases)
        data = replace(
            _report_data(run, result, decided, truth),
            components=phases.components if phases else (),
            specks=speck_report(run, decided, phases),
            underway=underway,
        )
        page = write_report_folder(run, result, data, runner)
        with runner.step("report", 1) as advance:
            seconds = earlier_seconds(folder, result.attrs["fingerprint"]) | runner.seconds
            data = replace(data, timings=list(seconds.items()))
            written: list[Location] = [paths.result, *write_tables(folder, data, sites)]
            if data.specks:
                written += [paths.specks, *write_speck_tables(folder, run.energy, data.specks)]
            picture, single = folder / "label.png", folder / "report.html"
            write_label_png(picture, data)
            write_report(single, data, page.relative_to(folder).as_posix())
            advance(1)
        written += [picture, single, page]
        if "ome-zarr" in exports:
            written.append(write_ome_zarr(run, result, data, runner))
        if "tiff" in exports:
            written += write_tiffs(run, result, data, runner)
        if "hyperspy" in exports:
            written += write_signals(run, result, runner)
        written.append(write_manifest(run, result.attrs, data, runner))
    return Summary(clusters, truth, void_views(data), written, data.specks, _shares(shares))


def _as_decided(clusters: list[ClusterRow], phases: ComponentTables | None) -> list[ClusterRow]:
    """Return the rows as the phases' tables tell them: names, what explains them, what lies outside."""
    if phases is None:
        return clusters
    return [
        replace(
            row,
            given=phases.names[row.label],
            explained=phases.explained[row.label],
            decided_outside=phases.outside[row.label],
        )
        for row in clusters
    ]


def _report_data(
    run: Resolved, result: "xr.Dataset", clusters: list[ClusterRow], truth: Truth | None
) -> ReportData:
    config, info, sites, maps = run.config, run.info, run.sites, run.paths.result
    step = -(-max(info.plane) // OVERVIEW_SIDE)
    return ReportData(
        title=config.title,
        source=_source(config, info),
        energy=info.energy,
        pixel_um=info.pixel_um,
        label=_overview(maps, "label", info, step),
        state=_overview(maps, "state", info, step),
        density=_density(info, step),
        correlation=_overview(maps, "correlation", info, step),
        clusters=clusters,
        states=dict(zip(STATE_NAMES, result.attrs["states"], strict=True)),
        void=named_void(np.array(result.attrs["void_reasons"])),
        site_names=sites.table.names,
        parameters=_parameters(config, sites, result.attrs["shares"]),
        noise=_noise_rows(run),
        truth=truth,
        warnings=_warnings(config, clusters, sites),
        site_pictures=site_pictures(sites.audit, sites.proof) if sites.audit else (),
        version=__version__,
        step=step,
    )


def _noise_rows(run: Resolved) -> Mapping[str, float | str]:
    """Return the numbers of a camera, or what the image tells; no figure depends on the unit of the cube."""
    found = run.image
    if found is None:
        return dict(run.noise.record())
    return {
        "quantity": found.quantity,
        "sigma": f"{found.share:.2%} of the {found.of}",
        "measured": "; ".join(told_noise(found, given=run.config.noise_kind != "measured")),
    }


def _overview(store: Location, name: str, info: CubeInfo, step: int) -> NDArray[Any]:
    return read_map(store, name, _every(info, step))


def _every(info: CubeInfo, step: int) -> tuple[slice, slice]:
    height, width = info.plane
    return slice(0, height, step), slice(0, width, step)


def _density(info: CubeInfo, step: int) -> FloatArray | None:
    if not info.maps:
        return None
    low, high = (read_plane(info, name, _every(info, step)) for name in info.maps)
    return (high - low).astype(np.float64)


def _source(config: Config, info: CubeInfo) -> str:
    height, width = info.plane
    made = "simulated cube" if config.simulate else str(info.path)
    return f"{made}: {height} x {width} pixels, {info.shape[0]} energies"


def _shares(shares: Mapping[str, tuple[int, int]]) -> list[tuple[str, str, str]]:
    """Return rows on labels that are not exact, each told from a count of pixels."""
    meanings = {
        "right": ("recall", "labels of the approximate engine that are right, of a sample of every tile"),
        "changed": (
            "changed labels",
            "labels that rounding the samples changed, of the pixels kept as they were",
        ),
    }
    return [
        (meanings[name][0], f"{some / max(pixels, 1):.4%} of {pixels:,}", meanings[name][1])
        for name, (some, pixels) in shares.items()
    ]


def _parameters(
    config: Config, sites: StoredSites, shares: Mapping[str, tuple[int, int]]
) -> list[tuple[str, str, str]]:
    made, clean = config.sites, config.clean_up
    references = "modelled phases" if config.references.modelled else str(config.references.path or made.file)
    if not config.references.is_given and not made.file:
        references = "none"
    method = f"taken from {made.file}" if made.file else made.method
    if made.origin in ("observed", "both"):
        method = "observed in the data" if made.origin == "observed" else f"observed, and {method}"
    return [
        ("references", references, "where the reference spectra come from"),
        ("sites", str(len(sites.table.names)), "site spectra that every pixel was compared with"),
        *_seen(config, sites),
        *_moved(sites),
        ("method", method, "where sites come from and how candidates were reduced to them"),
        ("limit", f"{made.limit:g}", "discrimination error at which candidates count as one"),
        ("k_size", str(clean.k_size), "side of the clean-up's window, in pixels"),
        ("p_num", str(clean.p_num), "equal labels in a window that make a core"),
        *_shares(shares),
        ("fill_void", "yes" if clean.fill_void else "no", "whether pixels without signal are filled"),
    ]


def _seen(config: Config, sites: StoredSites) -> list[tuple[str, str, str]]:
    if sites.evidence is None:
        return []
    seen, noise = np.count_nonzero(sites.evidence.windows), sites.evidence.noise
    rows = [("observed sites", str(seen), "of these, sites seen in the data")]
    if config.noise_kind == "camera":
        rows.append(
            ("noise found", f"{noise.scale:.3f}", "noise of uniform windows over that of the camera model")
        )
    return rows


def _moved(sites: StoredSites) -> list[tuple[str, str, str]]:
    if sites.shift is None:
        return []
    done = (
        "the references were moved by it"
        if sites.shift["applied"]
        else "the references were left as they are"
    )
    figure = f"{sites.shift['ev']:+.2f} +- {sites.shift['error']:.2f} eV"
    return [("energy shift", figure, f"at which references and image agree best; {done}")]


def _warnings(config: Config, clusters: list[ClusterRow], sites: StoredSites) -> list[str]:
    told = told_shift(sites.shift) if sites.shift else []
    said = [line.removeprefix("warning").strip() for line in told if line.startswith("warning")]
    if not clusters:
        said.append(
            "no label survived the clean-up: no window holds p_num equal labels; look at the noise settings "
            "and at the correlation map"
        )
    said += told_continua(sites)
    if config.sites.origin == "both" and sites.evidence is None:
        said.append("no uniform window was found in the data: the sites are those of the library alone")
    camera = config.noise_kind == "camera"
    if camera and sites.evidence and abs(sites.evidence.noise.scale - 1.0) > NOISE_SLACK:
        said.append(
            f"the noise of uniform windows is {sites.evidence.noise.scale:.2f} times what the camera model "
            "says; the sites were found with the noise of the data, but the errors told here are by the "
            "model: check c_ref, mu_low, mu_high, a and b"
        )
    if sites.evidence and sites.evidence.noise.sharing > 1.0 + SHARING_SLACK:
        said.append(
            "neighbouring pixels share noise: the variance of a window's mean is "
            f"{sites.evidence.noise.sharing:.1f} times that of independent pixels; the sites were found with "
            "that in mind, and small phases are harder to tell from their surroundings than in such an image"
        )
    if sites.evidence and sites.evidence.coarsened:
        said.append(sites.evidence.coarsened)
    return said
