"""The truth of a simulated cube: which phase every pixel is made of, and how thick its iron is."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gigaxas.locations import Location
from gigaxas.stores.io.chunks import create_array, open_array, read, write
from gigaxas.stores.io.groups import attributes_of, create_group
from gigaxas.tiles import Box, Tile, flat, regular_grid

UNSEEN = 254
"""Number of a phase that no field of a simulated measurement has seen."""
MAPS = {"phase": np.uint8, "thickness": np.float32}


@dataclass(frozen=True)
class TruthInfo:
    """What a truth says of itself."""

    path: Location
    """Location of the store."""
    plane: tuple[int, int]
    """Rows and columns, in pixels."""
    names: tuple[str, ...]
    """Names of the phases, by their number in the map."""
    minority: str
    """The phase that must not be lost."""
    specks: tuple[Box, ...] = ()
    """Where specks were planted."""


def write_truth(
    path: Location,
    maps: dict[str, NDArray[Any]],
    chunk: int,
    names: tuple[str, ...],
    minority: str,
    fingerprint: str,
    specks: Sequence[Box] = (),
) -> None:
    """Write the maps `phase` (y, x; the number of a name, others have no iron) and `thickness` (y, x)."""
    create_group(
        path,
        {
            "title": "gigaxas truth",
            "names": list(names),
            "minority": minority,
            "specks": [list(box) for box in specks],
            "fingerprint": fingerprint,
        },
    )
    shape = maps["phase"].shape
    for name, dtype in MAPS.items():
        create_array(path, name, shape=shape, chunks=(chunk, chunk), dtype=dtype, dims=("y", "x"))
        for tile in flat(regular_grid((shape[0], shape[1]), (chunk, chunk))):
            write(path, name, tile.region, maps[name][tile.region])


def read_whole(path: Location, name: str) -> NDArray[Any]:
    """Read a whole map (y, x) of a truth."""
    height, width = open_array(path, name).shape
    return read(path, name, (slice(0, height), slice(0, width)))


def describe_truth(path: Location) -> TruthInfo:
    """Read the names of a truth."""
    attributes = attributes_of(path)
    height, width = open_array(path, "phase").shape
    specks = tuple(Box(*box) for box in attributes.get("specks", []))
    return TruthInfo(path, (height, width), tuple(attributes["names"]), attributes["minority"], specks)


def read_tile(path: Location, tile: Tile) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Read phase and thickness (h, w) of one tile."""
    return read(path, "phase", tile.region), read(path, "thickness", tile.region)
