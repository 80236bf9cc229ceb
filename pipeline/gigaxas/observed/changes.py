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
    noise_along,
    reach,
    settle,
    spread_between,
    squared_distance,
    stray,
    strays_of,
)


NEAR = 256
"""Groups near by for which every change is worked out."""
EACH = 16
"""Of the groups further away one in so many stands for all, until a change is promising."""
FIRST = 128
"""Groups for which a change is worked out before it is followed further."""
BESIDE = 32
"""Sites to which the pixels that stray are counted first, for all groups that a change moves."""
ALIKE = 1.5
"""z within which a look at another group counts for a group too, as long as it is in vain."""
STIR = 1e-2
"""Share of the pixels of a group astray whose change makes it worth another look."""


class Change(NamedTuple):
    """A change of the sites, by their rows in a neighbourhood; -1 stands for none."""

    out: tuple[int, int]
    """Sites that no longer count."""
    new: int
    """Site that counts from now on."""


class Neighbourhood(NamedTuple):
    """Sites that may change, and the n groups that one of them may touch."""

    sites: IntArray
    """(c,) numbers of the sites that count or may."""
    groups: IntArray
    """(n,) numbers of the groups, the nearest first."""
    weight: FloatArray
    """(n,) how many groups each stands for."""
    square: FloatArray
    """(c, n) squared distances, infinite where no pixel strays."""
    stray: FloatArray
    """(c, n) share of the pixels that stray from the group's nearest site."""
    spread: FloatArray
    """(c, m) deviation of the noise between two sites, times their distance; -1 where not worked out."""
    left: FloatArray
    """(n,) pixels that stray whichever of the sites no longer count, if that is asked for."""
    known: IntArray
    """(c,) for how many groups a row has been worked out; before that it holds those that the site is
    nearest to."""
    order: IntArray
    """All sites, those near by first."""


@njit(nogil=True, cache=True)
def groups_near(
    groups: Groups, middle: int, fates: Fates, radius: float, survival: Survival
) -> IntArray:
    """Return the groups that sites within a radius of the group `middle` may touch, the NEAR nearest first."""
    count = fates.loss.size
    found, squares, n = np.empty(count, np.int64), np.empty(count), 0
    for g in range(count):
        square = least_square(groups.sketch, g, groups.sketch, middle)
        limit = reach(fates.square[g], groups.variance[g], survival.widest) + radius
        if square < limit * limit:
            found[n], squares[n] = g, square
            n += 1
    if n <= NEAR:
        return found[:n][np.argsort(squares[:n], kind="mergesort")]
    far = np.partition(squares[:n], NEAR)[NEAR]
    near = np.flatnonzero(squares[:n] < far)
    near = near[np.argsort(squares[near], kind="mergesort")]
    return np.concatenate((found[near], found[:n][squares[:n] >= far]))


