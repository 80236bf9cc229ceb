"""Whether a spectrum is far from everyone in a crowd: exact, with all but the near ones screened out.

The distance on a few principal axes is never more than the full one, and z >= |t1 - t2| / (2 max sigma/n1):
whoever is too far by that bound needs no sum over the energies. The others are compared in full.
"""

from typing import Literal

import numpy as np
from numba import njit

from gigaxas.arrays import FloatArray, IntArray
from gigaxas.errors import InputError
from gigaxas.sites.distance import Scaled, scale, z_limit
from gigaxas.sites.pairs import LANES, error_of, pack_into, pair_sums, z_of
from gigaxas.spectra.noise import NoiseModel

Criterion = Literal["z", "error"]

AXES = 16
# Rounding of axes and coordinates, of vectors of length 1, is below a tenth of the absolute slack.
_SLACK = 1e-12
_SPREAD = 1.0 + 1e-9


class Crowd:
    """A growing array of normalised spectra (n, E), each farther than a limit from those before, or given."""

    def __init__(
        self, spectra: FloatArray, noise: NoiseModel, room: int, accept: float, criterion: Criterion
    ) -> None:
        """Start with `spectra`, keep room for `room` more; InputError for a bad `accept` or `criterion`."""
        if criterion not in ("z", "error"):
            raise InputError(f"unknown criterion {criterion!r}: give 'z' (mean z) or 'error' (Eq. 1)")
        self._z = z_limit(accept, "accept")
        self._accept = accept if criterion == "error" else 0.0
        self._noise = noise
        scaled = scale(spectra, noise)
        self.count, energies = spectra.shape
        self._axes = leading_axes(scaled.t)
        self.spectra, self._t, self._v = (np.empty((self.count + room, energies)) for _ in range(3))
        self._near = np.zeros((-(-(self.count + room) // LANES), self._axes.shape[1], LANES))
        self._reach = np.empty(self.count + room)
        self.spectra[: self.count] = spectra
        self._t[: self.count] = scaled.t
        self._v[: self.count] = scaled.v
        self._reach[: self.count] = reach(scaled.v)
        pack_into(scaled.t @ self._axes, self._near)

    def admit(self, spectrum: FloatArray) -> bool:
        """Take a spectrum (E,) in if it is farther than the limit from all present; say whether it was."""
        scaled = scale(spectrum[None], self._noise)
        k = self.count
        # the newcomer waits in the next free place, so that the comparison needs one set of arrays
        self.spectra[k], self._t[k], self._v[k] = spectrum, scaled.t[0], scaled.v[0]
        self._reach[k] = reach(scaled.v)[0]
        self._near[k // LANES, :, k % LANES] = scaled.t[0] @ self._axes
        far = _is_far(k, self._t, self._v, self._near, self._reach, self._z, self._accept)
        self.count += far
        return bool(far)


def first_come(scaled: Scaled, limit: float) -> IntArray:
    """Return the greedy maximal independent set: indices, each at mean z >= limit from those before."""
    coordinates = scaled.t @ leading_axes(scaled.t)
    return _independent_set(scaled.t, scaled.v, coordinates, reach(scaled.v), np.nextafter(limit, 0.0))


def leading_axes(t: FloatArray) -> FloatArray:
    """Return the leading principal axes (E, r) of standardised spectra (n, E); any orthonormal ones do."""
    centred = t - t.mean(axis=0)
    _, axes = np.linalg.eigh(centred.T @ centred)
    return np.ascontiguousarray(axes[:, ::-1][:, :AXES])


def reach(v: FloatArray) -> FloatArray:
    """Return twice the largest sigma/n1 (n,) of noise variances (n, E): z is at least |t1 - t2| / reach."""
    return np.asarray(2.0 * np.sqrt(v.max(axis=1)))


@njit(nogil=True, cache=True)
def _is_far(
    who: int, t: FloatArray, v: FloatArray, near: FloatArray, reach: FloatArray, z: float, accept: float
) -> bool:
    """Whether spectrum `who` is farther than the limit from each before it.

    Farther: mean z above `z` or, where `accept` is not 0, Eq. 1 below it.
    """
    own = near[who // LANES, :, who % LANES].copy()
    square = np.empty(LANES)
    for k in range((who + LANES - 1) // LANES):
        _squares(own, near[k], square)
        for j in range(min(who - k * LANES, LANES)):
            other = k * LANES + j
            sure = max(reach[who], reach[other]) * z * _SPREAD + _SLACK
            if square[j] <= sure * sure and not _pair_is_far(t[who], v[who], t[other], v[other], z, accept):
                return False
    return True


@njit(nogil=True, cache=True)
def _squares(own: FloatArray, block: FloatArray, square: FloatArray) -> None:
    """Fill square (LANES,) with the squared distances of own (r,) to the columns of block (r, LANES)."""
    square[:] = 0.0
    for r in range(own.shape[0]):
        x, others = own[r], block[r]
        for j in range(LANES):
            d = x - others[j]
            square[j] += d * d


@njit(nogil=True, cache=True)
def _pair_is_far(
    t1: FloatArray, v1: FloatArray, t2: FloatArray, v2: FloatArray, z: float, accept: float
) -> bool:
    a, b, c = pair_sums(t1, v1, t2, v2)
    z12, z21 = z_of(a, b), z_of(a, c)
    if accept > 0.0:
        return error_of(z12, z21) < accept
    return 0.5 * (z12 + z21) > z


@njit(nogil=True, cache=True)
def _independent_set(
    t: FloatArray, v: FloatArray, coordinates: FloatArray, reach: FloatArray, z: float
) -> IntArray:
    """Return the indices of those that are farther than z from all kept before them."""
    n, axes = coordinates.shape
    near = np.zeros((n // LANES + 1, axes, LANES))
    kept = np.empty(n, dtype=np.int64)
    crowd_t, crowd_v, crowd_reach = np.empty_like(t), np.empty_like(v), np.empty_like(reach)
    count = 0
    for i in range(n):
        crowd_t[count], crowd_v[count], crowd_reach[count] = t[i], v[i], reach[i]
        near[count // LANES, :, count % LANES] = coordinates[i]
        if _is_far(count, crowd_t, crowd_v, near, crowd_reach, z, 0.0):
            kept[count] = i
            count += 1
    return kept[:count].copy()
