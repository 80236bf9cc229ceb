"""The plan of a measurement: exposures, sets of energies, splits, thickness and areas, by brute force."""

from dataclasses import replace
from functools import partial
from itertools import combinations

import gigaxas as gx
import numpy as np
import pytest
from gigaxas.planning import area, both_ways, bound, energies, exposure, split, subsets, thickness
from gigaxas.sites import cross_distance, site_error
from gigaxas.sites.pairs import error_of
from gigaxas.spectra.noise import NoiseModel, absorbance_variance, sigma_counts
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq, minimize
from scipy.special import ndtr, ndtri

NOISE = NoiseModel(c_ref=2.7e4, mu_low=0.36, mu_high=1.56)
ENERGY = np.linspace(0.0, 1.0, 12)
GOAL = float(-ndtri(1e-4))


def edge_like(count, energy=ENERGY, seed=0, wave=0.15):
    """Edge-like spectra (count, E) that differ by the place of the edge and what comes after it."""
    rng = np.random.default_rng(seed)
    place = np.linspace(0.35, 0.5, count)[:, None]
    step = 1 / (1 + np.exp(-(energy - place) / 0.04))
    return step * (1 + wave * np.sin(energy * rng.uniform(9, 25, (count, 1)) + rng.uniform(0, 6, (count, 1))))


def every(count):
    return np.array(list(combinations(range(count), 2)))


def oracle(spectra, variance, pairs, members, goal):
    """The least z of pairs at these energies by the words of METHOD 2, Eq. 1 solved by scipy."""
    least = np.inf
    for i, j in pairs:
        a, b = spectra[i, members], spectra[j, members]
        t = [(s - s.mean()) / np.linalg.norm(s - s.mean()) for s in (a, b)]
        r = float(t[0] @ t[1])
        z = []
        for s, v in ((a, variance[i, members]), (b, variance[j, members])):
            spread = ((t[0] - t[1]) ** 2 * v).sum() / ((s - s.mean()) ** 2).sum()
            z.append((1 - r) / np.sqrt(spread) if spread > 1e-20 else 0.0)
        if min(z) == 0.0:
            return 0.0
        excess = partial(lambda z, s: np.log(ndtr(-np.array(z) * np.exp(s)).mean() / ndtr(-goal)), z)
        least = min(least, goal / np.exp(brentq(excess, *np.log(goal / np.sort(z)[::-1] * (0.99, 1.01)))))
    return least


def test_z_and_error_of_the_working_point_are_those_of_the_sites():
    spectra, pairs = edge_like(5), every(5)
    terms = exposure.pair_terms(exposure.planned(spectra, NOISE), pairs)
    z12, _ = cross_distance(spectra, spectra, NOISE)
    first, second = pairs.T
    np.testing.assert_allclose(
        exposure.pair_z(terms), np.stack([z12[first, second], z12[second, first]], axis=1), rtol=1e-10
    )
    np.testing.assert_allclose(
        exposure.pair_error(terms), site_error(spectra, NOISE)[first, second], rtol=1e-8
    )


@pytest.mark.parametrize("b", [63.003, 0.0, -400.0])
def test_errors_of_another_exposure_are_those_of_its_counts(b):
    spectra, pairs, noise = edge_like(4), every(4), replace(NOISE, b=b)
    terms = exposure.pair_terms(exposure.planned(spectra, noise), pairs)
    for factor in (0.05, 0.4, 7.0):
        brighter = replace(noise, c_ref=noise.c_ref * factor)
        expected = site_error(spectra, brighter)[pairs[:, 0], pairs[:, 1]]
        np.testing.assert_allclose(exposure.pair_error(terms, factor), expected, rtol=1e-8)


