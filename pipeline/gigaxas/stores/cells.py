"""Cells of a result: the mean spectra of small squares of the image, and of how many pixels."""

import numpy as np

from gigaxas.arrays import Float32Array, IntArray
from gigaxas.locations import Location
from gigaxas.stores.io.chunks import create_array, has_array, open_array, read, write
from gigaxas.tiles import Plane, Tile

SPECTRUM = "cell_spectrum"
PIXELS = "cell_pixels"


def create_cells(result: Location, energies: int, plane: Plane, tile: Plane, side: int) -> None:
    """Make room in a result for the cells of `side` pixels, one chunk a tile."""
    shape, chunks = ((-(-a // side), -(-b // side)) for a, b in (plane, tile))
    told = {"cell": side}
    meaning = "mean spectrum of the pixels of a cell that have a site"
    create_array(
        result,
        SPECTRUM,
        shape=(energies, *shape),
        chunks=(energies, *chunks),
        dtype=np.float32,
        dims=("energy", "cell_y", "cell_x"),
        attributes={"long_name": meaning, "units": "1", **told},
    )
    create_array(
        result,
        PIXELS,
        shape=shape,
        chunks=chunks,
        dtype=np.uint32,
        dims=("cell_y", "cell_x"),
        attributes={"long_name": "pixels of a cell that have a site", "units": "1", **told},
    )


def write_cells(result: Location, tile: Tile, side: int, means: Float32Array, pixels: IntArray) -> None:
    """Write mean spectra (E, m, n) and pixels (m, n) of the cells of one tile."""
    region = tuple(slice(part.start // side, -(-part.stop // side)) for part in tile.region)
    write(result, SPECTRUM, (slice(0, len(means)), *region), means)
    write(result, PIXELS, region, pixels.astype(np.uint32))


def read_side(result: Location) -> int:
    """Return the side of a result's cells in pixels; 0 where it has none."""
    return int(str(open_array(result, PIXELS).attrs["cell"])) if has_array(result, PIXELS) else 0


def read_cells(result: Location) -> tuple[Float32Array, IntArray] | None:
    """Return mean spectra (E, m, n) and pixels (m, n) of all cells; None where a result has none."""
    if not has_array(result, PIXELS):
        return None
    every = (slice(None),) * 2
    return read(result, SPECTRUM, (slice(None), *every)), read(result, PIXELS, every).astype(np.int64)
