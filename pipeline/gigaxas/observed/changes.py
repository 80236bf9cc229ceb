"""What a change of the sites does to the groups that it touches, counted to the last one."""

import math
from typing import NamedTuple

import numpy as np
from numba import njit

from gigaxas.arrays import BoolArray, FloatArray, IntArray
from gigaxas.observed.sketches import least_square, most_square
from gigaxas.observed.survival import (
    FAR,
    UNCOVERED,
    Fates,
    Groups,
    Sites,
    Survival,
    apart_of,
    loss_of,
    nearest_site,
    noise_along,
    reach,
    spread_between,
    squared_distance,
    stray,
    strays_of,
    write_fate,
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
"""z within which a look at one group counts for another, as long as it is in vain."""
STIRRED = 1e-2
"""Share of the pixels of a group astray whose change makes it worth another look."""


class State(NamedTuple):
    """Groups, sites, and what the ones become among the others."""

    groups: Groups
    """All groups."""
    sites: Sites
    """All sites, those among them that only may come."""
    fates: Fates
    """What becomes of the groups among the sites that count."""
    survival: Survival
    """The rule of the clean-up and the noise."""


class Change(NamedTuple):
    """A change of the sites, by their numbers; -1 stands for none."""

    out: tuple[int, int]
    """Sites that no longer count."""
    new: int
    """Site that counts from now on."""


class Order(NamedTuple):
    """All sites, those near a group first, so that others need not be looked at for groups about it."""

    middle: int
    """The group."""
    sites: IntArray
    """(m,) numbers of the sites."""
    near: int
    """How many of them are near."""
    radius: float
    """How far from the group the others are at the least."""


class Neighbourhood(NamedTuple):
    """Sites that may change, and n of the groups that one of them may touch."""

    sites: IntArray
    """(c,) numbers of the sites that count, then of those that may."""
    groups: IntArray
    """(n,) numbers of the groups, the nearest first."""
    weight: FloatArray
    """(n,) how many groups each stands for."""
    order: Order
    """All sites, those that may come before those that count."""
    square: FloatArray
    """(c, n) squared distances, infinite where no pixel strays."""
    stray: FloatArray
    """(c, n) share of the pixels that stray from the group's nearest site."""
    spread: FloatArray
    """(c, m) deviation of the noise between two sites, times their distance; -1 where not worked out."""
    left: FloatArray
    """(n,) pixels that stray whichever of the sites no longer count."""
    known: IntArray
    """(c,) for how many groups a row is worked out; the rest only tells where the site is nearest."""


@njit(nogil=True, cache=True)
def groups_near(state: State, middle: int, radius: float) -> IntArray:
    """Return the groups that sites within a radius of a group may touch, the NEAR nearest first."""
    groups, fates, widest = state.groups, state.fates, state.survival.widest
    count = fates.loss.size
    found, squares, n = np.empty(count, np.int64), np.empty(count), 0
    for g in range(count):
        square = least_square(groups.sketch, g, groups.sketch, middle)
        limit = reach(fates.square[g], groups.variance[g], widest) + radius
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
    """Return the nearest of some groups (n,) and samples of the others, and how many each stands for."""
    sample = np.concatenate((touched[:NEAR], touched[NEAR::EACH]))
    weight = np.ones(sample.size)
    if sample.size > NEAR:
        weight[NEAR:] = (touched.size - NEAR) / (sample.size - NEAR)
    return sample, weight


@njit(nogil=True, cache=True)
def sites_near_first(state: State, group: int, radius: float) -> Order:
    """Return the sites that count: those within a radius of a group, the nearest first, then the others."""
    groups, sites = state.groups, state.sites
    scratch = np.empty((2, groups.spectra.shape[1]))
    square = np.full(sites.counts.size, np.inf)
    for b in range(square.size):
        if sites.counts[b] and least_square(groups.sketch, group, sites.sketch, b) < radius * radius:
            square[b] = squared_distance(groups.spectra, group, sites.spectra, b, scratch)
    near = np.flatnonzero(square < radius * radius)
    far = np.flatnonzero(sites.counts & (square >= radius * radius))
    order = np.concatenate((near[np.argsort(square[near], kind="mergesort")], far))
    return Order(group, order, near.size, radius)


@njit(nogil=True, cache=True)
def strays_from_itself(state: State, group: int, others: IntArray, enough: float) -> float:
    """Return the share of a group's pixels that would stray to other sites (n,) from one at its own place.

    No more of them are looked at when it is `enough`.
    """
    groups, sites, survival = state.groups, state.sites, state.survival
    scratch = np.empty((2, groups.spectra.shape[1]))
    noise, astray = math.sqrt(groups.variance[group]), 0.0
    for b in others:
        if astray >= enough:
            break
        square = squared_distance(groups.spectra, group, sites.spectra, b, scratch)
        astray += stray(0.0, square, math.sqrt(noise_along(scratch, survival.profile)), noise)
    return astray


@njit(nogil=True, cache=True)
def before_others(new: IntArray, order: Order) -> Order:
    """Return an order in which sites near by that may come precede all others."""
    sites = np.concatenate((new, order.sites))
    return Order(order.middle, sites, new.size + order.near, order.radius)


@njit(nogil=True, cache=True)
def members_of(state: State, own: IntArray) -> IntArray:
    """Return the groups that are nearest to one of some sites (n,)."""
    nearest = state.fates.nearest
    found, n = np.empty(nearest.size, np.int64), 0
    for g in range(nearest.size):
        for b in own:
            if nearest[g] == b:
                found[n] = g
                n += 1
    return found[:n].copy()


@njit(nogil=True, cache=True)
def mean_of(state: State, members: IntArray, own: tuple[int, int], more: int) -> FloatArray:
    """Return the mean (E,) of those members (n,) that are nearest to one of two sites, and of a group more.

    -1 stands for no site and no group. Where none is left, it is the spectrum of the first site.
    """
    spectra, nearest = state.groups.spectra, state.fates.nearest
    total, count = np.zeros(spectra.shape[1]), 0
    for g in members:
        if nearest[g] == own[0] or nearest[g] == own[1] or g == more:
            total += spectra[g]
            count += 1
    return total / count if count else state.sites.spectra[own[0]].copy()


@njit(nogil=True, cache=True)
def neighbourhood(
    state: State, changing: IntArray, touched: IntArray, weight: FloatArray, order: Order
) -> Neighbourhood:
    """Return what the sites `changing` (c,), those that count first, mean for the groups `touched` (n,).

    `weight` (n,) is how many groups each stands for.
    """
    groups, sites, fates = state.groups, state.sites, state.fates
    shape = (changing.size, touched.size)
    around = Neighbourhood(
        changing,
        touched,
        weight,
        order,
        np.full(shape, np.inf),
        np.zeros(shape),
        np.full((changing.size, sites.counts.size), -1.0),
        fates.astray[touched],
        np.zeros(changing.size, np.int64),
    )
    scratch = np.empty((2, groups.spectra.shape[1]))
    for row in range(changing.size):
        b = changing[row]
        if sites.counts[b]:
            follow(state, around, row, touched.size, np.inf)
            for n in range(touched.size):
                around.left[n] -= around.stray[row, n]
            continue
        for n in range(touched.size):
            g = touched[n]
            if least_square(groups.sketch, g, sites.sketch, b) < fates.square[g]:
                around.square[row, n] = squared_distance(groups.spectra, g, sites.spectra, b, scratch)
    return around


@njit(nogil=True, cache=True)
def follow(state: State, around: Neighbourhood, row: int, end: int, lost: float) -> None:
    """Work out a row of a neighbourhood up to the group `end`, but for groups of which `lost` are left."""
    groups, sites, fates, survival = state
    b, spread = around.sites[row], around.spread[row]
    scratch = np.empty((2, groups.spectra.shape[1]))
    for n in range(around.known[row], end):
        g = around.groups[n]
        a, own, variance = fates.nearest[g], fates.square[g], groups.variance[g]
        if a == b:
            around.square[row, n] = own
            continue
        if around.left[n] >= lost:
            continue
        least = least_square(groups.sketch, g, sites.sketch, b)
        if least >= reach(own, variance, survival.widest) ** 2:
            continue
        if spread[a] < 0.0:
            spread[a] = spread_between(sites.spectra, a, sites.spectra, b, survival, scratch)
        noise = math.sqrt(variance)
        if least - own < 2.0 * FAR * spread[a] * noise:
            around.square[row, n] = squared_distance(groups.spectra, g, sites.spectra, b, scratch)
            around.stray[row, n] = stray(own, around.square[row, n], spread[a], noise)
    around.known[row] = max(around.known[row], end)


@njit(nogil=True, cache=True)
def _row(around: Neighbourhood, site: int) -> int:
    """Return the row of a site in a neighbourhood, -1 for none."""
    for row in range(around.sites.size):
        if around.sites[row] == site:
            return row
    return -1


@njit(nogil=True, cache=True)
def _moved(change: Change, around: Neighbourhood, fates: Fates) -> BoolArray:
    """Return which groups (n,) of a neighbourhood a change gives another nearest site."""
    nearest, square = fates.nearest[around.groups], fates.square[around.groups]
    moved = (nearest == change.out[0]) | (nearest == change.out[1])
    if change.new >= 0:
        moved |= around.square[_row(around, change.new)] < square
    return moved


@njit(nogil=True, cache=True)
def _relieved(change: Change, around: Neighbourhood, astray: FloatArray) -> FloatArray:
    """Return how many pixels of each group (n,) stray without the sites that a change takes out."""
    for site in change.out:
        if site >= 0:
            astray = np.maximum(astray - around.stray[_row(around, site)], 0.0)
    return astray


@njit(nogil=True, cache=True)
def _switch(change: Change, sites: Sites, made: bool) -> None:
    """Make a change of the sites, or undo it."""
    for site in change.out:
        if site >= 0:
            sites.counts[site] = not made
    if change.new >= 0:
        sites.counts[change.new] = made


@njit(nogil=True, cache=True)
def difference(state: State, around: Neighbourhood, change: Change, most: float) -> float:
    """Return how much more is lost after a change, or infinity as soon as that cannot be less than `most`.

    What can be gained is counted first: by groups that lose a rival, and by those with another nearest site.
    """
    moved = _moved(change, around, state.fates)
    total, astray, loss = _staying(state, around, change, moved)
    apart = state.fates.apart[around.groups[moved]]
    total -= np.sum(around.weight[moved] * (loss[moved] + apart))
    if total >= most:
        return np.inf
    _switch(change, state.sites, True)
    order = around.order
    beside = min(BESIDE, order.near)
    movers = _movers(state, around.groups[moved], around.weight[moved], order)
    total += np.sum(movers.weight * (movers.loss + movers.apart))
    total = _add_strays(state, movers, order.sites[:beside], 0.0, total, most)
    _switch(change, state.sites, False)
    if change.new >= 0:
        total = _add_harm(state, around, change.new, astray, np.where(moved, 1.0, loss), total, most)
    _switch(change, state.sites, True)
    total = _add_strays(state, movers, order.sites[beside : order.near], 0.0, total, most)
    total = _add_strays(state, movers, order.sites[order.near :], order.radius, total, most)
    _switch(change, state.sites, False)
    return total if total < most else np.inf


@njit(nogil=True, cache=True)
def best_change(state: State, around: Neighbourhood, changes: IntArray, most: float) -> int:
    """Return the change after which least is lost, -1 where that is not less than `most`.

    changes (n, 3) are the numbers of the two sites out and of the new one, as in `Change`.
    """
    best = -1
    for k in range(len(changes)):
        change = Change((changes[k, 0], changes[k, 1]), changes[k, 2])
        more = difference(state, around, change, most)
        if more < most:
            most, best = more, k
    return best


@njit(nogil=True, cache=True)
def _staying(
    state: State, around: Neighbourhood, change: Change, moved: BoolArray
) -> tuple[float, FloatArray, FloatArray]:
    """Return what is lost less of groups that stay with their site, by the sites taken out alone.

    Their strays and losses (n,) come with it.
    """
    rule = state.survival.rule
    before, loss = state.fates.astray[around.groups], state.fates.loss[around.groups]
    astray = _relieved(change, around, before)
    total = 0.0
    for n in range(moved.size):
        if not moved[n] and astray[n] < min(before[n], rule.lost) and loss[n] < UNCOVERED:
            after = loss_of(astray[n], rule)
            total += around.weight[n] * (after - loss[n])
            loss[n] = after
    return total, astray, loss


@njit(nogil=True, cache=True)
def _add_harm(
    state: State,
    around: Neighbourhood,
    new: int,
    astray: FloatArray,
    loss: FloatArray,
    total: float,
    most: float,
) -> float:
    """Add to the total what a new site takes from groups that may lose more, until it reaches `most`.

    `astray` and `loss` (n,) are without it.
    """
    row, rule = _row(around, new), state.survival.rule
    start, end = 0, min(FIRST, loss.size)
    while start < end and total < most:
        if around.known[row] < end:
            follow(state, around, row, end, rule.lost)
        for n in range(start, end):
            more = around.stray[row, n]
            if more > 0.0 and loss[n] < 1.0:
                total += around.weight[n] * (loss_of(astray[n] + more, rule) - loss[n])
        start, end = end, min(2 * end, loss.size)
    return total


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
    away: FloatArray
    """(n,) distance from the group that the order of the sites is about, at the most."""
    astray: FloatArray
    """(n,) share of the pixels known to stray; infinite for a group that is not covered."""
    loss: FloatArray
    """(n,) what that makes the loss."""
    apart: FloatArray
    """(n,) what it costs that they are off the site."""


@njit(nogil=True, cache=True)
def _home(
    groups: Groups, g: int, away: float, sites: Sites, order: Order, scratch: FloatArray
) -> tuple[int, float]:
    """Return the nearest site of a group, and its squared distance.

    `away` is how far the group is, at the most, from the one that the order is about.
    """
    nearest, square = nearest_site(groups, g, sites, order.sites[: order.near], scratch)
    if nearest < 0 or math.sqrt(square) + away > order.radius:
        return nearest_site(groups, g, sites, order.sites, scratch)
    return nearest, square


@njit(nogil=True, cache=True)
def _movers(state: State, which: IntArray, weight: FloatArray, order: Order) -> _Movers:
    """Return some groups (n,) with their nearest sites; no strays are known yet."""
    groups, sites = state.groups, state.sites
    count = which.size
    nearest, square, away = np.empty(count, np.int64), np.empty(count), np.empty(count)
    astray, loss, apart = np.zeros(count), np.zeros(count), np.zeros(count)
    scratch = np.empty((2, groups.spectra.shape[1]))
    for k in range(count):
        away[k] = math.sqrt(most_square(groups.sketch, which[k], groups.sketch, order.middle))
        nearest[k], square[k] = _home(groups, which[k], away[k], sites, order, scratch)
        apart[k] = apart_of(groups, which[k], sites, nearest[k], state.survival, scratch)
        if apart[k] == np.inf:
            astray[k], loss[k], apart[k] = np.inf, UNCOVERED, 0.0
    return _Movers(which, weight, nearest, square, away, astray, loss, apart)


@njit(nogil=True, cache=True)
def _add_strays(
    state: State, movers: _Movers, order: IntArray, radius: float, total: float, most: float
) -> float:
    """Add what strays to the sites in `order` to the movers and to the total, until this reaches `most`.

    These are no nearer than the radius to the group that the movers are about.
    """
    groups, sites, survival = state.groups, state.sites, state.survival
    scratch = np.empty((2, groups.spectra.shape[1]))
    for k in range(movers.groups.size):
        if total >= most:
            break
        furthest = reach(movers.square[k], groups.variance[movers.groups[k]], survival.widest)
        if movers.astray[k] < survival.rule.lost and movers.away[k] + furthest > radius:
            own = (movers.nearest[k], movers.square[k])
            enough = survival.rule.lost - movers.astray[k]
            movers.astray[k] += strays_of(
                groups, movers.groups[k], sites, own, order, survival, enough, scratch
            )
            before, movers.loss[k] = movers.loss[k], loss_of(movers.astray[k], survival.rule)
            total += movers.weight[k] * (movers.loss[k] - before)
    return total


@njit(nogil=True, cache=True)
def make(state: State, around: Neighbourhood, change: Change, stirred: BoolArray) -> None:
    """Make a change, write down the fates of the groups that it touches, and mark those that it stirs.

    A neighbourhood of all groups that the change touches is needed, none standing for others.
    """
    _, sites, fates, survival = state
    moved = _moved(change, around, fates)
    before = fates.astray[around.groups]
    astray = _relieved(change, around, before)
    if change.new >= 0:
        row = _row(around, change.new)
        around.known[row] = 0
        follow(state, around, row, moved.size, np.inf)
        astray = astray + around.stray[row]
    _switch(change, sites, True)
    _settle(state, around.groups[moved], around.order)
    for n in range(moved.size):
        g = around.groups[n]
        if not moved[n]:
            fates.astray[g] = astray[n]
            if fates.loss[g] < UNCOVERED:
                fates.loss[g] = loss_of(astray[n], survival.rule)
        stirred[g] |= moved[n] or abs(fates.astray[g] - before[n]) > STIRRED


@njit(nogil=True, cache=True)
def _settle(state: State, which: IntArray, order: Order) -> None:
    """Write down the fates of some groups (n,) whose nearest site has changed."""
    groups, sites, fates, survival = state
    scratch = np.empty((2, groups.spectra.shape[1]))
    for g in which:
        away = math.sqrt(most_square(groups.sketch, g, groups.sketch, order.middle))
        own = _home(groups, g, away, sites, order, scratch)
        near = away + reach(own[1], groups.variance[g], survival.widest) <= order.radius
        rivals = order.sites[: order.near] if near else order.sites
        write_fate(groups, g, sites, own, rivals, survival, fates, scratch)


@njit(nogil=True, cache=True)
def calm(state: State, middle: int, stirred: BoolArray) -> None:
    """Take the mark from the groups within a z of ALIKE of one that was looked at in vain."""
    groups, survival = state.groups, state.survival
    scratch = np.empty((2, groups.spectra.shape[1]))
    for g in range(stirred.size):
        if not stirred[g]:
            continue
        noise = 0.5 * (groups.variance[g] + groups.variance[middle])
        furthest = 2.0 * ALIKE * math.sqrt(survival.widest * noise)
        if least_square(groups.sketch, g, groups.sketch, middle) < furthest * furthest:
            square = squared_distance(groups.spectra, g, groups.spectra, middle, scratch)
            along = math.sqrt(noise_along(scratch, survival.profile) * noise)
            if square <= 2.0 * ALIKE * along:
                stirred[g] = False