@given(st.integers(0, 10**6), st.floats(1e4, 1e6), st.sampled_from([63.003, 0.0, -400.0]))
@settings(max_examples=40)
def test_z_grows_as_the_root_of_the_exposure_where_counts_are_large(seed, c_ref, b):
    noise = NoiseModel(c_ref=c_ref, mu_low=0.36, mu_high=1.56, b=b)
    spectra, pairs = edge_like(3, seed=seed), every(3)
    terms = exposure.pair_terms(exposure.planned(spectra, noise), pairs)
    darkest = noise.counts(spectra).min()
    for factor in (2.0, 100.0):
        grown = exposure.pair_z(terms, factor) / exposure.pair_z(terms)
        # what B adds to the variance of the darkest sample is all that can be missing
        np.testing.assert_allclose(grown, np.sqrt(factor), rtol=abs(b) / (noise.a * darkest) + 1e-12)


@given(st.integers(0, 10**6), st.floats(1e-12, 0.2))
@settings(max_examples=40)
def test_the_exposure_needed_has_the_error_asked_for(seed, error):
    spectra, pairs = edge_like(4, seed=seed), every(4)
    terms = exposure.pair_terms(exposure.planned(spectra, NOISE), pairs)
    needed = exposure.exposure_needed(terms, error)
    reached = exposure.pair_error(terms, needed)
    lowest = needed <= terms.least * (1 + 1e-12)
    np.testing.assert_allclose(reached[~lowest], error, rtol=1e-7)
    assert (reached[lowest] <= error).all()


def test_no_exposure_is_planned_at_which_the_camera_has_no_noise():
    spectra = edge_like(2, wave=0.0)
    far = np.stack([spectra[0], 1 - spectra[0]])
    terms = exposure.pair_terms(exposure.planned(far, NOISE), every(2))
    needed = exposure.exposure_needed(terms, 0.4)
    darkest = NOISE.counts(far).min() * needed[0]
    assert darkest >= 2 * NOISE.lowest_count * (1 - 1e-12)


@given(st.floats(0.05, 60), st.floats(0.05, 60), st.floats(0.3, 8), st.floats(0.1, 10))
def test_one_z_of_both_directions_is_at_the_error_what_eq_1_says(z12, z21, goal, factor):
    z = both_ways.both_ways(z12, z21, goal)
    assert min(z12, z21) * (1 - 1e-12) <= z <= max(z12, z21) * (1 + 1e-12)
    s = goal / z
    assert error_of(z12 * s, z21 * s) == pytest.approx(error_of(goal, goal), rel=1e-9)
    assert both_ways.both_ways(z12 * factor, z21 * factor, goal) == pytest.approx(z * factor, rel=1e-9)


@pytest.mark.parametrize("which", ["whole grid", "set", "split"])
def test_planned_errors_are_those_counted_on_noisy_spectra(which):
    spectra, pairs = edge_like(2, seed=3), every(2)
    spectra[1] = 0.95 * spectra[0] + 0.05 * spectra[1]  # so much alike that counts are many
    whole = exposure.planned(spectra, NOISE)
    members = np.arange(12) if which == "whole grid" else np.array([1, 4, 5, 9])
    chosen = whole.at(members)
    share = split.best_split(chosen, pairs, 2.0).share if which == "split" else np.full(members.size, 1.0)
    terms = exposure.pair_terms(chosen, pairs, share)
    needed = exposure.exposure_needed(terms, 0.03)[0]
    draws = 60_000
    counts = NOISE.c_ref * needed * share
    predicted = float(exposure.pair_error(terms, needed)[0])
    counted = counted_on(spectra[:, members], counts, draws)
    assert predicted == pytest.approx(0.03, rel=1e-6)
    assert abs(counted - predicted) < 4 * np.sqrt(predicted / (2 * draws))


def counted_on(pair, counts, draws):
    """Eq. 1 counted: the share of noisy spectra of two (2, E) that are nearer the other; counts (E,)."""
    rng = np.random.default_rng(11)
    t = [(s - s.mean()) / np.linalg.norm(s - s.mean()) for s in pair]
    shares = []
    for own in (0, 1):
        absorbance = pair[own] * NOISE.edge_step + NOISE.mu_low
        noisy = [
            mean + sigma_counts(mean) * rng.standard_normal((draws, mean.size))
            for mean in (counts, counts * np.exp(-absorbance))
        ]
        mu = np.log(noisy[0] / noisy[1])
        shares.append(np.mean(mu @ t[own] < mu @ t[1 - own]))
    return float(np.mean(shares))


