"""Non-negative least squares of many spectra on one small basis, exact.

Which components are free, that is above 0, is found for every pixel by block principal pivoting with the
backup rule of Judice and Pires (Kim & Park, SIAM J. Sci. Comput. 33, 2011), started with all components free.
The first exchanges are made for many pixels at once: those that try the same set share its matrix. Weights
that sum to one are never all wrong, so that one component at least stays free.
"""

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import ArrayLike

from gigaxas.arrays import FloatArray, IntArray
from gigaxas.components.free_sets import Basis, SetTable, fill_variance, make_basis, make_table, slot_of
from gigaxas.components.projection import BLOCK, make_frame, project
from gigaxas.errors import InputError, RunError

MOST_COMPONENTS = 62
"""As many as a set of them has bits in a whole number."""
STRETCH = 32 * BLOCK
"""Pixels whose sets are tried together."""
ROUNDS = 4
"""Exchanges made together: after so few trials the backup rule has no say yet."""
LANES = 8
PATIENCE = 3
MOST_TRIALS = 10_000
EPS = float(np.finfo(np.float64).eps)


class Fit(NamedTuple):
    """What the fit of n spectra with k components gives."""

    weights: FloatArray
    """Weights (k, n), all at least 0."""
    variance: FloatArray
    """Variances of the weights (k, n); that of a weight held at 0 is what it would have if it were free."""
    residual: FloatArray
    """Length of what is left of each spectrum (n,)."""


class Stretch(NamedTuple):
    """Pixels that are fitted together, a column each."""

    coordinates: FloatArray
    """Their coordinates (K, n)."""
    weights: FloatArray
    """Their weights (k, n), as far as these are found."""
    slack: FloatArray
    """The slope towards a component of length 1 that counts as 0 (n,)."""
    wrong: IntArray
    """The components that fell below 0 with all of them free, as bits (n,)."""
    free: IntArray
    """The free components, as bits (n,)."""


def nnls(basis: ArrayLike, spectra: ArrayLike, sum_to_one: bool = False) -> Fit:
    """Minimise |basis x - spectrum| over x >= 0 for spectra (n, E) on a basis (E, k).

    With `sum_to_one` the weights of a pixel also add up to 1. The variance is for noise of 1 on every
    sample. Raises InputError for what is not finite, and for components that depend on each other.
    """
    columns, samples = np.asarray(basis, dtype=np.float64), np.asarray(spectra)
    if columns.ndim != 2 or samples.ndim != 2 or samples.shape[1] != columns.shape[0]:
        raise InputError(
            f"found spectra {samples.shape} on a basis {columns.shape}, expected (n, E) and (E, k)"
        )
    if not np.all(np.isfinite(samples)):
        raise InputError("a spectrum is not finite, expected whole spectra; mask such pixels first")
    frame = make_frame(columns)
    coordinates, total = project(frame, samples.T)
    return fit(frame.components, coordinates, total, np.eye(len(frame.components)), sum_to_one)


def fit(
    components: FloatArray, coordinates: FloatArray, total: FloatArray, noise: FloatArray, sum_to_one: bool
) -> Fit:
    """Fit coordinates (K, n), of squared length `total` (n,), with components (K, k) of the same frame.

    `noise` (K, K) is the covariance of a spectrum's coordinates. A spectrum gets the same bits whatever
    stands beside it. Raises InputError for more than MOST_COMPONENTS components.
    """
    count = components.shape[1]
    if count > MOST_COMPONENTS:
        raise InputError(
            f"found a basis of {count} components, expected at most {MOST_COMPONENTS}; merge some of them"
        )
    basis = make_basis(components, sum_to_one)
    weights, variance = np.empty((2, count, total.size))
    found = Fit(weights, variance, np.empty(total.size))
    given_up = _solve(basis, coordinates, total, np.ascontiguousarray(noise), make_table(basis), found)
    if given_up:
        raise RunError(f"non-negative least squares found no end in {given_up} pixels; report this data set")
    return found


