"""From window groups to sites: as many as the clean-up lets live, none that deletes more than it adds."""

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numba import njit
from scipy.special import ndtri

from gigaxas.arrays import FloatArray, IntArray
from gigaxas.nearest.definition import padded_length
from gigaxas.observed.noise_level import NoiseLevel
from gigaxas.observed.changes import Change, Neighbourhood, difference, groups_near, make, make_quiet, neighbourhood, sample_of, sites_near_first
from gigaxas.observed.sketches import Axes, least_square, principal_axes, sketch
from gigaxas.observed.survival import CERTAIN, UNCOVERED, CleanUpRule, Fates, Groups, Sites, Survival, allowed_astray, noise_along, reach, settle, squared_distance, stray
from gigaxas.observed.window_groups import WindowGroups

KEPT = 0.9
"""Probability with which a window of every site must outlive the clean-up while sites are first chosen."""
WORTH = 0.02
"""Loss of a group from which on a better place for the sites is looked for."""
GAIN = 1e-3
"""Loss that a change of the sites must save."""
RIVALS = 3
"""Sites next to a group's own that a change may move, join or drop."""


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
    axes: Axes
    """Where sketches of spectra are taken."""

    def sites(self, spectra: FloatArray) -> Sites:
        """Return sites with these spectra (m, padded E)."""
        return Sites(spectra, sketch(spectra, self.axes), np.ones(len(spectra), np.bool_))

    def fates(self, sites: Sites) -> Fates:
        """Return what becomes of all groups among the sites."""
        count = len(self.groups.spectra)
        fates = Fates(np.empty(count, np.int64), *np.empty((3, count)))
        settle(
            self.groups, np.arange(count), sites, np.arange(len(sites.spectra)), self.survival, fates
        )
        return fates


def select_sites(groups: WindowGroups, level: NoiseLevel) -> Selection:
    """Choose the sites of window groups (at least one), the largest given first.

    First every group that can live beside those before it becomes a site, in order of size; rare ones count
    as much as common ones. Then, wherever a group would be deleted, sites near it are added, moved, joined or
    dropped as long as fewer groups are lost. No group is further from its site than half the z of the level's
    error: what a single pixel could tell apart never shares a site, and a gradient becomes a chain of sites.
    """
    problem = _problem(groups, level)
    choice = Choice(problem, problem.groups.spectra[first_choice(problem)])
    _improve(choice)
    while (uncovered := np.flatnonzero(choice.fates.loss >= UNCOVERED)).size:
        choice.add(int(uncovered[0]))
    return _commonest_first(groups, choice, level.profile.size)


def _problem(groups: WindowGroups, level: NoiseLevel) -> Problem:
    energies = level.profile.size
    padded = padded_length(energies)
    spectra, profile = np.zeros((groups.windows.size, padded)), np.zeros((1, padded))
    spectra[:, :energies], profile[0, :energies] = groups.spectra, level.profile
    radius = -0.5 * float(ndtri(level.error))
    pixels, needed = level.k_size**2, level.p_num
    rule = CleanUpRule(pixels, needed, allowed_astray(pixels, needed, CERTAIN))
    survival = Survival(profile, float(profile.max()), radius, rule)
    axes = principal_axes(spectra)
    return Problem(Groups(spectra, sketch(spectra, axes), groups.variance), survival, axes)


def first_choice(problem: Problem) -> IntArray:
    """Return the groups that become sites one after the other, none letting too many pixels of any stray."""
    most = allowed_astray(problem.survival.rule.pixels, problem.survival.rule.needed, KEPT)
    return np.asarray(_choose(problem.groups, problem.survival, most))


@njit(nogil=True, cache=True)
def _choose(groups: Groups, survival: Survival, allowed: float) -> IntArray:
    """Return the groups, in order, beside whose sites no more than `allowed` of any site's pixels stray."""
    spectra, variance = groups.spectra, groups.variance
    count = spectra.shape[0]
    scratch = np.empty((2, spectra.shape[1]))
    chosen, near = np.empty((2, count), np.int64)
    astray, more = np.zeros((2, count))
    found = 0
    for i in range(count):
        own, good, close = 0.0, True, 0
        for k in range(found):
            j = chosen[k]
            noise = 0.5 * (variance[i] + variance[j])
            if least_square(groups.sketch, i, groups.sketch, j) >= reach(0.0, noise, survival.widest) ** 2:
                continue
            square = squared_distance(spectra, i, spectra, j, scratch)
            spread = math.sqrt(noise_along(scratch, survival.profile))
            more[close] = stray(0.0, square, spread, math.sqrt(noise))
            near[close] = k
            own += more[close]
            if own > allowed or astray[k] + more[close] > allowed:
                good = False
                break
            close += 1
        if good:
            for c in range(close):
                astray[near[c]] += more[c]
            chosen[found] = i
            astray[found] = own
            found += 1
    return chosen[:found].copy()


