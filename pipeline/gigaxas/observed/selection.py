"""From window groups to sites: as many as the clean-up lets live, none that deletes more than it adds."""

import math
from dataclasses import dataclass

import numpy as np
from numba import njit

from gigaxas.arrays import FloatArray, IntArray
from gigaxas.observed.changes import Change
from gigaxas.observed.choice import GAIN, Choice, Problem, problem_of
from gigaxas.observed.noise_level import NoiseLevel
from gigaxas.observed.sketches import least_square
from gigaxas.observed.survival import (
    UNCOVERED,
    Groups,
    Survival,
    allowed_astray,
    noise_along,
    reach,
    squared_distance,
    stray,
)
from gigaxas.observed.window_groups import WindowGroups

KEPT = 0.9
"""Probability with which a window of every site must outlive the clean-up while sites are first chosen."""
WORTH, OFF = 0.02, 0.3
"""Loss of a group, and cost of being off its site, from which on a better place for sites is looked for."""
SAVED = 5e-3
"""Share of all losses that a sweep over the groups must save for another one to follow."""
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


def select_sites(groups: WindowGroups, level: NoiseLevel) -> Selection:
    """Choose the sites of window groups (at least one), the largest given first.

    First every group that can live beside those before it becomes a site, in order of size; rare ones count
    as much as common ones. Then, wherever a group would be deleted, sites near it are added, moved, joined or
    dropped as long as fewer groups are lost. A group that has a site, is certain to be deleted and would not
    live on a site of its own either is given up: its site would only cost its neighbours. No group is further
    from its site than half the z of the level's error: what a single pixel could tell apart never shares a
    site, and a gradient becomes a chain of sites.
    """
    problem = problem_of(groups, level)
    choice = Choice(problem, problem.groups.spectra[first_choice(problem)])
    _improve(choice)
    while (uncovered := np.flatnonzero(choice.fates.loss >= UNCOVERED)).size:
        group = int(uncovered[0])
        choice.make((-1, -1), problem.groups.spectra[group][None], choice.near(group))
    return _commonest_first(groups, choice, level.profile.size)


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


def _improve(choice: Choice) -> None:
    """Look at the groups likely to be deleted, the worst first, until that saves next to nothing.

    After the first time a group is looked at only when a change has stirred it.
    """
    before = np.inf
    while choice.fates.cost.sum() < (1.0 - SAVED) * before:
        before = choice.fates.cost.sum()
        for group in np.argsort(-choice.fates.cost, kind="stable").tolist():
            lost, apart = choice.fates.loss[group], choice.fates.apart[group]
            if choice.stirred[group] and (lost >= WORTH or apart >= OFF):
                _look(choice, group)
        choice.forget()


def _look(choice: Choice, group: int) -> None:
    """Make the change of the sites about a group that saves most, if any does."""
    choice.stirred[group] = False
    near = choice.near(group)
    if choice.is_given_up(group, near):
        return
    changes, candidates = _changes(choice, group, *near.sites[: RIVALS + 1].tolist())
    best = choice.best(changes, candidates, near)
    if best:
        new = candidates[best.new : best.new + 1] if best.new >= 0 else candidates[:0]
        if choice.make(best.out, new, near, -GAIN):
            return
    choice.leave(group)


def _changes(choice: Choice, group: int, own: int, *rivals: int) -> tuple[list[Change], FloatArray]:
    """Return what may help a group, and the spectra (c, padded E) of the new sites.

    It gets a site of its own, or its site and a rival are moved, joined or dropped.
    """
    here, centred = 0, 1
    members, with_group = [(own, -1)], [False]
    changes = [Change((-1, -1), here), Change((own, -1), here), Change((own, -1), centred)]
    if rivals:
        changes.append(Change((own, -1), -1))
    for rival in rivals:
        joined, shifted, moved = range(len(members) + 1, len(members) + 4)
        members += [(own, rival), (rival, -1), (rival, -1)]
        with_group += [False, True, False]
        changes += [
            Change((rival, -1), -1),
            Change((rival, -1), here),
            Change((own, rival), here),
            Change((own, rival), joined),
            Change((rival, -1), shifted),
            Change((rival, -1), moved),
        ]
    means = choice.middles(members, group, with_group)
    return changes, np.concatenate([choice.problem.groups.spectra[group][None], means])


def _commonest_first(groups: WindowGroups, choice: Choice, energies: int) -> Selection:
    """Leave out sites that no group is nearest to, and number the others by their windows."""
    used, site = np.unique(choice.fates.nearest, return_inverse=True)
    windows = np.bincount(site, weights=groups.windows)
    order = np.argsort(-windows, kind="stable")
    place = np.empty_like(order)
    place[order] = np.arange(order.size)
    return Selection(choice.sites.spectra[used[order], :energies], place[site], choice.fates.loss)
