"""The sets of few energies that tell pairs apart best at a fixed dose, exactly or with a bound.

A set of k energies has the dose of the whole grid of E energies: each of its members is exposed E / k times
as long. Sets of few members are all looked at; larger ones are grown from smaller ones and shrunk from larger
ones, single members exchanged until no exchange helps.
"""

from dataclasses import dataclass
from math import comb

import numpy as np

from gigaxas.arrays import IntArray
from gigaxas.planning import subsets
from gigaxas.planning.both_ways import pairs_both_ways
from gigaxas.planning.bound import z_bound
from gigaxas.planning.exposure import Planned, pair_terms, pair_z

MOST_SETS = 6_000_000
"""Sets of one size that are all looked at."""
MOST_BOUND = 64
"""Pairs that the bound is taken from."""
FEWEST = 2
"""Energies of a set, at the least: one has no shape."""


@dataclass(frozen=True)
class EnergySet:
    """A set of energies, exposed alike at the dose of the whole grid."""

    members: IntArray
    """(k,) its energies, by their numbers in the grid."""
    z: float
    """Of the pair that is told apart worst, at the error asked for."""
    bound: float
    """No set of this size has a larger one."""
    is_best: bool
    """Whether every set of this size was looked at."""


def energy_sets(spectra: Planned, pairs: IntArray, goal: float, most: int) -> list[EnergySet]:
    """Return the best sets found of 2 to `most` energies for pairs (P, 2); `goal` is the z of the error."""
    energies = spectra.spectra.shape[1]
    sizes = range(FEWEST, min(most, energies) + 1)
    found: dict[int, tuple[IntArray, float]] = {}
    for size in sizes:
        grown = [_grown(found[size - 1][0], energies)] if size - 1 in found else []
        found[size] = _best(spectra, pairs, goal, size, [*grown, _spread(energies, size)])
    for size in reversed(sizes[:-1]):
        if not _is_small(energies, size):
            larger = found[size + 1][0]
            shrunk = [np.delete(larger, place) for place in range(larger.size)]
            again = _best(spectra, pairs, goal, size, shrunk)
            found[size] = max(found[size], again, key=lambda one: one[1])
    hardest = pairs[_hardest_first(spectra, pairs, goal)[:MOST_BOUND]]
    return [_with_bound(spectra, hardest, *found[size]) for size in sizes]


def _hardest_first(spectra: Planned, pairs: IntArray, goal: float) -> IntArray:
    """Return the numbers of pairs (P, 2), those first that are told apart worst on the whole grid."""
    return np.argsort(pairs_both_ways(pair_z(pair_terms(spectra, pairs)), goal), kind="stable")


def _best(
    spectra: Planned, pairs: IntArray, goal: float, size: int, starts: list[IntArray]
) -> tuple[IntArray, float]:
    """Return the best set of a size, and its least z: of all, or of what exchanges make of the starts."""
    energies = spectra.spectra.shape[1]
    variance = spectra.variance(energies / size)
    best, value = starts[0], -1.0
    for start in starts:
        members = start.astype(np.int64)
        z = subsets.exchange(spectra.spectra, variance, pairs, goal, members)
        if z > value:
            best, value = members, z
    if _is_small(energies, size):
        value = subsets.search_all(spectra.spectra, variance, pairs, goal, best, value)
    return np.sort(best), value


def _with_bound(spectra: Planned, hardest: IntArray, members: IntArray, z: float) -> EnergySet:
    """Return a set with a bound by the hardest pairs alone, which holds for all."""
    energies, size = spectra.spectra.shape[1], members.size
    is_best = _is_small(energies, size)
    bound = z if is_best else z_bound(spectra.spectra, spectra.variance(energies / size), hardest, size)
    return EnergySet(members, z, bound, is_best)


def _is_small(energies: int, size: int) -> bool:
    return comb(energies, size) <= MOST_SETS


def _grown(members: IntArray, energies: int) -> IntArray:
    """Return a set with one more energy, any: exchanges find its place."""
    others = np.setdiff1d(np.arange(energies), members)
    return np.append(members, others[0])


def _spread(energies: int, size: int) -> IntArray:
    """Return a set of evenly spaced energies."""
    return np.unique(np.rint(np.linspace(0, energies - 1, size)).astype(np.int64))
