"""Whether a uniform area outlives the clean-up, given the sites that its pixels are assigned to.

A pixel of a window group is the group's mean plus noise. It goes astray to site b instead of the nearest
site a with the probability Phi(-margin), margin = (|g - b|^2 - |g - a|^2) / (2 sd of the noise along a - b):
the z of two sites ([I] Eq. 5) where g is one of them. From a margin of FAR on no pixel does. A K x K window
outlives the clean-up when at most K^2 - P of its pixels go astray.
"""

import math
from typing import NamedTuple

import numpy as np
from numba import njit

from gigaxas.arrays import BoolArray, FloatArray, IntArray
from gigaxas.observed.sketches import least_square, most_square
from gigaxas.simd import lane_dot

ALIKE_Z, MOST_APART = 0.5, 0.5
"""z up to which a group may be off its site for nothing, and what it costs at the most: a site between two
compositions keeps the windows of both, and tells neither from the other."""
UNCOVERED = 4.0
"""Loss of a group too far from every site: more than the neighbours may lose by a site of its own."""
FAR = 4.25
"""Margin from which on no pixel strays: one in a hundred thousand would."""
CERTAIN = 1e-6
"""Probability of outliving below which a window is certain to be deleted."""


class Groups(NamedTuple):
    """Window groups as far as their survival is concerned; E is padded to whole vectors."""

    spectra: FloatArray
    """(k, E) mean standardised spectra."""
    sketch: FloatArray
    """(k, n) their sketches."""
    variance: FloatArray
    """(k,) noise variance of a pixel, summed over the energies."""


class Sites(NamedTuple):
    """Sites, of which only some count."""

    spectra: FloatArray
    """(m, E) standardised spectra, padded like those of the groups."""
    sketch: FloatArray
    """(m, n) their sketches."""
    counts: BoolArray
    """(m,) False for a site that was taken out."""

    def first(self, count: int) -> "Sites":
        """Return the first of them."""
        return Sites(self.spectra[:count], self.sketch[:count], self.counts[:count])


class Fates(NamedTuple):
    """What becomes of k groups among the sites."""

    nearest: IntArray
    """(k,) the nearest site."""
    square: FloatArray
    """(k,) squared distance from it."""
    astray: FloatArray
    """(k,) share of the pixels that stray, added up over the other sites."""
    loss: FloatArray
    """(k,) probability that a window is deleted; UNCOVERED where no site is within the radius."""
    apart: FloatArray
    """(k,) what it costs that the site is another composition's too, see `apart_of`."""

    @property
    def cost(self) -> FloatArray:
        """(k,) both."""
        return self.loss + self.apart


class CleanUpRule(NamedTuple):
    """When the clean-up keeps a window."""

    pixels: int
    """Pixels of a window."""
    needed: int
    """Pixels of one label that it wants in a window."""
    lost: float
    """Share of the pixels astray from which on a window is certain to be deleted."""


class Survival(NamedTuple):
    """What decides whether a window of a group lives."""

    profile: FloatArray
    """(1, E) noise variance at each energy as a share of the whole; E is padded to whole vectors."""
    widest: float
    """Largest share of the noise variance that any direction has."""
    radius: float
    """z beyond which a site does not cover a group."""
    rule: CleanUpRule
    """What the clean-up wants."""


@njit(nogil=True, cache=True)
def squared_distance(left: FloatArray, i: int, right: FloatArray, j: int, scratch: FloatArray) -> float:
    """Return |left[i] - right[j]|^2 and leave the difference in scratch[0] (2, E)."""
    for e in range(scratch.shape[1]):
        scratch[0, e] = left[i, e] - right[j, e]
    return lane_dot(scratch, 0, scratch, 0)


@njit(nogil=True, cache=True)
def noise_along(scratch: FloatArray, profile: FloatArray) -> float:
    """Return the noise variance along the difference scratch[0] (2, E), times its square, as a share."""
    for e in range(scratch.shape[1]):
        scratch[1, e] = scratch[0, e] * profile[0, e]
    return lane_dot(scratch, 0, scratch, 1)


@njit(nogil=True, cache=True)
def spread_between(
    left: FloatArray, i: int, right: FloatArray, j: int, survival: Survival, scratch: FloatArray
) -> float:
    """Return the deviation of the noise along left[i] - right[j], times its length, as a share."""
    squared_distance(left, i, right, j, scratch)
    return math.sqrt(noise_along(scratch, survival.profile))


@njit(nogil=True, cache=True)
def stray(own: float, other: float, spread: float, noise: float) -> float:
    """Return the share of pixels that stray to a site at the squared distance `other`.

    `own` is that from the nearest site, `spread` between the sites, `noise` the deviation of a pixel.
    """
    gap = 2.0 * spread * noise
    margin = (other - own) / gap if gap > 0.0 else 0.0
    return 0.5 * math.erfc(margin / math.sqrt(2.0)) if margin < FAR else 0.0


