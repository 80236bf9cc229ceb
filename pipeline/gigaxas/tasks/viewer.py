"""The tiles of the report folder that one block of the map makes."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from gigaxas.arrays import IntArray, LabelArray
from gigaxas.errors import unwritable
from gigaxas.locations import Location
from gigaxas.report.viewer import (
    TILE,
    ValueLayer,
    cell_levels,
    cell_scripts,
    counts_script,
    encode_values,
    tile_script,
)
from gigaxas.spatial.cell_sums import merge_cells
from gigaxas.spatial.pyramid import find_boxes
from gigaxas.stores.cells import read_cells
from gigaxas.stores.io import chunks
from gigaxas.tasks.pyramid import CLIMB, LABELS, LayerMaps, Layers, climb, part_of, read_layers
from gigaxas.tiles import Region, Tile, flat, regular_grid


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
        else _read_level(level_store(scratch, level), tile, names)
    )
    boxes = np.empty((0, 6), np.int64)
    if level == 0:
        boxes = find_boxes(maps["label"], len(layers.ranks["label"]) - 1, cell)
        boxes += np.array([0, tile.y0, tile.y0, tile.x0, tile.x0, 0])
        _write_counts(folder / "counts", tile, maps["label"])
    for above, part in climb(layers, maps, level, levels):
        region = part_of(tile, level, above)
        if above > level or level == 0:
            _write_scripts(folder, part, values, above, region)
        if above == level + CLIMB and above < levels - 1:
            for name, content in part.items():
                chunks.write(level_store(scratch, above), name, region, content)
    return boxes


def _write_scripts(
    folder: Path, maps: LayerMaps, values: Sequence[ValueLayer], level: int, region: Region
) -> None:
    """Write the scripts of all tiles in a region, which starts at a tile."""
    height, width = maps["label"].shape
    code = maps["site"] ^ maps["label"]
    planes = {"map": [maps["label"], code, maps["state"]]}
    for layer in values:
        planes.setdefault(layer.group, []).append(encode_values(maps[layer.name], layer))
    for name, layers in planes.items():
        target = folder / name / str(level)
        target.mkdir(parents=True, exist_ok=True)
        for small in flat(regular_grid((height, width), (TILE, TILE))):
            column, row = region[1].start // TILE + small.column, region[0].start // TILE + small.row
            key = f"tiles/{name}/{level}/{column}_{row}"
            script = tile_script(key, [plane[small.region] for plane in layers])
            _publish(target / f"{column}_{row}.js", script)


def write_cells(result: Location, folder: Path) -> None:
    """Write the spectra of a result's cells, level by level: each of cells twice as wide and high."""
    found = read_cells(result)
    if found is None:
        return
    means, pixels = found
    for level in range(cell_levels(pixels.shape)):
        if level:
            means, pixels = merge_cells(means, pixels)
        target = folder / str(level)
        target.mkdir(parents=True)
        for name, script in cell_scripts(level, means, pixels):
            _publish(target / f"{name}.js", script)


def _write_counts(target: Path, tile: Tile, label: LabelArray) -> None:
    """Write the pixels of each label, 0 for void, of all tiles in a block: the page need not count."""
    target.mkdir(parents=True, exist_ok=True)
    for small in flat(regular_grid(label.shape, (TILE, TILE))):
        pixels = np.bincount(label[small.region].ravel())
        name = f"{tile.x0 // TILE + small.column}_{tile.y0 // TILE + small.row}"
        _publish(target / f"{name}.js", counts_script(f"tiles/counts/{name}", pixels))


def _publish(path: Path, script: bytes) -> None:
    try:
        path.write_bytes(script)
    except OSError as error:
        raise unwritable(path.parent, error) from None


def level_store(scratch: Path, level: int) -> Path:
    """Return the store of a level that one pass leaves to the next."""
    return scratch / str(level)


def _read_level(store: Path, tile: Tile, values: tuple[str, ...]) -> LayerMaps:
    return {name: chunks.read(store, name, tile.region) for name in (*LABELS, *values)}
