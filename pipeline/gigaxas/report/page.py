"""The report: one HTML file that needs nothing else, no network either."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from gigaxas.report import views, wording
from gigaxas.report.data import DIFFERS_BELOW, ReportData
from gigaxas.report.layers import data_uri
from gigaxas.stores.io.files import publish_file

_FILTERS: dict[str, Callable[[Any], str]] = {
    "count": wording.count,
    "counts": wording.counts,
    "share": wording.share,
    "as_length": wording.length,
    "area": wording.area,
    "correlation": wording.correlation,
    "error": wording.error,
    "probability": wording.probability,
    "duration": wording.duration,
    "figure": wording.figure,
    "data_uri": data_uri,
}

_NOISE_MEANINGS = {
    "c_ref": "mean reference counts",
    "mu_low": "mean absorbance before the edge",
    "mu_high": "mean absorbance after the edge",
    "a": "camera: variance per count",
    "b": "camera: variance at no light, subtracted",
    "quantity": "what the samples of the cube are",
    "sigma": "noise of a typical sample",
    "measured": "what uniform areas of the image show",
}

_LEGEND_LARGEST = 8
"""Clusters in the legend over the map."""


def write_report(path_html: Path, data: ReportData, map_page: str | None = None) -> None:
    """Write `data` as one self-contained page at `path_html`, whole or not at all; raises RunError.

    `map_page` is the address, seen from there, of the page that shows the map at full resolution.
    """
    publish_file(Path(path_html), render_report(data, map_page).encode("utf-8"))


def render_report(data: ReportData, map_page: str | None = None) -> str:
    """Return the page's HTML; every text of `data` is escaped."""
    return environment().get_template("report.html").render(_context(data), map_page=map_page)


def environment() -> Environment:
    """Return the templates with this project's way of writing numbers."""
    environment = Environment(
        loader=PackageLoader("gigaxas.report", "template"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(_FILTERS)
    return environment


def _context(data: ReportData) -> dict[str, Any]:
    """Return what the template names."""
    clusters = views.cluster_views(data)
    outside, minor = views.needles(clusters)
    return {
        "data": data,
        "clusters": clusters,
        "outside": outside,
        "minor": minor,
        "legend": clusters[:_LEGEND_LARGEST],
        "map": views.map_view(data, clusters),
        "specks": views.speck_section(data),
        "state_uri": views.state_picture(data),
        "states": views.state_views(data),
        "correlation": views.correlation_view(data),
        "noise": [(name, value, _NOISE_MEANINGS.get(name, "")) for name, value in (data.noise or {}).items()],
        "seconds": sum(seconds for _, seconds in data.timings),
        "differs_below": DIFFERS_BELOW,
    }
