"""The active-set kernel: which components of a basis are free in a pixel, and their weights.

Block principal pivoting with the backup rule of Judice and Pires (Kim & Park, SIAM J. Sci. Comput. 33,
2011), started with all components free.
"""

import numpy as np
from numba import njit

from pipeline.arrays import FloatArray, IntArray
from pipeline.phases.project import BLOCK
from pipeline.phases.sets import Sets, fill_slot, fill_variance

PATIENCE = 3
MOST_TRIALS = 10_000
EPS = float(np.finfo(np.float64).eps)


@njit(nogil=True, cache=True)
def solve(
    components: FloatArray,
    sum_to_one: bool,
    coordinates: FloatArray,
    total: FloatArray,
    noise: FloatArray,
    sets: Sets,
    weights: FloatArray,
    variance: FloatArray,
    residual: FloatArray,
) -> int:
    """Fit coordinates (K, n) of squared length total (n,) with components (K, k); weights are at least 0.

    Fills weights and variance (k, n), the latter for coordinates with the covariance `noise` (K, K), and the
    residual norm (n,). Returns how many pixels found no end within MOST_TRIALS; none is known to.
    """
    key, trial, shift, known = sets
    axes, count = components.shape
    z, v = np.zeros((axes, BLOCK)), np.empty((count, BLOCK))
    free, inside, squares = np.empty(BLOCK, np.int64), np.empty(BLOCK), np.empty(BLOCK)
    everything = (1 << count) - 1
    given_up = 0
    for start in range(0, total.size, BLOCK):
        stop = min(start + BLOCK, total.size)
        width = stop - start
        z[:, :width] = coordinates[:, start:stop]
        slot = everything & (key.size - 1)
        if key[slot] != everything:
            fill_slot(components, sum_to_one, everything, key, trial, shift, known)
        _try_block(trial[slot], shift[slot], z, v)
        given_up += _settle(components, sum_to_one, key, trial, shift, known, z, v, total[start:stop], free)
        weights[:, start:stop] = v[:, :width]
        _residual_block(components, z, v, inside, squares)
        for p in range(width):
            slot = free[p] & (key.size - 1)
            if key[slot] != free[p]:
                fill_slot(components, sum_to_one, free[p], key, trial, shift, known)
            if known[slot, 0] < 0.0:
                fill_variance(free[p], trial[slot], noise, known[slot])
            for j in range(count):
                variance[j, start + p] = known[slot, j]
            residual[start + p] = np.sqrt(max(total[start + p] - squares[p], 0.0) + inside[p])
    return given_up


# Every loop over the pixels of a block has the same, constant length: no pixel is rounded differently.
@njit(nogil=True, cache=True, fastmath={"contract"})
def _try_block(trial: FloatArray, shift: FloatArray, z: FloatArray, v: FloatArray) -> None:
    """Write the trial (k, BLOCK) of one set for the coordinates (K, BLOCK) of a block."""
    for j in range(v.shape[0]):
        row = v[j]
        row[:] = shift[j]
        for i in range(z.shape[0]):
            _add_scaled(z[i], trial[j, i], row)


@njit(nogil=True, cache=True, fastmath={"contract"})
def _residual_block(
    components: FloatArray, z: FloatArray, v: FloatArray, inside: FloatArray, squares: FloatArray
) -> None:
    """Write squared lengths (BLOCK,): of coordinates (K, BLOCK), and of what weights (k, BLOCK) leave."""
    inside[:] = 0.0
    squares[:] = 0.0
    rest = np.empty(BLOCK)
    for i in range(z.shape[0]):
        rest[:] = z[i]
        for j in range(v.shape[0]):
            _add_scaled(v[j], -components[i, j], rest)
        row = z[i]
        for p in range(BLOCK):
            inside[p] += rest[p] * rest[p]
            squares[p] += row[p] * row[p]


@njit(nogil=True, cache=True, fastmath={"contract"})
def _add_scaled(values: FloatArray, factor: float, sums: FloatArray) -> None:
    for p in range(BLOCK):
        sums[p] += factor * values[p]


@njit(nogil=True, cache=True)
def _settle(
    components: FloatArray,
    sum_to_one: bool,
    key: IntArray,
    trial: FloatArray,
    shift: FloatArray,
    known: FloatArray,
    z: FloatArray,
    v: FloatArray,
    total: FloatArray,
    free: IntArray,
) -> int:
    """Find the free components of the pixels of a block where the trial with all of them fell below 0."""
    axes, count = components.shape
    one, found, lengths = np.empty(axes), np.empty(count), np.empty(count)
    for j in range(count):
        lengths[j] = np.sqrt(np.sum(components[:, j] ** 2))
    given_up = 0
    for p in range(total.size):
        wrong = 0
        for j in range(count):
            wrong |= int(v[j, p] < 0.0) << j
        free[p] = (1 << count) - 1
        if wrong == 0:
            continue
        for i in range(axes):
            one[i] = z[i, p]
        tolerance = 10 * EPS * (axes + count) * np.sqrt(total[p])
        free[p], ended = _pivot(
            components, sum_to_one, key, trial, shift, known, one, found, lengths, tolerance, wrong
        )
        given_up += not ended
        for j in range(count):
            v[j, p] = max(found[j], 0.0) if (free[p] >> j) & 1 else 0.0
    return given_up


@njit(nogil=True, cache=True)
def _pivot(
    components: FloatArray,
    sum_to_one: bool,
    key: IntArray,
    trial: FloatArray,
    shift: FloatArray,
    known: FloatArray,
    z: FloatArray,
    v: FloatArray,
    lengths: FloatArray,
    tolerance: float,
    wrong: int,
) -> tuple[int, bool]:
    """Return the set of free components at the solution, v holding its trial, and whether it is one.

    `wrong` holds those, as bits, that fell below 0 with all of them free.
    """
    count = components.shape[1]
    everything = (1 << count) - 1
    free, wrongs, fewest, patience = everything, count, count + 1, PATIENCE
    for _ in range(MOST_TRIALS):
        if wrongs < fewest:
            fewest, patience = wrongs, PATIENCE
        elif patience > 0:
            patience -= 1
        else:  # the highest one alone: this cannot go round in circles
            while wrong & (wrong - 1):
                wrong &= wrong - 1
        free ^= wrong
        if sum_to_one and free == 0:  # no weights that sum to one: every component is wrong
            free = everything if wrong & (wrong - 1) else 1 << (count - 1)
        slot = free & (key.size - 1)
        if key[slot] != free:
            fill_slot(components, sum_to_one, free, key, trial, shift, known)
        wrong, wrongs = _wrong(trial, shift, slot, free, z, v, lengths, tolerance)
        if wrongs == 0:
            return free, True
    return free, False


@njit(nogil=True, cache=True)
def _wrong(
    trial: FloatArray,
    shift: FloatArray,
    slot: int,
    free: int,
    z: FloatArray,
    v: FloatArray,
    lengths: FloatArray,
    tolerance: float,
) -> tuple[int, int]:
    """Write a trial to v; return which components must change sides, as bits, and how many these are."""
    wrong, wrongs = 0, 0
    for j in range(v.size):
        value = shift[slot, j]
        for i in range(z.size):
            value += trial[slot, j, i] * z[i]
        v[j] = value
        inside = (free >> j) & 1
        bit = (inside & int(value < 0.0)) | ((1 - inside) & int(value > tolerance * lengths[j]))
        wrong |= bit << j
        wrongs += bit
    return wrong, wrongs
