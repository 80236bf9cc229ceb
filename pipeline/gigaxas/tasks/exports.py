"""What one block of the map writes into OME-Zarr."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from gigaxas.stores.ome_zarr import read_channel, read_label, write_level
from gigaxas.stores.specks import SPECK_MAP, read_speck_map
from gigaxas.tasks.pyramid import LABELS, LayerMaps, Layers, climb, part_of, read_layers
from gigaxas.tiles import Tile

KEPT_STATES = (1, 2)
"""States of pixels whose label the clean-up kept: kept, and core of another label."""


def export_block(
    tile: Tile, *, layers: Layers, channels: tuple[str, ...], store: Path, level: int, levels: int
) -> None:
    """Write one block of its level (in the first pass) and of the two above."""
    names = LABELS if layers.specks is None else (*LABELS, SPECK_MAP)
    maps = _stored(store, level, tile, channels, names) if level else _read(layers, tile, channels)
    for above, part in climb(layers, maps, level, levels):
        if above == level and level:
            continue
        kept = np.where(np.isin(part["state"], KEPT_STATES), part["label"], 0).astype(part["label"].dtype)
        labels = {name: part[name] for name in names} | {"kept": kept}
        write_level(store, above, part_of(tile, level, above), [part[name] for name in channels], labels)


def _read(layers: Layers, tile: Tile, channels: tuple[str, ...]) -> LayerMaps:
    maps = read_layers(layers, tile.region, channels)
    if layers.specks is not None:
        maps[SPECK_MAP] = read_speck_map(layers.specks, tile.region)
    return maps


def _stored(store: Path, level: int, tile: Tile, channels: Sequence[str], names: Sequence[str]) -> LayerMaps:
    maps: LayerMaps = {name: read_label(store, name, level, tile.region) for name in names}
    return maps | {
        name: read_channel(store, level, number, tile.region) for number, name in enumerate(channels)
    }
