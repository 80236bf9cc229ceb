"""The report folder of a finished result: its tiles, streamed block by block, and its pages."""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from gigaxas.arrays import IntArray
from gigaxas.checkpoint.identity import digest
from gigaxas.execution.runner import Runner
from gigaxas.report import ReportData
from gigaxas.report.viewer import (
    TILE,
    ValueLayer,
    ViewerData,
    boxes_script,
    label_boxes,
    value_layer,
    write_viewer,
)
from gigaxas.spatial.pyramid import level_shapes
from gigaxas.stores.cells import read_side
from gigaxas.stores.io import chunks
from gigaxas.stores.io.files import publish_file
from gigaxas.stores.io.groups import create_group, put_in_place
from gigaxas.tasks import viewer as tasks
from gigaxas.tasks.pyramid import BLOCK, CLIMB, LABELS, Layers, read_values
from gigaxas.tasks.viewer import level_store
from gigaxas.tiles import Plane, regular_grid
from gigaxas.workflow.pyramid import find_layers
from gigaxas.workflow.resolve import Resolved

if TYPE_CHECKING:
    import xarray as xr

FORMAT = 3
"""Raised when tiles of an earlier version can no longer be shown."""
TITLES = {"density": "Iron density"}
"""Titles of layers whose names do not say enough."""
MOST_CELLS = 64
"""Cells along the longer side of the map in which the boxes of labels are told apart."""


def write_report_folder(run: Resolved, result: "xr.Dataset", data: ReportData, runner: Runner) -> Path:
    """Write the report folder and return its page; tiles that are there for this very result stay.

    Raises RunError where the folder cannot be written.
    """
    folder, layers = run.paths.report_folder, find_layers(run, result)
    values = value_layers(layers, data)
    shown = [(v.name, v.low, v.high, v.group, v.label) for v in values]
    fingerprint = digest(FORMAT, TILE, result.attrs["fingerprint"], layers.composed, shown)
    if not _are_made(folder / "tiles", fingerprint):
        _write_tiles(folder, layers, values, run.info.plane, fingerprint, runner)
    return write_viewer(folder, ViewerData(data, run.info.plane, values, read_side(run.paths.result)))


def value_layers(layers: Layers, data: ReportData) -> list[ValueLayer]:
    """Return the measured layers with their ranges, taken from as many pixels as the report's overview."""
    names = {row.label: row.title for row in data.clusters}
    shown = {"density": data.density, "correlation": data.correlation}
    every = (slice(None, None, data.step),) * 2
    found = []
    for name, meaning in layers.values.items():
        if name in layers.ratios:
            label = int(name.removeprefix("ratio_"))
            title = f"Share of {names.get(label, f'label {label}')}"
            found.append(ValueLayer(name, title, meaning, 0.0, 1.0, "components", label))
            continue
        known = shown.get(name)
        sample = read_values(layers, name, every) if known is None else known
        title = TITLES.get(name, name.replace("_", " ").capitalize())
        layer = value_layer(name, title, meaning, np.where(data.state == 0, np.nan, sample))
        if layer is not None:
            found.append(layer)
    return found


def _are_made(tiles: Path, fingerprint: str) -> bool:
    try:
        return bool(json.loads((tiles / "made.json").read_text())["fingerprint"] == fingerprint)
    except (OSError, ValueError, KeyError):
        return False


def _write_tiles(
    folder: Path,
    layers: Layers,
    values: Sequence[ValueLayer],
    plane: Plane,
    fingerprint: str,
    runner: Runner,
) -> None:
    """Write the tiles of every level; each pass reads what the one before left at a quarter of the size."""
    tiles, scratch = folder / "tiles.partial", folder / "levels.partial"
    shutil.rmtree(tiles, ignore_errors=True)
    tiles.mkdir(parents=True)
    shapes = level_shapes(plane, TILE)
    boxes: list[IntArray] = []
    cell = _cell(plane)
    for level in range(0, max(1, len(shapes) - 1), CLIMB):
        if level + CLIMB < len(shapes) - 1:
            _create_level(level_store(scratch, level + CLIMB), shapes[level + CLIMB], layers, values)
        found = runner.over(
            "map tiles",
            tasks.draw_block,
            regular_grid(shapes[level], (BLOCK, BLOCK)),
            layers=layers,
            values=tuple(values),
            folder=tiles,
            scratch=scratch,
            level=level,
            levels=len(shapes),
            cell=cell,
        )
        boxes += [rows for line in found for rows in line]
    tasks.write_cells(layers.result, tiles / "cells")
    publish_file(tiles / "boxes.js", boxes_script(label_boxes(np.concatenate(boxes), cell)))
    publish_file(tiles / "made.json", json.dumps({"fingerprint": fingerprint}).encode())
    shutil.rmtree(scratch, ignore_errors=True)
    put_in_place(tiles, folder / "tiles")


def _create_level(store: Path, shape: Plane, layers: Layers, values: Sequence[ValueLayer]) -> None:
    """Make the store of one level between two passes, one chunk a block."""
    create_group(store, {"title": "gigaxas level"})
    side = BLOCK // 2**CLIMB
    kinds = {name: np.dtype(np.float32) for name in (layer.name for layer in values)}
    kinds |= {name: chunks.open_array(layers.result, name).dtype for name in LABELS}
    for name, kind in kinds.items():
        chunks.create_array(store, name, shape=shape, chunks=(side, side), dtype=kind, dims=("y", "x"))


def _cell(plane: Plane) -> int:
    """Return the side of the cells in which boxes are told apart: a power of two that divides a block."""
    side = 32
    while side < BLOCK and side * MOST_CELLS < max(plane):
        side *= 2
    return side
