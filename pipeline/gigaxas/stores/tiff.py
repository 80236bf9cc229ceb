"""A map as a plain tiled TIFF that any reader opens, with the size of its pixels."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray

from gigaxas.errors import unwritable
from gigaxas.tiles import Region, flat, regular_grid

SIDE = 512
LARGEST_CLASSIC = 3_800_000_000


def write_tiff(
    path: Path,
    shape: tuple[int, int],
    dtype: Any,
    read: Callable[[Region], NDArray[Any]],
    pixel_um: float,
    meaning: str,
) -> None:
    """Write a map (rows, columns), read one row of tiles at a time, deflated; whole or not at all.

    The size of a pixel stands in the resolution tags and, in um, in the OME-XML of the description.
    Raises RunError where it cannot be written.
    """
    partial = path.with_name(f".{path.name}.part")
    large = np.dtype(dtype).itemsize * shape[0] * shape[1] > LARGEST_CLASSIC
    try:
        with tifffile.TiffWriter(partial, bigtiff=large, ome=True) as file:
            file.write(
                _tiles(shape, np.dtype(dtype), read),
                shape=shape,
                dtype=dtype,
                tile=(SIDE, SIDE),
                compression="zlib",
                photometric="minisblack",
                resolution=(1e4 / pixel_um, 1e4 / pixel_um),
                resolutionunit="CENTIMETER",
                software="gigaxas",
                metadata={
                    "axes": "YX",
                    "Name": path.stem,
                    "Description": meaning,
                    "PhysicalSizeX": pixel_um,
                    "PhysicalSizeXUnit": "µm",
                    "PhysicalSizeY": pixel_um,
                    "PhysicalSizeYUnit": "µm",
                },
            )
        partial.replace(path)
    except OSError as error:
        raise unwritable(path, error) from None
    finally:
        partial.unlink(missing_ok=True)


def _tiles(
    shape: tuple[int, int], dtype: np.dtype[Any], read: Callable[[Region], NDArray[Any]]
) -> Iterator[NDArray[Any]]:
    """Yield the tiles in reading order, those at the right and lower edge filled up with zeros."""
    for row in regular_grid(shape, (SIDE, shape[1])):
        band = read(row[0].region)
        for tile in flat(regular_grid((band.shape[0], shape[1]), (SIDE, SIDE))):
            whole = np.zeros((SIDE, SIDE), dtype)
            whole[: tile.shape[0], : tile.shape[1]] = band[tile.region]
            yield whole
