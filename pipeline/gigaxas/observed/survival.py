"""Whether a uniform area outlives the clean-up, given the sites that its pixels are assigned to.

A pixel of a grain is its mean plus noise. It goes astray to site b instead of the nearest site a with the
probability Phi(-margin), margin = (|g - b|^2 - |g - a|^2) / (2 sd of the noise along a - b): the z of two
sites ([I] Eq. 5) where g is one of them. A K x K window outlives the clean-up when at most K^2 - P of its
pixels go astray.
"""

import math

import numpy as np
from numba import njit

from gigaxas.arrays import FloatArray, IntArray
from gigaxas.simd import lane_dot

UNCOVERED = 4.0
"""Loss of a grain too far from every site: more than the neighbours may lose by a site of its own."""


@njit(nogil=True, cache=True)
def squared_distance(
    left: FloatArray, i: int, right: FloatArray, j: int, profile: FloatArray, room: FloatArray
) -> tuple[float, float]:
    """Return |left[i] - right[j]|^2, plain and weighted by the noise's profile (1, E); room is (2, E)."""
    for e in range(room.shape[1]):
        difference = left[i, e] - right[j, e]
        room[0, e] = difference
        room[1, e] = difference * profile[0, e]
    return lane_dot(room, 0, room, 0), lane_dot(room, 0, room, 1)


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
    grains: FloatArray,
    variance: FloatArray,
    sites: FloatArray,
    profile: FloatArray,
    reach: float,
    pixels: int,
    needed: int,
    nearest: IntArray,
    loss: FloatArray,
) -> float:
    """Fill nearest and loss (k,) of grains (k, E) among sites (m, E); return the sum of the losses.

    The loss of a grain is the probability that a window of it is deleted, and UNCOVERED where the nearest
    site is further away than `reach` in z.
    """
    room = np.empty((2, grains.shape[1]))
    spread = np.zeros((sites.shape[0], sites.shape[0]))
    for a in range(sites.shape[0]):
        for b in range(a):
            _, weighted = squared_distance(sites, a, sites, b, profile, room)
            spread[a, b] = spread[b, a] = math.sqrt(weighted)
    square, own = np.empty(sites.shape[0]), np.empty(sites.shape[0])
    total = 0.0
    for g in range(grains.shape[0]):
        a = 0
        for b in range(sites.shape[0]):
            square[b], own[b] = squared_distance(grains, g, sites, b, profile, room)
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
        covered = square[a] <= 2.0 * reach * math.sqrt(own[a]) * noise
        loss[g] = 1.0 - keeps_window(astray, pixels, needed) if covered else UNCOVERED
        total += loss[g]
    return total
