"""The report folder of a finished result: its tiles, streamed block by block, and its pages."""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import xarray as xr

from gigaxas.arrays import IntArray
from gigaxas.checkpoint.identity import digest
from gigaxas.errors import unwritable
from gigaxas.execution.runner import Runner
from gigaxas.report import ReportData
from gigaxas.report.viewer import (
    TILE,
    Scene,
    ValueLayer,
    boxes_script,
    encode_values,
    join_boxes,
    tile_script,
    value_layer,
    write_viewer,
)
from gigaxas.spatial.pyramid import Plane, find_boxes, level_shapes
from gigaxas.stores.io import chunks
from gigaxas.stores.io.files import publish_file
from gigaxas.stores.io.groups import create_group, put_in_place
from gigaxas.tiles import Tile, flat, regular_grid
from gigaxas.workflow.pyramid import (
    BLOCK,
    CLIMB,
    LABELS,
    Layers,
    Maps,
    climb,
    find_layers,
    part_of,
    read_layers,
    read_values,
)
from gigaxas.workflow.resolve import Resolved

FORMAT = 1
"""Raised when tiles of an earlier version can no longer be shown."""
TITLES = {"density": "Iron density"}
MOST_CELLS = 64


def write_report_folder(run: Resolved, result: xr.Dataset, data: ReportData, runner: Runner) -> Path:
    """Write the report folder and return its page; tiles that are there for this very result stay.

    Raises RunError where the folder cannot be written.
    """
    folder, layers = (
        run.paths.report_folder,
        find_layers(result, run.paths.result, run.info, run.paths.composition),
    )
    values = value_layers(layers, data)
    shown = [(v.name, v.low, v.high, v.group, v.label) for v in values]
    fingerprint = digest(FORMAT, TILE, result.attrs["fingerprint"], layers.composed, shown)
    if not _are_made(folder / "tiles", fingerprint):
        _write_tiles(folder, layers, values, run.info.plane, fingerprint, runner)
    return write_viewer(folder, Scene(data, run.info.plane, values))


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
            _create_level(_level(scratch, level + CLIMB), shapes[level + CLIMB], layers, values)
        found = runner.over(
            "map tiles",
            draw_block,
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
    publish_file(tiles / "places.js", boxes_script(join_boxes(np.concatenate(boxes), cell)))
    publish_file(tiles / "made.json", json.dumps({"fingerprint": fingerprint}).encode())
    shutil.rmtree(scratch, ignore_errors=True)
    put_in_place(tiles, folder / "tiles")


def draw_block(
    tile: Tile,
    *,
    layers: Layers,
    values: tuple[ValueLayer, ...],
    folder: Path,
    scratch: Path,
    level: int,
    levels: int,
    cell: int,
) -> IntArray:
    """Write the tiles of one block at its level (in the first pass) and the two above; keep the last level.

    Returns where the labels lie, as rows of `find_boxes` in pixels of the map, from the first pass alone.
    """
    names = tuple(layer.name for layer in values)
    maps = (
        read_layers(layers, tile.region, names)
        if level == 0
        else _read_level(_level(scratch, level), tile, names)
    )
    boxes = np.empty((0, 6), np.int64)
    if level == 0:
        boxes = find_boxes(maps["label"], len(layers.ranks["label"]) - 1, cell)
        boxes += np.array([0, tile.y0, tile.x0, tile.y0, tile.x0, 0])
    for above, part in climb(layers, maps, level, levels):
        region = part_of(tile, level, above)
        if above > level or level == 0:
            _write_scripts(folder, part, values, above, region)
        if above == level + CLIMB and above < levels - 1:
            for name, content in part.items():
                chunks.write(_level(scratch, above), name, region, content)
    return boxes


def _write_scripts(
    folder: Path, maps: Maps, values: Sequence[ValueLayer], level: int, region: tuple[slice, slice]
) -> None:
    """Write the scripts of all tiles in a region, which starts at a tile."""
    height, width = maps["label"].shape
    code = maps["site"] ^ maps["label"]
    planes = {"map": [maps["label"], code, maps["state"]]}
    for layer in values:
        planes.setdefault(layer.group, []).append(encode_values(maps[layer.name], layer))
    for name, layers in planes.items():
        place = folder / name / str(level)
        place.mkdir(parents=True, exist_ok=True)
        for small in flat(regular_grid((height, width), (TILE, TILE))):
            column, row = region[1].start // TILE + small.column, region[0].start // TILE + small.row
            key = f"tiles/{name}/{level}/{column}_{row}"
            script = tile_script(key, [plane[small.region] for plane in layers])
            try:
                (place / f"{column}_{row}.js").write_bytes(script)
            except OSError as error:
                raise unwritable(place, error) from None


def _level(scratch: Path, level: int) -> Path:
    return scratch / str(level)


def _create_level(store: Path, shape: Plane, layers: Layers, values: Sequence[ValueLayer]) -> None:
    """Make the store of one level between two passes, one chunk a block."""
    create_group(store, {"title": "gigaxas level"})
    side = BLOCK // 2**CLIMB
    kinds = {name: np.dtype(np.float32) for name in (layer.name for layer in values)}
    kinds |= {name: chunks.open_array(layers.result, name).dtype for name in LABELS}
    for name, kind in kinds.items():
        chunks.create_array(store, name, shape=shape, chunks=(side, side), dtype=kind, dims=("y", "x"))


def _read_level(store: Path, tile: Tile, values: tuple[str, ...]) -> Maps:
    return {name: chunks.read(store, name, tile.region) for name in (*LABELS, *values)}


def _cell(plane: Plane) -> int:
    """Return the side of the cells in which places are told apart: a power of two that divides a block."""
    side = 32
    while side < BLOCK and side * MOST_CELLS < max(plane):
        side *= 2
    return side
