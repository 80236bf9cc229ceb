"""From window groups to sites: as many as the clean-up lets live, none that deletes more than it adds."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numba import njit
from scipy.special import ndtri

from gigaxas.arrays import FloatArray, IntArray
from gigaxas.nearest.definition import padded_length
from gigaxas.observed.noise_level import NoiseLevel
from gigaxas.observed.survival import UNCOVERED, Groups, Survival, keeps_window, losses, squared_distance
from gigaxas.observed.window_groups import WindowGroups

KEPT = 0.9
"""Probability with which a window of every site must outlive the clean-up while sites are first chosen."""
WORTH = 0.02
"""Loss of a group from which on a better place for the sites is looked for."""
GAIN = 1e-3
"""Loss that a change of the sites must save."""
NEAREST = 12
"""Sites around a group that are looked at together."""
RIVALS = 3
"""Sites next to a group's own that a change may move, join or drop."""
SWEEPS = 10
"""Most times that all groups are looked at."""


@dataclass(frozen=True)
class Selection:
    """Sites chosen for k window groups, the commonest first."""

    spectra: FloatArray
    """(m, E) standardised spectra of the sites."""
    site: IntArray
    """(k,) site that each group is nearest to."""
    loss: FloatArray
    """(k,) probability that a window of the group is deleted all the same."""


class Problem(NamedTuple):
    """The groups that need sites, and what decides whether they live."""

    groups: Groups
    """All groups, the largest first."""
    survival: Survival
    """The rule of the clean-up and the noise."""

    def losses(self, which: IntArray, sites: FloatArray) -> tuple[IntArray, FloatArray]:
        """Return for some groups the nearest of the sites (m, padded E) and the loss, both (n,)."""
        nearest, loss = np.empty(which.size, np.int64), np.empty(which.size)
        some = Groups(self.groups.spectra[which], self.groups.variance[which])
        losses(some, sites, self.survival, nearest, loss)
        return nearest, loss


def select_sites(groups: WindowGroups, level: NoiseLevel) -> Selection:
    """Choose the sites of window groups (at least one), the largest given first.

    First every group that can live beside those before it becomes a site, in order of size; rare ones count
    as much as common ones. Then, wherever a group would be deleted, sites near it are added, moved, joined or
    dropped as long as fewer groups are lost. No group is further from its site than half the z of the level's
    error: what a single pixel could tell apart never shares a site, and a gradient becomes a chain of sites.
    """
    problem = _problem(groups, level)
    choice = Choice(problem, problem.groups.spectra[first_choice(problem)])
    for _ in range(SWEEPS):
        if not _sweep(choice):
            break
    while (uncovered := np.flatnonzero(choice.loss >= UNCOVERED)).size:
        choice.add(int(uncovered[0]))
    return _commonest_first(groups, choice, level.profile.size)


def _problem(groups: WindowGroups, level: NoiseLevel) -> Problem:
    energies = level.profile.size
    padded = padded_length(energies)
    spectra, profile = np.zeros((groups.windows.size, padded)), np.zeros((1, padded))
    spectra[:, :energies], profile[0, :energies] = groups.spectra, level.profile
    radius = -0.5 * float(ndtri(level.error))
    survival = Survival(profile, radius, level.k_size**2, level.p_num)
    return Problem(Groups(spectra, groups.variance), survival)


def first_choice(problem: Problem) -> IntArray:
    """Return the groups that become sites one after the other, none letting too many pixels of any stray."""
    most = allowed_astray(problem.survival.pixels, problem.survival.needed)
    return np.asarray(_choose(problem.groups, problem.survival.profile, most))


def allowed_astray(pixels: int, needed: int, kept: float = KEPT) -> float:
    """Return how many of a window's pixels may stray, as a probability, for it to outlive with `kept`."""
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if keeps_window(middle, pixels, needed) >= kept else (low, middle)
    return low


@njit(nogil=True, cache=True)
def _choose(groups: Groups, profile: FloatArray, allowed: float) -> IntArray:
    """Return the groups, in order, beside whose sites no more than `allowed` of any site's pixels stray."""
    spectra, variance = groups.spectra, groups.variance
    count = spectra.shape[0]
    scratch = np.empty((2, spectra.shape[1]))
    chosen = np.empty(count, np.int64)
    astray, more = np.zeros(count), np.zeros(count)
    found = 0
    for i in range(count):
        own, good = 0.0, True
        for k in range(found):
            j = chosen[k]
            square, weighted = squared_distance(spectra, i, spectra, j, profile, scratch)
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
    """A change of the sites."""

    out: tuple[int, ...]
    """Numbers of the sites to be taken out."""
    new: FloatArray
    """(n, padded E) spectra to be put in."""


