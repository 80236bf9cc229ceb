"""Compiled sums over energies for pairs of spectra: the numbers that z (METHOD 2) is made of.

Every pair is summed energy by energy from differences: identical spectra give exactly 0, nothing cancels,
and a pair's value does not depend on the block, batch or order it was computed in.
"""

import math

import numpy as np
from numba import njit

from gigaxas.arrays import FloatArray, IntArray

LANES = 128


@njit(nogil=True, cache=True)
def pack_into(rows: FloatArray, blocks: FloatArray) -> None:
    """Write rows (n, E) into the first lanes of blocks (>= n / LANES, E, LANES)."""
    for i in range(rows.shape[0]):
        for e in range(rows.shape[1]):
            blocks[i // LANES, e, i % LANES] = rows[i, e]


@njit(nogil=True, cache=True)
def pack(rows: FloatArray) -> FloatArray:
    """Return rows (n, E) as blocks (ceil(n / LANES), E, LANES), the last block padded with zeros."""
    blocks = np.zeros(((rows.shape[0] + LANES - 1) // LANES, rows.shape[1], LANES))
    pack_into(rows, blocks)
    return blocks


@njit(nogil=True, cache=True)
def block_sums(
    t: FloatArray, v: FloatArray, t_block: FloatArray, v_block: FloatArray, sums: FloatArray
) -> None:
    """Fill sums (3, LANES): sums of d^2, d^2 v and d^2 v_block, d the difference of t (E,) and t_block."""
    sums[:] = 0.0
    a, b, c = sums[0], sums[1], sums[2]
    for e in range(t.shape[0]):
        x, y = t[e], v[e]
        others, variances = t_block[e], v_block[e]
        for j in range(LANES):
            d = x - others[j]
            q = d * d
            a[j] += q
            b[j] += q * y
            c[j] += q * variances[j]


@njit(nogil=True, cache=True)
def pair_sums(t1: FloatArray, v1: FloatArray, t2: FloatArray, v2: FloatArray) -> tuple[float, float, float]:
    """Return for one pair what `block_sums` gives, to the last bit."""
    a, b, c = 0.0, 0.0, 0.0
    for e in range(t1.shape[0]):
        d = t1[e] - t2[e]
        q = d * d
        a += q
        b += q * v1[e]
        c += q * v2[e]
    return a, b, c


@njit(nogil=True, cache=True)
def z_of(square: float, variance: float) -> float:
    """Return z = (1 - r) / sqrt(variance) from the squared distance 2 (1 - r); 0 for identical spectra."""
    if square == 0.0:
        return 0.0
    if variance == 0.0:
        return math.inf
    return 0.5 * square / math.sqrt(variance)


@njit(nogil=True, cache=True)
def error_of(z12: float, z21: float) -> float:
    """Return Eq. 1, (Phi(-z12) + Phi(-z21)) / 2."""
    return 0.25 * (math.erfc(z12 / math.sqrt(2.0)) + math.erfc(z21 / math.sqrt(2.0)))


@njit(nogil=True, cache=True)
def fill_square(t: FloatArray, v: FloatArray, use_error: bool, out: FloatArray) -> None:
    """Fill out (n, n), symmetric, with mean z, or with Eq. 1 where use_error is set."""
    n = t.shape[0]
    t_blocks, v_blocks = pack(t), pack(v)
    sums = np.empty((3, LANES))
    for k in range(t_blocks.shape[0]):
        first = k * LANES
        last = min(n, first + LANES)
        for i in range(last):
            block_sums(t[i], v[i], t_blocks[k], v_blocks[k], sums)
            for j in range(max(first, i), last):
                z12 = z_of(sums[0, j - first], sums[1, j - first])
                z21 = z_of(sums[0, j - first], sums[2, j - first])
                value = error_of(z12, z21) if use_error else 0.5 * (z12 + z21)
                out[i, j] = value
                out[j, i] = value


@njit(nogil=True, cache=True)
def fill_both(
    t: FloatArray, v: FloatArray, t_blocks: FloatArray, v_blocks: FloatArray, z12: FloatArray, z21: FloatArray
) -> None:
    """Fill z12 and z21 (n, m): rows with their own noise, and with the noise of the packed spectra."""
    m = z12.shape[1]
    sums = np.empty((3, LANES))
    for k in range(t_blocks.shape[0]):
        first = k * LANES
        for i in range(t.shape[0]):
            block_sums(t[i], v[i], t_blocks[k], v_blocks[k], sums)
            for j in range(first, min(m, first + LANES)):
                z12[i, j] = z_of(sums[0, j - first], sums[1, j - first])
                z21[i, j] = z_of(sums[0, j - first], sums[2, j - first])


@njit(nogil=True, cache=True)
def largest_error(
    t: FloatArray,
    v: FloatArray,
    t_sites: FloatArray,
    v_sites: FloatArray,
    skip: IntArray,
    error: FloatArray,
    where: IntArray,
) -> None:
    """Fill error and where (n,): the largest Eq. 1 of each spectrum to a site, site skip[i] left out."""
    count = t_sites.shape[0]
    t_blocks, v_blocks = pack(t_sites), pack(v_sites)
    sums = np.empty((3, LANES))
    best = np.full(t.shape[0], np.inf)
    error[:] = 0.0
    where[:] = -1
    for k in range(t_blocks.shape[0]):
        first = k * LANES
        for i in range(t.shape[0]):
            block_sums(t[i], v[i], t_blocks[k], v_blocks[k], sums)
            for j in range(first, min(count, first + LANES)):
                z12 = z_of(sums[0, j - first], sums[1, j - first])
                z21 = z_of(sums[0, j - first], sums[2, j - first])
                # both above both of the best: no need of the dear error function
                if j == skip[i] or min(z12, z21) > best[i]:
                    continue
                value = error_of(z12, z21)
                if value > error[i] or where[i] < 0:
                    error[i] = value
                    where[i] = j
                    best[i] = max(z12, z21)
