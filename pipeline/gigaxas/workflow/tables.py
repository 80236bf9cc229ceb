"""The tables and the manifest of a run, each written aside and published by rename."""

import json
import platform
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from gigaxas.arrays import FloatArray
from gigaxas.execution.runner import Runner
from gigaxas.report import ClusterRow, Finding, ReportData
from gigaxas.stores.io.files import Columns, publish_file, publish_table
from gigaxas.stores.result import CLUSTER_TABLE
from gigaxas.stores.sites import StoredSites
from gigaxas.workflow.resolve import Resolved

PACKAGES = ("gigaxas", "dask", "distributed", "numba", "numcodecs", "numpy", "scipy", "xarray", "zarr")


def write_tables(folder: Path, data: ReportData, sites: StoredSites) -> list[Path]:
    """Write clusters.csv (a row a cluster) and spectra.csv (a row an energy); return their paths."""
    clusters, spectra = folder / CLUSTER_TABLE, folder / "spectra.csv"
    publish_table(clusters, _cluster_columns(sites.table.names), data.clusters)
    publish_table(spectra, _spectrum_columns(data), range(len(data.energy)))
    return [clusters, spectra]


def _cluster_columns(site_names: Sequence[str]) -> Columns[ClusterRow]:
    """Return the columns of clusters.csv; the last five are empty where the site was not observed."""

    def found(cell: Callable[[Finding], object]) -> Callable[[ClusterRow], object]:
        return lambda row: "" if row.finding is None else cell(row.finding)

    return {
        "label": lambda row: row.label,
        "name": lambda row: row.title,
        "outside": lambda row: "yes" if row.outside else "no",
        "explained": lambda row: row.explained,
        "moved_reference": lambda row: row.moved.name if row.moved else "",
        "moved_ev": lambda row: f"{row.moved.ev:+.3f}" if row.moved else "",
        "nearest": lambda row: row.name,
        "correlation": lambda row: f"{row.correlation:.6f}",
        "s_error": lambda row: f"{row.error:.6g}",
        "pixels": lambda row: row.pixels,
        "share": lambda row: f"{row.share:.8f}",
        "area_um2": lambda row: f"{row.area_um2:.4f}",
        "site": lambda row: site_names[row.label - 1],
        "chi_square": found(lambda finding: _number(finding.chi_square)),
        "freedom": found(lambda finding: _number(finding.freedom)),
        "p_value": found(lambda finding: _number(finding.p_value)),
        "y": found(lambda finding: finding.position[0]),
        "x": found(lambda finding: finding.position[1]),
    }


def _spectrum_columns(data: ReportData) -> Columns[int]:
    """Return the columns of spectra.csv: the energy, and the mean and standard error of every cluster."""
    curves = {"energy_ev": data.energy}
    for row in data.clusters:
        curves |= {f"label_{row.label}": row.spectrum, f"error_{row.label}": row.standard_error}

    def cell(values: FloatArray) -> Callable[[int], str]:
        return lambda i: f"{values[i]:.8g}"

    return {name: cell(values) for name, values in curves.items()}


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.6g}"


def write_manifest(run: Resolved, marks: Mapping[Any, Any], data: ReportData, runner: Runner) -> Path:
    """Write manifest.json: settings, versions, fingerprint, counts and seconds of every stage.

    `marks` are the attributes of the result. Where labels are approximate, their `recall` stands there, and
    where the cube is quantised, `changed_labels`: the share, and the pixels it was found on.
    """
    path = run.paths.output / "manifest.json"
    manifest = {
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "fingerprint": marks["fingerprint"],
        "config": run.config.model_dump(mode="json", by_alias=True),
        "quantity": run.quantity,
        "noise": run.noise.record(),
        "void": dict(data.void),
        "shift": None if run.sites.shift is None else dict(run.sites.shift),
        "versions": versions(),
        "workers": runner.workers,
        "seconds": {stage: round(seconds, 3) for stage, seconds in data.timings},
        "pixels": data.total_pixels,
        "states": dict(data.states),
        "sites": len(data.site_names),
        "clusters": len(data.clusters),
        "right_share": data.truth.right_share if data.truth else None,
        "recall": _share(marks["shares"].get("right")),
        "changed_labels": _share(marks["shares"].get("changed")),
    }
    publish_file(path, (json.dumps(manifest, indent=2) + "\n").encode())
    return path


def versions() -> dict[str, str]:
    """Return the versions of Python and of the packages that results may depend on."""
    return {"python": platform.python_version(), **{name: version(name) for name in PACKAGES}}


def _share(count: Sequence[int] | None) -> dict[str, float] | None:
    return {"share": count[0] / max(count[1], 1), "pixels": count[1]} if count else None


def earlier_seconds(folder: Path, fingerprint: str) -> dict[str, float]:
    """Return the seconds of the stages that an earlier run of the same result has told."""
    try:
        manifest: dict[str, Any] = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        return dict(manifest["seconds"]) if manifest["fingerprint"] == fingerprint else {}
    except (OSError, ValueError, KeyError, TypeError):
        return {}