@pytest.mark.parametrize("seed", [0, 1])
def test_sets_of_energies_are_the_best_of_all(seed, monkeypatch):
    spectra, pairs = edge_like(4, seed=seed), every(4)
    whole = exposure.planned(spectra, NOISE)
    best = {}
    for size in (2, 3, 4):
        variance = whole.variance(12 / size)
        best[size] = max(
            oracle(spectra, variance, pairs, list(members), GOAL) for members in combinations(range(12), size)
        )
    for found in energies.energy_sets(whole, pairs, GOAL, 4):
        size = len(found.members)
        assert found.is_best
        assert found.z == pytest.approx(best[size], rel=1e-9, abs=1e-9)
        variance = whole.variance(12 / size)
        assert oracle(spectra, variance, pairs, found.members, GOAL) == pytest.approx(found.z, abs=1e-9)
    monkeypatch.setattr(energies, "MOST_SETS", 0)
    for found in energies.energy_sets(whole, pairs, GOAL, 4)[1:]:
        size = len(found.members)
        assert not found.is_best
        assert 0.8 * best[size] <= found.z <= best[size] * (1 + 1e-12)
        assert best[size] <= found.bound


@given(st.integers(0, 10**6), st.integers(2, 6))
@settings(max_examples=30)
def test_every_set_of_a_size_is_looked_at(seed, size):
    spectra, pairs = edge_like(3, ENERGY[3:9], seed=seed), every(3)
    variance = exposure.planned(spectra, NOISE).variance(6 / size)
    best = np.arange(size)
    z = subsets.search_all(spectra, variance, pairs, GOAL, best, -1.0)
    every_z = [oracle(spectra, variance, pairs, list(one), GOAL) for one in combinations(range(6), size)]
    assert z == pytest.approx(max(every_z), rel=1e-9, abs=1e-9)
    assert oracle(spectra, variance, pairs, best, GOAL) == pytest.approx(z, rel=1e-9, abs=1e-9)


@given(st.integers(0, 10**6), st.integers(3, 12), st.data())
@settings(max_examples=30)
def test_no_set_passes_the_bound(seed, size, data):
    spectra, pairs = edge_like(3, seed=seed), every(3)
    whole = exposure.planned(spectra, NOISE)
    members = sorted(data.draw(st.sets(st.integers(0, 11), min_size=size, max_size=size)))
    variance = whole.variance(12 / size)
    z = oracle(spectra, variance, pairs, members, GOAL)
    assert z <= bound.z_bound(spectra, variance, pairs, size) * (1 + 1e-9)


@pytest.mark.parametrize("count", [2, 4])
def test_the_best_split_needs_the_least_dose(count):
    spectra, pairs = edge_like(count, seed=5), every(count)
    noise = replace(NOISE, b=0.0)
    whole = exposure.planned(spectra, noise)
    found = split.best_split(whole, pairs, GOAL)

    def dose(share):
        terms = exposure.pair_terms(whole, pairs, share / share.sum())
        return float(exposure.exposure_needed(terms, 1e-4).max())

    assert dose(found.share) == pytest.approx(found.dose, rel=1e-9)
    assert found.bound <= found.dose <= found.bound * 1.001
    rng = np.random.default_rng(0)
    starts = (np.log(found.share), *np.log(rng.dirichlet(np.ones(12), 2)))
    others = [
        minimize(lambda x: np.log(dose(np.exp(x))), start, method="Powell", options={"maxiter": 3}).fun
        for start in starts
    ]
    assert np.exp(min(others)) >= found.bound * (1 - 1e-9)
    assert found.dose < 0.95 * dose(np.ones(12))


