"""The maps of a result at every size, a block at a time: what the report folder and OME-Zarr are made of."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from gigaxas.arrays import IntArray
from gigaxas.errors import InputError
from gigaxas.locations import Location
from gigaxas.spatial.pyramid import halve_labels, halve_values, rank_labels
from gigaxas.stores.cube import WORKING_POINT, CubeInfo
from gigaxas.stores.io import chunks
from gigaxas.stores.io.groups import attributes_of
from gigaxas.stores.result import read_map
from gigaxas.tiles import Tile

BLOCK = 2048
"""Side of a block, in pixels; a block makes its own level and the two above it."""
CLIMB = 2
LABELS = ("label", "site", "state")
DENSITY = "mean absorbance after the edge less that before it"
RATIO = "share of a component in the pixel's spectrum"

Maps = dict[str, NDArray[Any]]
Region = tuple[slice, slice]


@dataclass(frozen=True)
class Layers:
    """Where the finest maps lie, and the rank that decides between the labels of each label map.

    `values` names the measured maps with their meanings; `ratios` are those of them that tell the share of a
    component, with its place in the store of components, and `composed` marks what that store holds.
    "density" (mu_high - mu_low) comes from the cube, all others from the result. A value of a void pixel is
    not shown.
    """

    result: Location
    cube: Location
    components: Location
    values: Mapping[str, str]
    ratios: Mapping[str, int]
    composed: str
    ranks: Mapping[str, IntArray]


def find_layers(result: xr.Dataset, store: Location, info: CubeInfo, components: Location) -> Layers:
    """Return the layers that there are: maps of the result, density of the cube, shares of components."""
    pixels = np.zeros(int(result.attrs["sites"]) + 1, np.int64)
    pixels[result.cluster.values] = result.pixels.values
    ranks = {
        "label": rank_labels(pixels),
        "site": rank_labels(pixels, rare_first=False),
        "state": rank_labels(np.asarray(result.attrs["states"])),
    }
    density = {"density": DENSITY} if set(WORKING_POINT) <= set(info.maps) else {}
    labels, composed = component_labels(components, result.attrs["fingerprint"])
    ratios = {f"ratio_{label}": place for place, label in enumerate(labels)}
    values = density | _measured_maps(result) | dict.fromkeys(ratios, RATIO)
    return Layers(store, info.path, components, values, ratios, composed, ranks)


def _measured_maps(result: xr.Dataset) -> dict[str, str]:
    """Return the maps of the result that hold no labels, the correlation first, with their meanings."""
    names = [n for n, v in result.data_vars.items() if v.dims == ("y", "x") and v.dtype.kind == "f"]
    order = sorted(map(str, names), key=lambda name: (name != "correlation", name))
    return {name: str(result[name].attrs.get("long_name", name)) for name in order}


def component_labels(components: Location, fingerprint: str) -> tuple[list[int], str]:
    """Return the labels of the components and their store's mark; none where they are of another result."""
    try:
        made = attributes_of(components)
        labels = chunks.read(components, "component", (slice(None),))
    except InputError:
        return [], ""
    if made.get("result") != fingerprint:
        return [], ""
    return [int(label) for label in labels], str(made["fingerprint"])


def read_layers(layers: Layers, region: Region, values: tuple[str, ...] | None = None) -> Maps:
    """Read the finest maps of a region: the label maps, and the measured ones (all, or those named)."""
    maps: Maps = {name: read_map(layers.result, name, region) for name in LABELS}
    void = maps["state"] == 0
    for name in layers.values if values is None else values:
        maps[name] = np.where(void, np.float32(np.nan), read_values(layers, name, region))
    return maps


def read_values(layers: Layers, name: str, region: Region) -> NDArray[np.float32]:
    """Read one measured map as it is in the stores."""
    if name in layers.ratios:
        place = layers.ratios[name]
        return np.asarray(chunks.read(layers.components, "ratio", (slice(place, place + 1), *region))[0])
    if name != "density":
        return np.asarray(read_map(layers.result, name, region), np.float32)
    low, high = (chunks.read(layers.cube, point, region) for point in WORKING_POINT)
    return np.asarray(high - low, np.float32)


def halve(layers: Layers, maps: Maps) -> Maps:
    """Return the maps (h, w) at half the size: the most frequent label, the mean value."""
    return {
        name: halve_labels(values, layers.ranks[name]) if name in LABELS else halve_values(values)
        for name, values in maps.items()
    }


def climb(layers: Layers, maps: Maps, level: int, levels: int) -> Iterator[tuple[int, Maps]]:
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
