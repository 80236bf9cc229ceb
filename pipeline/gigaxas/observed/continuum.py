"""Continua: sites between which compositions vary without a gap, so that they delete each other's pixels."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numba import njit
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.special import bdtri
from threadpoolctl import threadpool_limits

from gigaxas.arrays import FloatArray, IntArray, LabelArray
from gigaxas.observed.noise_level import NoiseLevel
from gigaxas.observed.selection import Selection
from gigaxas.observed.window_groups import WindowGroups, own_pixels

LOST = 0.1
"""Loss of a group from which on it links the two sites nearest to it."""
LEAST_KEPT = 0.73
"""Share of the pixels between the ends that get the site of their group, below which it is a continuum."""
FEWEST_SITES = 8
"""Linked sites from which on they are one."""
SPREAD = 1.0
"""Standard deviation of compositions along an axis, in that of a pixel's noise, from which on it counts."""
LEAST_ALONG = 0.5
"""The least length of a spectrum along the mean one, in that one's, by which it is scaled."""
FEWEST_KEPT = 5.0
"""Windows of a site that must be likely to outlive the clean-up for it to be an end."""
SLACK = 1e-9
"""Part of its volume by which a simplex must grow for an end to be replaced."""


@dataclass(frozen=True)
class Continuum:
    """Sites between which compositions vary without a gap; numbers of sites count from 0."""

    sites: IntArray
    """(n,) its sites, rising: the commonest first."""
    ends: tuple[int, ...]
    """Those of its sites that the others lie between, one more than there are dimensions, rising."""
    share: float
    """Share of all uniform windows that are nearest to one of its sites."""

    @property
    def dimension(self) -> int:
        """Directions along which its compositions vary by more than the noise of a pixel."""
        return len(self.ends) - 1

    @property
    def inner(self) -> IntArray:
        """Its sites but for the ends, rising."""
        return np.setdiff1d(self.sites, self.ends)

    @property
    def site(self) -> int:
        """The site that stands for all but the ends: the commonest of them."""
        return int(self.inner[0])


class _Compositions:
    """Compositions of a continuum on the axes along which they vary, in standard deviations of a pixel.

    Standardised spectra of mixtures lie on a sphere; scaled to the plane that touches it at their mean, they
    lie between those of what is mixed.
    """

    def __init__(self, groups: WindowGroups, level: NoiseLevel) -> None:
        weights = groups.windows / groups.windows.sum()
        self.mean = weights @ groups.spectra
        away = self._on_plane(groups.spectra) - self.mean
        noise = float(weights @ groups.variance) * level.profile
        pixels = own_pixels(groups.windows, level)
        left = weights @ np.minimum(level.spread / level.k_size**2, level.wide_spread / pixels)
        self.middle = weights @ away
        away = away - self.middle
        covariance = (away.T * weights) @ away - float(left) * np.diag(noise)
        values, vectors = np.linalg.eigh(covariance)
        values, vectors = values[::-1], vectors[:, ::-1]
        wide = values > SPREAD**2 * (noise @ vectors**2)
        self.axes = vectors[:, : int(np.argmin([*wide, False]))]
        self.root = np.linalg.cholesky((self.axes.T * noise) @ self.axes)

    def places(self, spectra: FloatArray) -> FloatArray:
        """Return where spectra (n, E) lie on the d axes (n, d)."""
        away = self._on_plane(spectra) - self.mean - self.middle
        return np.asarray(np.linalg.solve(self.root, self.axes.T @ away.T).T)

    def _on_plane(self, spectra: FloatArray) -> FloatArray:
        along = spectra @ self.mean / (self.mean @ self.mean)
        return np.asarray(spectra / np.maximum(along, LEAST_ALONG)[:, None])


def find_continua(groups: WindowGroups, chosen: Selection, level: NoiseLevel) -> tuple[Continuum, ...]:
    """Return the continua among sites chosen for window groups, in the order of their commonest sites.

    A group that is likely to be lost links the two sites next to it. Linked sites are a continuum where too
    many pixels of those between the ends stray to other sites. Its dimensions are the principal axes along
    which its groups, freed of the noise of their means, spread by more than the noise of a pixel. Its ends
    are those sites, likely to keep pixels of their own, that span the largest simplex on these axes.
    """
    with threadpool_limits(limits=1):  # sums that are shared out to threads differ in their last digits
        return tuple(_find(groups, chosen, level))


def classes_of(continua: Sequence[Continuum], count: int) -> IntArray:
    """Return for each of so many sites (m,) the number, from 1, of the site that stands for it in the map."""
    classes = np.arange(1, count + 1)
    for one in continua:
        classes[one.inner] = one.site + 1
    return classes


