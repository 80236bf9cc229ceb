"""What a change of the sites does to every group that it touches, to the last one."""

import math
from typing import NamedTuple

import numpy as np
from numba import njit

from gigaxas.arrays import BoolArray, FloatArray, IntArray
from gigaxas.observed.sketches import least_square
from gigaxas.observed.survival import (
    UNCOVERED,
    Fates,
    Groups,
    Sites,
    Survival,
    is_covered,
    keeps_window,
    nearest_site,
    reach,
    settle,
    spread_between,
    squared_distance,
    stray,
    strays_of,
)


STIR = 1e-3
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
) -> Neighbourhood:
    """Return what the sites `changing` (c,) mean for the groups `touched` (n,)."""
    shape = (changing.size, touched.size)
    square, strays = np.full(shape, np.inf), np.zeros(shape)
    scratch = np.empty((2, groups.spectra.shape[1]))
    spread = np.empty(sites.counts.size)
    for c in range(changing.size):
        b = changing[c]
        spread[:] = -1.0
        for n in range(touched.size):
            g = touched[n]
            a = fates.nearest[g]
            limit = reach(fates.square[g], groups.variance[g], survival) ** 2
            if least_square(groups.sketch, g, sites.sketch, b) >= limit:
                continue
            other = squared_distance(groups.spectra, g, sites.spectra, b, scratch)
            if other >= limit:
                continue
            square[c, n] = other
            if a != b:
                if spread[a] < 0.0:
                    spread[a] = spread_between(sites.spectra, a, sites.spectra, b, survival, scratch)
                strays[c, n] = stray(fates.square[g], other, spread[a], math.sqrt(groups.variance[g]))
    return Neighbourhood(changing, touched, square, strays, order)


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
    lost: float,
) -> float:
    """Return how much more is lost after a change, or infinity as soon as that cannot be less than `most`.

    From `lost` pixels astray on a window is certain to be deleted.
    """
    moved, movers, total = np.empty(around.groups.size, np.int64), 0, 0.0
    for n in range(around.groups.size):
        g = around.groups[n]
        if _moves(change, around, n, fates):
            moved[movers] = g
            movers += 1
            total -= fates.loss[g]
        elif fates.loss[g] < UNCOVERED:
            after = _astray(change, around, n, fates.astray[g])
            if after != fates.astray[g] and min(after, fates.astray[g]) < lost:
                total += 1.0 - keeps_window(after, survival.pixels, survival.needed) - fates.loss[g]
    scratch = np.empty((2, groups.spectra.shape[1]))
    _switch(change, around, sites, True)
    for k in range(movers):
        if total >= most:
            total = np.inf
            break
        g = moved[k]
        own = nearest_site(groups, g, sites, around.order, scratch)
        if is_covered(groups, g, sites, own[0], survival, scratch):
            astray = strays_of(groups, g, sites, own, around.order, survival, lost, scratch)
            total += 1.0 - keeps_window(astray, survival.pixels, survival.needed)
        else:
            total += UNCOVERED
    _switch(change, around, sites, False)
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
                kept = keeps_window(fates.astray[g], survival.pixels, survival.needed)
                fates.loss[g] = 1.0 - kept
        stirred[g] |= abs(fates.astray[g] - before) > STIR
