"""Mean spectra of small square cells of the image: what a region drawn on the map has its spectrum from."""

from math import gcd
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from gigaxas.arrays import BoolArray, Float32Array, FloatArray, IntArray
from gigaxas.tiles import Plane

LEAST_SIDE = 32
"""Side of a cell in pixels, at the least."""
MOST_CELLS = 2**17
"""Cells of an image, about: of a larger one they are larger."""


def cell_side(plane: Plane, chunk: Plane, tile: Plane) -> int:
    """Return the side of the cells of an image in pixels; 0 where no cell divides its tiles.

    It divides the chunks of the cube, so that every cell lies in one tile, whatever the tiles are.
    """
    least = LEAST_SIDE
    while -(-plane[0] // least) * -(-plane[1] // least) > MOST_CELLS:
        least *= 2
    common = gcd(*chunk)
    sides = [side for side in range(1, common + 1) if common % side == 0]
    side = min((side for side in sides if side >= least), default=common if common >= LEAST_SIDE else 0)
    return side if side and not (tile[0] % side or tile[1] % side) else 0


def cell_sums(block: NDArray[Any], counted: BoolArray, side: int) -> tuple[FloatArray, IntArray]:
    """Sum the spectra of a block (E, h, w), which starts at a cell, over the pixels counted (h, w) of each.

    Returns sums (E, m, n) of samples and pixels (m, n). Samples of a cell are added in an order of its own,
    so that no bit depends on the block that it lies in.
    """
    ys, xs = (np.arange(0, size, side) for size in counted.shape)
    pixels = np.add.reduceat(np.add.reduceat(counted.astype(np.int64), ys, axis=0), xs, axis=1)
    sums = np.empty((len(block), *pixels.shape))
    columns = np.empty(counted.shape[1], np.uint32 if block.dtype == np.uint16 else np.float64)
    _sum_cells(block, counted, side, columns, sums)
    return sums, pixels


def cell_means(sums: FloatArray, pixels: IntArray, scale: float, offset: float) -> Float32Array:
    """Return the mean spectra (E, m, n) of cells, NaN without a pixel; a sample x is x * scale + offset."""
    with np.errstate(invalid="ignore"):
        means = np.where(pixels > 0, sums / np.maximum(pixels, 1) * scale + offset, np.nan)
    return means.astype(np.float32)


def merge_cells(means: Float32Array, pixels: IntArray) -> tuple[Float32Array, IntArray]:
    """Return means (E, m, n) and pixels (m, n) of cells twice as wide and high."""
    odd = [(0, size % 2) for size in pixels.shape]
    weights = np.pad(pixels, odd)
    sums = np.pad(np.where(pixels > 0, means, 0.0) * pixels, [(0, 0), *odd])
    m, n = weights.shape[0] // 2, weights.shape[1] // 2
    pixels = weights.reshape(m, 2, n, 2).sum(axis=(1, 3))
    return cell_means(sums.reshape(-1, m, 2, n, 2).sum(axis=(2, 4)), pixels, 1.0, 0.0), pixels


@njit(nogil=True, cache=True)
def _sum_cells(block: Any, counted: BoolArray, side: int, columns: Any, sums: FloatArray) -> None:
    """Sum samples (E, h, w) down the `columns` (w,) of a row of cells, then over those of each cell."""
    energies, height, width = block.shape
    zero = block.dtype.type(0)
    whole = np.zeros(height, np.bool_)
    for y in range(height):
        whole[y] = counted[y].all()
    for e in range(energies):
        for top in range(0, height, side):
            columns[:] = 0
            for y in range(top, min(top + side, height)):
                line, mask = block[e, y], counted[y]
                if whole[y]:
                    for x in range(width):
                        columns[x] += line[x]
                else:
                    for x in range(width):
                        columns[x] += line[x] if mask[x] else zero
            for n in range(sums.shape[2]):
                total = 0.0
                for x in range(n * side, min((n + 1) * side, width)):
                    total += columns[x]
                sums[e, top // side, n] = total