class Choice:
    """Sites while they change, and the fate of every group."""

    def __init__(self, problem: Problem, spectra: FloatArray) -> None:
        self.problem = problem
        self.room = self.sites = problem.sites(spectra)
        self.fates = problem.fates(self.sites)
        self.stirred = np.ones(len(problem.groups.spectra), np.bool_)

    def reach(self, group: int) -> float:
        """Return how far from a group a site may be and matter to it."""
        return reach(self.fates.square[group], self.problem.groups.variance[group], self.problem.survival.widest)

    def middle(self, sites: list[int], more: tuple[int, ...] = ()) -> FloatArray:
        """Return the mean (padded E) of the groups nearest to some sites and of others."""
        members = np.flatnonzero(np.isin(self.fates.nearest, sites))
        members = np.union1d(members, np.array(more, np.int64))
        return self.problem.groups.spectra[members].mean(axis=0) if members.size else self.sites.spectra[sites[0]]

    def consider(self, spectra: FloatArray) -> IntArray:
        """Return the numbers of new sites (c, padded E) that do not count yet."""
        first, count = len(self.sites.counts), len(spectra)
        while first + count > len(self.room.counts):
            self.room = Sites(*(np.concatenate([part, np.zeros_like(part)]) for part in self.room))
        for part, new in zip(self.room, self.problem.sites(spectra), strict=True):
            part[first : first + count] = new
        self.room.counts[first : first + count] = False
        self.sites = Sites(*(part[: first + count] for part in self.room))
        return np.arange(first, first + count)

    def forget(self, new: IntArray) -> None:
        """Drop the sites considered last, but for one that counts by now."""
        first = int(new[0])
        for kept in new[self.sites.counts[new]].tolist():
            for part in self.room:
                part[first] = part[kept]
            self.fates.nearest[self.fates.nearest == kept] = first
            first += 1
        self.sites = Sites(*(part[:first] for part in self.room))

    def touched(self, group: int, changing: IntArray) -> IntArray:
        """Return the groups that sites about a group may touch, the nearest first."""
        here = self.problem.groups.spectra[group]
        radius = np.linalg.norm(self.sites.spectra[changing] - here, axis=1).max()
        return groups_near(self.problem.groups, group, self.fates, radius, self.problem.survival)

    def around(self, changing: IntArray, touched: IntArray, weight: FloatArray, order: IntArray) -> Neighbourhood:
        """Return what sites mean for the groups that they touch."""
        return neighbourhood(changing, touched, weight, order, self.problem.groups, self.sites, self.fates, self.problem.survival)

    def add(self, group: int) -> None:
        """Give a group a site of its own."""
        new = self.consider(self.problem.groups.spectra[group][None])
        order = np.concatenate([new, np.flatnonzero(self.sites.counts)])
        touched = self.touched(group, new)
        self.make(Change((-1, -1), 0), self.around(new, touched, np.ones(touched.size), order))

    def difference(self, change: Change, around: Neighbourhood, most: float) -> float:
        return difference(change, around, self.problem.groups, self.sites, self.fates, self.problem.survival, most)

    def make(self, change: Change, around: Neighbourhood) -> None:
        make(change, around, self.problem.groups, self.sites, self.fates, self.problem.survival, self.stirred)

    def update(self) -> None:
        """Take stock of all groups and sites together."""
        self.room = self.sites = self.problem.sites(self.sites.spectra[self.sites.counts])
        self.fates = self.problem.fates(self.sites)


def _improve(choice: Choice) -> None:
    while True:
        waiting = np.flatnonzero(choice.stirred & (choice.fates.loss >= WORTH))
        if not waiting.size: break
        looks = made = 0
        for group in waiting[np.argsort(-choice.fates.loss[waiting], kind="stable")].tolist():
            if choice.stirred[group] and choice.fates.loss[group] >= WORTH:
                looks += 1
                made += _look(choice, group)
        choice.update()
        print('sweep', looks, made, choice.fates.loss.sum(), len(choice.sites.spectra), flush=True)

def _look(choice: Choice, group: int) -> bool:
    choice.stirred[group] = False
    near = sites_near_first(choice.problem.groups, group, choice.sites, choice.reach(group))
    own, *rivals = near[: RIVALS + 1].tolist()
    candidates = np.stack([
        choice.problem.groups.spectra[group],
        choice.middle([own]),
        *(choice.middle([own, rival]) for rival in rivals),
        *(choice.middle([rival], (group,)) for rival in rivals),
    ])
    new = choice.consider(candidates)
    changing, order = np.concatenate([near[: len(rivals) + 1], new]), np.concatenate([new, near])
    touched = choice.touched(group, changing)
    sample = choice.around(changing, *sample_of(touched), order)
    least, best = -GAIN, None
    for change in _changes(len(rivals)):
        more = choice.difference(change, sample, least)
        if more < least:
            least, best = more, change
    better = False
    if best:
        rows = [row for row in (*best.out, best.new) if row >= 0]
        change = Change(tuple(rows.index(row) if row >= 0 else -1 for row in best.out), rows.index(best.new) if best.new >= 0 else -1)
        around = choice.around(changing[rows], touched, np.ones(touched.size), order)
        better = choice.difference(change, around, -GAIN) < -GAIN
        if better:
            choice.make(change, around)
    if not better:
        make_quiet(choice.problem.groups, group, choice.problem.survival, choice.stirred)
    choice.forget(new)
    return better


def _changes(rivals: int) -> list[Change]:
    here, middle = rivals + 1, rivals + 2
    changes = [Change((-1, -1), here), Change((0, -1), here), Change((0, -1), middle)]
    for rival in range(1, rivals + 1):
        joined, shifted = middle + rival, middle + rivals + rival
        changes += [
            Change((rival, -1), -1),
            Change((rival, -1), here),
            Change((0, rival), joined),
            Change((rival, -1), shifted),
        ]
    return changes


def _commonest_first(groups: WindowGroups, choice: Choice, energies: int) -> Selection:
    """Leave out sites that no group is nearest to, and number the others by their windows."""
    used, site = np.unique(choice.fates.nearest, return_inverse=True)
    windows = np.bincount(site, weights=groups.windows)
    order = np.argsort(-windows, kind="stable")
    place = np.empty_like(order)
    place[order] = np.arange(order.size)
    return Selection(choice.sites.spectra[used[order], :energies], place[site], choice.fates.loss)
