"""What "nearest" means, to the last bit: the float64 arithmetic that every engine and the oracle share.

A pixel x (E samples) is centred, c = (x - x[0]) - mean(x - x[0]), and site k is a centred spectrum t_k of
length one. The correlation is r_k = (c . t_k) / |c|; every sum runs over eight interleaved partial sums that
are then added pairwise, so it depends on the pixel and the site alone. The label is the lowest site number
with r_k >= max r - tie_tolerance(E). docs/explanation/exactness.md derives the tolerance.
"""

import math

import numpy as np
from numba import njit

from gigaxas.arrays import FloatArray
from gigaxas.simd import LANES, lane_centre

WIDEST = 2.0**400  # float64 samples beyond this, or all below its inverse, are scaled by a power of two
LARGEST = float(np.finfo(np.float64).max)


def padded_length(energies: int) -> int:
    """Return `energies` rounded up to whole lanes; the padding is zero and changes no sum."""
    return -(-energies // LANES) * LANES


def tie_tolerance(energies: int) -> float:
    """Return the difference up to which two float64 correlations count as equal."""
    return 4.0 * (energies + 8) * 2.0**-53


@njit(nogil=True, cache=True)
def load(block: np.ndarray, pixel: int, invalid: float, rows: FloatArray, p: int) -> None:
    """Copy one pixel of an energy-first block (E, n) into row p of rows (., padded E).

    A pixel with an invalid or non-finite sample becomes a row of zeros, hence void.
    """
    for i in range(block.shape[0]):
        value = np.float64(block[i, pixel])
        if not abs(value) <= LARGEST or value == invalid:
            rows[p, :] = 0.0
            return
        rows[p, i] = value


@njit(nogil=True, cache=True)
def rescale(rows: FloatArray, p: int) -> None:
    """Scale a row whose squares float64 could not hold by a power of two, which changes no correlation."""
    peak = 0.0
    for i in range(rows.shape[1]):
        peak = max(peak, abs(rows[p, i]))
    if peak > WIDEST or 0.0 < peak < 1.0 / WIDEST:
        shift = -math.frexp(peak)[1]
        for i in range(rows.shape[1]):
            rows[p, i] = math.ldexp(rows[p, i], shift)


@njit(nogil=True, cache=True)
def centre(rows: FloatArray, p: int, energies: int) -> float:
    """Centre one padded row in place and return its length; 0 for a constant row, which is void."""
    first = rows[p, 0]
    for i in range(energies):
        rows[p, i] -= first
    return math.sqrt(lane_centre(rows, p, energies))
