"""The two reductions: average linkage against its plain definition and SciPy, the net's two promises."""

import numpy as np
import pytest
import site_oracle
from gigaxas.errors import InputError
from gigaxas.sites import mix_pairs, reduce_sites, site_distance
from gigaxas.sites.linkage import average_groups
from gigaxas.sites.reduction import group_candidates, group_means
from gigaxas.spectra.noise import NoiseModel
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import squareform
from site_oracle import EDGES

NOISE = NoiseModel(c_ref=2.7e4, mu_low=0.36, mu_high=1.56)
Z_LIMIT = 3.719016485455709


@st.composite
def distances(draw):
    """A symmetric matrix with zero diagonal and no ties."""
    n = draw(st.integers(1, 9))
    seed = draw(st.integers(0, 2**32 - 1))
    half = np.triu(np.random.default_rng(seed).random((n, n)), 1)
    return half + half.T


@st.composite
def candidates(draw):
    """Mixtures of the edges, some of them twice, at a noise that keeps a few of them apart."""
    seed = draw(st.integers(0, 2**32 - 1))
    generator = np.random.default_rng(seed)
    weights = generator.dirichlet(np.full(6, 0.4), size=draw(st.integers(1, 40)))
    copies = draw(st.lists(st.integers(0, len(weights) - 1), max_size=3))
    spectra = (weights @ EDGES)[[*range(len(weights)), *copies]]
    return spectra, NoiseModel(draw(st.sampled_from([3e3, 2.7e4, 2e6])), 0.36, 1.56)


def _members(groups):
    return [np.flatnonzero(groups == k).tolist() for k in range(groups.max() + 1)]


@settings(deadline=None)
@given(distances(), st.floats(0.0, 1.0))
def test_average_linkage_equals_its_definition(distance, limit):
    assert _members(average_groups(distance.copy(), limit)) == site_oracle.average_linkage(distance, limit)


def test_average_linkage_equals_scipy_on_many_candidates():
    weights = np.random.default_rng(4).dirichlet(np.full(6, 0.5), size=700)
    distance = site_distance(weights @ EDGES, NoiseModel(2e5, 0.36, 1.56))
    tree = linkage(squareform(distance, checks=False), method="average")
    expected = fcluster(tree, Z_LIMIT, criterion="distance")
    ours = average_groups(distance.copy(), Z_LIMIT)
    assert 20 < ours.max() < 500
    assert len(set(zip(ours.tolist(), expected.tolist(), strict=True))) == ours.max() + 1 == expected.max()


def test_average_linkage_breaks_ties_by_the_lowest_number():
    # a square: each is as near to two others, so the lowest pair joins first and the rest follows
    square = np.array([[0, 1, 9, 1], [1, 0, 1, 9], [9, 1, 0, 1], [1, 9, 1, 0]], dtype=np.float64)
    assert _members(average_groups(square, 1.0)) == [[0, 1], [2, 3]]
    line = np.array([[0, 1, 3], [1, 0, 1], [3, 1, 0]], dtype=np.float64)
    assert _members(average_groups(line, 1.0)) == [[0, 1], [2]]
    fork = np.array([[0, 1, 1], [1, 0, 3], [1, 3, 0]], dtype=np.float64)
    assert _members(average_groups(fork, 1.0)) == [[0, 1], [2]]
    assert _members(average_groups(np.zeros((5, 5)), 0.0)) == [[0, 1, 2, 3, 4]]


@settings(deadline=None)
@given(candidates(), st.sampled_from([0.2, 0.01, 1e-4]))
def test_the_net_packs_and_covers(given_candidates, limit):
    spectra, noise = given_candidates
    threshold = -site_oracle_ppf(limit)
    sites = reduce_sites(spectra, noise, limit, method="net")
    between = site_distance(sites, noise)
    np.fill_diagonal(between, np.inf)
    assert between.min() >= threshold
    to_sites = site_distance(np.concatenate([spectra, sites]), noise)[: len(spectra), len(spectra) :]
    assert np.all(to_sites.min(axis=1) < threshold)


def site_oracle_ppf(probability):
    """Solve Phi(z) = probability by halving."""
    low, high = -40.0, 0.0
    while high - low > 1e-14:
        middle = 0.5 * (low + high)
        low, high = (middle, high) if site_oracle.phi(middle) < probability else (low, middle)
    return low


@settings(deadline=None, max_examples=30)
@given(candidates())
def test_the_net_keeps_the_first_come(given_candidates):
    spectra, noise = given_candidates
    kept = site_oracle.net(site_distance(spectra, noise), Z_LIMIT)
    np.testing.assert_array_equal(reduce_sites(spectra, noise, method="net"), spectra[kept])


@pytest.mark.parametrize("c_ref", [2.7e4, 1e6, 1e30])
def test_the_net_of_many_equals_one_with_every_distance_known(c_ref):
    noise = NoiseModel(c_ref, 0.36, 1.56, b=0.0)
    spectra = np.random.default_rng(6).dirichlet(np.full(6, 0.5), size=900) @ EDGES
    spectra = np.concatenate([spectra, spectra[:50]])
    kept = site_oracle.net(site_distance(spectra, noise), Z_LIMIT)
    np.testing.assert_array_equal(reduce_sites(spectra, noise, method="net"), spectra[kept])


@settings(deadline=None, max_examples=30)
@given(candidates(), st.sampled_from(["average", "net"]))
def test_duplicates_make_no_new_sites(given_candidates, method):
    spectra, noise = given_candidates
    once = np.unique(spectra, axis=0, return_index=True)[1]
    groups = group_candidates(spectra, noise, method=method)
    for row in spectra:
        same = groups[(spectra == row).all(axis=1)]
        if method == "average":
            assert len(set(same)) == 1
        else:
            assert np.count_nonzero(same >= 0) <= 1
    assert groups.max() + 1 <= len(once)


def test_average_sites_are_the_means_of_their_groups_in_the_order_of_their_first():
    spectra = mix_pairs(EDGES)
    groups = group_candidates(spectra, NOISE, method="average")
    sites = reduce_sites(spectra, NOISE)
    expected = [spectra[members].mean(axis=0) for members in _members(groups)]
    np.testing.assert_allclose(sites, expected, rtol=1e-14)
    firsts = [members[0] for members in _members(groups)]
    assert firsts == sorted(firsts)


def test_group_means_leave_out_what_is_in_no_group():
    rows = np.array([[1.0], [5.0], [3.0], [100.0]])
    np.testing.assert_array_equal(group_means(rows, np.array([0, 1, 0, -1])), [[2.0], [5.0]])


@pytest.mark.parametrize("limit", [0.0, 0.5, 1.0, -1e-4, np.nan])
@pytest.mark.parametrize("method", ["average", "net"])
def test_a_limit_outside_its_range_is_refused(limit, method):
    with pytest.raises(InputError, match="limit ="):
        reduce_sites(EDGES, NOISE, limit, method)


def test_an_unknown_method_and_a_flat_candidate_are_refused():
    with pytest.raises(InputError, match="'average'"):
        reduce_sites(EDGES, NOISE, method="ward")
    for method in ("average", "net"):
        with pytest.raises(InputError):
            reduce_sites(np.concatenate([EDGES, np.full((1, 40), 0.3)]), NOISE, method=method)