@given(st.lists(st.floats(1e-6, 1.0), min_size=2, max_size=12), st.floats(0.0, 2.0))
def test_a_split_leaves_no_energy_darker_than_the_camera_can_see(given_, share):
    exposure_ = np.array(given_)
    least = share * exposure_.mean()
    raised = split.at_least(exposure_, least)
    assert raised.sum() == pytest.approx(exposure_.sum())
    assert raised.min() >= min(least, exposure_.mean()) * (1 - 1e-12)
    if least < exposure_.mean() * (1 - 1e-9):
        gain = (raised / exposure_)[raised > least * (1 + 1e-12)]
        np.testing.assert_allclose(gain, gain[0], rtol=1e-9)


def test_a_plan_at_little_light_keeps_to_counts_that_the_camera_knows():
    dark = NoiseModel(c_ref=60.0, mu_low=0.36, mu_high=1.56)
    made = gx.plan(edge_like(4), dark, most_energies=5)
    darkest = np.exp(-(edge_like(4).max(axis=0) * dark.edge_step + dark.mu_low))
    for choice in made.choices:
        assert 0 < choice.error < 0.5
        assert (choice.needed * darkest[choice.members]).min() >= 2 * dark.lowest_count * (1 - 1e-9)


def test_one_pair_has_its_split_in_proportion_to_the_root_of_its_noise():
    spectra, noise = edge_like(2, seed=2), replace(NOISE, b=0.0)
    symmetric = np.stack([spectra[0], spectra[0][::-1]])
    whole = exposure.planned(symmetric, noise)
    alike = replace(whole, first=np.full_like(whole.first, 1e-4))
    share = split.best_split(alike, every(2), GOAL).share
    t = (symmetric - symmetric.mean(axis=1, keepdims=True)) / np.linalg.norm(
        symmetric - symmetric.mean(axis=1, keepdims=True), axis=1, keepdims=True
    )
    gap = np.abs(t[0] - t[1])
    np.testing.assert_allclose(share, gap / gap.sum(), atol=2e-4)


def test_the_best_absorbance_is_the_one_that_calculus_gives():
    # with B = 0 the variance (1 + exp(mu)) / mu^2 is least at mu = 2.2177
    spectra = 1.0 + 1e-3 * edge_like(2)
    noise = NoiseModel(c_ref=2.7e4, mu_low=0.0, mu_high=1.0, b=0.0)
    curve = thickness.thickness_curve(spectra, noise, every(2), GOAL)
    spacing = curve.step[1] / curve.step[0]
    assert 2.2177 / spacing < curve.best < 2.2177 * spacing
    assert curve.best_of_pairs == curve.best


def test_thickness_is_that_of_the_whole_specimen():
    spectra, pairs = edge_like(3), every(3)
    curve = thickness.thickness_curve(spectra, NOISE, pairs, GOAL)
    for row in (0, 60, 120):
        factor = curve.step[row] / NOISE.edge_step
        thick = replace(NOISE, mu_low=factor * 0.36, mu_high=factor * 1.56)
        z = exposure.pair_z(exposure.pair_terms(exposure.planned(spectra, thick), pairs))
        np.testing.assert_allclose(curve.z[row], both_ways.pairs_both_ways(z, GOAL), rtol=1e-9)


def test_a_specimen_is_not_looked_at_where_it_is_too_dark_for_the_camera():
    spectra = edge_like(3)
    curve = thickness.thickness_curve(spectra, replace(NOISE, c_ref=400.0), every(3), GOAL)
    assert np.isfinite(curve.z).all()
    thickest = replace(NOISE, c_ref=400.0, mu_low=0.3 * curve.step[-1], mu_high=1.3 * curve.step[-1])
    assert thickest.counts(spectra).min() == pytest.approx(2 * NOISE.lowest_count, rel=1e-9)


