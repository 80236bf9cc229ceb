"""Changes of the sites: their books against a fresh count, bounds that hold, many groups in little memory."""

import tracemalloc

import numpy as np
import pytest
from gigaxas.observed import merge_groups
from gigaxas.observed.changes import NEAR, Order, sample_of, sites_near_first
from gigaxas.observed.choice import Choice, problem_of
from gigaxas.observed.selection import select_sites
from gigaxas.observed.sketches import AXES, least_square, most_square, principal_axes, sketch
from hypothesis import given, settings
from hypothesis import strategies as st
from observed_scenes import ENERGIES, groups, level, points
from test_observed_grouping import merged


def cloud(count, spread, axes, seed):
    """Compositions (count, ENERGIES) about a place, in z, along so many axes."""
    rng = np.random.default_rng(seed)
    return spread * rng.normal(size=(count, axes)) @ np.eye(axes, ENERGIES)


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 30), st.integers(1, 40), st.floats(1e-3, 1e3), st.integers(0, 2**20))
def test_a_distance_lies_between_the_bounds_of_its_sketches(count, axes, spread, seed):
    """Whatever directions spectra spread along: more than a sketch has axes, fewer, or none."""
    spectra = cloud(count, spread, axes, seed)
    spectra[: count // 3] = spectra[0]
    strange = cloud(5, spread, ENERGIES, seed + 1)
    made = principal_axes(spectra)
    overlap = made.directions @ made.directions.T
    there = np.diag(overlap) > 0.5
    assert np.allclose(overlap, np.diag(there), atol=1e-12)
    assert there.sum() <= min(AXES, count)
    everything = np.concatenate([spectra, strange])
    sketches = sketch(everything, made)
    for i in range(len(everything)):
        for j in range(len(everything)):
            square = np.sum((everything[i] - everything[j]) ** 2)
            assert least_square(sketches, i, sketches, j) <= square
            assert most_square(sketches, i, sketches, j) >= square


def test_sketches_of_what_lies_on_a_few_axes_tell_the_whole_distance():
    """Otherwise the bounds would hold and help nobody."""
    spectra = cloud(40, 3.0, AXES, 1)
    sketches = sketch(spectra, principal_axes(spectra))
    square = [np.sum((spectra[0] - spectra[k]) ** 2) for k in range(1, 40)]
    assert [least_square(sketches, 0, sketches, k) for k in range(1, 40)] == pytest.approx(square, rel=1e-5)


def books(choice):
    """Everything that a choice has written down of the groups, and the same found anew."""
    fresh = choice.problem.fates(choice.sites)
    return [(getattr(choice.fates, name), getattr(fresh, name)) for name in fresh._fields]


@pytest.mark.parametrize("count", [30, NEAR + 60])
@pytest.mark.parametrize("spread", [2.0, 5.0])
def test_the_books_of_a_changed_choice_are_those_of_a_fresh_count(count, spread):
    """Sites come, go and are replaced about random groups."""
    rng = np.random.default_rng(3)
    problem = problem_of(groups(cloud(count, spread, 4, 2), rng.integers(1, 99, count)), level())
    choice = Choice(problem, problem.groups.spectra[::3].copy())
    for _ in range(40):
        group = int(rng.integers(count))
        near = choice.near(group)
        own, rival = (*near.sites[:2].tolist(), -1)[:2]
        out, fewest = [((-1, -1), 1), ((rival, -1), 0), ((own, -1), 1), ((own, rival), 1)][rng.integers(4)]
        fewest = 1 if rival < 0 else fewest
        there = problem.groups.spectra[group] + 0.1 * rng.normal(size=ENERGIES)
        new = there[None][: rng.integers(fewest, 2)]
        assert choice.make(out, new, near)
        for written, fresh in books(choice):
            np.testing.assert_allclose(written, fresh, atol=1e-9)


@pytest.mark.parametrize("spread", [2.0, 4.0])
def test_a_change_is_made_only_if_it_costs_less_than_is_allowed(spread):
    """What a change costs is known to the last bit but rounding: made just above it, refused just below."""
    spectra = cloud(60, spread, 3, 5)
    problem = problem_of(groups(spectra), level())
    for group in range(0, 60, 7):
        choice = Choice(problem, spectra[::4].copy())
        near = choice.near(group)
        out, new = (int(near.sites[1]), -1), spectra[group][None]
        left = np.delete(spectra[::4], near.sites[1], axis=0)
        more = Choice(problem, np.concatenate([left, new])).fates.cost.sum() - choice.fates.cost.sum()
        written = [part.copy() for part in choice.fates]
        assert not choice.make(out, new, near, more - 1e-9)
        assert all(np.array_equal(one, other) for one, other in zip(written, choice.fates, strict=True))
        assert choice.make(out, new, near, more + 1e-9)


def test_forgetting_sites_that_are_out_changes_no_fate():
    spectra = cloud(80, 4.0, 3, 8)
    choice = Choice(problem_of(groups(spectra), level()), spectra[::2].copy())
    for group in (0, 10, 20):
        near = choice.near(group)
        assert choice.make((int(near.sites[0]), -1), spectra[group + 1][None], near)
    before = choice.sites.spectra[choice.fates.nearest]
    choice.forget()
    assert np.array_equal(choice.sites.spectra[choice.fates.nearest], before)
    assert len(choice.sites.counts) == 40
    for written, fresh in books(choice):
        np.testing.assert_allclose(written, fresh, atol=1e-9)


@pytest.mark.parametrize(
    ("around", "away", "given_up"),
    [
        (3, 1.84, False),  # to each of three sites 3 % of its pixels would stray: it may be saved
        (4, 1.84, True),  # to four of them too many
        (4, 1.87, False),  # but no site covers it
        (1, 1.84, False),  # nothing strays from its only site
    ],
)
def test_a_group_is_given_up_that_a_site_of_its_own_would_not_save(around, away, given_up):
    """A group in the middle of some sites, half of whose pixels stray to each but one of them."""
    places = [np.zeros(5), *(away * np.eye(5)[:around])]
    problem = problem_of(groups(points(*places)), level())
    choice = Choice(problem, problem.groups.spectra[1:].copy())
    assert choice.is_given_up(0, choice.near(0)) is given_up


def test_sites_of_a_crowd_keep_more_than_the_sites_of_those_that_cannot_live():
    """Of 600 compositions in reach of each other 82.6 live, on 87 sites; 67 do, on 157, if all are tried."""
    spectra = cloud(600, 1.5, 4, 8)
    found = select_sites(groups(spectra, np.arange(600, 0, -1)), level())
    assert np.sum(1.0 - np.minimum(found.loss, 1.0)) > 78
    assert len(found.spectra) < 100


def test_sites_near_a_group_come_first_by_their_distance():
    spectra = cloud(80, 4.0, 3, 8)
    problem = problem_of(groups(spectra), level())
    choice = Choice(problem, spectra[::2].copy())
    choice.sites.counts[5] = False
    order = Order(*sites_near_first(choice._state, 0, 5.0))
    distance = np.linalg.norm(spectra[::2] - spectra[0], axis=1)
    assert sorted(order.sites.tolist()) == [k for k in range(40) if k != 5]
    assert np.all(np.diff(distance[order.sites[: order.near]]) >= 0)
    assert distance[order.sites[order.near :]].min() >= 5.0


@given(st.integers(1, 5000))
def test_a_sample_of_groups_stands_for_all(count):
    sample, weight = sample_of(np.arange(count))
    assert weight.sum() == pytest.approx(count)
    assert sample[:NEAR].tolist() == list(range(min(NEAR, count)))
    assert np.all(weight[:NEAR] == 1.0)
    assert len(np.unique(sample)) == len(sample)


@pytest.mark.parametrize("order", [1, 2])
def test_groups_that_come_in_another_order_become_the_same_sites(order):
    """As long as their sizes differ, which settle the order."""
    rng = np.random.default_rng(order)
    spectra, windows = cloud(200, 3.0, 4, 4), rng.permutation(200) + 1
    whole = groups(spectra, windows)
    shuffled = whole.rows(rng.permutation(200))
    (one, _), (other, _) = merge_groups([whole], level()), merge_groups([shuffled], level())
    assert np.array_equal(select_sites(one, level()).spectra, select_sites(other, level()).spectra)


@pytest.mark.parametrize(("axes", "spread"), [(2, 2.0), (12, 0.5)])
def test_many_groups_merge_as_the_plain_rule_says(axes, spread):
    """The rule written plainly compares each group with every leader."""
    spectra = cloud(400, spread, axes, 6)
    windows = np.random.default_rng(6).integers(1, 10**6, 400)
    found, _ = merge_groups([groups(spectra, windows)], level())
    expected = merged(spectra, windows.tolist(), level())
    assert sorted(found.windows.tolist()) == sorted(int(windows[group].sum()) for group in expected)
    assert 1 < len(expected) < 400


@pytest.mark.slow
def test_twenty_thousand_groups_take_a_few_times_their_own_memory():
    """No table of groups by sites, which would be 2 GB here: what is held is some copies of the spectra."""
    spectra = cloud(20_000, 3.0, 12, 9)
    whole = groups(spectra, np.arange(20_000, 0, -1))
    tracemalloc.start()
    found = select_sites(whole, level())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(found.spectra) > 5000
    assert peak < 12 * spectra.nbytes
