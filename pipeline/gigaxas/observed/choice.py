"""Sites while they are chosen, and what becomes of every group meanwhile."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.special import ndtri

from gigaxas.arrays import FloatArray, IntArray
from gigaxas.nearest.definition import padded_length
from gigaxas.observed.changes import (
    Change,
    Order,
    State,
    before_others,
    best_change,
    calm,
    difference,
    groups_near,
    make,
    mean_of,
    members_of,
    neighbourhood,
    sample_of,
    sites_near_first,
    strays_from_itself,
)
from gigaxas.observed.noise_level import NoiseLevel
from gigaxas.observed.sketches import Axes, principal_axes, sketch
from gigaxas.observed.survival import (
    CERTAIN,
    UNCOVERED,
    CleanUpRule,
    Fates,
    Groups,
    Sites,
    Survival,
    allowed_astray,
    reach,
    settle,
)
from gigaxas.observed.window_groups import WindowGroups

GAIN = 1e-3
"""Loss that a change of the sites must save."""
EVEN = 0.5
"""Probability of outliving the clean-up on a site of its own for which a group is not given up."""


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
        fates = Fates(np.empty(count, np.int64), *np.empty((4, count)))
        settle(self.groups, np.arange(count), sites, np.arange(len(sites.spectra)), self.survival, fates)
        return fates


def problem_of(groups: WindowGroups, level: NoiseLevel) -> Problem:
    """Return what is known of window groups as a problem of survival."""
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


class Choice:
    """Sites while they change: all groups know their fate among them, and whether it was stirred."""

    def __init__(self, problem: Problem, spectra: FloatArray) -> None:
        self.problem = problem
        self.stirred = np.ones(len(problem.groups.spectra), np.bool_)
        self._room = self.sites = problem.sites(spectra)
        self.fates = problem.fates(self.sites)
        rule = problem.survival.rule
        self._even = allowed_astray(rule.pixels, rule.needed, EVEN)

    @property
    def _state(self) -> State:
        return State(self.problem.groups, self.sites, self.fates, self.problem.survival)

    def near(self, group: int) -> Order:
        """Return all sites, those that matter to a group first."""
        variance, widest = self.problem.groups.variance[group], self.problem.survival.widest
        radius = reach(self.fates.square[group], variance, widest)
        return Order(*sites_near_first(self._state, group, radius))

    def is_given_up(self, group: int, near: Order) -> bool:
        """Return whether a group is certain to be deleted, and not likely to live on a site of its own."""
        if self.fates.loss[group] >= UNCOVERED or self.fates.astray[group] < self.problem.survival.rule.lost:
            return False
        return bool(strays_from_itself(self._state, group, near.sites[: near.near], self._even) >= self._even)

    def middles(self, own: Sequence[tuple[int, int]], group: int, more: Sequence[bool]) -> FloatArray:
        """Return the means (n, padded E) of the groups nearest to one of two sites, and of another group."""
        state = self._state
        members = np.union1d(members_of(state, np.unique(own)), [group])
        return np.stack(
            [
                mean_of(state, members, pair, group if wanted else -1)
                for pair, wanted in zip(own, more, strict=True)
            ]
        )

    def best(self, changes: Sequence[Change], candidates: FloatArray, near: Order) -> Change | None:
        """Return the change that seems to save most, and more than GAIN.

        Changes are about the group that the sites are `near`; the new site of each is a number of
        `candidates` (c, padded E). Groups further away are judged by some of them.
        """
        first = len(self.sites.counts)
        new = self._consider(candidates)
        table = np.array([(*change.out, change.new) for change in changes])
        out = np.unique(table[:, :2])
        table[:, 2] = np.where(table[:, 2] < 0, -1, first + table[:, 2])
        changing = np.concatenate([out[out >= 0], new])
        sample = sample_of(self._touched(near.middle, changing))
        around = neighbourhood(self._state, changing, *sample, before_others(new, near))
        best = best_change(self._state, around, table, -GAIN)
        self.sites = self.sites.first(first)
        return changes[best] if best >= 0 else None

    def make(self, out: tuple[int, int], spectra: FloatArray, near: Order, most: float = np.inf) -> bool:
        """Take sites out and put one with the spectra (0 or 1, padded E) in, if less than `most` is lost."""
        first = len(self.sites.counts)
        new = self._consider(spectra)
        changing = np.concatenate([np.array([site for site in out if site >= 0], np.int64), new])
        touched = self._touched(near.middle, changing)
        order = before_others(new, near)
        around = neighbourhood(self._state, changing, touched, np.ones(touched.size), order)
        change = Change(out, int(new[0]) if new.size else -1)
        if difference(self._state, around, change, most) < most:
            make(self._state, around, change, self.stirred)
            return True
        self.sites = self.sites.first(first)
        return False

    def leave(self, group: int) -> None:
        """Look no more at a group, nor at those like it, unless something stirs them."""
        calm(self._state, group, self.stirred)

    def forget(self) -> None:
        """Forget the sites that were taken out."""
        number = np.cumsum(self.sites.counts) - 1
        self.fates.nearest[:] = number[self.fates.nearest]
        spectra, sketches, counts = self.sites
        self._room = self.sites = Sites(spectra[counts], sketches[counts], counts[counts])

    def _touched(self, group: int, changing: IntArray) -> IntArray:
        here = self.problem.groups.spectra[group]
        radius = np.linalg.norm(self.sites.spectra[changing] - here, axis=1).max()
        return np.asarray(groups_near(self._state, group, radius))

    def _consider(self, spectra: FloatArray) -> IntArray:
        """Return the numbers of new sites (c, padded E) that do not count yet."""
        first, end = len(self.sites.counts), len(self.sites.counts) + len(spectra)
        while end > len(self._room.counts):
            spectra_room, sketches, counts = (np.concatenate([part, part]) for part in self._room)
            self._room = Sites(spectra_room, sketches, counts)
        for part, new in zip(self._room, self.problem.sites(spectra), strict=True):
            part[first:end] = new
        self._room.counts[first:end] = False
        self.sites = self._room.first(end)
        return np.arange(first, end)
