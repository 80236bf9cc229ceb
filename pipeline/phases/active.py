"""The active-set kernel: which components of a basis are free in a pixel, and their weights.

Block principal pivoting with the backup rule of Judice and Pires (Kim & Park, SIAM J. Sci. Comput. 33,
2011), started with all components free. For one set of free components everything a trial needs is one
small matrix: rows of free components give their weight, rows of the others the slope of the fit towards
them. It is made when the set is first met and then kept.
"""

from typing import NamedTuple

import numpy as np
from numba import njit

from pipeline.arrays import FloatArray, IntArray
from pipeline.phases.project import BLOCK

MOST_SLOTS = 1024
PATIENCE = 3
MOST_TRIALS = 10_000
EPS = float(np.finfo(np.float64).eps)


class Sets(NamedTuple):
    """What is known of sets of free components, a slot each: its bits (-1: no set), how to try it, variances.

    A trial of coordinates z (K,) is trial[slot] @ z + shift[slot], (k,); variances (k,) below 0 are not
    known yet.
    """

    key: IntArray
    trial: FloatArray
    shift: FloatArray
    variance: FloatArray


def make_sets(axes: int, count: int) -> Sets:
    """Return room for the sets of `count` components with coordinates on so many axes."""
    slots = min(MOST_SLOTS, 1 << count)
    return Sets(
        np.full(slots, -1, np.int64),
        np.zeros((slots, count, axes)),
        np.zeros((slots, count)),
        np.full((slots, count), -1.0),
    )


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
    z, v = np.empty((axes, BLOCK)), np.empty((count, BLOCK))
    inside, one, found = np.empty(BLOCK), np.empty(axes), np.empty(count)
    lengths = np.empty(count)
    for j in range(count):
        lengths[j] = np.sqrt(np.sum(components[:, j] ** 2))
    everything = (1 << count) - 1
    given_up = 0
    for start in range(0, total.size, BLOCK):
        width = min(BLOCK, total.size - start)
        for i in range(axes):
            z[i, :width] = coordinates[i, start : start + width]
            z[i, width:] = 0.0
        slot = everything & (key.size - 1)
        if key[slot] != everything:
            _fill(components, sum_to_one, everything, key, trial, shift, known)
        _try_block(trial[slot], shift[slot], z, v)
        for p in range(width):
            free = everything
            for j in range(count):
                if v[j, p] < 0.0:
                    free = 0
            if free == 0:
                for i in range(axes):
                    one[i] = z[i, p]
                tolerance = 10 * EPS * (axes + count) * np.sqrt(total[start + p])
                free = _pivot(components, sum_to_one, key, trial, shift, known, one, found, lengths, tolerance)
                if free < 0:
                    given_up += 1
                    free = -1 - free
                for j in range(count):
                    v[j, p] = max(found[j], 0.0) if (free >> j) & 1 else 0.0
            slot = free & (key.size - 1)
            if key[slot] != free:
                _fill(components, sum_to_one, free, key, trial, shift, known)
            if known[slot, 0] < 0.0:
                _spread(free, trial[slot], noise, known[slot])
            for j in range(count):
                variance[j, start + p] = known[slot, j]
        for j in range(count):
            weights[j, start : start + width] = v[j, :width]
        _residual_block(components, z, v, inside)
        for p in range(width):
            outside = total[start + p]
            for i in range(axes):
                outside -= z[i, p] * z[i, p]
            residual[start + p] = np.sqrt(max(outside, 0.0) + inside[p])
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
def _residual_block(components: FloatArray, z: FloatArray, v: FloatArray, inside: FloatArray) -> None:
    """Write the squared length (BLOCK,) that the weights (k, BLOCK) leave of the coordinates (K, BLOCK)."""
    inside[:] = 0.0
    rest = np.empty(BLOCK)
    for i in range(z.shape[0]):
        rest[:] = z[i]
        for j in range(v.shape[0]):
            _add_scaled(v[j], -components[i, j], rest)
        for p in range(BLOCK):
            inside[p] += rest[p] * rest[p]


@njit(nogil=True, cache=True, fastmath={"contract"})
def _add_scaled(values: FloatArray, factor: float, sums: FloatArray) -> None:
    for p in range(BLOCK):
        sums[p] += factor * values[p]


