"""The spacing filter: whether a spectrum is far from all taken before it; exact, most of them screened out.

The distance on a few principal axes is never more than the full one, and z >= |t1 - t2| / (2 max sigma/n1):
a spectrum that is far by that bound needs no sum over the energies. The others are compared in full.
"""

from typing import Literal, NamedTuple

import numpy as np
from numba import njit

from gigaxas.arrays import FloatArray, IntArray
from gigaxas.errors import InputError
from gigaxas.sites.distance import Scaled, scale, z_limit
from gigaxas.sites.pairs import LANES, error_of, pack_into, pair_sums, z_of
from gigaxas.spectra.noise import Noise

Criterion = Literal["z", "error"]

AXES = 16
"""Principal axes that spectra are screened on."""
# Rounding of axes and coordinates, of vectors of length 1, is below a tenth of the absolute slack.
_SLACK = 1e-12
_SPREAD = 1.0 + 1e-9


class Taken(NamedTuple):
    """Spectra that are compared with, in memory for n of them."""

    t: FloatArray
    """(n, E) standardised spectra."""
    v: FloatArray
    """(n, E) their noise variance."""
    near: FloatArray
    """(blocks, axes, LANES) their coordinates on the leading axes."""
    width: FloatArray
    """(n,) twice the largest sigma of each: z is at least |t1 - t2| over the larger width of two."""


class Limit(NamedTuple):
    """When two spectra are far from each other."""

    z: float
    """Mean z above which they are."""
    accept: float
    """Eq. 1 below which they are, where it is not 0; then `z` only screens."""


class SpacingFilter:
    """A growing array of normalised spectra (n, E), each farther than a limit from those before, or given."""

    def __init__(
        self, spectra: FloatArray, noise: Noise, more: int, accept: float, criterion: Criterion
    ) -> None:
        """Start with `spectra`, with memory for `more`; InputError for a bad `accept` or `criterion`."""
        if criterion not in ("z", "error"):
            raise InputError(f"unknown criterion {criterion!r}: give 'z' (mean z) or 'error' (Eq. 1)")
        self._limit = Limit(z_limit(accept, "accept"), accept if criterion == "error" else 0.0)
        self._noise = noise
        scaled = scale(spectra, noise)
        self._axes = leading_axes(scaled.t)
        self._taken = _taken(scaled, scaled.t @ self._axes, more)
        self.count = spectra.shape[0]
        self.spectra = np.concatenate([spectra, np.empty((more, spectra.shape[1]))])

    def admit(self, spectrum: FloatArray) -> bool:
        """Take a spectrum (E,) in if it is farther than the limit from all present; say whether it was."""
        scaled = scale(spectrum[None], self._noise)
        k, taken = self.count, self._taken
        # the newcomer waits in the next free place, so that the comparison needs one set of arrays
        self.spectra[k], taken.t[k], taken.v[k] = spectrum, scaled.t[0], scaled.v[0]
        taken.width[k] = noise_width(scaled.v)[0]
        taken.near[k // LANES, :, k % LANES] = scaled.t[0] @ self._axes
        far = _is_far(k, taken, self._limit)
        self.count += far
        return bool(far)


def first_come(scaled: Scaled, limit: float) -> IntArray:
    """Return the greedy maximal independent set: indices, each at mean z >= limit from those before."""
    taken = _taken(scaled, scaled.t @ leading_axes(scaled.t), 0)
    return _independent_set(taken, Limit(float(np.nextafter(limit, 0.0)), 0.0))


def _taken(scaled: Scaled, coordinates: FloatArray, more: int) -> Taken:
    """Return spectra with their coordinates (n, axes), copied, and memory for `more`."""
    (n, energies), axes = scaled.t.shape, coordinates.shape[1]
    near = np.zeros((-(-(n + more) // LANES), axes, LANES))
    pack_into(coordinates, near)
    empty = np.empty((more, energies))
    width = np.concatenate([noise_width(scaled.v), np.empty(more)])
    return Taken(np.concatenate([scaled.t, empty]), np.concatenate([scaled.v, empty]), near, width)


def leading_axes(t: FloatArray) -> FloatArray:
    """Return the leading principal axes (E, r) of standardised spectra (n, E); any orthonormal ones do."""
    centred = t - t.mean(axis=0)
    _, axes = np.linalg.eigh(centred.T @ centred)
    return np.ascontiguousarray(axes[:, ::-1][:, :AXES])


def noise_width(v: FloatArray) -> FloatArray:
    """Return twice the largest sigma / n1 (n,) of noise variances (n, E): z is at least |t1 - t2| / width."""
    return np.asarray(2.0 * np.sqrt(v.max(axis=1)))


@njit(nogil=True, cache=True)
def _is_far(who: int, taken: Taken, limit: Limit) -> bool:
    """Whether spectrum `who` is far from each before it."""
    t, v, near, width = taken.t, taken.v, taken.near, taken.width
    own = near[who // LANES, :, who % LANES].copy()
    square = np.empty(LANES)
    for k in range((who + LANES - 1) // LANES):
        _squares(own, near[k], square)
        for j in range(min(who - k * LANES, LANES)):
            other = k * LANES + j
            sure = max(width[who], width[other]) * limit.z * _SPREAD + _SLACK
            if square[j] <= sure * sure and not _pair_is_far(t[who], v[who], t[other], v[other], limit):
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
def _pair_is_far(t1: FloatArray, v1: FloatArray, t2: FloatArray, v2: FloatArray, limit: Limit) -> bool:
    a, b, c = pair_sums(t1, v1, t2, v2)
    z12, z21 = z_of(a, b), z_of(a, c)
    if limit.accept > 0.0:
        return error_of(z12, z21) < limit.accept
    return 0.5 * (z12 + z21) > limit.z


@njit(nogil=True, cache=True)
def _independent_set(taken: Taken, limit: Limit) -> IntArray:
    """Return the indices of the spectra that are far from all kept before them, moved to the front."""
    n = taken.t.shape[0]
    kept = np.empty(n, dtype=np.int64)
    count = 0
    for i in range(n):
        # sample by sample: for a slice Numba compiles what would tell of unlike shapes, which takes seconds
        for e in range(taken.t.shape[1]):
            taken.t[count, e], taken.v[count, e] = taken.t[i, e], taken.v[i, e]
        for axis in range(taken.near.shape[1]):
            taken.near[count // LANES, axis, count % LANES] = taken.near[i // LANES, axis, i % LANES]
        taken.width[count] = taken.width[i]
        if _is_far(count, taken, limit):
            kept[count] = i
            count += 1
    return kept[:count].copy()