class Choice:
    """Sites while they change: their spectra, which of them still count, and the fate of every group."""

    def __init__(self, problem: Problem, sites: FloatArray) -> None:
        self.problem = problem
        self.sites = sites
        self.counts = np.ones(len(sites), np.bool_)
        self.nearest, self.loss = problem.losses(np.arange(len(problem.groups.spectra)), sites)

    def around(self, group: int) -> IntArray:
        """Return the numbers of the sites nearest to a group, the nearest first."""
        alive = np.flatnonzero(self.counts)
        distance = np.sum((self.sites[alive] - self.problem.groups.spectra[group]) ** 2, axis=1)
        return alive[np.argsort(distance, kind="stable")[:NEAREST]]

    def outcome(self, change: Change, around: IntArray, members: IntArray) -> tuple[IntArray, FloatArray]:
        """Return, for some groups, nearest site (its place among what is left and new) and loss."""
        left = around[~np.isin(around, change.out)]
        return self.problem.losses(members, np.concatenate([self.sites[left], change.new]))

    def make(self, change: Change, around: IntArray, members: IntArray) -> None:
        """Make a change and note what becomes of these groups."""
        places, self.loss[members] = self.outcome(change, around, members)
        new = np.arange(len(change.new)) + len(self.sites)
        self.sites = np.concatenate([self.sites, change.new])
        self.counts = np.concatenate([self.counts, np.ones(len(new), np.bool_)])
        self.counts[list(change.out)] = False
        left = around[~np.isin(around, change.out)]
        self.nearest[members] = np.concatenate([left, new])[places]

    def add(self, group: int) -> None:
        """Give a group a site of its own."""
        self.sites = np.concatenate([self.sites, self.problem.groups.spectra[group][None]])
        self.counts = np.append(self.counts, True)
        self.update()

    def update(self) -> None:
        """Take stock of all groups and sites together."""
        alive = np.flatnonzero(self.counts)
        places, self.loss = self.problem.losses(np.arange(len(self.loss)), self.sites[alive])
        self.nearest = alive[places]


def _sweep(choice: Choice) -> bool:
    """Look once at every group likely to be deleted, the worst first; say whether anything changed."""
    changed = False
    for group in np.argsort(-choice.loss, kind="stable"):
        if choice.loss[group] < WORTH:
            continue
        around = choice.around(int(group))
        members = np.flatnonzero(np.isin(choice.nearest, around))
        best, better = choice.loss[members].sum() - GAIN, None
        for change in _changes(choice, int(group), around):
            lost = choice.outcome(change, around, members)[1].sum()
            if lost < best:
                best, better = lost, change
        if better is not None:
            choice.make(better, around, members)
            changed = True
    choice.update()
    return changed


def _changes(choice: Choice, group: int, around: IntArray) -> Iterator[Change]:
    """Yield what may help a group: a site of its own, or its site and a rival moved, joined or dropped."""
    spectra, own = choice.problem.groups.spectra, int(around[0])
    here = spectra[group][None]

    def middle(*sites: int, more: tuple[int, ...] = ()) -> FloatArray:
        members = np.union1d(np.flatnonzero(np.isin(choice.nearest, sites)), np.array(more, np.int64))
        return spectra[members].mean(axis=0)[None] if members.size else choice.sites[list(sites)][:1]

    yield Change((), here)
    yield Change((own,), here)
    yield Change((own,), middle(own))
    for rival in around[1 : RIVALS + 1].tolist():
        yield Change((rival,), here[:0])
        yield Change((rival,), here)
        yield Change((own, rival), middle(own, rival))
        yield Change((rival,), middle(rival, more=(group,)))


def _commonest_first(groups: WindowGroups, choice: Choice, energies: int) -> Selection:
    """Leave out sites that no group is nearest to, and number the others by their windows."""
    used, site = np.unique(choice.nearest, return_inverse=True)
    windows = np.bincount(site, weights=groups.windows)
    order = np.argsort(-windows, kind="stable")
    place = np.empty_like(order)
    place[order] = np.arange(order.size)
    return Selection(choice.sites[used[order], :energies], place[site], choice.loss)
