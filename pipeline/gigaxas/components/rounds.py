"""The first exchanges of block principal pivoting, for many pixels that try the same set at once."""

import numpy as np
from numba import njit

from gigaxas.arrays import FloatArray, IntArray
from gigaxas.components.sets import Sets, fill_slot

ROUNDS = 4
"""While so few trials have been made, the backup rule of `active` has no say yet."""
LANES = 8


@njit(nogil=True, cache=True)
def first_wrong(v: FloatArray, wrong: IntArray) -> None:
    """Write which weights (k, n) fell below 0 with all components free, as bits (n,)."""
    wrong[:] = 0
    for j in range(v.shape[0]):
        row, bit = v[j], np.int64(1 << j)
        for p in range(wrong.size):
            if row[p] < 0.0:
                wrong[p] |= bit


@njit(nogil=True, cache=True)
def exchange(free: int, wrong: int, count: int, sum_to_one: bool) -> int:
    """Return the set with all that was wrong on the other side; weights that sum to one need a free one."""
    after = free ^ wrong
    if sum_to_one and after == 0:
        after = (1 << count) - 1 if wrong & (wrong - 1) else 1 << (count - 1)
    return after


@njit(nogil=True, cache=True)
def settle_rounds(
    components: FloatArray,
    sum_to_one: bool,
    sets: Sets,
    z: FloatArray,
    v: FloatArray,
    reach: FloatArray,
    wrong: IntArray,
    free: IntArray,
) -> IntArray:
    """Settle what ROUNDS exchanges can of the pixels with something `wrong`; return the places of the others.

    Coordinates z (K, n) and weights v (k, n); `reach` (n,) is the slope that counts as 0 towards a component
    of length 1. Fills the weights and the set of free components (n,) of the settled pixels.
    """
    key, trial, shift, known = sets
    axes, count = components.shape
    lengths = np.sqrt(np.sum(components * components, axis=0))
    places, order = np.flatnonzero(wrong), np.empty(wrong.size, np.int64)
    numbers = np.zeros(key.size + 1, np.int64)
    near, out = np.zeros((axes, LANES)), np.empty((count, LANES))
    slack, bad = np.zeros(LANES), np.zeros(LANES, np.int64)
    for p in places:
        free[p] = exchange((1 << count) - 1, wrong[p], count, sum_to_one)
    left = places.size
    for _ in range(ROUNDS):
        _sort(places, left, free, numbers, order)
        stop, left = left, 0
        start = 0
        while start < stop:
            slot = free[order[start]]
            if key[slot] != slot:
                fill_slot(components, sum_to_one, slot, key, trial, shift, known)
            lanes = min(LANES, numbers[slot] - start)
            for lane in range(lanes):
                p = order[start + lane]
                slack[lane] = reach[p]
                for i in range(axes):
                    near[i, lane] = z[i, p]
            _try_lanes(trial, shift, slot, near, out)
            _find_wrong(out, slot, slack, lengths, bad)
            for lane in range(lanes):
                p = order[start + lane]
                if bad[lane]:
                    places[left] = p
                    left += 1
                    free[p] = exchange(slot, bad[lane], count, sum_to_one)
                else:
                    for j in range(count):
                        v[j, p] = max(out[j, lane], 0.0) if (slot >> j) & 1 else 0.0
            start += lanes
    return places[:left]


@njit(nogil=True, cache=True)
def _sort(places: IntArray, count: int, free: IntArray, numbers: IntArray, order: IntArray) -> None:
    """Write the first places in the order of their sets; those of set s end before numbers[s]."""
    numbers[:] = 0
    for n in range(count):
        numbers[free[places[n]] + 1] += 1
    for s in range(1, numbers.size):
        numbers[s] += numbers[s - 1]
    for n in range(count):
        p = places[n]
        order[numbers[free[p]]] = p
        numbers[free[p]] += 1


# The lanes are written out, so that they stay in registers. All are tried: no pixel is rounded differently.
@njit(nogil=True, cache=True, fastmath={"contract"})
def _try_lanes(trial: FloatArray, shift: FloatArray, slot: int, near: FloatArray, out: FloatArray) -> None:
    """Write the trial (k, LANES) of one set for the coordinates (K, LANES) of some pixels."""
    for j in range(out.shape[0]):
        a = b = c = d = e = f = g = h = shift[slot, j]
        for i in range(near.shape[0]):
            factor = trial[slot, j, i]
            a += factor * near[i, 0]
            b += factor * near[i, 1]
            c += factor * near[i, 2]
            d += factor * near[i, 3]
            e += factor * near[i, 4]
            f += factor * near[i, 5]
            g += factor * near[i, 6]
            h += factor * near[i, 7]
        out[j, 0], out[j, 1], out[j, 2], out[j, 3] = a, b, c, d
        out[j, 4], out[j, 5], out[j, 6], out[j, 7] = e, f, g, h


@njit(nogil=True, cache=True)
def _find_wrong(out: FloatArray, slot: int, slack: FloatArray, lengths: FloatArray, bad: IntArray) -> None:
    """Write which components must change sides (LANES,), as bits."""
    bad[:] = 0
    for j in range(out.shape[0]):
        inside = (slot >> j) & 1
        sign, length = 1.0 - 2.0 * inside, (1 - inside) * lengths[j]
        for lane in range(LANES):
            bad[lane] |= np.int64(sign * out[j, lane] > slack[lane] * length) << j
