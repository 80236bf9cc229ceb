"""The active-set kernel: which components of a basis are free in a pixel, and their weights.

Block principal pivoting with the backup rule of Judice and Pires (Kim & Park, SIAM J. Sci. Comput. 33,
2011), started with all components free.
"""

import numpy as np
from numba import njit

from gigaxas.arrays import FloatArray, IntArray
from gigaxas.components.projection import BLOCK
from gigaxas.components.rounds import exchange, first_wrong, settle_rounds
from gigaxas.components.sets import Sets, fill_slot, fill_variance

STRETCH = 32 * BLOCK
"""Pixels that try their sets together."""
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
    axes, count = components.shape
    room = min(STRETCH, -(-total.size // BLOCK) * BLOCK)
    z, v = np.zeros((axes, room)), np.empty((count, room))
    free, inside, squares = np.empty(room, np.int64), np.empty(BLOCK), np.empty(BLOCK)
    everything = (1 << count) - 1
    given_up = 0
    for start in range(0, total.size, STRETCH):
        width = min(STRETCH, total.size - start)
        stop = start + width
        z[:, :width] = coordinates[:, start:stop]
        slot = _slot(components, sum_to_one, sets, everything)
        for at in range(0, width, BLOCK):
            _try_block(sets.trial[slot], sets.shift[slot], z, v, at)
        given_up += _settle(components, sum_to_one, sets, z, v, total[start:stop], free)
        weights[:, start:stop] = v[:, :width]
        for at in range(0, width, BLOCK):
            _residual_block(components, z, v, at, inside, squares)
            for p in range(min(BLOCK, width - at)):
                left = max(total[start + at + p] - squares[p], 0.0)
                residual[start + at + p] = np.sqrt(left + inside[p])
        _write_variance(components, sum_to_one, sets, noise, free[:width], variance, start)
    return given_up


@njit(nogil=True, cache=True)
def _slot(components: FloatArray, sum_to_one: bool, sets: Sets, free: int) -> int:
    """Return the slot of a set, filled."""
    slot = free & (sets.key.size - 1)
    if sets.key[slot] != free:
        fill_slot(components, sum_to_one, free, sets.key, sets.trial, sets.shift, sets.variance)
    return slot


@njit(nogil=True, cache=True)
def _write_variance(
    components: FloatArray,
    sum_to_one: bool,
    sets: Sets,
    noise: FloatArray,
    free: IntArray,
    variance: FloatArray,
    start: int,
) -> None:
    """Write the variances, from place `start` on, of pixels with these sets of free components (n,)."""
    key, trial, shift, known = sets
    for p in range(free.size):
        slot = free[p] & (key.size - 1)
        if key[slot] != free[p]:
            fill_slot(components, sum_to_one, free[p], key, trial, shift, known)
        if known[slot, 0] < 0.0:
            fill_variance(free[p], trial[slot], noise, known[slot])
        for j in range(variance.shape[0]):
            variance[j, start + p] = known[slot, j]


# Every loop over the pixels of a block has the same, constant length: no pixel is rounded differently.
@njit(nogil=True, cache=True, fastmath={"contract"})
def _try_block(trial: FloatArray, shift: FloatArray, z: FloatArray, v: FloatArray, at: int) -> None:
    """Write the trial (k, BLOCK) of one set for the coordinates (K, BLOCK) of the block that starts `at`."""
    for j in range(v.shape[0]):
        row = v[j, at : at + BLOCK]
        row[:] = shift[j]
        for i in range(z.shape[0]):
            _add_scaled(z[i, at : at + BLOCK], trial[j, i], row)


@njit(nogil=True, cache=True, fastmath={"contract"})
def _residual_block(
    components: FloatArray, z: FloatArray, v: FloatArray, at: int, inside: FloatArray, squares: FloatArray
) -> None:
    """Write squared lengths (BLOCK,): of coordinates (K, BLOCK), and of what weights (k, BLOCK) leave."""
    inside[:] = 0.0
    squares[:] = 0.0
    rest = np.empty(BLOCK)
    for i in range(z.shape[0]):
        row = z[i, at : at + BLOCK]
        rest[:] = row
        for j in range(v.shape[0]):
            _add_scaled(v[j, at : at + BLOCK], -components[i, j], rest)
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
    sets: Sets,
    z: FloatArray,
    v: FloatArray,
    total: FloatArray,
    free: IntArray,
) -> int:
    """Find the free components of the pixels of a stretch where the trial with all of them fell below 0."""
    axes, count = components.shape
    width = total.size
    wrong, reach = np.empty(width, np.int64), np.sqrt(total)
    reach *= 10 * EPS * (axes + count)
    first_wrong(v, wrong)
    free[:width] = (1 << count) - 1
    if sets.key.size == 1 << count:
        places = settle_rounds(components, sum_to_one, sets, z, v, reach, wrong, free)
    else:
        places = np.flatnonzero(wrong)
    one, found, lengths = np.empty(axes), np.empty(count), np.sqrt(np.sum(components * components, axis=0))
    given_up = 0
    for p in places:
        for i in range(axes):
            one[i] = z[i, p]
        free[p], ended = _pivot(components, sum_to_one, sets, one, found, lengths, reach[p], wrong[p])
        given_up += not ended
        for j in range(count):
            v[j, p] = max(found[j], 0.0) if (free[p] >> j) & 1 else 0.0
    return given_up


@njit(nogil=True, cache=True)
def _pivot(
    components: FloatArray,
    sum_to_one: bool,
    sets: Sets,
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
    free, wrongs, fewest, patience = (1 << count) - 1, count, count + 1, PATIENCE
    for _ in range(MOST_TRIALS):
        if wrongs < fewest:
            fewest, patience = wrongs, PATIENCE
        elif patience > 0:
            patience -= 1
        else:  # the highest one alone: this cannot go round in circles
            while wrong & (wrong - 1):
                wrong &= wrong - 1
        free = exchange(free, wrong, count, sum_to_one)
        slot = _slot(components, sum_to_one, sets, free)
        wrong, wrongs = _wrong(sets.trial, sets.shift, slot, free, z, v, lengths, tolerance)
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
