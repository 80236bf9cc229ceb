"""A tile of pixels taken out of the energy-first block: samples, sums, coordinates, and one exact row."""

import math
from typing import NamedTuple

import numpy as np
from numba import njit

from gigaxas.arrays import FloatArray
from gigaxas.nearest.definition import centre, load, rescale
from gigaxas.nearest.simd import HALVES, WIDTH, load_codes, project
from gigaxas.nearest.whole import LEAD
from gigaxas.simd import LANES, lane_centre

TILE = 256
PITCH = TILE + WIDTH  # a row length that spreads the rows over all cache sets
VOID, PLAIN, EXTREME = 0, 1, 2
MOST_EXACT = 2**15  # energies from which on a sum of codes may leave 32 bits
RANGE = 1e50  # squares beyond this, or below its inverse, leave float32


class PixelTile(NamedTuple):
    """Up to 256 pixels of a block, side by side; w is PITCH, r the number of axes."""

    samples: np.ndarray
    """(E, w) samples less the first of their pixel, infinite where invalid; float32 if they are integers."""
    sums: FloatArray
    """(3, w) that first sample, and the sum and the sum of squares of `samples`."""
    kinds: np.ndarray
    """(256,) VOID, PLAIN, or EXTREME: beyond what float32 holds."""
    means: np.ndarray
    """(w,) float32 means of `samples`."""
    scales: FloatArray
    """(w,) 1 / |centred pixel|, 0 unless plain."""
    coordinates: np.ndarray
    """(r, w) float32, of the pixels scaled to length one."""
    squares: FloatArray
    """(2, w) squared lengths of the coordinates on the leading axes and on the others."""


def make_tile(energies: int, axes: int, integers: bool) -> PixelTile:
    """Return memory for a tile of so many energies and axes; integers: float32 holds the samples."""
    return PixelTile(
        samples=np.zeros((energies, PITCH), np.float32 if integers else np.float64),
        sums=np.zeros((3, PITCH)),
        kinds=np.zeros(TILE, np.uint8),
        means=np.zeros(PITCH, np.float32),
        scales=np.zeros(PITCH),
        coordinates=np.zeros((axes, PITCH), np.float32),
        squares=np.zeros((2, PITCH)),
    )


@njit(nogil=True, cache=True)
def take_tile(
    block: np.ndarray, start: int, count: int, invalid: float, axes: np.ndarray, tile: PixelTile
) -> None:
    """Fill a tile with the pixels from `start` on, on axes (E, r); its places beyond them are void."""
    if not _load_codes(block, start, count, invalid, tile):
        _load(block, start, count, invalid, tile)
    _classify(block.shape[0], count, tile)
    for p in range(0, count, HALVES * WIDTH):
        for axis in range(0, axes.shape[1], LANES):
            project(tile.samples, tile.means, axes, tile.coordinates, p, axis)
    _scale(count, tile)
    tile.kinds[count:] = VOID


@njit(nogil=True, cache=True)
def _load_codes(block: np.ndarray, start: int, count: int, invalid: float, tile: PixelTile) -> bool:
    """Do as `_load` for uint16 in exact whole numbers; False where it cannot."""
    if count < WIDTH or block.shape[0] >= MOST_EXACT:
        return False
    code = np.int32(invalid) if invalid >= 0.0 else np.int32(-1)
    done = True
    for p in range(0, count, WIDTH):
        last = min(p, count - WIDTH)  # the last sixteen may come again
        done = load_codes(block, start + last, code, tile.samples, tile.sums, last)
    return done


@njit(nogil=True, cache=True)
def _load(block: np.ndarray, start: int, count: int, invalid: float, tile: PixelTile) -> None:
    """Set the samples and sums of a tile."""
    # slices counted from zero: only these does the compiler turn into vector instructions
    held, sums = tile.samples, tile.sums
    first, total, squares = sums[0, :count], sums[1, :count], sums[2, :count]
    head = block[0, start : start + count]
    for p in range(count):
        first[p] = np.float64(head[p])
        total[p] = squares[p] = 0.0
    for i in range(block.shape[0]):
        samples, row = block[i, start : start + count], held[i]
        for p in range(count):
            sample = np.float64(samples[p])
            value = np.inf if sample == invalid else sample - first[p]
            row[p] = value
            total[p] += value
            squares[p] += value * value


@njit(nogil=True, cache=True)
def _classify(energies: int, count: int, tile: PixelTile) -> None:
    """Set the kinds, means and scales of a tile; integer samples are never extreme."""
    sums, kinds, means, scales = tile.sums, tile.kinds, tile.means, tile.scales
    otherwise = VOID if tile.samples.itemsize == 4 else EXTREME
    for p in range(count):
        squares = sums[2, p] - sums[1, p] * sums[1, p] / energies
        plain = squares > 1.0 / RANGE and sums[2, p] < RANGE
        kinds[p] = PLAIN if plain else otherwise
        means[p] = sums[1, p] / energies if plain else 0.0
        scales[p] = 1.0 / math.sqrt(squares) if plain else 0.0


@njit(nogil=True, cache=True)
def _scale(count: int, tile: PixelTile) -> None:
    """Scale the coordinates to pixels of length one, and set their squared lengths."""
    coordinates, squares = tile.coordinates, tile.squares
    squares[:] = 0.0
    by = tile.scales[:count]
    for c in range(coordinates.shape[0]):
        row, total = coordinates[c, :count], squares[0 if c < LEAD else 1, :count]
        for p in range(count):
            value = row[p] * by[p] if by[p] > 0.0 else 0.0  # what is not plain may not be finite
            row[p] = value
            total[p] += value * value


@njit(nogil=True, cache=True)
def plain_row(samples: np.ndarray, p: int, energies: int, row: FloatArray) -> float:
    """Centre a plain pixel of a tile in row (1, padded E) as the definition does; return its length."""
    for i in range(energies):
        row[0, i] = samples[i, p]
    return math.sqrt(lane_centre(row, 0, energies))


@njit(nogil=True, cache=True)
def any_row(block: np.ndarray, pixel: int, invalid: float, row: FloatArray) -> float:
    """Do the same for any pixel of the block; 0 if it is void."""
    load(block, pixel, invalid, row, 0)
    rescale(row, 0)
    return centre(row, 0, block.shape[0])