@njit(nogil=True, cache=True)
def _fill(
    components: FloatArray,
    sum_to_one: bool,
    free: int,
    key: IntArray,
    trial: FloatArray,
    shift: FloatArray,
    known: FloatArray,
) -> None:
    """Fill the slot of a set; a set that was there before gives way."""
    slot = free & (key.size - 1)
    _make_trial(components, sum_to_one, free, trial[slot], shift[slot])
    key[slot] = free
    known[slot, 0] = -1.0


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
) -> int:
    """Return the set of free components at the solution, v holding its trial; -1 minus it if given up."""
    axes, count = components.shape
    everything = (1 << count) - 1
    free, fewest, patience = everything, count + 1, PATIENCE
    for _ in range(MOST_TRIALS):
        slot = free & (key.size - 1)
        if key[slot] != free:
            _fill(components, sum_to_one, free, key, trial, shift, known)
        wrong, wrongs = 0, 0
        for j in range(count):
            value = shift[slot, j]
            for i in range(axes):
                value += trial[slot, j, i] * z[i]
            v[j] = value
            if (value < 0.0) if (free >> j) & 1 else (value > tolerance * lengths[j]):
                wrong |= 1 << j
                wrongs += 1
        if wrongs == 0:
            return free
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
    return -free - 1


@njit(nogil=True, cache=True)
def _make_trial(
    components: FloatArray, sum_to_one: bool, free: int, trial: FloatArray, shift: FloatArray
) -> None:
    """Fill trial (k, K) and shift (k,) of a set of free components.

    With weights that sum to one, the first free component, `base`, takes what the others leave: these are
    fitted with their differences from it, and what one component gains, `base` loses.
    """
    axes, count = components.shape
    trial[:] = 0.0
    shift[:] = 0.0
    members = np.array([j for j in range(count) if (free >> j) & 1])
    base = members[0] if sum_to_one and members.size else -1
    fitted = members[1:] if base >= 0 else members
    origin = np.zeros(axes)
    if base >= 0:
        origin[:] = components[:, base]
        shift[base] = 1.0
    inverse = _pseudo_inverse(components, origin, fitted)
    for m in range(fitted.size):
        j = fitted[m]
        for a in range(axes):
            trial[j, a] = inverse[m, a]
            shift[j] -= inverse[m, a] * origin[a]
        if base >= 0:
            trial[base] -= trial[j]
            shift[base] -= shift[j]
    for j in range(count):
        if (free >> j) & 1:
            continue
        for a in range(axes):
            trial[j, a] = components[a, j] - origin[a]
        for m in members:
            part = 0.0
            for a in range(axes):
                part += (components[a, j] - origin[a]) * components[a, m]
            for a in range(axes):
                trial[j, a] -= part * trial[m, a]
            shift[j] -= part * shift[m]


@njit(nogil=True, cache=True)
def _pseudo_inverse(components: FloatArray, origin: FloatArray, members: IntArray) -> FloatArray:
    """Return the pseudo-inverse (n, K) of some components (K, k) less an origin (K,).

    They have full rank; orthogonalised by Gram and Schmidt, twice, which makes up for all rounding.
    """
    axes, count = components.shape[0], members.size
    q, r = np.empty((count, axes)), np.zeros((count, count))
    for j in range(count):
        for a in range(axes):
            q[j, a] = components[a, members[j]] - origin[a]
        for i in range(2 * j):
            part = 0.0
            for a in range(axes):
                part += q[i % j, a] * q[j, a]
            r[i % j, j] += part
            for a in range(axes):
                q[j, a] -= part * q[i % j, a]
        length = 0.0
        for a in range(axes):
            length += q[j, a] * q[j, a]
        r[j, j] = np.sqrt(length)
        for a in range(axes):
            q[j, a] /= r[j, j]
    for j in range(count - 1, -1, -1):
        for i in range(j + 1, count):
            for a in range(axes):
                q[j, a] -= r[j, i] * q[i, a]
        for a in range(axes):
            q[j, a] /= r[j, j]
    return q


@njit(nogil=True, cache=True)
def _spread(free: int, trial: FloatArray, noise: FloatArray, variance: FloatArray) -> None:
    """Fill the variances (k,) of a set: of the free weights, and of each other one were it free too.

    A component let in gets the slope towards it over that slope's squared length.
    """
    count, axes = trial.shape
    for j in range(count):
        square, value = 0.0, 0.0
        for a in range(axes):
            square += trial[j, a] * trial[j, a]
            for b in range(axes):
                value += trial[j, a] * noise[a, b] * trial[j, b]
        if not (free >> j) & 1:
            value /= square * square
        variance[j] = max(value, 0.0)