@njit(nogil=True, cache=True)
def reach(own: float, variance: float, widest: float) -> float:
    """Return the distance of a site from which on no pixel of a group strays to it.

    `own` is the squared distance from the nearest site, `widest` as in `Survival`. Two sites are no further
    apart than both are from the group together, so that the margin is at least (|g - b| - |g - a|) / 2 over
    the noise's largest deviation.
    """
    return math.sqrt(own) + 2.0 * FAR * math.sqrt(widest * variance)


@njit(nogil=True, cache=True)
def keeps_window(astray: float, pixels: int, needed: int) -> float:
    """Return the probability that at least `needed` of a window's pixels get its label; each strays alone."""
    p = min(astray, 1.0)
    total, ways = 0.0, 1.0
    for lost in range(pixels - needed + 1):
        total += ways * p**lost * (1.0 - p) ** (pixels - lost)
        ways *= (pixels - lost) / (lost + 1.0)
    return total


def allowed_astray(pixels: int, needed: int, kept: float) -> float:
    """Return how many of a window's pixels may stray, as a probability, for it to outlive with `kept`."""
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if keeps_window(middle, pixels, needed) >= kept else (low, middle)
    return low


@njit(nogil=True, cache=True)
def loss_of(astray: float, rule: CleanUpRule) -> float:
    """Return the probability that a window is deleted of whose pixels this share strays."""
    if astray >= rule.lost:
        return 1.0
    return 1.0 - keeps_window(astray, rule.pixels, rule.needed)


@njit(nogil=True, cache=True)
def nearest_site(
    groups: Groups, g: int, sites: Sites, order: IntArray, scratch: FloatArray
) -> tuple[int, float]:
    """Return the nearest of the sites in `order` (n,) that count, and its squared distance."""
    nearest, best = -1, np.inf
    for b in order:
        if sites.counts[b] and least_square(groups.sketch, g, sites.sketch, b) < best:
            square = squared_distance(groups.spectra, g, sites.spectra, b, scratch)
            if square < best:
                nearest, best = b, square
    return nearest, best


@njit(nogil=True, cache=True)
def apart_of(groups: Groups, g: int, sites: Sites, a: int, survival: Survival, scratch: FloatArray) -> float:
    """Return what it costs that a group is off its site, which two compositions may share then.

    None up to a z of ALIKE_Z, MOST_APART at the radius; infinity beyond it, where the site does not cover it.
    """
    square = squared_distance(groups.spectra, g, sites.spectra, a, scratch)
    noise = math.sqrt(noise_along(scratch, survival.profile) * groups.variance[g])
    if square > 2.0 * survival.radius * noise:
        return np.inf
    z = 0.5 * square / noise if noise > 0.0 else 0.0
    return MOST_APART * max(z - ALIKE_Z, 0.0) / (survival.radius - ALIKE_Z)


@njit(nogil=True, cache=True)
def strays_of(
    groups: Groups,
    g: int,
    sites: Sites,
    own: tuple[int, float],
    order: IntArray,
    survival: Survival,
    enough: float,
    scratch: FloatArray,
) -> float:
    """Return the share of a group's pixels that stray from its own site to those in `order` (n,) that count.

    `own` is the site's number and its squared distance. No more sites are looked at when it is `enough`.
    """
    a, square = own
    noise = math.sqrt(groups.variance[g])
    limit = reach(square, groups.variance[g], survival.widest) ** 2
    widest = 2.0 * FAR * noise * math.sqrt(survival.widest)
    astray = 0.0
    for b in order:
        if astray >= enough:
            break
        if b == a or not sites.counts[b]:
            continue
        least = least_square(groups.sketch, g, sites.sketch, b)
        if least >= limit:
            continue
        if least - square >= widest * math.sqrt(most_square(sites.sketch, a, sites.sketch, b)):
            continue
        other = squared_distance(groups.spectra, g, sites.spectra, b, scratch)
        spread = spread_between(sites.spectra, a, sites.spectra, b, survival, scratch)
        astray += stray(square, other, spread, noise)
    return astray


@njit(nogil=True, cache=True)
def settle(
    groups: Groups, which: IntArray, sites: Sites, order: IntArray, survival: Survival, fates: Fates
) -> None:
    """Fill in the fates of some groups (n,) among the sites in `order` (m,) that count."""
    scratch = np.empty((2, groups.spectra.shape[1]))
    for g in which:
        own = nearest_site(groups, g, sites, order, scratch)
        write_fate(groups, g, sites, own, order, survival, fates, scratch)


@njit(nogil=True, cache=True)
def write_fate(
    groups: Groups,
    g: int,
    sites: Sites,
    own: tuple[int, float],
    order: IntArray,
    survival: Survival,
    fates: Fates,
    scratch: FloatArray,
) -> None:
    """Fill in the fate of a group whose nearest site and its squared distance are known."""
    astray = strays_of(groups, g, sites, own, order, survival, np.inf, scratch)
    apart = apart_of(groups, g, sites, own[0], survival, scratch)
    fates.nearest[g], fates.square[g] = own
    fates.astray[g] = astray
    fates.apart[g] = apart if apart < np.inf else 0.0
    fates.loss[g] = loss_of(astray, survival.rule) if apart < np.inf else UNCOVERED
