"""Groups of uniform windows of one composition, and how those of all blocks merge over the whole image."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import NamedTuple

import numpy as np
from numba import njit

from gigaxas.arrays import FloatArray, IntArray
from gigaxas.nearest.definition import padded_length
from gigaxas.observed.noise_level import NoiseLevel
from gigaxas.observed.sketches import least_square, principal_axes, sketch
from gigaxas.simd import lane_dot

RESOLUTION = 1.0
"""z below which two compositions are one group: a pixel would be taken for the other one time in six."""
MOST_GROUPS = 100_000
"""Groups that sites are selected for; with more, the resolution is made coarser, and the run says so."""
COARSER = 1.25
"""Factor by which it is made coarser."""


@dataclass(frozen=True)
class WindowGroups:
    """Sums over the uniform windows of k groups, in an order that no tiling changes."""

    total: FloatArray
    """(k, E) sums of the windows' mean standardised spectra."""
    windows: IntArray
    """(k,) number of windows."""
    noise: FloatArray
    """(k,) sums of the windows' variance of a single pixel, added over the energies."""
    mean: FloatArray
    """(k,) sums of the windows' mean that standardisation subtracted, in the image's own unit."""
    length: FloatArray
    """(k,) sums of the windows' length that standardisation divided by, in the image's own unit."""
    first: IntArray
    """(k, 2) place (y, x) of the first window."""

    @property
    def spectra(self) -> FloatArray:
        """The mean standardised spectra (k, E)."""
        return np.asarray(self.total / self.windows[:, None])

    @property
    def variance(self) -> FloatArray:
        """The noise variance of a single pixel, summed over the energies (k,)."""
        return np.asarray(self.noise / self.windows)

    def rows(self, which: IntArray) -> "WindowGroups":
        """Return some of the groups, in the order asked for."""
        return WindowGroups(*(getattr(self, part.name)[which] for part in fields(self)))

    def merged(self, into: IntArray) -> "WindowGroups":
        """Return the sums of the groups that `into` (k,) gives one number, with the place of the first."""
        count = int(into.max()) + 1
        sums = []
        for part in fields(self):
            values = getattr(self, part.name)
            total = np.zeros((count, *values.shape[1:]), values.dtype)
            np.add.at(total, into, values)
            sums.append(total)
        whole = WindowGroups(*sums)
        whole.first[:] = self.first[np.unique(into, return_index=True)[1]]
        return whole


class _Known(NamedTuple):
    """What tells groups apart: E is padded to whole vectors."""

    spectra: FloatArray
    """(k, E) mean standardised spectra."""
    sketch: FloatArray
    """(k, n) their sketches."""
    variance: FloatArray
    """(k,) noise variance of a pixel."""
    share: FloatArray
    """(k,) part of this variance that is left in the mean of the group."""
    profile: FloatArray
    """(1, E) variance at each energy as a share of the whole."""
    tail: float
    """Times its usual squared length that the noise of a mean may have."""


def merge_groups(parts: Sequence[WindowGroups], level: NoiseLevel) -> tuple[WindowGroups, float]:
    """Merge the groups of all blocks, given in the blocks' order; the largest come first.

    A group joins the nearest larger one when they are less than RESOLUTION apart in z, or no further than
    noise may carry one of so many windows at the level's error. Where more than MOST_GROUPS are left, the
    resolution is made coarser until they are fewer; it is returned too.
    """
    whole = WindowGroups(*(np.concatenate([getattr(p, f.name) for p in parts]) for f in fields(WindowGroups)))
    ordered = whole.rows(np.argsort(-whole.windows, kind="stable"))
    if not ordered.windows.size:
        return ordered, RESOLUTION
    known, resolution = _known(ordered, level), RESOLUTION
    while (into := _lead(known, resolution, MOST_GROUPS)).size < ordered.windows.size:
        resolution *= COARSER
    merged = ordered.merged(into)
    return merged.rows(np.argsort(-merged.windows, kind="stable")), resolution


def own_pixels(windows: IntArray, level: NoiseLevel) -> FloatArray:
    """Return how many pixels so many windows (k,) rest on, at the least: they overlap."""
    return np.asarray(level.k_size**2 + windows - 1.0)


def _known(groups: WindowGroups, level: NoiseLevel) -> _Known:
    energies = level.profile.size
    padded = padded_length(energies)
    spectra, profile = np.zeros((groups.windows.size, padded)), np.zeros((1, padded))
    spectra[:, :energies], profile[0, :energies] = groups.spectra, level.profile
    # noise alone, at an error shared among all windows: a multiple of what it does in the mean
    tail = level.tail(int(groups.windows.sum()))
    pixels = own_pixels(groups.windows, level)
    share = np.minimum(level.spread / level.k_size**2, level.wide_spread / pixels)
    sketches = sketch(spectra, principal_axes(spectra))
    return _Known(spectra, sketches, groups.variance, share, profile, tail)


@njit(nogil=True, cache=True)
def _lead(groups: _Known, resolution: float, most: int) -> IntArray:
    """Return for each group (k,) the number of the leader it joins; leaders are numbered as they come.

    Each group, the first ones first, joins the nearest leader it cannot be told from, or becomes one. Ends
    before the group that would be one leader too many.
    """
    sketches, variance, share, tail = groups.sketch, groups.variance, groups.share, groups.tail
    count = variance.size
    own = np.empty(count, np.int64)
    leaders = np.empty(min(count, most), np.int64)
    scratch = np.empty((2, groups.spectra.shape[1]))
    narrow = resolution**2 * groups.profile.max()
    found = 0
    for i in range(count):
        best, nearest = np.inf, -1
        for k in range(found):
            j = leaders[k]
            both = share[i] * variance[i] + share[j] * variance[j]
            least = least_square(sketches, i, sketches, j) - both
            if least < best and not _is_apart(least, both, tail, 0.5 * narrow * (variance[i] + variance[j])):
                square = _square_if_alike(groups, i, j, resolution, scratch)
                if square < best:
                    best, nearest = square, k
        if nearest < 0:
            if found == most:
                return own[:i]
            leaders[found] = i
            nearest = found
            found += 1
        own[i] = nearest
    return own


@njit(nogil=True, cache=True)
def _square_if_alike(groups: _Known, i: int, j: int, resolution: float, scratch: FloatArray) -> float:
    """Return the squared distance of two groups but for their noise, infinite where they differ."""
    spectra, variance, share, profile = groups.spectra, groups.variance, groups.share, groups.profile
    for e in range(scratch.shape[1]):
        scratch[0, e] = spectra[i, e] - spectra[j, e]
        scratch[1, e] = scratch[0, e] * profile[0, e]
    distance = lane_dot(scratch, 0, scratch, 0)
    noise = 0.5 * (variance[i] + variance[j])
    both = share[i] * variance[i] + share[j] * variance[j]
    if distance > both * groups.tail:
        spread = max(lane_dot(scratch, 0, scratch, 1) - both * lane_dot(profile, 0, profile, 0), 0.0)
        if distance - both > 2.0 * resolution * np.sqrt(spread * noise):
            return np.inf
    return distance - both


@njit(nogil=True, cache=True)
def _is_apart(least: float, both: float, tail: float, narrow: float) -> bool:
    """Return whether groups are apart whose squared distance but for their noise, `both`, is at least this.

    They are when it is more than their noise may make, and z is at least the resolution: the noise along
    their difference is no more than the widest, `narrow` times the square of the resolution in z.
    """
    distance = least + both
    return distance > both * tail and distance > narrow and least > 2.0 * np.sqrt(distance * narrow)
