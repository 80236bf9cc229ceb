"""From grains to sites: as many as the clean-up lets live, none that deletes more than it adds."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numba import njit
from scipy.special import ndtri

from gigaxas.arrays import FloatArray, IntArray
from gigaxas.nearest.definition import padded_length
from gigaxas.observed.level import Level
from gigaxas.observed.survival import UNCOVERED, keeps_window, losses, squared_distance
from gigaxas.observed.window_groups import Grains

KEPT = 0.9
"""Probability with which a window of every site must outlive the clean-up while sites are first chosen."""
WORTH = 0.02
"""Loss of a grain from which on a better place for the sites is looked for."""
GAIN = 1e-3
NEAREST = 12
"""Sites around a grain that are looked at together."""
RIVALS = 3
SWEEPS = 10


@dataclass(frozen=True)
class Selection:
    """Sites as standardised spectra (m, E), the commonest first, and the site (k,) each grain is nearest to.

    loss (k,) is the probability that a window of the grain is deleted all the same.
    """

    spectra: FloatArray
    site: IntArray
    loss: FloatArray


@dataclass(frozen=True)
class Problem:
    """Grains (k, padded E), the noise variance of their pixels (k,), and what decides whether they live."""

    grains: FloatArray
    variance: FloatArray
    profile: FloatArray
    reach: float
    pixels: int
    needed: int

    def losses(self, which: IntArray, sites: FloatArray) -> tuple[IntArray, FloatArray]:
        """Return for some grains the nearest of the sites (m, padded E) and the loss, both (n,)."""
        nearest, loss = np.empty(which.size, np.int64), np.empty(which.size)
        losses(
            self.grains[which],
            self.variance[which],
            sites,
            self.profile,
            self.reach,
            self.pixels,
            self.needed,
            nearest,
            loss,
        )
        return nearest, loss


def select_sites(grains: Grains, level: Level) -> Selection:
    """Choose the sites of grains (at least one), the largest given first.

    First every grain that can live beside those before it becomes a site, in order of size; rare ones count
    as much as common ones. Then, wherever a grain would be deleted, sites near it are added, moved, joined or
    dropped as long as fewer grains are lost. No grain is further from its site than half the z of the level's
    error: what a single pixel could tell apart never shares a site, and a gradient becomes a chain of sites.
    """
    problem = _problem(grains, level)
    choice = Choice(problem, problem.grains[_first_choice(problem)])
    for _ in range(SWEEPS):
        if not _sweep(choice):
            break
    while (uncovered := np.flatnonzero(choice.loss >= UNCOVERED)).size:
        choice.add(int(uncovered[0]))
    return _commonest_first(grains, choice, level.profile.size)


def _problem(grains: Grains, level: Level) -> Problem:
    energies = level.profile.size
    padded = padded_length(energies)
    spectra, profile = np.zeros((grains.windows.size, padded)), np.zeros((1, padded))
    spectra[:, :energies], profile[0, :energies] = grains.spectra, level.profile
    reach = -0.5 * float(ndtri(level.error))
    return Problem(spectra, grains.variance, profile, reach, level.k_size**2, level.p_num)


def _first_choice(problem: Problem) -> IntArray:
    astray = allowed_astray(problem.pixels, problem.needed)
    return np.asarray(_choose(problem.grains, problem.variance, problem.profile, astray))


def allowed_astray(pixels: int, needed: int, kept: float = KEPT) -> float:
    """Return how many of a window's pixels may stray, as a probability, for it to outlive with `kept`."""
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if keeps_window(middle, pixels, needed) >= kept else (low, middle)
    return low


@njit(nogil=True, cache=True)
def _choose(grains: FloatArray, variance: FloatArray, profile: FloatArray, allowed: float) -> IntArray:
    """Return the grains that become sites one after the other, none letting too many pixels of any stray."""
    count = grains.shape[0]
    room = np.empty((2, grains.shape[1]))
    chosen = np.empty(count, np.int64)
    astray, more = np.zeros(count), np.zeros(count)
    found = 0
    for i in range(count):
        own, good = 0.0, True
        for k in range(found):
            j = chosen[k]
            square, weighted = squared_distance(grains, i, grains, j, profile, room)
            z = 0.5 * square / np.sqrt(max(weighted, 1e-300) * 0.5 * (variance[i] + variance[j]))
            more[k] = 0.5 * math.erfc(z / math.sqrt(2.0))
            own += more[k]
            if own > allowed or astray[k] + more[k] > allowed:
                good = False
                break
        if good:
            for k in range(found):
                astray[k] += more[k]
            chosen[found] = i
            astray[found] = own
            found += 1
    return chosen[:found].copy()


