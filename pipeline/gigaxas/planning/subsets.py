"""Compiled search of sets of energies: the least z of all pairs, measured at a few energies alone."""

import math

import numpy as np
from numba import njit

from gigaxas.arrays import FloatArray, IntArray
from gigaxas.planning.both_ways import both_ways

ROUNDING = 1e-24
"""Squared distance of standardised spectra that differ by rounding alone, as two energies always do."""


@njit(nogil=True, cache=True)
def directions(
    a: FloatArray, b: FloatArray, va: FloatArray, vb: FloatArray, members: IntArray
) -> tuple[float, float]:
    """Return z12 and z21 (METHOD 2) of spectra a and b (E,) with variances va and vb at these energies."""
    count = members.shape[0]
    mean_a, mean_b = 0.0, 0.0
    for j in range(count):
        mean_a += a[members[j]]
        mean_b += b[members[j]]
    mean_a /= count
    mean_b /= count
    power_a, power_b = 0.0, 0.0
    for j in range(count):
        power_a += (a[members[j]] - mean_a) ** 2
        power_b += (b[members[j]] - mean_b) ** 2
    if power_a == 0.0 or power_b == 0.0:
        return 0.0, 0.0
    scale_a, scale_b = 1.0 / math.sqrt(power_a), 1.0 / math.sqrt(power_b)
    square, noise_a, noise_b = 0.0, 0.0, 0.0
    for j in range(count):
        e = members[j]
        d = (a[e] - mean_a) * scale_a - (b[e] - mean_b) * scale_b
        q = d * d
        square += q
        noise_a += q * va[e]
        noise_b += q * vb[e]
    if square <= ROUNDING:
        return 0.0, 0.0
    return 0.5 * square / (scale_a * math.sqrt(noise_a)), 0.5 * square / (scale_b * math.sqrt(noise_b))


@njit(nogil=True, cache=True)
def least_z(
    spectra: FloatArray,
    variance: FloatArray,
    pairs: IntArray,
    members: IntArray,
    goal: float,
    beyond: float,
    order: IntArray,
) -> float:
    """Return the least z of pairs (P, 2) at these energies, or any z of theirs that is not above `beyond`.

    `order` (P,) is that in which pairs are looked at; one that ends the search comes first the next time.
    """
    least = np.inf
    for k in range(order.shape[0]):
        p = order[k]
        i, j = pairs[p, 0], pairs[p, 1]
        z12, z21 = directions(spectra[i], spectra[j], variance[i], variance[j], members)
        if min(z12, z21) >= least:
            continue
        z = max(z12, z21)
        if z > beyond:
            z = both_ways(z12, z21, goal)
        least = min(least, z)
        if least <= beyond:
            for m in range(k, 0, -1):
                order[m] = order[m - 1]
            order[0] = p
            return least
    return least


@njit(nogil=True, cache=True)
def search_all(
    spectra: FloatArray,
    variance: FloatArray,
    pairs: IntArray,
    goal: float,
    best: IntArray,
    value: float,
) -> float:
    """Put the best of all sets of the size of `best` into it, and return its least z.

    `best` holds a set whose least z is `value`; it stays where no other is better.
    """
    count, energies = best.shape[0], spectra.shape[1]
    members = np.arange(count)
    order = np.arange(pairs.shape[0])
    while True:
        z = least_z(spectra, variance, pairs, members, goal, value, order)
        if z > value:
            value = z
            best[:] = members
        j = count - 1
        while j >= 0 and members[j] == energies - count + j:
            j -= 1
        if j < 0:
            return value
        members[j] += 1
        for m in range(j + 1, count):
            members[m] = members[m - 1] + 1


@njit(nogil=True, cache=True)
def search_place(
    spectra: FloatArray,
    variance: FloatArray,
    pairs: IntArray,
    goal: float,
    members: IntArray,
    place: int,
    value: float,
    order: IntArray,
) -> float:
    """Put the best energy into one place of a set, in place, and return the set's least z.

    `value` is the least z of the set as it is; the energy stays where no other is better.
    """
    best = members[place]
    for e in range(spectra.shape[1]):
        taken = False
        for j in range(members.shape[0]):
            taken = taken or members[j] == e
        if taken:
            continue
        members[place] = e
        z = least_z(spectra, variance, pairs, members, goal, value, order)
        if z > value:
            value = z
            best = e
    members[place] = best
    return value


@njit(nogil=True, cache=True)
def exchange(
    spectra: FloatArray, variance: FloatArray, pairs: IntArray, goal: float, members: IntArray
) -> float:
    """Exchange single energies of a set, in place, until none makes it better; return its least z."""
    order = np.arange(pairs.shape[0])
    value = least_z(spectra, variance, pairs, members, goal, -1.0, order)
    while True:
        before = value
        for place in range(members.shape[0]):
            value = search_place(spectra, variance, pairs, goal, members, place, value, order)
        if value == before:
            return value
