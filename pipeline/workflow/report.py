"""What a run leaves for people: tables, the manifest, the picture of the map and the report."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from pipeline import __version__
from pipeline.arrays import FloatArray
from pipeline.config import Config
from pipeline.noise import NoiseModel
from pipeline.report import (
    STATE_NAMES,
    ClusterRow,
    ReportData,
    Truth,
    site_pictures,
    write_label_png,
    write_report,
)
from pipeline.sites import site_error
from pipeline.spectra import standardise
from pipeline.stores.cube import CubeInfo, describe_cube
from pipeline.stores.result import open_result, read_map
from pipeline.stores.sites import StoredSites, read_sites
from pipeline.workflow.paths import result_path, sites_path
from pipeline.workflow.runner import Runner
from pipeline.workflow.tables import earlier_seconds, write_manifest, write_tables
from pipeline.workflow.truth import score

OVERVIEW_SIDE = 2048


@dataclass(frozen=True)
class Summary:
    """What a finished run has to say: its clusters, largest first, its truth if known, the paths written."""

    clusters: Sequence[ClusterRow]
    truth: Truth | None
    paths: Sequence[Path]


def report(config: Config, runner: Runner) -> Summary:
    """Write the tables, the manifest, label.png and report.html of a finished result.

    Raises InputError where there is no finished result.
    """
    with open_result(config.output) as result:
        sites, info = read_sites(sites_path(config)), describe_cube(config.cube_path)
        clusters = cluster_rows(result, sites, info.pixel_um, config.noise.model())
        names = {row.label: row.name for row in clusters}
        truth = score(config, runner, names, len(sites.table.names))
        with runner.step("report", 1) as advance:
            data = _report_data(config, result, sites, info, clusters, truth, runner)
            paths = [result_path(config), *write_tables(config.output, data, sites)]
            paths += [config.output / "label.png", config.output / "report.html"]
            write_label_png(paths[-2], data)
            write_report(paths[-1], data)
            advance(1)
        paths.append(write_manifest(config, result.attrs["fingerprint"], data, runner))
    return Summary(clusters, truth, paths)


def cluster_rows(
    result: xr.Dataset, sites: StoredSites, pixel_um: float, noise: NoiseModel
) -> list[ClusterRow]:
    """Name every cluster after the reference that its mean spectrum correlates with best; largest first."""
    spectra, pixels = result.spectrum.values, result.pixels.values
    correlation = standardise(spectra) @ standardise(sites.references).T if len(spectra) else np.empty((0, 1))
    nearest = correlation.argmax(axis=1)
    rows = [
        ClusterRow(
            label=int(label),
            name=sites.table.standards[reference],
            correlation=float(correlation[i, reference]),
            error=_error(spectra[i], sites.references[reference], noise),
            pixels=int(pixels[i]),
            share=float(pixels[i] / pixels.sum()),
            area_um2=float(pixels[i] * pixel_um**2),
            spectrum=spectra[i],
            standard_error=result.standard_error.values[i],
            reference=sites.references[reference],
        )
        for i, (label, reference) in enumerate(zip(result.cluster.values, nearest, strict=True))
    ]
    return sorted(rows, key=lambda row: (-row.pixels, row.label))


def _error(spectrum: FloatArray, reference: FloatArray, noise: NoiseModel) -> float:
    return float(site_error(np.stack([spectrum, reference]), noise)[0, 1])


def _report_data(
    config: Config,
    result: xr.Dataset,
    sites: StoredSites,
    info: CubeInfo,
    clusters: list[ClusterRow],
    truth: Truth | None,
    runner: Runner,
) -> ReportData:
    step = -(-max(info.plane) // OVERVIEW_SIDE)
    return ReportData(
        title=config.title,
        source=_source(config, info),
        energy=info.energy,
        pixel_um=info.pixel_um,
        label=_overview(result_path(config), "label", info, step),
        state=_overview(result_path(config), "state", info, step),
        density=_density(info, step),
        correlation=_overview(result_path(config), "correlation", info, step),
        clusters=clusters,
        states=dict(zip(STATE_NAMES, result.attrs["states"], strict=True)),
        site_names=sites.table.names,
        parameters=_parameters(config, len(sites.table.names)),
        noise=asdict(config.noise.model()),
        timings=list((earlier_seconds(config, result.attrs["fingerprint"]) | runner.seconds).items()),
        truth=truth,
        warnings=_warnings(clusters),
        site_pictures=site_pictures(sites.audit, sites.proof) if sites.audit else (),
        version=__version__,
        step=step,
    )


def _overview(store: Path, name: str, info: CubeInfo, step: int) -> NDArray[Any]:
    height, width = info.plane
    return read_map(store, name, (slice(0, height, step), slice(0, width, step)))


def _density(info: CubeInfo, step: int) -> FloatArray | None:
    if not info.maps:
        return None
    low, high = (_overview(info.path, name, info, step) for name in info.maps)
    return (high - low).astype(np.float64)


def _source(config: Config, info: CubeInfo) -> str:
    height, width = info.plane
    made = "simulated cube" if config.simulate else str(info.path)
    return f"{made}: {height} x {width} pixels, {info.shape[0]} energies"


def _parameters(config: Config, sites: int) -> list[tuple[str, str, str]]:
    made, clean = config.sites, config.clean_up
    references = "modelled phases" if config.references.modelled else str(config.references.path or made.file)
    method = f"taken from {made.file}" if made.file else made.method
    return [
        ("references", references, "where the reference spectra come from"),
        ("sites", str(sites), "site spectra that every pixel was compared with"),
        ("method", method, "how candidates were reduced to sites"),
        ("limit", f"{made.limit:g}", "discrimination error at which candidates count as one"),
        ("k_size", str(clean.k_size), "side of the clean-up's window, in pixels"),
        ("p_num", str(clean.p_num), "equal labels in a window that make a core"),
        ("fill_void", "yes" if clean.fill_void else "no", "whether pixels without signal are filled"),
    ]


def _warnings(clusters: list[ClusterRow]) -> list[str]:
    if not clusters:
        return [
            "no label survived the clean-up: no window holds p_num equal labels; look at the noise settings "
            "and at the correlation map"
        ]
    return []
