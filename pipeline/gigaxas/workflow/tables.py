"""The tables and the manifest of a run, each written aside and published by rename."""

import json
import platform
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from gigaxas.execution.runner import Runner
from gigaxas.report import ClusterRow, ReportData
from gigaxas.stores.io.files import publish_csv, publish_file
from gigaxas.stores.sites import StoredSites
from gigaxas.workflow.resolve import Resolved

PACKAGES = ("gigaxas", "dask", "distributed", "numba", "numcodecs", "numpy", "scipy", "xarray", "zarr")


def write_tables(folder: Path, data: ReportData, sites: StoredSites) -> list[Path]:
    """Write clusters.csv (a row a cluster) and spectra.csv (a column a cluster); return their paths."""
    clusters = folder / "clusters.csv"
    header = ["label", "name", "correlation", "s_error", "pixels", "share", "area_um2", "site"]
    header += ["outside", "chi_square", "freedom", "p_value", "y", "x"]
    rows = [
        [
            row.label,
            row.name,
            f"{row.correlation:.6f}",
            f"{row.error:.6g}",
            row.pixels,
            f"{row.share:.8f}",
            f"{row.area_um2:.4f}",
            sites.table.names[row.label - 1],
            *_finding(row),
        ]
        for row in data.clusters
    ]
    publish_csv(clusters, header, rows)
    spectra = folder / "spectra.csv"
    columns = [
        data.energy,
        *(values for row in data.clusters for values in (row.spectrum, row.standard_error)),
    ]
    header = ["energy_ev", *(f"{kind}{row.label}" for row in data.clusters for kind in ("label_", "error_"))]
    publish_csv(spectra, header, [[f"{value:.8g}" for value in line] for line in np.column_stack(columns)])
    return [clusters, spectra]


def _finding(row: ClusterRow) -> list[Any]:
    """Return the cells of a cluster whose site was observed; empty ones for others."""
    found = row.finding
    if found is None:
        return [""] * 6
    numbers = (found.chi_square, found.freedom, found.p_value)
    cells = ["" if number is None else f"{number:.6g}" for number in numbers]
    return ["yes" if found.outside else "no", *cells, *found.place]


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
        "versions": {"python": platform.python_version(), **{name: version(name) for name in PACKAGES}},
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


def _share(count: Sequence[int] | None) -> dict[str, float] | None:
    return {"share": count[0] / max(count[1], 1), "pixels": count[1]} if count else None


def earlier_seconds(folder: Path, fingerprint: str) -> dict[str, float]:
    """Return the seconds of the stages that an earlier run of the same result has told."""
    try:
        manifest: dict[str, Any] = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        return dict(manifest["seconds"]) if manifest["fingerprint"] == fingerprint else {}
    except (OSError, ValueError, KeyError, TypeError):
        return {}
