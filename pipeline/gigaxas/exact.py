"""Sums of floating-point samples that no order can change: exact integers, rounded once at the very end."""

import math
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from gigaxas.arrays import FloatArray, IntArray
from gigaxas.errors import InputError

SMALLEST_EXPONENT = -128
"""Samples below 2^-128 in magnitude count as 0: less than any absorbance, and less than float32 can hold."""
LARGEST_EXPONENT = 100
MANTISSA = 52
FIRST_BITS = MANTISSA - SMALLEST_EXPONENT
"""Sums of samples are whole numbers of 2^-FIRST_BITS."""
SECOND_BITS = MANTISSA - 2 * SMALLEST_EXPONENT
"""Sums of squares are whole numbers of 2^-SECOND_BITS."""

_LIMB = 32
_BIAS = 1075


def exact_sums(
    samples: NDArray[np.floating[Any]], slots: IntArray, count: int
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Sum finite samples (E, n) and their squares over the slots (n,), which run from 0 to count - 1.

    Returns two arrays (count, E) of Python integers, in units of 2^-FIRST_BITS and 2^-SECOND_BITS. Nothing
    is rounded but the square of a float64 sample, once and by itself. Raises InputError for a sample of
    2^100 or more.
    """
    first = np.zeros((count, samples.shape[0]), dtype=object)
    second = np.zeros((count, samples.shape[0]), dtype=object)
    for e, row in enumerate(samples):
        values = row.astype(np.float64)
        largest = float(np.abs(values).max(initial=0.0))
        if largest >= 2.0**LARGEST_EXPONENT:
            raise InputError(
                f"found a sample of {largest:.3g}, expected an absorbance; mark such samples as invalid"
            )
        values[np.abs(values) < 2.0**SMALLEST_EXPONENT] = 0.0
        first[:, e] = _sum_row(values, slots, count, FIRST_BITS)
        second[:, e] = _sum_row(values * values, slots, count, SECOND_BITS)
    return first, second


def _sum_row(values: FloatArray, slots: IntArray, count: int, bits: int) -> list[int]:
    """Sum values (n,), none nearer to 0 than 2^(52 - bits), as whole numbers of 2^-bits: one a slot."""
    sizes = np.abs(values[values != 0.0])
    if not sizes.size:
        return [0] * count
    # positions of the lowest bits, counted from 2^-bits
    low = (math.frexp(float(sizes.min()))[1] - MANTISSA - 1 + bits) // _LIMB
    high = (math.frexp(float(sizes.max()))[1] - MANTISSA - 1 + bits) // _LIMB + 3
    limbs = np.zeros((count, high - low), np.int64)
    _scatter(values.view(np.int64), slots, bits - _BIAS - _LIMB * low, limbs)
    return [sum(int(part) << (_LIMB * (i + low)) for i, part in enumerate(row)) for row in limbs]


@njit(nogil=True, cache=True)
def _scatter(words: IntArray, slots: IntArray, shift: int, limbs: IntArray) -> None:
    """Add the mantissas of normal float64 `words` (n,), cut in 32 bits, to the limbs (count, m) of slots."""
    mask = (1 << 32) - 1
    for p in range(words.size):
        word = words[p]
        exponent = (word >> 52) & 2047
        if exponent == 0:
            continue
        mantissa = (word & ((1 << 52) - 1)) | (1 << 52)
        position = exponent + shift
        limb, by = position >> 5, position & 31
        low = (mantissa << by) & mask
        middle = (mantissa >> (32 - by)) & mask
        top = mantissa >> (64 - by) if by > 11 else 0
        row = limbs[slots[p]]
        if word < 0:
            low, middle, top = -low, -middle, -top
        row[limb] += low
        row[limb + 1] += middle
        row[limb + 2] += top
