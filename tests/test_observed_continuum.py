"""Continua of compositions: links between sites, dimensions, ends, one class of the map."""

from itertools import combinations

import numpy as np
import pytest
from gigaxas.observed import Continuum, class_map, classes_of
from gigaxas.observed.continuum import corners, find_continua, linked_sites, steady_pixels
from gigaxas.observed.selection import Selection
from gigaxas.observed.survival import UNCOVERED, keeps_window
from hypothesis import given, settings
from hypothesis import strategies as st
from observed_scenes import ENERGIES, groups, level

BASE = 100.0 * np.eye(ENERGIES)[-1]
"""What all compositions share, so that they lie in one direction from the origin, as spectra do."""


def alone(spectra, loss):
    """Every group as a site of its own, with these losses (k,)."""
    return Selection(np.asarray(spectra, float), np.arange(len(spectra)), np.broadcast_to(loss, len(spectra)))


LOST = 0.995
"""Loss of the windows of a group of which 0.68 of the pixels get its site."""


def nearest(spectra, count):
    """The first groups as sites, each losing as many of its windows as the others do."""
    away = np.linalg.norm(spectra[:, None] - spectra[None, :count], axis=-1)
    return Selection(spectra[:count], away.argmin(axis=1), np.full(len(spectra), LOST))


def found(spectra, loss=LOST, windows=None):
    windows = np.full(len(spectra), 2000) if windows is None else windows
    return find_continua(groups(spectra, windows), alone(spectra, loss), level())


def mixed(ends, count, seed=0):
    """The ends (n, ENERGIES), then random mixtures of them."""
    weights = np.random.default_rng(seed).dirichlet(np.full(len(ends), 0.7), count)
    return np.concatenate([ends, weights @ ends])


def ends_at(distance, count):
    """So many compositions, each this z from the base along an axis of its own."""
    return BASE + distance * np.eye(ENERGIES)[:count]


@settings(deadline=None, max_examples=60)
@given(st.integers(2, 9), st.integers(1, 20), st.integers(0, 2**20))
def test_lost_groups_link_the_two_sites_next_to_them(sites, count, seed):
    rng = np.random.default_rng(seed)
    places, spectra = rng.normal(size=(sites, 3)), rng.normal(size=(count, 3))
    loss = rng.choice([0.0, 0.05, 0.15, 1.0, UNCOVERED], count)
    distance = np.linalg.norm(spectra[:, None] - places[None], axis=-1)
    order = np.argsort(distance, axis=1)
    sets = [{site} for site in range(sites)]
    for group in np.flatnonzero(loss > 0.1):
        one, other = (next(s for s in sets if site in s) for site in order[group, :2])
        if one is not other:
            sets.remove(other)
            one |= other
    wanted = sorted(sorted(s) for s in sets if len(s) > 1)
    chosen = Selection(places, order[:, 0], loss)
    assert [one.tolist() for one in linked_sites(groups(spectra), chosen)] == wanted


def test_pixels_that_stray_follow_from_the_loss_of_windows():
    astray = np.array([0.001, 0.05, 0.3, 0.6])
    loss = np.array([1.0 - keeps_window(p, 25, 23) for p in astray])
    assert steady_pixels(loss, level()) == pytest.approx(1.0 - astray, rel=1e-6)
    assert steady_pixels(np.array([0.0, 1.0, UNCOVERED]), level()).tolist() == [1.0, 0.0, 0.0]


@pytest.mark.parametrize("dimension", [1, 2, 3, 5])
def test_a_continuum_has_the_dimensions_and_the_ends_of_what_is_mixed(dimension):
    spectra = mixed(ends_at(20.0, dimension + 1), 600)
    shuffled = np.random.default_rng(dimension).permutation(40)
    spectra[:40] = spectra[shuffled]
    (one,) = find_continua(groups(spectra, np.full(len(spectra), 2000)), nearest(spectra, 40), level())
    assert one.dimension == dimension
    assert sorted(shuffled[list(one.ends)]) == list(range(dimension + 1))
    assert one.sites.tolist() == list(range(40))
    assert one.share == 1.0


def test_standardised_mixtures_have_no_dimension_of_their_own():
    """Spectra of one length lie on a sphere, whose curvature is no direction of compositions."""
    spectra = mixed(ends_at(80.0, 3), 600)
    spectra *= 100.0 / np.linalg.norm(spectra, axis=1)[:, None]
    (one,) = find_continua(groups(spectra, np.full(603, 2000)), nearest(spectra, 40), level())
    assert one.dimension == 2
    assert one.ends == (0, 1, 2)


@pytest.mark.parametrize(("spread", "dimension"), [(0.9, 1), (1.2, 2)])
def test_an_axis_counts_from_the_noise_of_a_pixel_on(spread, dimension):
    """A pixel's noise is 1/2 at each energy; that of means of so many windows hardly adds to it."""
    along = 40 * (np.arange(24) / 23) ** 1.2
    across = 0.5 * spread * np.where(np.arange(24) % 2, 1.0, -1.0)
    spectra = BASE + np.outer(along, np.eye(ENERGIES)[0]) + np.outer(across, np.eye(ENERGIES)[1])
    (one,) = found(spectra)
    assert one.dimension == dimension


