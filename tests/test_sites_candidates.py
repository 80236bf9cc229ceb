"""Mixtures and growth: every acceptance as one comparison at a time would have it."""

import numpy as np
import pytest
import site_oracle
from gigaxas.errors import InputError
from gigaxas.sites import cross_distance, grow_candidates, mix_pairs, site_distance, site_error
from gigaxas.sites.candidates import draw_mixture, grow, mix
from gigaxas.sites.spacing import SpacingFilter
from gigaxas.spectra.noise import NoiseModel
from hypothesis import given, settings
from hypothesis import strategies as st
from site_oracle import EDGES

NOISE = NoiseModel(c_ref=2.7e4, mu_low=0.36, mu_high=1.56)
CONDITIONS = (2.7e4, 0.36, 1.56)
Z_ACCEPT = 2.3263478740408408


def test_sixty_one_standards_make_1891_pairs():
    standards = np.random.default_rng(0).random((61, 9))
    pairs = mix_pairs(standards)
    assert pairs.shape == (1891, 9)
    expected = [(standards[k] + standards[m]) / 2 for k in range(61) for m in range(k, 61)]
    np.testing.assert_array_equal(pairs, expected)
    assert all((pairs == row).all(axis=1).any() for row in standards)


@settings(deadline=None, max_examples=8)
@given(st.integers(0, 1000), st.sampled_from(["standards", "candidates"]), st.integers(2, 4))
def test_growth_equals_one_trial_at_a_time(seed, draw, components):
    grown = grow_candidates(EDGES, EDGES, NOISE, trials=25, draw=draw, seed=seed, components=components)
    expected = site_oracle.grow(EDGES, EDGES, CONDITIONS, 25, Z_ACCEPT, draw, seed, components)
    np.testing.assert_array_equal(grown, expected)


@pytest.mark.parametrize("draw", ["standards", "candidates"])
def test_growth_over_several_blocks_keeps_its_distance(draw):
    start = mix_pairs(EDGES)
    fine = NoiseModel(c_ref=2.7e6, mu_low=0.36, mu_high=1.56)
    grown = grow_candidates(start, EDGES, fine, trials=400, draw=draw, seed=5)
    assert grown.shape[0] > start.shape[0] + 150
    np.testing.assert_array_equal(grown[: len(start)], start)
    z = site_distance(grown, fine)
    np.fill_diagonal(z, np.inf)
    assert z[len(start) :].min() > Z_ACCEPT


@pytest.mark.parametrize("criterion", ["z", "error"])
@pytest.mark.parametrize("c_ref", [2.7e4, 1e6])
def test_growth_equals_one_with_every_distance_known(c_ref, criterion):
    noise = NoiseModel(c_ref, 0.36, 1.56)
    generator = np.random.default_rng(8)
    trials = [mix(EDGES, *draw_mixture(generator, 6, 3, replace=False)) for _ in range(600)]
    everyone = np.concatenate([EDGES, trials])
    measure = -site_distance(everyone, noise) if criterion == "z" else site_error(everyone, noise)
    limit = -Z_ACCEPT if criterion == "z" else 0.01
    kept = list(range(6))
    for k in range(6, len(everyone)):
        if np.all(measure[k, kept] < limit):
            kept.append(k)
    grown = grow_candidates(EDGES, EDGES, noise, trials=600, seed=8, criterion=criterion)
    np.testing.assert_array_equal(grown, everyone[kept])
    assert 30 < len(kept) < 580


def test_the_criterion_error_compares_eq_1():
    start = mix_pairs(EDGES)
    by_z = grow_candidates(start, EDGES, NOISE, trials=300, seed=2)
    by_error = grow_candidates(start, EDGES, NOISE, trials=300, seed=2, criterion="error")
    error = site_error(by_error, NOISE)
    np.fill_diagonal(error, 0.0)
    assert error[len(start) :].max() < 0.01
    # the error function is convex: a pair at mean z just past the limit can still have Eq. 1 above it
    assert by_error.shape[0] <= by_z.shape[0]


@pytest.mark.parametrize(("criterion", "admitted"), [("z", True), ("error", False)])
def test_the_criteria_differ_where_one_of_two_spectra_is_darker(criterion, admitted):
    """A mean z of 2.4 passes 0.01, but half of it is the much nearer direction of the noisier spectrum."""
    low, high = 0.0, 1.0
    for _ in range(40):
        share = 0.5 * (low + high)
        darker = 1.0 + (1 - share) * EDGES[0] + share * EDGES[3]
        there, back = cross_distance(EDGES[:1], darker[None], NOISE)
        low, high = (share, high) if 0.5 * (there + back)[0, 0] < 2.4 else (low, share)
    assert SpacingFilter(EDGES[:1], NOISE, 1, 0.01, criterion).admit(darker) == admitted


@pytest.mark.parametrize("draw", ["standards", "candidates"])
def test_growth_knows_what_it_is_made_of_and_repeats_with_its_seed(draw):
    start = mix_pairs(EDGES)
    first, again, other = (grow(start, EDGES, NOISE, trials=200, draw=draw, seed=seed) for seed in (3, 3, 4))
    np.testing.assert_array_equal(first.spectra, again.spectra)
    assert not np.array_equal(first.spectra[:3], other.spectra[:3])
    pool = EDGES if draw == "standards" else np.concatenate([start, first.spectra])
    np.testing.assert_allclose(
        np.einsum("gc,gce->ge", first.shares, pool[first.picks]), first.spectra, atol=1e-14
    )
    np.testing.assert_allclose(first.shares.sum(axis=1), 1.0)
    if draw == "standards":
        assert all(len(set(picks)) == 3 for picks in first.picks.tolist())


def test_no_trials_change_nothing():
    np.testing.assert_array_equal(grow_candidates(EDGES, EDGES[:1], NOISE, trials=0), EDGES)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"accept": 0.5}, "accept = 0.5"),
        ({"accept": 0.0}, "accept = 0"),
        ({"draw": "both"}, "unknown draw 'both'"),
        ({"criterion": "mean"}, "unknown criterion 'mean'"),
        ({"trials": -1}, "-1 trials"),
        ({"components": 1}, "at least 2"),
        ({"components": 7}, "7 different standards are needed"),
    ],
)
def test_bad_settings_are_refused(change, message):
    with pytest.raises(InputError, match=message):
        grow_candidates(EDGES, EDGES, NOISE, **{"trials": 10, **change})


def test_standards_of_another_grid_are_refused():
    with pytest.raises(InputError, match="resample"):
        grow_candidates(EDGES, EDGES[:, 1:], NOISE, trials=1)
