"""Grains: uniform windows of one composition, gathered parcel by parcel and then over the whole image."""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from numba import njit
from scipy.stats import chi2

from gigaxas.arrays import FloatArray, IntArray
from gigaxas.nearest.definition import padded_length
from gigaxas.observed.level import Level
from gigaxas.simd import lane_dot

RESOLUTION = 1.0
"""z below which two compositions are one grain: a pixel would be taken for the other one time in six."""
MOST = 6000
"""Grains that selection has time for; with more, the resolution is made coarser."""
_COARSER = 1.25


@dataclass(frozen=True)
class Grains:
    """Sums over the uniform windows of k grains, in an order that no tiling changes.

    total (k, E) of the windows' mean standardised spectra, windows (k,) their number, noise (k,) of the
    variance of a single pixel, mean and length (k,) of what standardisation took away, first (k, 2) the place
    (y, x) of the first window.
    """

    total: FloatArray
    windows: IntArray
    noise: FloatArray
    mean: FloatArray
    length: FloatArray
    first: IntArray

    @property
    def spectra(self) -> FloatArray:
        """The mean standardised spectra (k, E)."""
        return np.asarray(self.total / self.windows[:, None])

    @property
    def variance(self) -> FloatArray:
        """The noise variance of a single pixel, summed over the energies (k,)."""
        return np.asarray(self.noise / self.windows)

    def rows(self, which: IntArray) -> "Grains":
        """Return some of the grains, in the order asked for."""
        return Grains(*(getattr(self, part.name)[which] for part in fields(self)))

    def grouped(self, group: IntArray) -> "Grains":
        """Return one grain for every group 0, 1, ... that `group` (k,) names, with the place of its first."""
        count = int(group.max()) + 1
        sums = []
        for part in fields(self):
            values = getattr(self, part.name)
            total = np.zeros((count, *values.shape[1:]), values.dtype)
            np.add.at(total, group, values)
            sums.append(total)
        whole = Grains(*sums)
        whole.first[:] = self.first[np.unique(group, return_index=True)[1]]
        return whole


def merge_grains(parts: Sequence[Grains], level: Level) -> Grains:
    """Merge the grains of all parcels, given in the parcels' order; the largest come first.

    A grain joins the nearest larger one when they are less than RESOLUTION apart in z, or no further than
    noise may carry one of so many windows at the level's error.
    """
    whole = Grains(*(np.concatenate([getattr(p, f.name) for p in parts]) for f in fields(Grains)))
    resolution = RESOLUTION
    while whole.windows.size:
        ordered = whole.rows(np.argsort(-whole.windows, kind="stable"))
        merged = ordered.grouped(_leaders(ordered, level, resolution))
        merged = merged.rows(np.argsort(-merged.windows, kind="stable"))
        if merged.windows.size <= MOST:
            return merged
        resolution *= _COARSER
    return whole


def own_pixels(windows: IntArray, level: Level) -> FloatArray:
    """Return how many pixels so many windows (k,) rest on, at the least: they overlap."""
    return np.asarray(level.k_size**2 + windows - 1.0)


def _leaders(grains: Grains, level: Level, resolution: float) -> IntArray:
    """Return for each grain (k,) the number of the leader it joins; leaders are numbered as they come."""
    energies = level.profile.size
    padded = padded_length(energies)
    spectra, profile = np.zeros((grains.windows.size, padded)), np.zeros((1, padded))
    spectra[:, :energies], profile[0, :energies] = grains.spectra, level.profile
    # noise alone, at an error shared among all windows: a multiple of what it does in the mean
    tail = float(chi2.isf(level.error / max(1, int(grains.windows.sum())), level.freedom)) / level.freedom
    share = level.spread / own_pixels(grains.windows, level)
    return _lead(spectra, profile, grains.variance, share, tail, resolution)


@njit(nogil=True, cache=True)
def _lead(
    spectra: FloatArray,
    profile: FloatArray,
    variance: FloatArray,
    share: FloatArray,
    tail: float,
    resolution: float,
) -> IntArray:
    """Let each grain, the first ones first, join the nearest leader it cannot be told from, or become one."""
    count, width = spectra.shape
    own = np.empty(count, np.int64)
    leaders = np.empty(count, np.int64)
    away, weighted = np.empty((1, width)), np.empty((1, width))
    widest = profile.max()
    square = lane_dot(profile, 0, profile, 0)
    found = 0
    for i in range(count):
        best, nearest = np.inf, -1
        for k in range(found):
            j = leaders[k]
            for e in range(width):
                away[0, e] = spectra[i, e] - spectra[j, e]
            distance = lane_dot(away, 0, away, 0)
            noise = 0.5 * (variance[i] + variance[j])
            both = share[i] * variance[i] + share[j] * variance[j]
            if distance > both * tail:
                # z is at least this, as no energy has more than the widest share of the noise
                if distance - both > 2.0 * resolution * np.sqrt(distance * widest * noise):
                    continue
                for e in range(width):
                    weighted[0, e] = away[0, e] * profile[0, e]
                spread = max(lane_dot(away, 0, weighted, 0) - both * square, 0.0)
                if distance - both > 2.0 * resolution * np.sqrt(spread * noise):
                    continue
            if distance - both < best:
                best, nearest = distance - both, k
        if nearest < 0:
            leaders[found] = i
            nearest = found
            found += 1
        own[i] = nearest
    return own