@njit(nogil=True, cache=True)
def _solve(
    basis: Basis, coordinates: FloatArray, total: FloatArray, noise: FloatArray, table: SetTable, found: Fit
) -> int:
    """Fill the fit; return how many pixels found no end within MOST_TRIALS: none is known to."""
    axes, count = basis.components.shape
    weights, variance, residual = (
        found  # in a loop, reading them off the tuple would cost as much as the work
    )
    room = min(STRETCH, -(-total.size // BLOCK) * BLOCK)
    slack, wrong, free = np.empty(room), np.empty(room, np.int64), np.empty(room, np.int64)
    stretch = Stretch(np.zeros((axes, room)), np.empty((count, room)), slack, wrong, free)
    inside, squares = np.empty(BLOCK), np.empty(BLOCK)
    given_up = 0
    for start in range(0, total.size, STRETCH):
        width = min(STRETCH, total.size - start)
        stretch.coordinates[:, :width] = coordinates[:, start : start + width]
        for p in range(width):
            slack[p] = np.sqrt(total[start + p]) * (10 * EPS * (axes + count))
        given_up += _fit_stretch(basis, table, stretch, width)
        weights[:, start : start + width] = stretch.weights[:, :width]
        for at in range(0, width, BLOCK):
            _residual_block(basis.components, stretch.coordinates, stretch.weights, at, inside, squares)
            for p in range(min(BLOCK, width - at)):
                left = max(total[start + at + p] - squares[p], 0.0)
                residual[start + at + p] = np.sqrt(left + inside[p])
        _write_variance(basis, table, noise, free[:width], variance, start)
    return given_up


@njit(nogil=True, cache=True)
def _fit_stretch(basis: Basis, table: SetTable, stretch: Stretch, width: int) -> int:
    """Find free components and weights of the first `width` pixels; return how many found no end."""
    count = basis.components.shape[1]
    everything = (1 << count) - 1
    slot = slot_of(basis, table, everything)
    for at in range(0, width, BLOCK):
        _try_block(table.trial[slot], table.shift[slot], stretch.coordinates, stretch.weights, at)
    stretch.free[:width] = everything
    _find_negative(stretch.weights, stretch.wrong[:width])
    pixels = np.flatnonzero(stretch.wrong[:width])
    if table.key.size == 1 << count:
        pixels = _exchange_together(basis, table, stretch, pixels)
    return _exchange_alone(basis, table, stretch, pixels)


@njit(nogil=True, cache=True)
def _find_negative(weights: FloatArray, wrong: IntArray) -> None:
    """Write which weights (k, n) fell below 0, as bits (n,)."""
    wrong[:] = 0
    for j in range(weights.shape[0]):
        row, bit = weights[j], np.int64(1 << j)
        for p in range(wrong.size):
            if row[p] < 0.0:
                wrong[p] |= bit


@njit(nogil=True, cache=True)
def _exchange_together(basis: Basis, table: SetTable, stretch: Stretch, pixels: IntArray) -> IntArray:
    """Make ROUNDS exchanges in pixels with something wrong; return those that still have."""
    components, lengths, _ = basis
    key, trial, shift, _ = table
    z, v, slack, wrong, free = stretch
    axes, count = components.shape
    order, ends = np.empty(pixels.size, np.int64), np.zeros(key.size + 1, np.int64)
    near, out = np.zeros((axes, LANES)), np.empty((count, LANES))
    close, bad = np.zeros(LANES), np.zeros(LANES, np.int64)
    for p in pixels:
        free[p] = ((1 << count) - 1) ^ wrong[p]
    left = pixels.size
    for _ in range(ROUNDS):
        _sort_by_set(pixels[:left], free, ends, order)
        stop, left, start = left, 0, 0
        while start < stop:
            slot = free[order[start]]
            if key[slot] != slot:
                slot_of(basis, table, slot)
            lanes = min(LANES, ends[slot] - start)
            for lane in range(lanes):
                p = order[start + lane]
                close[lane] = slack[p]
                for i in range(axes):
                    near[i, lane] = z[i, p]
            _try_lanes(trial, shift, slot, near, out)
            _find_wrong(out, slot, close, lengths, bad)
            for lane in range(lanes):
                p = order[start + lane]
                if bad[lane]:
                    pixels[left] = p
                    left += 1
                    free[p] = slot ^ bad[lane]
                else:
                    for j in range(count):
                        v[j, p] = max(out[j, lane], 0.0) if (slot >> j) & 1 else 0.0
            start += lanes
    return pixels[:left]


@njit(nogil=True, cache=True)
def _sort_by_set(pixels: IntArray, free: IntArray, ends: IntArray, order: IntArray) -> None:
    """Write the pixels in the order of their sets of free components; those of set s end before ends[s]."""
    ends[:] = 0
    for p in pixels:
        ends[free[p] + 1] += 1
    for s in range(1, ends.size):
        ends[s] += ends[s - 1]
    for p in pixels:
        order[ends[free[p]]] = p
        ends[free[p]] += 1


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
def _find_wrong(
    trial: FloatArray, free: int, slack: FloatArray, lengths: FloatArray, wrong: IntArray
) -> None:
    """Write which components must change sides (LANES,), as bits, after a trial (k, LANES)."""
    wrong[:] = 0
    for j in range(trial.shape[0]):
        inside = (free >> j) & 1
        sign, length = 1.0 - 2.0 * inside, (1 - inside) * lengths[j]
        for lane in range(LANES):
            wrong[lane] |= np.int64(sign * trial[j, lane] > slack[lane] * length) << j


@njit(nogil=True, cache=True)
def _exchange_alone(basis: Basis, table: SetTable, stretch: Stretch, pixels: IntArray) -> int:
    """Find free components and weights of pixels one by one; return how many found no end."""
    axes, count = basis.components.shape
    z, v, slack, wrong, free = stretch
    one, found = np.empty(axes), np.empty(count)
    given_up = 0
    for p in pixels:
        for i in range(axes):
            one[i] = z[i, p]
        free[p], ended = _pivot(basis, table, one, found, slack[p], wrong[p])
        given_up += not ended
        for j in range(count):
            v[j, p] = max(found[j], 0.0) if (free[p] >> j) & 1 else 0.0
    return given_up


@njit(nogil=True, cache=True)
def _pivot(
    basis: Basis, table: SetTable, z: FloatArray, found: FloatArray, slack: float, wrong: int
) -> tuple[int, bool]:
    """Return the set of free components of coordinates z (K,), and whether it solves the problem.

    `wrong` holds those, as bits, that fell below 0 with all of them free; `found` (k,) gets the last trial.
    """
    count = basis.components.shape[1]
    free, wrongs, fewest, patience = (1 << count) - 1, count, count + 1, PATIENCE
    for _ in range(MOST_TRIALS):
        if wrongs < fewest:
            fewest, patience = wrongs, PATIENCE
        elif patience > 0:
            patience -= 1
        else:  # the highest one alone: this cannot go round in circles
            while wrong & (wrong - 1):
                wrong &= wrong - 1
        free ^= wrong
        slot = slot_of(basis, table, free)
        wrong, wrongs = _try_one(basis, table, slot, z, found, slack)
        if wrongs == 0:
            return free, True
    return free, False


@njit(nogil=True, cache=True)
def _try_one(
    basis: Basis, table: SetTable, slot: int, z: FloatArray, found: FloatArray, slack: float
) -> tuple[int, int]:
    """Write a trial (k,); return which components must change sides, as bits, and how many these are."""
    trial, shift, lengths = table.trial, table.shift, basis.lengths
    free, wrong, wrongs = table.key[slot], 0, 0
    for j in range(found.size):
        value = shift[slot, j]
        for i in range(z.size):
            value += trial[slot, j, i] * z[i]
        found[j] = value
        inside = (free >> j) & 1
        bit = (inside & int(value < 0.0)) | ((1 - inside) & int(value > slack * lengths[j]))
        wrong |= bit << j
        wrongs += bit
    return wrong, wrongs


@njit(nogil=True, cache=True)
def _write_variance(
    basis: Basis, table: SetTable, noise: FloatArray, free: IntArray, variance: FloatArray, start: int
) -> None:
    """Write the variances, from pixel `start` on, of pixels with these sets of free components (n,)."""
    known, key = table.variance, table.key
    for p in range(free.size):
        slot = free[p] & (key.size - 1)
        if key[slot] != free[p] or known[slot, 0] < 0.0:
            fill_variance(table, slot_of(basis, table, free[p]), noise)
        for j in range(variance.shape[0]):
            variance[j, start + p] = known[slot, j]


# Every loop over the pixels of a block has the same, constant length: no pixel is rounded differently.
@njit(nogil=True, cache=True, fastmath={"contract"})
def _try_block(matrix: FloatArray, shift: FloatArray, z: FloatArray, v: FloatArray, at: int) -> None:
    """Write the trial (k, BLOCK) of one set for the coordinates (K, BLOCK) of the block that starts `at`."""
    for j in range(v.shape[0]):
        row = v[j, at : at + BLOCK]
        row[:] = shift[j]
        for i in range(z.shape[0]):
            _add_scaled(z[i, at : at + BLOCK], matrix[j, i], row)


@njit(nogil=True, cache=True, fastmath={"contract"})
def _residual_block(
    components: FloatArray, z: FloatArray, v: FloatArray, at: int, inside: FloatArray, squares: FloatArray
) -> None:
    """Write squared lengths (BLOCK,) of what the weights leave of the coordinates, and of the coordinates."""
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
