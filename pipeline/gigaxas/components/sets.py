"""Sets of free components of a basis: how coordinates turn into weights, and what noise makes of these.

For one set everything a trial needs is one small matrix: rows of free components give their weight, rows of
the others the slope of the fit towards them. It is made when the set is first met and then kept.
"""

from typing import NamedTuple

import numpy as np
from numba import njit

from gigaxas.arrays import FloatArray, IntArray

MOST_SLOTS = 1024


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
def fill_slot(
    components: FloatArray,
    sum_to_one: bool,
    free: int,
    key: IntArray,
    trial: FloatArray,
    shift: FloatArray,
    known: FloatArray,
) -> None:
    """Fill the slot of a set; a set that was there before gives way.

    With weights that sum to one, the first free component, `base`, takes what the others leave: these are
    fitted with their differences from it, and what one component gains, `base` loses.
    """
    slot = free & (key.size - 1)
    key[slot] = free
    known[slot, 0] = -1.0
    solver, moved = trial[slot], shift[slot]
    solver[:] = 0.0
    moved[:] = 0.0
    members = np.array([j for j in range(components.shape[1]) if (free >> j) & 1])
    origin = np.zeros(components.shape[0])
    based = sum_to_one and members.size > 0
    if based:
        origin[:] = components[:, members[0]]
        moved[members[0]] = 1.0
    _solve_free(components, origin, members, based, solver, moved)
    for j in range(components.shape[1]):
        if not (free >> j) & 1:
            _slope(components, origin, members, j, solver, moved)


@njit(nogil=True, cache=True)
def _solve_free(
    components: FloatArray,
    origin: FloatArray,
    members: IntArray,
    based: bool,
    solver: FloatArray,
    moved: FloatArray,
) -> None:
    """Fill the rows of the members: the pseudo-inverse of the components less the origin."""
    fitted = members[1:] if based else members
    inverse = _pseudo_inverse(components, origin, fitted)
    for m in range(fitted.size):
        j = fitted[m]
        for a in range(origin.size):
            solver[j, a] = inverse[m, a]
            moved[j] -= inverse[m, a] * origin[a]
        if based:
            solver[members[0]] -= solver[j]
            moved[members[0]] -= moved[j]


@njit(nogil=True, cache=True)
def _slope(
    components: FloatArray,
    origin: FloatArray,
    members: IntArray,
    j: int,
    solver: FloatArray,
    moved: FloatArray,
) -> None:
    """Fill the row of a component that is not free: what of its direction the free ones cannot reach."""
    for a in range(origin.size):
        solver[j, a] = components[a, j] - origin[a]
    for m in members:
        part = 0.0
        for a in range(origin.size):
            part += (components[a, j] - origin[a]) * components[a, m]
        for a in range(origin.size):
            solver[j, a] -= part * solver[m, a]
        moved[j] -= part * moved[m]


@njit(nogil=True, cache=True)
def _pseudo_inverse(components: FloatArray, origin: FloatArray, members: IntArray) -> FloatArray:
    """Return the pseudo-inverse (n, K) of some components (K, k) less an origin (K,); they have full rank."""
    axes, count = components.shape[0], members.size
    q, r = np.empty((count, axes)), np.zeros((count, count))
    for j in range(count):
        for a in range(axes):
            q[j, a] = components[a, members[j]] - origin[a]
        _orthogonalise(q, r, j)
    for j in range(count - 1, -1, -1):
        for i in range(j + 1, count):
            for a in range(axes):
                q[j, a] -= r[j, i] * q[i, a]
        for a in range(axes):
            q[j, a] /= r[j, j]
    return q


@njit(nogil=True, cache=True)
def _orthogonalise(q: FloatArray, r: FloatArray, j: int) -> None:
    """Take from row j what lies along the rows before it, twice, which makes up for all rounding."""
    for i in range(2 * j):
        part = 0.0
        for a in range(q.shape[1]):
            part += q[i % j, a] * q[j, a]
        r[i % j, j] += part
        for a in range(q.shape[1]):
            q[j, a] -= part * q[i % j, a]
    length = 0.0
    for a in range(q.shape[1]):
        length += q[j, a] * q[j, a]
    r[j, j] = np.sqrt(length)
    for a in range(q.shape[1]):
        q[j, a] /= r[j, j]


@njit(nogil=True, cache=True)
def fill_variance(free: int, trial: FloatArray, noise: FloatArray, variance: FloatArray) -> None:
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
