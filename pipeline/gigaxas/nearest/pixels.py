"""A few pixels at a time, taken out of the energy-first block: their samples, sums, and one exact row."""

import math

import numpy as np
from numba import njit

from gigaxas.arrays import FloatArray
from gigaxas.nearest.definition import centre, load, rescale
from gigaxas.nearest.layout import LEAD
from gigaxas.nearest.screening import HALVES, WIDTH, project
from gigaxas.simd import LANES, lane_centre

TILE = 256
PITCH = TILE + WIDTH  # a row length that spreads the rows over all cache sets
VOID, PLAIN, EXTREME = 0, 1, 2
RANGE = 1e50  # squares beyond this, or below its inverse, leave float32


@njit(nogil=True, cache=True)
def take(
    block: np.ndarray, start: int, count: int, invalid: float, tile: np.ndarray, sums: FloatArray
) -> None:
    """Fill tile (E, pitch) with samples less the first of their pixel, infinite where invalid.

    sums (3, pitch) become that first sample, and the sum and the sum of squares in the tile.
    """
    # slices counted from zero: only these does the compiler turn into vector instructions
    first, total, squares = sums[0, :count], sums[1, :count], sums[2, :count]
    head = block[0, start : start + count]
    for p in range(count):
        first[p] = np.float64(head[p])
        total[p] = squares[p] = 0.0
    for i in range(block.shape[0]):
        samples, row = block[i, start : start + count], tile[i]
        for p in range(count):
            sample = np.float64(samples[p])
            value = np.inf if sample == invalid else sample - first[p]
            row[p] = value
            total[p] += value
            squares[p] += value * value


@njit(nogil=True, cache=True)
def sort_out(
    energies: int,
    count: int,
    whole: bool,
    sums: FloatArray,
    kinds: np.ndarray,
    means: np.ndarray,
    scales: np.ndarray,
) -> None:
    """Set kinds, means and 1/|centred pixel| of a tile; whole: the samples are integers."""
    for p in range(count):
        squares = sums[2, p] - sums[1, p] * sums[1, p] / energies
        plain = squares > 1.0 / RANGE and sums[2, p] < RANGE
        kinds[p] = PLAIN if plain else (VOID if whole else EXTREME)
        means[p] = sums[1, p] / energies if plain else 0.0
        scales[p] = 1.0 / math.sqrt(squares) if plain else 0.0


@njit(nogil=True, cache=True)
def project_tile(
    tile: np.ndarray, count: int, means: np.ndarray, axes: np.ndarray, points: np.ndarray
) -> None:
    """Set points (r, pitch) to the coordinates of the centred, unscaled pixels."""
    for p in range(0, count, HALVES * WIDTH):
        for axis in range(0, axes.shape[1], LANES):
            project(tile, means, axes, points, p, axis)


@njit(nogil=True, cache=True)
def scale_points(points: np.ndarray, count: int, scales: np.ndarray, lengths: FloatArray) -> None:
    """Scale coordinates (r, pitch) to pixels of length one; lengths (2, pitch) become squares.

    They are those of the coordinates on the axes of the first screening, and on the others.
    """
    lengths[:] = 0.0
    by = scales[:count]
    for c in range(points.shape[0]):
        row, total = points[c, :count], lengths[0 if c < LEAD else 1, :count]
        for p in range(count):
            value = row[p] * by[p]
            row[p] = value
            total[p] += value * value


@njit(nogil=True, cache=True)
def exact_row(tile: np.ndarray, p: int, energies: int, row: FloatArray) -> float:
    """Centre a plain pixel of the tile in row (1, padded E) as the definition does; return its length."""
    for i in range(energies):
        row[0, i] = tile[i, p]
    return math.sqrt(lane_centre(row, 0, energies))


@njit(nogil=True, cache=True)
def extreme_row(block: np.ndarray, pixel: int, invalid: float, row: FloatArray) -> float:
    """Do the same for any pixel of the block; 0 if it is void."""
    load(block, pixel, invalid, row, 0)
    rescale(row, 0)
    return centre(row, 0, block.shape[0])
