"""What a change of the sites does to every group that it touches, to the last one."""

import math
from typing import NamedTuple

import numpy as np
from numba import njit

from gigaxas.arrays import BoolArray, FloatArray, IntArray
from gigaxas.observed.sketches import least_square
from gigaxas.observed.survival import (
    FAR,
    UNCOVERED,
    Fates,
    Groups,
    Sites,
    Survival,
    is_covered,
    loss_of,
    nearest_site,
    reach,
    settle,
    spread_between,
    squared_distance,
    stray,
    strays_of,
)


BESIDE = 32
"""Sites to which the pixels that stray are counted first, for all groups that a change moves."""
STIR = 1e-2
"""Share of the pixels of a group astray whose change makes it worth another look."""


class Change(NamedTuple):
    """A change of the sites, by their columns in a neighbourhood; -1 stands for none."""

    out: tuple[int, int]
    """Sites that no longer count."""
    new: int
    """Site that counts from now on."""


class Neighbourhood(NamedTuple):
    """Sites that may change, and the n groups that one of them may touch."""

    sites: IntArray
    """(c,) numbers of the sites that count or may."""
    groups: IntArray
    """(n,) numbers of the groups."""
    square: FloatArray
    """(c, n) squared distances, infinite where no pixel strays."""
    stray: FloatArray
    """(c, n) share of the pixels that stray from the group's nearest site."""
    order: IntArray
    """All sites, those near by first."""


@njit(nogil=True, cache=True)
def groups_near(
    groups: Groups, middle: int, fates: Fates, radius: float, survival: Survival
) -> IntArray:
    """Return the groups that sites within a radius of the group `middle` may touch."""
    count = fates.loss.size
    found, n = np.empty(count, np.int64), 0
    for g in range(count):
        limit = reach(fates.square[g], groups.variance[g], survival) + radius
        if least_square(groups.sketch, g, groups.sketch, middle) < limit * limit:
            found[n] = g
            n += 1
    return found[:n].copy()


@njit(nogil=True, cache=True)
def sites_near_first(groups: Groups, g: int, sites: Sites, radius: float) -> IntArray:
    """Return the sites that count: those within a radius of a group, the nearest first, then the others."""
    scratch = np.empty((2, groups.spectra.shape[1]))
    square = np.full(sites.counts.size, np.inf)
    for b in range(square.size):
        if sites.counts[b] and least_square(groups.sketch, g, sites.sketch, b) < radius * radius:
            square[b] = squared_distance(groups.spectra, g, sites.spectra, b, scratch)
    near = np.flatnonzero(square < radius * radius)
    far = np.flatnonzero(sites.counts & (square >= radius * radius))
    return np.concatenate((near[np.argsort(square[near], kind="mergesort")], far))


@njit(nogil=True, cache=True)
def neighbourhood(
    changing: IntArray,
    touched: IntArray,
    order: IntArray,
    groups: Groups,
    sites: Sites,
    fates: Fates,
    survival: Survival,
    lost: float,
) -> Neighbourhood:
    """Return what the sites `changing` (c,), those that count first, mean for the groups `touched` (n,).

    Groups are left out of whose pixels, whatever is changed, `lost` stray, and those that nothing touches.
    """
    shape = (changing.size, touched.size)
    square, strays = np.full(shape, np.inf), np.zeros(shape)
    scratch = np.empty((2, groups.spectra.shape[1]))
    spread = np.empty(sites.counts.size)
    left = fates.astray[touched]
    matters = np.zeros(touched.size, np.bool_)
    for c in range(changing.size):
        b = changing[c]
        spread[:] = -1.0
        for n in range(touched.size):
            g = touched[n]
            a, own, variance = fates.nearest[g], fates.square[g], groups.variance[g]
            if a == b:
                square[c, n], matters[n], left[n] = own, True, -np.inf
                continue
            least = least_square(groups.sketch, g, sites.sketch, b)
            if least >= reach(own, variance, survival) ** 2 or (least >= own and left[n] >= lost and not sites.counts[b]):
                continue
            if spread[a] < 0.0:
                spread[a] = spread_between(sites.spectra, a, sites.spectra, b, survival, scratch)
            noise = math.sqrt(variance)
            if least - own >= 2.0 * FAR * spread[a] * noise:
                continue
            square[c, n] = squared_distance(groups.spectra, g, sites.spectra, b, scratch)
            strays[c, n] = stray(own, square[c, n], spread[a], noise)
            if sites.counts[b]:
                left[n] -= strays[c, n]
            matters[n] |= square[c, n] < own or strays[c, n] > 0.0
    for n in range(touched.size):
        if left[n] >= lost:
            matters[n] = False
            for c in range(changing.size):
                matters[n] |= square[c, n] < fates.square[touched[n]]
    here = np.flatnonzero(matters)
    return Neighbourhood(changing, touched[here], square[:, here], strays[:, here], order)


