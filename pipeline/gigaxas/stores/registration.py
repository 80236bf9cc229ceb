"""How raw fields were registered: their edge steps, placement, shift of energy and drift."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gigaxas.locations import Location
from gigaxas.stores.io.chunks import create_array, read, write
from gigaxas.stores.io.groups import create_group
from gigaxas.tiles import Plane, Region, Tile

STEP = "step"


def create_registration(path: Location, fields: int, plane: Plane, rows: int, fingerprint: str) -> None:
    """Make the store of `fields` images (h, w), a chunk for every band of so many rows.

    Chunks of a store of other fields stay.
    """
    marks = {"title": "gigaxas registration", "fingerprint": fingerprint}
    create_group(path, marks, changing=("fingerprint",))
    create_array(
        path,
        STEP,
        shape=(fields, *plane),
        chunks=(1, rows, plane[1]),
        dtype="float32",
        dims=("field", "y", "x"),
        attributes={"long_name": "edge step of every field, from a few images"},
    )


def write_step(path: Location, field: int, tile: Tile, step: NDArray[np.float32]) -> None:
    """Write the edge step (h, w) of a tile of one field."""
    write(path, STEP, (slice(field, field + 1), *tile.region), step[np.newaxis])


def read_step(path: Location, field: int, region: Region) -> NDArray[Any]:
    """Read the edge step (h, w) of a region of one field; NaN where it has none."""
    return read(path, STEP, (slice(field, field + 1), *region))[0]
