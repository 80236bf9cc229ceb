"""The pages of the report folder: what stands round the tiles."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

from gigaxas.arrays import label_dtype
from gigaxas.report import layers, views, wording
from gigaxas.report.data import STATE_NAMES, ReportData
from gigaxas.report.page import environment
from gigaxas.report.palette import DARKEST, state_colours
from gigaxas.report.viewer.cells import GROUP, cell_levels
from gigaxas.report.viewer.tiles import LEVELS, TILE, ValueLayer
from gigaxas.spatial.pyramid import level_shapes
from gigaxas.stores.io.files import publish_file
from gigaxas.tiles import Plane

_SCRIPTS = (
    "tiles.js",
    "colours.js",
    "map.js",
    "specks.js",
    "marks.js",
    "panel.js",
    "spectrum.js",
    "lasso.js",
    "address.js",
    "start.js",
)
_LIBRARY = ("openseadragon.min.js", "LICENSE.txt")


@dataclass(frozen=True)
class ViewerData:
    """What the report folder shows."""

    data: ReportData
    """What the report shows."""
    shape: Plane
    """Rows and columns of the whole map, in pixels."""
    values: Sequence[ValueLayer]
    """The measured maps."""
    cell: int = 0
    """Side of the cells whose spectra are there, in pixels; 0 where none are."""


def write_viewer(folder: Path, content: ViewerData) -> Path:
    """Write the page, its scripts and the card of every cluster; return the page. Raises RunError."""
    (folder / "cards").mkdir(parents=True, exist_ok=True)
    clusters = views.cluster_views(content.data, most_charts=None)
    outside, minor = views.needles(clusters)
    templates = environment()
    scripts = (*_SCRIPTS, "live.js") if content.data.underway else _SCRIPTS
    context = {
        "data": content.data,
        "outside": outside,
        "needles": minor,
        "others": [view for view in clusters if not view.minor and not view.row.reason],
        "components": content.data.components,
        "layers": _layer_choices(content),
        "states": views.state_views(content.data),
        "scripts": ("openseadragon.min.js", "tiles.js", "scene.js", "tiles/boxes.js", *scripts[1:]),
    }
    _write_cards(folder / "cards", content.data, clusters)
    publish_file(folder / "scene.js", f"gx.scene={_json(_scene(content, clusters))}\n".encode())
    publish_file(folder / "viewer.css", templates.get_template("viewer/viewer.css").render().encode())
    for name in scripts:
        publish_file(folder / name, (files("gigaxas.report") / "template" / "viewer" / name).read_bytes())
    for name in _LIBRARY:
        body = (files("gigaxas.report") / "vendor" / "openseadragon" / name).read_bytes()
        publish_file(folder / name.replace("LICENSE", "openseadragon-LICENSE"), body)
    publish_file(folder / "index.html", templates.get_template("viewer/index.html").render(context).encode())
    return folder / "index.html"


def _write_cards(folder: Path, data: ReportData, clusters: Sequence[views.ClusterView]) -> None:
    """Write the card of every cluster, and of every kind of specks that the map does not show."""
    templates = environment()
    card, kind = templates.get_template("card.html"), templates.get_template("kind.html")
    cards = {f"{view.row.label}": card.render(view=view) for view in clusters}
    if data.specks:
        new = views.kind_views(data, data.specks.new)
        cards |= {f"kind-{view.kind.number}": kind.render(view=view, map_page=None) for view in new}
    for name, text in cards.items():
        publish_file(folder / f"{name}.js", _put(f"cards/{name}", text))
    for left in set(folder.glob("*.js")) - {folder / f"{name}.js" for name in cards}:
        left.unlink()


def _layer_choices(content: ViewerData) -> list[tuple[str, str, str]]:
    """Return (name, title, meaning) of every layer that can be chosen."""
    fixed = [
        ("label", "Label", "final label of every pixel"),
        ("kept", "Kept", "labels that the clean-up kept; the rest was filled from its surroundings"),
        (
            "site",
            "Site",
            "nearest site as assigned, before the clean-up; sites that name no cluster are pale",
        ),
        ("state", "State", "how each pixel got its label"),
    ]
    measured = [(layer.name, layer.title, layer.meaning) for layer in content.values if not layer.label]
    if any(layer.label for layer in content.values):
        fixed.append(("components", "Components", "colours of the components of each pixel, by their shares"))
    return fixed + measured


def _scene(content: ViewerData, clusters: Sequence[views.ClusterView]) -> dict[str, Any]:
    """Return what the page's scripts know of the map."""
    from matplotlib import colormaps

    shapes = level_shapes(content.shape, TILE)
    ramp = np.rint(255 * colormaps["cividis"](np.linspace(0, 1, LEVELS + 1))[:, :3]).astype(np.uint8)
    return {
        "width": content.shape[1],
        "height": content.shape[0],
        "tile": TILE,
        "levels": len(shapes),
        "um": content.data.pixel_um,
        "bytes": np.dtype(label_dtype(len(content.data.site_names))).itemsize,
        "sites": list(content.data.site_names),
        "clusters": [
            {"label": view.row.label, "name": view.row.title, "colour": view.colour, "share": view.row.share}
            for view in clusters
        ],
        "states": [
            {"name": name, "meaning": views.STATE_MEANINGS[name], "colour": colour}
            for name, colour in zip(STATE_NAMES, state_colours(), strict=True)
        ],
        "values": _values(content.values),
        "ramp": ["#" + bytes(colour).hex() for colour in ramp],
        "shade": _shade(content.data),
        "darkest": DARKEST,
        "specks": _specks(content.data),
        "cells": _cells(content),
        "energy": [round(float(energy), 3) for energy in content.data.energy] if content.cell else [],
    }


def _cells(content: ViewerData) -> dict[str, int] | None:
    """Return side, levels and the side of a script's group of cells; None where there are none."""
    if not content.cell:
        return None
    shape = [-(-size // content.cell) for size in content.shape]
    return {"side": content.cell, "levels": cell_levels((shape[0], shape[1])), "group": GROUP}


def _specks(data: ReportData) -> dict[str, Any] | None:
    """Return kinds and specks as the scripts take them, None where specks were not searched."""
    if data.specks is None:
        return None
    colours = views.speck_colours(data)
    return {
        "kinds": [
            {
                "name": kind.name,
                "colour": colours[kind.number],
                "card": str(kind.cluster) if kind.cluster else f"kind-{kind.number}",
                "shown": kind.cluster > 0,
            }
            for kind in data.specks.kinds
        ],
        "rows": [
            [
                *(row.kind - 1, row.x, row.y, row.width, row.height),
                *(round(row.distance, 1), wording.probability(row.log10_p)),
            ]
            for row in data.specks.rows
        ],
    }


def _values(values: Sequence[ValueLayer]) -> list[dict[str, Any]]:
    """Return the layers, each with its number in the tiles of its group."""
    groups = [layer.group for layer in values]
    return [vars(layer) | {"plane": groups[:i].count(layer.group)} for i, layer in enumerate(values)]


def _shade(data: ReportData) -> list[float] | None:
    """Return the iron densities of the darkest and of the full colour, None where the field is even."""
    if data.density is None:
        return None
    ends = layers.brightness_range(data.density, data.label == 0)
    return list(ends) if ends else None


def _put(key: str, text: str) -> bytes:
    return f"gx.put({json.dumps(key)},{_json(text)})\n".encode()


def _json(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), allow_nan=False)