@njit(nogil=True, cache=True)
def sample_of(touched: IntArray) -> tuple[IntArray, FloatArray]:
    """Return the nearest of the groups `touched` (n,) and some of the others, and how many each stands for."""
    sample = np.concatenate((touched[:NEAR], touched[NEAR + EACH // 2 :: EACH]))
    weight = np.ones(sample.size)
    if sample.size > NEAR:
        weight[NEAR:] = (touched.size - NEAR) / (sample.size - NEAR)
    return sample, weight


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
    weight: FloatArray,
    order: IntArray,
    groups: Groups,
    sites: Sites,
    fates: Fates,
    survival: Survival,
) -> Neighbourhood:
    """Return what the sites `changing` (c,) mean for the groups `touched` (n,), the nearest first.

    Those that count come first among `changing`; `weight` (n,) is how many groups each stands for.
    """
    shape = (changing.size, touched.size)
    square, strays = np.full(shape, np.inf), np.zeros(shape)
    spread = np.full((changing.size, sites.counts.size), -1.0)
    left, known = fates.astray[touched], np.zeros(changing.size, np.int64)
    around = Neighbourhood(changing, touched, weight, square, strays, spread, left, known, order)
    scratch = np.empty((2, groups.spectra.shape[1]))
    for c in range(changing.size):
        b = changing[c]
        if sites.counts[b]:
            follow(c, touched.size, around, groups, sites, fates, survival)
            for n in range(touched.size):
                around.left[n] -= strays[c, n]
            continue
        for n in range(touched.size):
            g = touched[n]
            if least_square(groups.sketch, g, sites.sketch, b) < fates.square[g]:
                square[c, n] = squared_distance(groups.spectra, g, sites.spectra, b, scratch)
    return around


@njit(nogil=True, cache=True)
def follow(
    c: int, end: int, around: Neighbourhood, groups: Groups, sites: Sites, fates: Fates, survival: Survival
) -> None:
    """Work out a row of a neighbourhood up to the group `end`; certain losses that stay so are left out."""
    b, start = around.sites[c], around.known[c]
    scratch = np.empty((2, groups.spectra.shape[1]))
    spread = around.spread[c]
    for n in range(start, end):
        g = around.groups[n]
        a, own, noise = fates.nearest[g], fates.square[g], math.sqrt(groups.variance[g])
        if a == b:
            around.square[c, n] = own
            continue
        if around.left[n] >= survival.rule.lost and not sites.counts[b]:
            continue
        least = least_square(groups.sketch, g, sites.sketch, b)
        if least >= reach(own, groups.variance[g], survival.widest) ** 2:
            continue
        if spread[a] < 0.0:
            spread[a] = spread_between(sites.spectra, a, sites.spectra, b, survival, scratch)
        if least - own < 2.0 * FAR * spread[a] * noise:
            around.square[c, n] = squared_distance(groups.spectra, g, sites.spectra, b, scratch)
            around.stray[c, n] = stray(own, around.square[c, n], spread[a], noise)
    around.known[c] = max(start, end)


@njit(nogil=True, cache=True)
def _moved(change: Change, around: Neighbourhood, fates: Fates) -> BoolArray:
    """Return which groups (n,) of a neighbourhood a change gives another nearest site."""
    moved = np.zeros(around.groups.size, np.bool_)
    for c in change.out:
        if c >= 0:
            moved |= fates.nearest[around.groups] == around.sites[c]
    if change.new >= 0:
        moved |= around.square[change.new] < fates.square[around.groups]
    return moved


@njit(nogil=True, cache=True)
def _relieved(change: Change, around: Neighbourhood, astray: FloatArray) -> FloatArray:
    """Return how many pixels of each group (n,) stray without the sites that a change takes out."""
    for c in change.out:
        if c >= 0:
            astray = np.maximum(astray - around.stray[c], 0.0)
    return astray


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
    """Return how much more is lost after a change, or infinity as soon as that cannot be less than `most`.

    What can be gained is counted first: by groups that lose a rival, and by those with another nearest site.
    """
    moved = _moved(change, around, fates)
    total, astray, loss = _staying(change, around, fates, survival, moved)
    total -= np.sum(around.weight[moved] * loss[moved])
    if total >= most:
        return np.inf
    _switch(change, around, sites, True)
    movers = _movers(around.groups[moved], around.weight[moved], around.order, groups, sites, survival)
    total += np.sum(movers.weight * movers.loss)
    total = _add_strays(movers, around.order[:BESIDE], groups, sites, survival, total, most)
    if change.new >= 0:
        _switch(change, around, sites, False)
        start, end = 0, min(FIRST, moved.size)
        while start < end and total < most:
            if around.known[change.new] < end:
                follow(change.new, end, around, groups, sites, fates, survival)
            more = around.stray[change.new]
            for n in range(start, end):
                if more[n] > 0.0 and not moved[n] and loss[n] < 1.0:
                    after = loss_of(astray[n] + more[n], survival.rule)
                    total += around.weight[n] * (after - loss[n])
            start, end = end, min(2 * end, moved.size)
        _switch(change, around, sites, True)
    total = _add_strays(movers, around.order[BESIDE:], groups, sites, survival, total, most)
    _switch(change, around, sites, False)
    return total if total < most else np.inf


@njit(nogil=True, cache=True)
def _staying(
    change: Change, around: Neighbourhood, fates: Fates, survival: Survival, moved: BoolArray
) -> tuple[float, FloatArray, FloatArray]:
    """Return what groups gain that stay with their site when others go, with their strays and losses (n,)."""
    before, loss = fates.astray[around.groups], fates.loss[around.groups]
    astray = _relieved(change, around, before)
    total = 0.0
    for n in range(moved.size):
        if not moved[n] and astray[n] < min(before[n], survival.rule.lost) and loss[n] < UNCOVERED:
            after = loss_of(astray[n], survival.rule)
            total += around.weight[n] * (after - loss[n])
            loss[n] = after
    return total, astray, loss


class _Movers(NamedTuple):
    """Groups that a change gives another nearest site."""

    groups: IntArray
    """(n,) their numbers."""
    weight: FloatArray
    """(n,) how many groups each stands for."""
    nearest: IntArray
    """(n,) the site."""
    square: FloatArray
    """(n,) squared distance from it."""
    astray: FloatArray
    """(n,) share of the pixels known to stray; infinite for a group that is not covered."""
    loss: FloatArray
    """(n,) what that makes the loss."""


@njit(nogil=True, cache=True)
def _movers(
    which: IntArray, weight: FloatArray, order: IntArray, groups: Groups, sites: Sites, survival: Survival
) -> _Movers:
    """Return some groups (n,) with their nearest sites; no strays are known yet."""
    count = which.size
    nearest, square = np.empty(count, np.int64), np.empty(count)
    astray, loss = np.zeros(count), np.zeros(count)
    scratch = np.empty((2, groups.spectra.shape[1]))
    for k in range(count):
        nearest[k], square[k] = nearest_site(groups, which[k], sites, order, scratch)
        if not is_covered(groups, which[k], sites, nearest[k], survival, scratch):
            astray[k], loss[k] = np.inf, UNCOVERED
    return _Movers(which, weight, nearest, square, astray, loss)


@njit(nogil=True, cache=True)
def _add_strays(
    movers: _Movers,
    order: IntArray,
    groups: Groups,
    sites: Sites,
    survival: Survival,
    total: float,
    most: float,
) -> float:
    """Add what strays to the sites in `order` to the movers and to the total, until this reaches `most`."""
    scratch = np.empty((2, groups.spectra.shape[1]))
    for k in range(movers.groups.size):
        if total >= most:
            break
        if movers.astray[k] < survival.rule.lost:
            own = (movers.nearest[k], movers.square[k])
            movers.astray[k] += strays_of(groups, movers.groups[k], sites, own, order, survival, scratch)
            before, movers.loss[k] = movers.loss[k], loss_of(movers.astray[k], survival.rule)
            total += movers.weight[k] * (movers.loss[k] - before)
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
    """Make a change, write down the fates of the groups that it touches, and mark those that it stirs.

    A neighbourhood of all groups that the change touches is needed, none standing for others.
    """
    if change.new >= 0:
        around.left[:] = 0.0
        around.known[change.new] = 0
        follow(change.new, around.groups.size, around, groups, sites, fates, survival)
    moved = _moved(change, around, fates)
    before = fates.astray[around.groups]
    astray = _relieved(change, around, before)
    if change.new >= 0:
        astray = astray + around.stray[change.new]
    _switch(change, around, sites, True)
    for n in range(around.groups.size):
        g = around.groups[n]
        if moved[n]:
            settle(groups, around.groups[n : n + 1], sites, around.order, survival, fates)
        else:
            fates.astray[g] = astray[n]
            if fates.loss[g] < UNCOVERED:
                fates.loss[g] = loss_of(astray[n], survival.rule)
        stirred[g] |= moved[n] or abs(fates.astray[g] - before[n]) > STIR


@njit(nogil=True, cache=True)
def make_quiet(groups: Groups, middle: int, survival: Survival, stirred: BoolArray) -> None:
    """Take the mark from the groups within a z of ALIKE of a group that was looked at in vain."""
    scratch = np.empty((2, groups.spectra.shape[1]))
    for g in np.flatnonzero(stirred):
        noise = 0.5 * (groups.variance[g] + groups.variance[middle])
        limit = 4.0 * ALIKE**2 * survival.widest * noise
        if least_square(groups.sketch, g, groups.sketch, middle) < limit:
            square = squared_distance(groups.spectra, g, groups.spectra, middle, scratch)
            weighted = noise_along(scratch, survival.profile) * noise
            if square <= 2.0 * ALIKE * math.sqrt(weighted):
                stirred[g] = False
