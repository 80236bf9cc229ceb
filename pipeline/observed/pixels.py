"""Pixels made ready for sums over windows: standardised, as whole numbers, so that every sum is exact.

The loops are short and over few arrays: the compiler makes vectors of these, not of one long loop.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from pipeline.arrays import BoolArray, FloatArray

Float32Array = NDArray[np.float32]

UNIT = 8192.0
"""Length of a standardised spectrum as whole numbers; their rounding is 1 % of the noise or less."""
LARGEST_WHOLE = 2.0**24
"""Whole numbers up to this are exact in float32."""
_ROUND = 1.5 * 2.0**52  # added and taken away again, it leaves the nearest whole number


@dataclass(frozen=True)
class Pixels:
    """A block of pixels (h, w).

    samples (E, h, w) are standardised spectra times `unit`, whole numbers, 0 for a void pixel; square and
    product (h, w) their sums of squares and of products with the two next energies; mean and length (h, w)
    what standardisation took away, in the block's own unit; valid (h, w) is False for a void pixel.
    """

    samples: Float32Array
    square: FloatArray
    product: FloatArray
    mean: FloatArray
    length: FloatArray
    valid: BoolArray
    unit: float

    @property
    def maps(self) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray, BoolArray]:
        """The maps (h, w): square, product, mean, length, valid."""
        return self.square, self.product, self.mean, self.length, self.valid


def whole_unit(k_size: int) -> float:
    """Return the unit in which sums and first moments over a window of k_size x k_size stay exact."""
    half = k_size // 2
    return min(UNIT, LARGEST_WHOLE / (k_size * max(k_size, half * (half + 1))))


def standardise_pixels(block: NDArray[Any], k_size: int, invalid: int | None = None) -> Pixels:
    """Standardise a block (E, h, w) of real numbers; a pixel that is constant or has a bad sample is void."""
    energies, height, width = block.shape
    samples = np.empty((energies, height, width), np.float32)
    square, product, mean, length = np.zeros((4, height, width))
    valid = np.zeros((height, width), np.bool_)
    marker = np.nan if invalid is None else float(invalid)
    unit = whole_unit(k_size)
    _standardise(block, marker, unit, samples, square, product, mean, length, valid)
    return Pixels(samples, square, product, mean, length, valid, unit)


@njit(nogil=True, cache=True)
def _standardise(
    block: Any,
    invalid: float,
    unit: float,
    samples: Float32Array,
    square: FloatArray,
    product: FloatArray,
    mean: FloatArray,
    length: FloatArray,
    valid: BoolArray,
) -> None:
    """Fill the arrays of `Pixels`, row by row; each pixel's sums run over the energies in order."""
    for y in range(block.shape[1]):
        _measure(block, y, invalid, mean[y], length[y], valid[y])
        _round(block, y, unit, mean[y], length[y], samples, square[y], product[y])


@njit(nogil=True, cache=True)
def _measure(
    block: Any, y: int, invalid: float, mean: FloatArray, length: FloatArray, valid: BoolArray
) -> None:
    """Fill mean, length (|spectrum - mean|) and valid (w,) of row y of a block (E, h, w)."""
    energies, _, width = block.shape
    marked = np.zeros(width)
    for e in range(energies):
        source = block[e, y]
        for x in range(width):
            value = np.float64(source[x])
            mean[x] += value
            marked[x] += 1.0 if value == invalid else 0.0
    for x in range(width):
        # a sample that is not finite has made the sum so, too
        valid[x] = marked[x] == 0.0 and abs(mean[x]) < np.inf
        mean[x] = mean[x] / energies if valid[x] else 0.0
    for e in range(energies):
        source = block[e, y]
        for x in range(width):
            difference = np.float64(source[x]) - mean[x]
            length[x] += difference * difference
    for x in range(width):
        valid[x] = valid[x] and 0.0 < length[x] < np.inf
        length[x] = np.sqrt(length[x]) if valid[x] else 0.0


@njit(nogil=True, cache=True)
def _round(
    block: Any,
    y: int,
    unit: float,
    mean: FloatArray,
    length: FloatArray,
    samples: Float32Array,
    square: FloatArray,
    product: FloatArray,
) -> None:
    """Round row y of a block (E, h, w) to samples, with the sums of their squares and products (w,)."""
    energies, _, width = block.shape
    factor = np.zeros(width)
    for x in range(width):
        factor[x] = unit / length[x] if length[x] > 0.0 else 0.0
    for e in range(energies):
        source, target = block[e, y], samples[e, y]
        for x in range(width):
            value = (np.float64(source[x]) - mean[x]) * factor[x]
            target[x] = np.float32((value + _ROUND) - _ROUND)
    for x in range(width):
        if factor[x] == 0.0:
            samples[:, y, x] = 0.0
    _square(samples, y, square, product)


@njit(nogil=True, cache=True)
def _square(samples: Float32Array, y: int, square: FloatArray, product: FloatArray) -> None:
    """Sum squares and products with the two next energies (w,) of row y of the samples (E, h, w)."""
    energies = samples.shape[0]
    for e in range(energies):
        here = samples[e, y]
        for x in range(here.size):
            square[x] += np.float64(here[x]) * np.float64(here[x])
    for e in range(energies - 2):
        here, one, two = samples[e, y], samples[e + 1, y], samples[e + 2, y]
        for x in range(here.size):
            product[x] += np.float64(here[x]) * np.float64(one[x] + two[x])
    here, one = samples[energies - 2, y], samples[energies - 1, y]
    for x in range(here.size):
        product[x] += np.float64(here[x]) * np.float64(one[x])
