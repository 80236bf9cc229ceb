"""The maps of a result at every size, a block at a time: what the report folder and OME-Zarr are made of."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gigaxas.arrays import IntArray
from gigaxas.locations import Location
from gigaxas.spatial.pyramid import halve_labels, halve_numbers, halve_values
from gigaxas.stores.cube import WORKING_POINT
from gigaxas.stores.io import chunks
from gigaxas.stores.result import read_map
from gigaxas.stores.specks import SPECK_MAP
from gigaxas.tiles import Region, Tile

BLOCK = 2048
"""Side of a block, in pixels; a block makes its own level and the two above it."""
CLIMB = 2
"""Levels above its own that a block makes."""
LABELS = ("label", "site", "state")
"""The maps that hold labels."""

LayerMaps = dict[str, NDArray[Any]]
"""Maps (h, w) of one block by name."""


@dataclass(frozen=True)
class Layers:
    """Where the finest maps of a result lie; a value of a void pixel is not shown."""

    result: Location
    """The store of the result; all maps but density and ratios come from it."""
    cube: Location
    """The store of the cube; "density" (mu_high - mu_low) comes from it."""
    components: Location
    """The store of the components."""
    values: Mapping[str, str]
    """The measured maps with their meanings."""
    ratios: Mapping[str, int]
    """The measured maps that tell the share of a component, with its index in the store of components."""
    composed: str
    """What tells the store of components from others; empty where there is none."""
    specks: Location | None
    """The store of the specks, where there are some of this result."""
    ranks: Mapping[str, IntArray]
    """For each of LABELS the rank (n + 1,) that decides between labels equally frequent."""


def read_layers(layers: Layers, region: Region, values: tuple[str, ...] | None = None) -> LayerMaps:
    """Read the finest maps of a region: the label maps, and the measured ones (all, or those named)."""
    maps: LayerMaps = {name: read_map(layers.result, name, region) for name in LABELS}
    void = maps["state"] == 0
    for name in layers.values if values is None else values:
        maps[name] = np.where(void, np.float32(np.nan), read_values(layers, name, region))
    return maps


def read_values(layers: Layers, name: str, region: Region) -> NDArray[np.float32]:
    """Read one measured map as it is in the stores."""
    if name in layers.ratios:
        index = layers.ratios[name]
        return np.asarray(chunks.read(layers.components, "ratio", (slice(index, index + 1), *region))[0])
    if name != "density":
        return np.asarray(read_map(layers.result, name, region), np.float32)
    low, high = (chunks.read(layers.cube, point, region) for point in WORKING_POINT)
    return np.asarray(high - low, np.float32)


def halve(layers: Layers, maps: LayerMaps) -> LayerMaps:
    """Return the maps (h, w) at half the size: the most frequent label, the first speck, the mean value."""
    return {
        name: halve_numbers(values)
        if name == SPECK_MAP
        else halve_labels(values, layers.ranks[name])
        if name in LABELS
        else halve_values(values)
        for name, values in maps.items()
    }


def climb(layers: Layers, maps: LayerMaps, level: int, levels: int) -> Iterator[tuple[int, LayerMaps]]:
    """Yield (level, maps) for a block: its own level first, then up to CLIMB coarser ones below `levels`."""
    yield level, maps
    for above in range(level + 1, min(level + CLIMB, levels - 1) + 1):
        maps = halve(layers, maps)
        yield above, maps


def part_of(tile: Tile, level: int, above: int) -> Region:
    """Return the region of a level `above` that the block `tile` of `level` makes."""
    step = 2 ** (above - level)
    return (
        slice(tile.y0 // step, -(-tile.y1 // step)),
        slice(tile.x0 // step, -(-tile.x1 // step)),
    )
