"""What the first pass over the cube keeps for the clusters: sums of a tile, and its deferred pixels.

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
from gigaxas.locations import Location
from gigaxas.spatial.cluster_sums import Sums, merge_sums
from gigaxas.stores.io.checksums import collect_checksums
from gigaxas.stores.io.chunks import create_array, open_array, read, write
from gigaxas.stores.io.folders import remove
from gigaxas.tiles import Tile

NAME = "deferred"
SHARE = 128
"""At most the samples of a tile divided by this are kept of it."""


class Deferred(NamedTuple):
    """What a tile leaves for the clusters."""

    sums: Sums
    """Sums over the pixels that are certain to be kept."""
    pixels: IntArray
    """The deferred pixels (n,), numbered in reading order within the tile."""
    samples: NDArray[Any]
    """Their raw samples (E, n)."""


def join_deferred(parts: Sequence[Deferred], sites: int) -> Deferred:
    """Join what the parts of a tile leave; labels run from 1 to `sites`."""
    return Deferred(
        merge_sums((part.sums for part in parts), sites),
        np.concatenate([part.pixels for part in parts]),
        np.concatenate([part.samples for part in parts], axis=1),
    )


def create_deferred(
    result: Location,
    grid: tuple[int, int],
    tile: tuple[int, int],
    spectrum_bytes: int,
    settings: dict[str, Any],
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


def write_deferred(result: Location, tile: Tile, deferred: Deferred) -> None:
    """Write what a tile leaves, or zeros where that lacks the room; no journal takes note of it.

    So what an earlier run has left there is never taken for that of this one.
    """
    room = open_array(result, NAME).shape[-1]
    packed = BytesIO()
    sums = deferred.sums
    for values in (sums.labels, sums.pixels, sums.first, sums.second, deferred.pixels, deferred.samples):
        np.save(packed, values, allow_pickle=False)
    content = np.frombuffer(packed.getbuffer(), np.uint8)
    padded = np.zeros((1, 1, room), np.uint8)
    if content.size <= room:
        padded[0, 0, : content.size] = content
    with collect_checksums():
        write(result, NAME, _region(tile, room), padded)


def read_deferred(result: Location, tile: Tile) -> Deferred | None:
    """Read what a tile has left; None where the cube must be read again."""
    try:
        room = open_array(result, NAME).shape[-1]
        packed = BytesIO(read(result, NAME, _region(tile, room)).tobytes())
    except (InputError, DamagedError):
        return None
    if not packed.getvalue().startswith(MAGIC_PREFIX):
        return None
    labels, kept, first, second, pixels, samples = (np.load(packed, allow_pickle=False) for _ in range(6))
    return Deferred(Sums(labels, kept, first, second), pixels, samples)


def remove_deferred(result: Location) -> None:
    """Remove what all tiles have left."""
    remove(result / NAME)


def _region(tile: Tile, room: int) -> tuple[slice, slice, slice]:
    return slice(tile.row, tile.row + 1), slice(tile.column, tile.column + 1), slice(0, room)
