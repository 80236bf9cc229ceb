"""Pixels made ready for sums over windows: standardised, as whole numbers, so that every sum is exact.

The loops are short and over few arrays: the compiler makes vectors of these, not of one long loop.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from gigaxas.arrays import BoolArray, FloatArray

Float32Array = NDArray[np.float32]

UNIT = 8192.0
"""Length of a standardised spectrum as whole numbers; their rounding is 1 % of the noise or less."""
LARGEST_WHOLE = 2.0**24
"""Whole numbers up to this are exact in float32."""
_ROUND = 1.5 * 2.0**52  # added and taken away again, it leaves the nearest whole number


@dataclass(frozen=True)
class Pixels:
    """A block of pixels (h, w).

    samples (E, h, w) are standardised spectra times `unit`, whole numbers, 0 for a void pixel. Of these are,
    in maps (h, w), the sums of the squares (square), of the squares of three neighbouring energies' sums
    (smooth), and of products two and three energies apart (product); mean and length are what
    standardisation took away, in the block's own unit; valid is False for a void pixel.
    """

    samples: Float32Array
    square: FloatArray
    smooth: FloatArray
    product: FloatArray
    mean: FloatArray
    length: FloatArray
    valid: BoolArray
    unit: float

    @property
    def maps(self) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray, FloatArray, BoolArray]:
        """The maps (h, w): square, smooth, product, mean, length, valid."""
        return self.square, self.smooth, self.product, self.mean, self.length, self.valid


def whole_unit(k_size: int) -> float:
    """Return the unit in which sums and first moments over a window of k_size x k_size stay exact."""
    half = k_size // 2
    return min(UNIT, LARGEST_WHOLE / (k_size * max(k_size, half * (half + 1))))


def standardise_pixels(block: NDArray[Any], k_size: int, invalid: int | None = None) -> Pixels:
    """Standardise a block (E, h, w) of real numbers; a pixel that is constant or has a bad sample is void."""
    energies, height, width = block.shape
    samples = np.empty((energies, height, width), np.float32)
    square, smooth, product, mean, length = np.zeros((5, height, width))
    valid = np.zeros((height, width), np.bool_)
    marker = np.nan if invalid is None else float(invalid)
    unit = whole_unit(k_size)
    _standardise(block, marker, unit, samples, mean, length, valid)
    _sum_products(samples, square, smooth, product)
    return Pixels(samples, square, smooth, product, mean, length, valid, unit)


@njit(nogil=True, cache=True)
def _standardise(
    block: Any,
    invalid: float,
    unit: float,
    samples: Float32Array,
    mean: FloatArray,
    length: FloatArray,
    valid: BoolArray,
) -> None:
    """Fill samples, mean, length and valid of `Pixels`, row by row; each pixel's sums run in energy order."""
    for y in range(block.shape[1]):
        _measure(block, y, invalid, mean[y], length[y], valid[y])
        _round(block, y, unit, mean[y], length[y], samples)


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
    block: Any, y: int, unit: float, mean: FloatArray, length: FloatArray, samples: Float32Array
) -> None:
    """Round row y of a block (E, h, w) to samples."""
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


@njit(nogil=True, cache=True)
def _sum_products(samples: Float32Array, square: FloatArray, smooth: FloatArray, product: FloatArray) -> None:
    """Fill the sums of products (h, w) of samples (E, h, w), row by row."""
    for y in range(samples.shape[1]):
        add_products(samples, y, square[y], smooth[y], product[y])


@njit(nogil=True, cache=True)
def add_products(
    samples: Float32Array, y: int, square: FloatArray, smooth: FloatArray, product: FloatArray
) -> None:
    """Add what row y of samples (E, h, w) gives to sums (w,).

    These are squares, squares of the sums over three neighbours, and products two and three energies apart.
    """
    last = samples.shape[0] - 1
    for e in range(last + 1):
        here = samples[e, y]
        for x in range(here.size):
            square[x] += np.float64(here[x]) * np.float64(here[x])
    for e in range(last + 1):
        before, here, after = samples[max(e - 1, 0), y], samples[e, y], samples[min(e + 1, last), y]
        one, two = np.float32(e > 0), np.float32(e < last)
        for x in range(here.size):
            value = np.float64(one * before[x] + here[x] + two * after[x])
            smooth[x] += value * value
    for e in range(last - 1):
        here, second, third = samples[e, y], samples[e + 2, y], samples[min(e + 3, last), y]
        three = np.float32(e < last - 2)
        for x in range(here.size):
            product[x] += np.float64(here[x]) * np.float64(second[x] + three * third[x])
