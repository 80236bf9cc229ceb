"""One z of a pair for its two directions, as a given error of Eq. 1 of [I] sees them.

It is the z at which both directions alike would have this error at the same exposure: at least that of the
error when and only when Eq. 1 is no larger than the error, and it grows as the root of the exposure.
"""

import math

import numpy as np
from numba import njit

from gigaxas.arrays import FloatArray
from gigaxas.sites.pairs import error_of

NEWTON = 40


@njit(nogil=True, cache=True)
def both_ways(z12: float, z21: float, goal: float) -> float:
    """Return the z of a pair at the error Phi(-goal), from those of its two directions; 0 where one is 0."""
    low, high = min(z12, z21), max(z12, z21)
    if low <= 0.0:
        return 0.0
    if high - low <= 1e-12 * high:
        return low
    wanted = math.log(error_of(goal, goal))
    # the exposure is s^2; its root lies between those of the better and the worse direction
    nearest, farthest = goal / high, goal / low
    s = 0.5 * (nearest + farthest)
    for _ in range(NEWTON):
        error = error_of(low * s, high * s)
        excess = math.log(error) - wanted
        if excess > 0.0:
            nearest = s
        else:
            farthest = s
        density = low * math.exp(-0.5 * (low * s) ** 2) + high * math.exp(-0.5 * (high * s) ** 2)
        step = excess * 2.0 * error * math.sqrt(2.0 * math.pi) / density
        moved = s + step
        if not nearest < moved < farthest:
            moved = 0.5 * (nearest + farthest)
        if abs(moved - s) <= 1e-14 * s:
            break
        s = moved
    return goal / s


@njit(nogil=True, cache=True)
def pairs_both_ways(z: FloatArray, goal: float) -> FloatArray:
    """Return the z (P,) of pairs at the error Phi(-goal), from those of their directions (P, 2)."""
    out = np.empty(z.shape[0])
    for p in range(z.shape[0]):
        out[p] = both_ways(z[p, 0], z[p, 1], goal)
    return out
