"""What the first pass over the cube keeps aside for the clusters: the sums of a tile, and its open pixels.

It lies in the result as long as that is unfinished, one chunk a tile. It only saves a second look at the
cube: where it is missing, damaged, of other settings or too large to be written, the cube is read again.
"""

from collections.abc import Sequence
from io import BytesIO
from typing import Any, NamedTuple

import numpy as np
from numpy.lib.format import MAGIC_PREFIX
from numpy.typing import NDArray

from gigaxas.arrays import IntArray
from gigaxas.errors import DamagedError, InputError
from gigaxas.locations import Place
from gigaxas.spatial.cluster_sums import Sums, merge_sums
from gigaxas.stores.io.checksums import collect_checksums
from gigaxas.stores.io.chunks import create_array, open_array, read, write
from gigaxas.stores.io.folders import remove
from gigaxas.tiles import Tile

NAME = "aside"
SHARE = 128
"""The most that is kept of a tile is this part of its samples."""


class Aside(NamedTuple):
    """Sums over the pixels that are certain to be kept; place (n,) and samples (E, n) of those still open."""

    sums: Sums
    pixels: IntArray
    samples: NDArray[Any]


def join_asides(parts: Sequence[Aside], sites: int) -> Aside:
    """Return what the parts of a tile keep aside together; labels run from 1 to `sites`."""
    return Aside(
        merge_sums((part.sums for part in parts), sites),
        np.concatenate([part.pixels for part in parts]),
        np.concatenate([part.samples for part in parts], axis=1),
    )


def create_aside(
    result: Place, grid: tuple[int, int], tile: tuple[int, int], spectrum_bytes: int, settings: dict[str, Any]
) -> None:
    """Make room for a grid of tiles (pixels); what is there from the same settings stays."""
    size = max(tile[0] * tile[1] * spectrum_bytes // SHARE, 1)
    create_array(
        result,
        NAME,
        shape=(*grid, size),
        chunks=(1, 1, size),
        dtype=np.uint8,
        dims=("row", "column", "byte"),
        attributes={"tile": list(tile), **settings},
    )


def write_aside(result: Place, tile: Tile, aside: Aside) -> None:
    """Write what a tile keeps aside, or zeros where it lacks the room; no journal takes note of it.

    So what an earlier run has left there is never taken for that of this one.
    """
    room = open_array(result, NAME).shape[-1]
    packed = BytesIO()
    sums = aside.sums
    for values in (sums.labels, sums.pixels, sums.first, sums.second, aside.pixels, aside.samples):
        np.save(packed, values, allow_pickle=False)
    content = np.frombuffer(packed.getbuffer(), np.uint8)
    padded = np.zeros((1, 1, room), np.uint8)
    if content.size <= room:
        padded[0, 0, : content.size] = content
    with collect_checksums():
        write(result, NAME, _region(tile, room), padded)


def read_aside(result: Place, tile: Tile) -> Aside | None:
    """Read what a tile kept aside; None where the cube must be read again."""
    try:
        room = open_array(result, NAME).shape[-1]
        packed = BytesIO(read(result, NAME, _region(tile, room)).tobytes())
    except (InputError, DamagedError):
        return None
    if not packed.getvalue().startswith(MAGIC_PREFIX):
        return None
    labels, kept, first, second, pixels, samples = (np.load(packed, allow_pickle=False) for _ in range(6))
    return Aside(Sums(labels, kept, first, second), pixels, samples)


def remove_aside(result: Place) -> None:
    """Remove what all tiles kept aside."""
    remove(result / NAME)


def _region(tile: Tile, room: int) -> tuple[slice, slice, slice]:
    return slice(tile.row, tile.row + 1), slice(tile.column, tile.column + 1), slice(0, room)
