"""From window groups to sites: first choice, strays, survival in the clean-up, sweeps and their bounds."""

from itertools import combinations

import numpy as np
import pytest
from gigaxas.observed.choice import Problem
from gigaxas.observed.selection import KEPT, first_choice, select_sites
from gigaxas.observed.sketches import principal_axes, sketch
from gigaxas.observed.survival import (
    CERTAIN,
    UNCOVERED,
    CleanUpRule,
    Groups,
    Survival,
    allowed_astray,
    keeps_window,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from observed_scenes import ENERGIES, VARIANCE, groups, level, points
from scipy.stats import binom, norm

PROFILE = np.full((1, ENERGIES), 1 / ENERGIES)


def problem(spectra, radius=1.86, profile=PROFILE, variance=VARIANCE):
    axes = principal_axes(spectra)
    rule = CleanUpRule(25, 23, allowed_astray(25, 23, CERTAIN))
    known = Groups(spectra, sketch(spectra, axes), np.broadcast_to(variance, len(spectra)).astype(float))
    return Problem(known, Survival(profile, profile.max(), radius, rule), axes)


def loss_of(spectra, sites, **settings):
    one = problem(spectra, **settings)
    fates = one.fates(one.sites(np.array(sites, float)))
    return fates.nearest, fates.loss


def test_a_window_is_kept_as_the_binomial_says():
    for astray in (0.0, 0.01, 0.05, 0.3, 1.0):
        assert keeps_window(astray, 25, 23) == pytest.approx(binom.cdf(2, 25, astray))
    assert binom.cdf(2, 25, allowed_astray(25, 23, 0.9)) == pytest.approx(0.9)


def test_the_loss_is_what_noisy_pixels_show():
    """Monte Carlo: windows of a group among three sites, assigned pixel by pixel."""
    rng = np.random.default_rng(7)
    sites, group = points(0.0, 3.0, (0.0, 1.5)), points((0.3, 0.1))
    profile = np.array([[2.0, 0.5, *np.ones(ENERGIES - 2)]]) / ENERGIES
    nearest, loss = loss_of(group, sites, radius=9.0, profile=profile)
    noise = np.sqrt(VARIANCE * profile[0])
    pixels = group[0] + noise * rng.normal(size=(3000, 25, ENERGIES))
    square = [((pixels - site) ** 2).sum(axis=-1) for site in sites]
    strays = np.argmin(square, axis=0) != 0
    assert nearest.tolist() == [0]
    assert 0.1 < loss[0] < 0.9
    assert loss[0] == pytest.approx((strays.sum(axis=1) > 2).mean(), abs=0.03)


def test_pixels_astray_to_several_sites_add_up():
    """Four sites at a z of 4 all about: to each of them a pixel strays as often as to one alone."""
    around = [points(0.0)[0], *(4.0 * np.eye(ENERGIES)[:4])]
    for count in range(1, 5):
        _, loss = loss_of(points(0.0), around[: count + 1])
        assert loss[0] == pytest.approx(binom.sf(2, 25, count * norm.sf(4.0)), rel=1e-6)


def test_a_group_beyond_the_radius_of_every_site_is_not_covered():
    sites = points(0.0, 9.0)
    _, loss = loss_of(points(1.85, 1.87, 0.5), sites)
    assert loss[1] == UNCOVERED
    assert loss[0] < 1e-3
    assert loss[2] < 1e-9


def test_half_of_two_equal_sites_is_lost_to_each():
    _, loss = loss_of(points(0.0), points(0.0, 0.0))
    assert loss[0] == pytest.approx(binom.sf(2, 25, 0.5))


def chosen_first(spectra, most):
    """First choice, written from its rule: no more than `most` of any site's pixels stray to the others."""
    sites = []
    for i in range(len(spectra)):
        trial = [*sites, i]
        z = np.linalg.norm(spectra[trial][:, None] - spectra[trial][None], axis=-1)
        astray = norm.sf(z).sum(axis=1) - 0.5
        if astray.max() <= most:
            sites = trial
    return sites


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 12), st.floats(0.5, 3.0), st.integers(0, 2**20))
def test_the_first_choice_follows_its_rule(count, spread, seed):
    rng = np.random.default_rng(seed)
    spectra = spread * rng.normal(size=(count, 3)) @ np.eye(3, ENERGIES)
    assert first_choice(problem(spectra)).tolist() == chosen_first(spectra, allowed_astray(25, 23, KEPT))


CORNERS = 2.1 / np.sqrt(2) * np.eye(5)
ARMS = [0.0 * np.eye(5)[0], *(2.1 * np.eye(5))]


@pytest.mark.parametrize(("places", "chosen"), [(CORNERS, [0, 1, 2]), (ARMS, [0, 1, 2])])
def test_strays_add_up_in_the_first_choice(places, chosen):
    """At a z of 2.1 two neighbours are borne, three are not: whether the newcomer has them or an old site."""
    assert first_choice(problem(points(*places))).tolist() == chosen


def sites_along(places, windows=None, axis=0):
    """The sites selected for groups on a line, by their place on it, and the losses."""
    found = select_sites(groups(points(*places), windows), level())
    return sorted(found.spectra[:, axis].round(3).tolist()), found.loss