@njit(nogil=True, cache=True)
def _moves(change: Change, around: Neighbourhood, n: int, fates: Fates) -> bool:
    """Return whether a change gives group n of a neighbourhood another nearest site."""
    g = around.groups[n]
    for c in change.out:
        if c >= 0 and around.sites[c] == fates.nearest[g]:
            return True
    return change.new >= 0 and around.square[change.new, n] < fates.square[g]


@njit(nogil=True, cache=True)
def _astray(change: Change, around: Neighbourhood, n: int, before: float) -> float:
    """Return how many pixels of group n, which stays with its site, stray after a change."""
    for c in change.out:
        if c >= 0:
            before -= around.stray[c, n]
    if change.new >= 0:
        before += around.stray[change.new, n]
    return max(before, 0.0)


@njit(nogil=True, cache=True)
def _switch(change: Change, around: Neighbourhood, sites: Sites, made: bool) -> None:
    """Make a change of the sites, or undo it."""
    for c in change.out:
        if c >= 0:
            sites.counts[around.sites[c]] = not made
    if change.new >= 0:
        sites.counts[around.sites[change.new]] = made


@njit(nogil=True, cache=True)
def difference(
    change: Change,
    around: Neighbourhood,
    groups: Groups,
    sites: Sites,
    fates: Fates,
    survival: Survival,
    most: float,
) -> float:
    """Return how much more is lost after a change, or infinity as soon as that cannot be less than `most`."""
    moved, movers, total = np.empty(around.groups.size, np.int64), 0, 0.0
    for n in range(around.groups.size):
        g = around.groups[n]
        if _moves(change, around, n, fates):
            moved[movers] = g
            movers += 1
            total -= fates.loss[g]
        elif fates.loss[g] < UNCOVERED:
            after = _astray(change, around, n, fates.astray[g])
            if after != fates.astray[g]:
                total += loss_of(after, survival) - fates.loss[g]
    if total >= most:
        return np.inf
    _switch(change, around, sites, True)
    total = _moved_loss(moved[:movers], around.order, groups, sites, survival, total, most)
    _switch(change, around, sites, False)
    return total


@njit(nogil=True, cache=True)
def _moved_loss(
    moved: IntArray,
    order: IntArray,
    groups: Groups,
    sites: Sites,
    survival: Survival,
    total: float,
    most: float,
) -> float:
    """Add to the total what is lost of the groups `moved` (n,), or return infinity once it reaches `most`.

    Sites near by, to which most pixels stray, come first for all groups.
    """
    scratch = np.empty((2, groups.spectra.shape[1]))
    nearest, square = np.empty(moved.size, np.int64), np.empty(moved.size)
    astray, loss = np.zeros(moved.size), np.zeros(moved.size)
    for k in range(moved.size):
        nearest[k], square[k] = nearest_site(groups, moved[k], sites, order, scratch)
        if not is_covered(groups, moved[k], sites, nearest[k], survival, scratch):
            astray[k], loss[k] = np.inf, UNCOVERED
            total += UNCOVERED
            if total >= most:
                return np.inf
    for part in (order[:BESIDE], order[BESIDE:]):
        for k in range(moved.size):
            if astray[k] < survival.lost:
                own = (nearest[k], square[k])
                astray[k] += strays_of(groups, moved[k], sites, own, part, survival, scratch)
                total -= loss[k]
                loss[k] = loss_of(astray[k], survival)
                total += loss[k]
                if total >= most:
                    return np.inf
    return total


@njit(nogil=True, cache=True)
def make(
    change: Change,
    around: Neighbourhood,
    groups: Groups,
    sites: Sites,
    fates: Fates,
    survival: Survival,
    stirred: BoolArray,
) -> None:
    """Make a change, write down the fates of the groups that it touches, and mark those it stirs."""
    _switch(change, around, sites, True)
    for n in range(around.groups.size):
        g = around.groups[n]
        before = fates.astray[g]
        if _moves(change, around, n, fates):
            settle(groups, around.groups[n : n + 1], sites, around.order, survival, fates)
            stirred[g] = True
        else:
            fates.astray[g] = _astray(change, around, n, before)
            if fates.loss[g] < UNCOVERED:
                fates.loss[g] = loss_of(fates.astray[g], survival)
        stirred[g] |= abs(fates.astray[g] - before) > STIR
