"""The samples of one tile of the cube, those of void pixels taken out."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gigaxas.spectra.void import MASKED, NO_SAMPLES, void_reasons
from gigaxas.stores import cube
from gigaxas.stores.cube import CubeInfo
from gigaxas.stores.io.chunks import read
from gigaxas.tiles import Tile

MASK = "mask"
"""The map that is 0 where a pixel is void."""


def read_pixels(info: CubeInfo, tile: Tile) -> NDArray[Any]:
    """Read the samples (E, h, w) of a tile; those of void pixels are invalid."""
    return read_with_reasons(info, tile)[0]


def read_with_reasons(info: CubeInfo, tile: Tile) -> tuple[NDArray[Any], NDArray[np.uint8] | None]:
    """Read the samples (E, h, w) of a tile, and why its pixels (h, w) are void, a number in VOID_REASONS.

    The reasons are None where the cube has no rule: then a pixel is void that has no valid sample.
    """
    samples = cube.read_tile(info, tile)
    if info.void is None and info.mask is None:
        return samples, None
    reasons = _reasons(samples, info)
    if info.mask is not None:
        reasons[read(info.mask, MASK, tile.region) == 0] = MASKED
    samples = samples.copy()
    samples[:, reasons > 0] = np.nan if info.invalid is None else info.invalid
    return samples, reasons


def reasons_of_labels(site: NDArray[Any]) -> NDArray[np.uint8]:
    """Return the reasons (h, w) where only invalid samples leave a pixel without a site (h, w)."""
    return np.where(site == 0, NO_SAMPLES, 0).astype(np.uint8)


def signal(samples: NDArray[Any], info: CubeInfo) -> NDArray[np.float32]:
    """Return samples (E, ...) of a cube in its own unit; NaN where they are invalid."""
    values = samples.astype(np.float32) * np.float32(info.scale) + np.float32(info.offset)
    if info.invalid is not None:
        values[samples == info.invalid] = np.nan
    return np.asarray(values)


def _reasons(samples: NDArray[Any], info: CubeInfo) -> NDArray[np.uint8]:
    plane = samples.shape[1:]
    if info.void is None:
        return np.zeros(plane, np.uint8)
    return void_reasons(signal(samples, info).reshape(len(samples), -1), info.void).reshape(plane)