def class_map(labels: LabelArray, classes: IntArray) -> LabelArray:
    """Return a map of sites (any shape, 0 void) in which each has the number that stands for it (m,)."""
    lookup = np.zeros(len(classes) + 1, labels.dtype)
    lookup[1:] = classes
    return np.asarray(lookup[labels])


def _find(groups: WindowGroups, chosen: Selection, level: NoiseLevel) -> Iterator[Continuum]:
    windows, count = groups.windows, len(chosen.spectra)
    kept = windows * (1.0 - np.minimum(chosen.loss, 1.0))
    steady = windows * steady_pixels(chosen.loss, level)
    likely = np.bincount(chosen.site, weights=kept, minlength=count) >= FEWEST_KEPT
    for sites in linked_sites(groups, chosen):
        if len(sites) < FEWEST_SITES:
            continue
        own = np.isin(chosen.site, sites)
        able = sites[likely[sites]]
        places = _Compositions(groups.rows(np.flatnonzero(own)), level).places(chosen.spectra[able])
        if not _span(places):
            continue
        ends = np.sort(able[corners(places)])
        between = own & ~np.isin(chosen.site, ends)
        if steady[between].sum() < LEAST_KEPT * windows[between].sum():
            share = float(windows[own].sum() / windows.sum())
            yield Continuum(sites, tuple(ends.tolist()), share)


def steady_pixels(loss: FloatArray, level: NoiseLevel) -> FloatArray:
    """Return the share (k,) of its pixels that get the site of a group, by the loss of its windows (k,)."""
    pixels = level.k_size**2
    astray = bdtri(pixels - level.p_num, pixels, 1.0 - np.clip(loss, 0.0, 1.0))
    return np.asarray(np.where(loss > 0.0, 1.0 - astray, 1.0))


def _span(places: FloatArray) -> bool:
    """Return whether places (n, d) lie along all their axes, one at least."""
    if not 0 < places.shape[1] < len(places):
        return False
    return bool(np.linalg.matrix_rank(places[1:] - places[0]) == places.shape[1])


def linked_sites(groups: WindowGroups, chosen: Selection) -> list[IntArray]:
    """Return the sets of sites that lost groups link, two or more each, by their lowest numbers."""
    lost = np.flatnonzero(chosen.loss > LOST)
    count = len(chosen.spectra)
    if count < 2 or not lost.size:
        return []
    second = np.empty(lost.size, np.int64)
    _second_nearest(groups.spectra[lost], np.ascontiguousarray(chosen.spectra), chosen.site[lost], second)
    links = coo_array((np.ones(lost.size), (chosen.site[lost], second)), shape=(count, count))
    _, number = connected_components(links, directed=False)
    sets = [np.flatnonzero(number == one) for one in np.unique(number)]
    return sorted((one for one in sets if len(one) > 1), key=lambda one: int(one[0]))


@njit(nogil=True, cache=True)
def _second_nearest(spectra: FloatArray, sites: FloatArray, nearest: IntArray, second: IntArray) -> None:
    """Fill in the site (n,) that is nearest to each of n spectra but for the nearest one."""
    for i in range(spectra.shape[0]):
        least = np.inf
        for k in range(sites.shape[0]):
            square = 0.0
            if k == nearest[i]:
                continue
            for e in range(sites.shape[1]):
                square += (spectra[i, e] - sites[k, e]) ** 2
            if square < least:
                least, second[i] = square, k


def corners(places: FloatArray) -> IntArray:
    """Return d + 1 of n > d places (n, d) whose simplex no exchange of one corner makes larger.

    The first corner is the place farthest from the origin, each further one farthest from those before it
    (successive projection); then corners are exchanged as long as the volume grows. The lowest number wins
    among equals.
    """
    found = [int(np.argmax(np.sum(places**2, axis=1)))]
    away = places - places[found[0]]
    for _ in range(places.shape[1]):
        found.append(int(np.argmax(np.sum(away**2, axis=1))))
        axis = away[found[-1]] / np.linalg.norm(away[found[-1]])
        away = away - (away @ axis)[:, None] * axis
    every = np.column_stack([places, np.ones(len(places))])
    while True:
        # an exchange multiplies the volume by the place's share of the corner
        shares = np.abs(np.linalg.solve(every[found].T, every.T))
        corner, place = np.unravel_index(int(np.argmax(shares)), shares.shape)
        if shares[corner, place] <= 1.0 + SLACK:
            return np.array(found)
        found[int(corner)] = int(place)