def test_an_area_takes_fields_that_overlap_and_their_dead_times():
    scan = area.Scan((100.0, 250.0), (60, 100), 10, 1.0, 0.5, 7.0)
    covered = area.cover(scan, np.array([1000.0, 3000.0]), 200.0)
    assert covered.plane == (100, 250)
    assert covered.fields == (2, 3)
    assert covered.pixels == 25_000
    assert covered.exposure_s == pytest.approx(6 * 20.0)
    assert covered.open_beam_s == pytest.approx(20.0 + 2 * 0.5)
    assert covered.dead_s == pytest.approx(6 * (2 * 0.5 + 7.0))
    assert covered.seconds == pytest.approx(120 + 21 + 48)
    assert area.cover(scan, np.array([1000.0]), None).seconds is None
    assert area.cover(replace(scan, size_um=(60.0, 100.0)), np.ones(1), 1.0).fields == (1, 1)
    with pytest.raises(gx.InputError, match="cannot share 60"):
        replace(scan, overlap=60)


def test_a_plan_spends_one_dose_in_many_ways():
    spectra = edge_like(4)
    made = gx.plan(spectra, NOISE, names="abcd", most_energies=5)
    titles = [choice.title for choice in made.choices]
    assert titles[:2] == ["whole grid", "whole grid, best split"]
    for choice in made.choices:
        assert choice.c_ref.sum() == pytest.approx(12 * NOISE.c_ref)
        terms = exposure.pair_terms(
            exposure.planned(spectra, NOISE).at(choice.members),
            made.numbers,
            choice.needed / NOISE.c_ref,
        )
        assert exposure.pair_error(terms).max() == pytest.approx(1e-4, rel=1e-6)
    doses = {choice.title: choice.dose for choice in made.choices}
    for title, dose in doses.items():
        assert doses[title.removesuffix(", best split")] >= dose * (1 - 1e-3)
    assert doses["whole grid"] == pytest.approx(made.c_ref / NOISE.c_ref, rel=1e-9)
    assert made.hardest[0].names == made.choices[0].worst
    assert len(made.confused) == sum(pair.error > 1e-4 for pair in made.pairs)


def test_a_plan_of_named_pairs_is_of_these_alone():
    spectra = edge_like(4)
    made = gx.plan(spectra, NOISE, names="abcd", pairs=[("c", "a"), (0, 2), ("b", "d")], most_energies=3)
    assert [pair.names for pair in made.pairs] == [("a", "c"), ("b", "d")]
    whole = gx.plan(spectra, NOISE, names="abcd", most_energies=3)
    of_whole = {pair.names: pair for pair in whole.pairs}
    for pair in made.pairs:
        assert pair == of_whole[pair.names]


@pytest.mark.parametrize(
    ("settings_", "sentence"),
    [
        ({"pairs": [("a", "e")]}, "found no reference named e; the names are a, b, c, d"),
        ({"pairs": [(0, 4)]}, "there is no spectrum 4; the rows are 0 to 3"),
        ({"pairs": [("a", "a")]}, "a stands beside itself"),
        ({"names": "abc"}, "3 names, 3 of them different, for 4 spectra"),
        ({"error": 0.5}, "give a number above 0 and below 0.5"),
        ({"most_energies": 1}, "expected 2 or more"),
    ],
)
def test_what_cannot_be_planned_is_refused(settings_, sentence):
    with pytest.raises(gx.InputError, match=sentence):
        gx.plan(edge_like(4), NOISE, **{"names": "abcd", **settings_})


def test_spectra_that_differ_by_gain_and_offset_are_never_told_apart():
    spectra = edge_like(3)
    spectra[2] = 0.8 * spectra[0] + 0.1
    with pytest.raises(gx.InputError, match="no exposure can tell apart a and c: their spectra are the same"):
        gx.plan(spectra, NOISE, names="abc")
    assert gx.plan(spectra, NOISE, names="abc", pairs=[("a", "b")], most_energies=3).pairs


def test_the_parts_of_the_variance_are_the_variance_of_the_absorbance():
    spectra = edge_like(2)
    whole = exposure.planned(spectra, NOISE)
    for factor in (0.3, 5.0):
        counts = NOISE.counts(spectra) * factor
        expected = absorbance_variance(NOISE.c_ref * factor, counts, NOISE.a, NOISE.b) / NOISE.edge_step**2
        np.testing.assert_allclose(whole.variance(factor), expected, rtol=1e-12)