def test_the_noise_of_means_is_no_dimension():
    """Means that have as much noise as a pixel along every axis, as neighbours share all of it."""
    rng = np.random.default_rng(0)
    shared = level(space=np.ones((9, 9)))
    assert shared.spread == pytest.approx(25.0)
    along = np.linspace(-60, 60, 4000)
    spectra = BASE + np.outer(along, np.eye(ENERGIES)[0]) + 0.55 * rng.normal(size=(4000, ENERGIES))
    sites = BASE + np.outer(along[50::100], np.eye(ENERGIES)[0])
    chosen = Selection(sites, np.arange(4000) // 100, np.where(np.arange(4000) % 10, 1.0, 0.0))
    (one,) = find_continua(groups(spectra, np.full(4000, 1)), chosen, shared)
    assert one.dimension == 1


def test_ends_must_be_likely_to_keep_pixels():
    """The outermost composition has 900 windows, of which 4.5 live: the next one is an end."""
    spectra = BASE + np.outer(np.arange(12.0) * 3, np.eye(ENERGIES)[0])
    windows = np.full(12, 1000)
    windows[11] = 900
    (one,) = found(spectra, windows=windows)
    assert one.ends == (0, 10)
    assert 11 in one.sites


def between(count, steady):
    """A line of sites whose ends lose 0.9 of their windows, the others as many as make this share steady."""
    loss = np.full(count, 1.0 - keeps_window(1.0 - steady, 25, 23))
    loss[[0, -1]] = 0.9
    return loss


@pytest.mark.parametrize(
    ("count", "steady", "continua"), [(8, 0.5, 1), (7, 0.5, 0), (12, 0.72, 1), (12, 0.74, 0), (12, 0.9, 0)]
)
def test_few_sites_or_steady_ones_are_no_continuum(count, steady, continua):
    spectra = BASE + np.outer(np.arange(count) * 3.0, np.eye(ENERGIES)[0])
    assert len(found(spectra, between(count, steady))) == continua


def test_ends_that_keep_their_pixels_do_not_hide_a_continuum():
    """Nine tenths of the windows are of two pure phases; what lies between is lost."""
    spectra = BASE + np.outer(np.arange(12) * 3.0, np.eye(ENERGIES)[0])
    loss, windows = np.full(12, LOST), np.full(12, 2000)
    loss[[0, -1]], windows[[0, -1]] = 0.2, 90_000
    (one,) = found(spectra, loss, windows)
    assert one.ends == (0, 11)


def test_two_continua_are_told_apart_and_what_lies_far_stays():
    one = BASE + np.outer(np.arange(10) * 3.0, np.eye(ENERGIES)[0])
    other = one + 500 * np.eye(ENERGIES)[3]
    spectra = np.concatenate([one, other, [BASE + 900 * np.eye(ENERGIES)[5]]])
    loss = np.full(21, LOST)
    loss[-1] = 0.0
    first, second = found(spectra, loss)
    assert (first.ends, second.ends) == ((0, 9), (10, 19))
    assert first.share == pytest.approx(10 / 21)
    classes = classes_of((first, second), 21)
    assert classes.tolist() == [1, *[2] * 8, 10, 11, *[12] * 8, 20, 21]


def test_one_site_stands_for_the_others_in_the_map():
    continuum = Continuum(np.array([1, 3, 4, 6]), (1, 6), 0.5)
    classes = classes_of((continuum,), 7)
    assert classes.tolist() == [1, 2, 3, 4, 4, 6, 7]
    labels = np.array([[0, 1, 2], [5, 4, 7]], np.uint16)
    assert class_map(labels, classes).tolist() == [[0, 1, 2], [4, 4, 7]]
    assert class_map(labels, classes).dtype == np.uint16


def volume(places):
    return abs(np.linalg.det(np.column_stack([places, np.ones(len(places))])))


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 4), st.integers(1, 12), st.integers(0, 2**20))
def test_no_exchange_of_a_corner_makes_the_simplex_larger(dimension, more, seed):
    places = np.random.default_rng(seed).normal(size=(dimension + more, dimension))
    chosen = corners(places)
    assert len(set(chosen.tolist())) == dimension + 1
    for corner in range(dimension + 1):
        for place in range(len(places)):
            trial = chosen.copy()
            trial[corner] = place
            assert volume(places[trial]) <= volume(places[chosen]) * (1 + 1e-8)


def test_exchanges_find_the_largest_triangle_that_a_first_choice_misses():
    """Forty fields of nine places: by successive projection alone, some triangles stay smaller."""
    rng = np.random.default_rng(0)
    shares = []
    for _ in range(40):
        places = rng.normal(size=(9, 2))
        largest = max(volume(places[list(three)]) for three in combinations(range(9), 3))
        shares.append(volume(places[corners(places)]) / largest)
    assert min(shares) > 0.9
    assert np.mean(shares) > 0.99
