"""Sets of free components of a basis: how coordinates turn into weights, and what noise makes of these.

For one set everything a trial needs is one small matrix: rows of free components give their weight, rows of
the others the slope of the fit towards them. It is made when the set is first met and then kept.
"""

from typing import NamedTuple

import numpy as np
from numba import njit

from gigaxas.arrays import FloatArray, IntArray

MOST_SLOTS = 1024


class Basis(NamedTuple):
    """Components that spectra are fitted with."""

    components: FloatArray
    """Coordinates (K, k) of k components in a frame of K axes."""
    lengths: FloatArray
    """Their lengths (k,)."""
    sum_to_one: bool
    """Whether the weights of a spectrum must add up to 1."""


class SetTable(NamedTuple):
    """What is known of sets of free components, a slot each."""

    key: IntArray
    """The set of a slot (n,) as bits; -1 for none."""
    trial: FloatArray
    """Matrices (n, k, K): a trial of coordinates z (K,) is trial[slot] @ z + shift[slot]."""
    shift: FloatArray
    """What a trial adds (n, k)."""
    variance: FloatArray
    """Variances of the weights (n, k); the first is below 0 while they are not known."""


def make_basis(components: FloatArray, sum_to_one: bool) -> Basis:
    """Return the basis of components with these coordinates (K, k)."""
    columns = np.ascontiguousarray(components)
    return Basis(columns, np.sqrt(np.sum(columns * columns, axis=0)), sum_to_one)


def make_table(basis: Basis) -> SetTable:
    """Return room for the sets of the components of a basis."""
    axes, count = basis.components.shape
    slots = min(MOST_SLOTS, 1 << count)
    return SetTable(
        np.full(slots, -1, np.int64),
        np.zeros((slots, count, axes)),
        np.zeros((slots, count)),
        np.full((slots, count), -1.0),
    )


@njit(nogil=True, cache=True)
def slot_of(basis: Basis, table: SetTable, free: int) -> int:
    """Return the slot of a set, filled; a set that was there before gives way."""
    slot = free & (table.key.size - 1)
    if table.key[slot] != free:
        table.key[slot] = free
        table.variance[slot, 0] = -1.0
        _fill(basis, free, table.trial[slot], table.shift[slot])
    return slot


@njit(nogil=True, cache=True)
def _fill(basis: Basis, free: int, trial: FloatArray, shift: FloatArray) -> None:
    """Fill the trial (k, K) and shift (k,) of a set.

    With weights that sum to one, the first free component, `base`, takes what the others leave: these are
    fitted with their differences from it, and what one component gains, `base` loses.
    """
    components = basis.components
    trial[:] = 0.0
    shift[:] = 0.0
    members = np.array([j for j in range(components.shape[1]) if (free >> j) & 1])
    origin = np.zeros(components.shape[0])
    based = basis.sum_to_one and members.size > 0
    if based:
        origin[:] = components[:, members[0]]
        shift[members[0]] = 1.0
    _fill_free(components, origin, members, based, trial, shift)
    for j in range(components.shape[1]):
        if not (free >> j) & 1:
            _fill_slope(components, origin, members, j, trial, shift)


@njit(nogil=True, cache=True)
def _fill_free(
    components: FloatArray,
    origin: FloatArray,
    members: IntArray,
    based: bool,
    trial: FloatArray,
    shift: FloatArray,
) -> None:
    """Fill the rows of the members: the pseudo-inverse of the components less the origin."""
    fitted = members[1:] if based else members
    inverse = _pseudo_inverse(components, origin, fitted)
    for m in range(fitted.size):
        j = fitted[m]
        for a in range(origin.size):
            trial[j, a] = inverse[m, a]
            shift[j] -= inverse[m, a] * origin[a]
        if based:
            trial[members[0]] -= trial[j]
            shift[members[0]] -= shift[j]


@njit(nogil=True, cache=True)
def _fill_slope(
    components: FloatArray,
    origin: FloatArray,
    members: IntArray,
    j: int,
    trial: FloatArray,
    shift: FloatArray,
) -> None:
    """Fill the row of a component that is not free: what of its direction the free ones cannot reach."""
    for a in range(origin.size):
        trial[j, a] = components[a, j] - origin[a]
    for m in members:
        part = 0.0
        for a in range(origin.size):
            part += (components[a, j] - origin[a]) * components[a, m]
        for a in range(origin.size):
            trial[j, a] -= part * trial[m, a]
        shift[j] -= part * shift[m]


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
def fill_variance(table: SetTable, slot: int, noise: FloatArray) -> None:
    """Fill the variances of a set for coordinates with the covariance `noise` (K, K).

    A free weight has that of the fit. One that is not free has what it would have if it were: a component let
    in gets the slope towards it over that slope's squared length.
    """
    free, trial = table.key[slot], table.trial[slot]
    count, axes = trial.shape
    for j in range(count):
        square, value = 0.0, 0.0
        for a in range(axes):
            square += trial[j, a] * trial[j, a]
            for b in range(axes):
                value += trial[j, a] * noise[a, b] * trial[j, b]
        if not (free >> j) & 1:
            value /= square * square
        table.variance[slot, j] = max(value, 0.0)
