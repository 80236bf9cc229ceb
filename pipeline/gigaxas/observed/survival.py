"""Whether a uniform area outlives the clean-up, given the sites that its pixels are assigned to.

A pixel of a window group is the group's mean plus noise. It goes astray to site b instead of the nearest
site a with the probability Phi(-margin), margin = (|g - b|^2 - |g - a|^2) / (2 sd of the noise along a - b):
the z of two sites ([I] Eq. 5) where g is one of them. A K x K window outlives the clean-up when at most
K^2 - P of its pixels go astray.
"""

import math
from typing import NamedTuple

import numpy as np
from numba import njit

from gigaxas.arrays import FloatArray, IntArray
from gigaxas.simd import lane_dot

UNCOVERED = 4.0
"""Loss of a group too far from every site: more than the neighbours may lose by a site of its own."""


class Groups(NamedTuple):
    """Window groups as far as their survival is concerned; E is padded to whole vectors."""

    spectra: FloatArray
    """(k, E) mean standardised spectra."""
    variance: FloatArray
    """(k,) noise variance of a pixel, summed over the energies."""


class Survival(NamedTuple):
    """What decides whether a window of a group lives."""

    profile: FloatArray
    """(1, E) noise variance at each energy as a share of the whole; E is padded to whole vectors."""
    radius: float
    """z beyond which a site does not cover a group."""
    pixels: int
    """Pixels of a window."""
    needed: int
    """Pixels of one label that the clean-up wants in a window."""


@njit(nogil=True, cache=True)
def squared_distance(
    left: FloatArray, i: int, right: FloatArray, j: int, profile: FloatArray, scratch: FloatArray
) -> tuple[float, float]:
    """Return |left[i] - right[j]|^2, plain and weighted by the noise's profile (1, E); scratch is (2, E)."""
    for e in range(scratch.shape[1]):
        difference = left[i, e] - right[j, e]
        scratch[0, e] = difference
        scratch[1, e] = difference * profile[0, e]
    return lane_dot(scratch, 0, scratch, 0), lane_dot(scratch, 0, scratch, 1)


@njit(nogil=True, cache=True)
def keeps_window(astray: float, pixels: int, needed: int) -> float:
    """Return the probability that at least `needed` of a window's pixels get its label; each strays alone."""
    p = min(astray, 1.0)
    total, ways = 0.0, 1.0
    for lost in range(pixels - needed + 1):
        total += ways * p**lost * (1.0 - p) ** (pixels - lost)
        ways *= (pixels - lost) / (lost + 1.0)
    return total


@njit(nogil=True, cache=True)
def losses(
    groups: Groups, sites: FloatArray, survival: Survival, nearest: IntArray, loss: FloatArray
) -> None:
    """Fill nearest and loss (k,) of groups among sites (m, E).

    The loss of a group is the probability that a window of it is deleted, and UNCOVERED where the nearest
    site is further away than the radius.
    """
    spectra, variance, profile = groups.spectra, groups.variance, survival.profile
    scratch = np.empty((2, spectra.shape[1]))
    spread = np.zeros((sites.shape[0], sites.shape[0]))
    for a in range(sites.shape[0]):
        for b in range(a):
            _, weighted = squared_distance(sites, a, sites, b, profile, scratch)
            spread[a, b] = spread[b, a] = math.sqrt(weighted)
    square, own = np.empty(sites.shape[0]), np.empty(sites.shape[0])
    for g in range(spectra.shape[0]):
        a = 0
        for b in range(sites.shape[0]):
            square[b], own[b] = squared_distance(spectra, g, sites, b, profile, scratch)
            if square[b] < square[a]:
                a = b
        nearest[g] = a
        noise = math.sqrt(variance[g])
        astray = 0.0
        for b in range(sites.shape[0]):
            if b != a:
                gap = 2.0 * spread[a, b] * noise
                margin = (square[b] - square[a]) / gap if gap > 0.0 else 0.0
                astray += 0.5 * math.erfc(margin / math.sqrt(2.0))
        covered = square[a] <= 2.0 * survival.radius * math.sqrt(own[a]) * noise
        loss[g] = 1.0 - keeps_window(astray, survival.pixels, survival.needed) if covered else UNCOVERED