@dataclass(frozen=True)
class Change:
    """Sites, by number, to be taken out and spectra (n, padded E) to be put in."""

    out: tuple[int, ...]
    new: FloatArray


class Choice:
    """Sites while they change: their spectra, which of them still count, and the fate of every grain."""

    def __init__(self, problem: Problem, sites: FloatArray) -> None:
        self.problem = problem
        self.sites = sites
        self.counts = np.ones(len(sites), np.bool_)
        self.nearest, self.loss = problem.losses(np.arange(len(problem.grains)), sites)

    def around(self, grain: int) -> IntArray:
        """Return the numbers of the sites nearest to a grain, the nearest first."""
        alive = np.flatnonzero(self.counts)
        distance = np.sum((self.sites[alive] - self.problem.grains[grain]) ** 2, axis=1)
        return alive[np.argsort(distance, kind="stable")[:NEAREST]]

    def outcome(self, change: Change, around: IntArray, members: IntArray) -> tuple[IntArray, FloatArray]:
        """Return, for some grains, nearest site (its place among what is left and new) and loss."""
        left = around[~np.isin(around, change.out)]
        return self.problem.losses(members, np.concatenate([self.sites[left], change.new]))

    def make(self, change: Change, around: IntArray, members: IntArray) -> None:
        """Make a change and note what becomes of these grains."""
        places, self.loss[members] = self.outcome(change, around, members)
        new = np.arange(len(change.new)) + len(self.sites)
        self.sites = np.concatenate([self.sites, change.new])
        self.counts = np.concatenate([self.counts, np.ones(len(new), np.bool_)])
        self.counts[list(change.out)] = False
        left = around[~np.isin(around, change.out)]
        self.nearest[members] = np.concatenate([left, new])[places]

    def add(self, grain: int) -> None:
        """Give a grain a site of its own."""
        self.sites = np.concatenate([self.sites, self.problem.grains[grain][None]])
        self.counts = np.append(self.counts, True)
        self.settle()

    def settle(self) -> None:
        """Look at all grains and sites together again."""
        alive = np.flatnonzero(self.counts)
        places, self.loss = self.problem.losses(np.arange(len(self.loss)), self.sites[alive])
        self.nearest = alive[places]


def _sweep(choice: Choice) -> bool:
    """Look once at every grain likely to be deleted, the worst first; say whether anything changed."""
    changed = False
    for grain in np.argsort(-choice.loss, kind="stable"):
        if choice.loss[grain] < WORTH:
            continue
        around = choice.around(int(grain))
        members = np.flatnonzero(np.isin(choice.nearest, around))
        best, better = choice.loss[members].sum() - GAIN, None
        for change in _changes(choice, int(grain), around):
            lost = choice.outcome(change, around, members)[1].sum()
            if lost < best:
                best, better = lost, change
        if better is not None:
            choice.make(better, around, members)
            changed = True
    choice.settle()
    return changed


def _changes(choice: Choice, grain: int, around: IntArray) -> Iterator[Change]:
    """Yield what may help a grain: a site of its own, or its site and a rival moved, joined or dropped."""
    grains, own = choice.problem.grains, int(around[0])
    here = grains[grain][None]

    def middle(*sites: int, more: tuple[int, ...] = ()) -> FloatArray:
        members = np.union1d(np.flatnonzero(np.isin(choice.nearest, sites)), np.array(more, np.int64))
        return grains[members].mean(axis=0)[None] if members.size else choice.sites[list(sites)][:1]

    yield Change((), here)
    yield Change((own,), here)
    yield Change((own,), middle(own))
    for rival in around[1 : RIVALS + 1].tolist():
        yield Change((rival,), here[:0])
        yield Change((rival,), here)
        yield Change((own, rival), middle(own, rival))
        yield Change((rival,), middle(rival, more=(grain,)))


def _commonest_first(grains: Grains, choice: Choice, energies: int) -> Selection:
    """Leave out sites that no grain is nearest to, and number the others by their windows."""
    used, site = np.unique(choice.nearest, return_inverse=True)
    windows = np.bincount(site, weights=grains.windows)
    order = np.argsort(-windows, kind="stable")
    place = np.empty_like(order)
    place[order] = np.arange(order.size)
    return Selection(choice.sites[used[order], :energies], place[site], choice.loss)