@pytest.mark.parametrize(
    ("places", "sites"),
    [
        ((0.0, 1.6), [0.8]),  # each is off the site between them by less than it would lose on its own
        ((0.0, 1.8), [0.0, 1.8]),  # each loses 6 %, less than it costs to share a site
        ((0.0, 1.0, 2.0), [1.0]),  # the ends are covered from the middle
        ((0.0, 2.0, 1.0), [1.0]),  # whichever is the largest
        ((0.0, 1.9, 3.8), [0.0, 1.9, 3.8]),  # half the z of the error is 1.86: three, not one
        ((0.0, 2.5, 5.0), [0.0, 2.5, 5.0]),
        (0.6 * np.arange(7), [1.8]),  # a chain of seven that one site covers
        (2.5 * np.arange(7), list(2.5 * np.arange(7))),  # seven that stand apart
    ],
)
def test_groups_on_a_line_become_these_sites(places, sites):
    found, loss = sites_along(places)
    assert found == pytest.approx(sites)
    assert loss.max() < 0.2


def test_a_chain_of_thirteen_is_covered_by_five():
    """At a z of 1.6 a site covers one neighbour on either side."""
    found, _ = sites_along(1.6 * np.arange(13))
    assert len(found) == 5


def test_a_gradient_becomes_a_chain_as_sparse_as_a_pixel_can_tell():
    """Twenty groups over a z of 20: a site covers 1.86 either way, six or more; the first choice has nine."""
    rng = np.random.default_rng(0)
    places = rng.permutation(np.linspace(0, 20, 20))
    found, _ = sites_along(places)
    assert len(found) == 7
    assert np.abs(places[:, None] - np.array(found)).min(axis=1).max() <= 1.86


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 9), st.floats(0.5, 2.5), st.sampled_from([1e-4, 1e-2]), st.integers(0, 2**20))
def test_what_is_selected_keeps_its_promises(count, spread, error, seed):
    rng = np.random.default_rng(seed)
    spectra = spread * rng.normal(size=(count, 3)) @ np.eye(3, ENERGIES)
    windows = rng.integers(1, 9, count)
    found = select_sites(groups(spectra, windows), level(error=error))
    sites = found.spectra
    distance = np.linalg.norm(spectra[:, None] - sites[None], axis=-1)
    assert np.array_equal(found.site, distance.argmin(axis=1))
    assert distance.min(axis=1).max() <= 0.5 * norm.isf(error) + 1e-9
    served = np.bincount(found.site, weights=windows, minlength=len(sites))
    assert np.all(np.diff(served) <= 0)
    assert np.all(served > 0)
    _, loss = loss_of(spectra, sites, radius=0.5 * norm.isf(error))
    np.testing.assert_allclose(found.loss, loss, atol=1e-12)


def cost_of(spectra, sites):
    """What is lost, and what it costs that sites are shared, written from the rule: 0.5 at a z of 1.86."""
    _, loss = loss_of(spectra, sites)
    z = np.linalg.norm(spectra[:, None] - np.array(sites)[None], axis=-1).min(axis=1)
    return loss.sum() + np.sum(np.where(z <= 1.86, 0.5 * np.maximum(z - 0.5, 0) / (1.86 - 0.5), 0.0))


def least_cost(spectra):
    """The least cost that any sites among the groups themselves leave."""
    rows = np.arange(len(spectra))
    return min(
        cost_of(spectra, spectra[list(sites)])
        for count in range(1, len(spectra) + 1)
        for sites in combinations(rows, count)
    )


def test_sweeps_cost_no_more_than_the_best_subsets_do_altogether():
    """Forty small problems against brute force; single ones may be worse, as sites may be means of groups."""
    rng = np.random.default_rng(11)
    scenes = [1.6 * rng.normal(size=(6, 2)) @ np.eye(2, ENERGIES) for _ in range(40)]
    ours = [cost_of(spectra, select_sites(groups(spectra), level()).spectra) for spectra in scenes]
    assert np.sum(ours) <= np.sum([least_cost(spectra) for spectra in scenes])


def test_no_group_is_left_that_a_site_of_its_own_would_save():
    """Sweeps end where one site more, at any group that is lost, costs more elsewhere than it gains."""
    rng = np.random.default_rng(0)
    for _ in range(60):
        spectra = rng.uniform(2, 4) * rng.normal(size=(16, 2)) @ np.eye(2, ENERGIES)
        found = select_sites(groups(spectra), level())
        least = cost_of(spectra, found.spectra) - 0.02
        for group in np.flatnonzero(found.loss > 0.02):
            assert cost_of(spectra, [*found.spectra, spectra[group]]) >= least


def test_a_group_out_of_reach_gets_a_site_whatever_its_neighbours_lose():
    """Twenty groups, so near each other that the last one's site costs more of them than it saves."""
    hundredths = "-122 81 164 -83 124 -166 -61 267 2 -142 108 60 129 -51 -2 -119 43 -6 72 -134"
    places = np.array([int(place) for place in hundredths.split()]) / 100
    found, _ = sites_along(places)
    assert np.abs(places[:, None] - np.array(found)).min(axis=1).max() <= 1.86


def test_the_commonest_site_comes_first():
    found = select_sites(groups(points(0.0, 9.0, 9.5), [40, 30, 30]), level())
    assert found.site.tolist() == [1, 0, 0]
    assert found.spectra[:, 0].round(3).tolist() == pytest.approx([9.0, 0.0])


def test_losses_know_the_noise_of_each_group():
    """The same place among the same sites with four times the noise variance: half the margin."""
    sites = points(0.0, 4.0)
    _, loss = loss_of(points(0.0, 0.0), sites, radius=9.0, variance=[VARIANCE, 4 * VARIANCE])
    assert loss == pytest.approx([binom.sf(2, 25, norm.sf(4.0)), binom.sf(2, 25, norm.sf(2.0))], rel=1e-6)
