"""The site table: what a site is made of, its name, and an order that is ours."""

import numpy as np
import pytest
from gigaxas.errors import InputError
from gigaxas.sites import build_candidates, build_sites, reduce_sites, site_distance
from gigaxas.sites.table import distinct_names, mixture_name
from gigaxas.spectra.noise import NoiseModel
from site_oracle import EDGES

NOISE = NoiseModel(c_ref=2.7e4, mu_low=0.36, mu_high=1.56)
NAMES = ("Hematite", "Magnetite", "Wüstite", "Goethite", "Siderite", "Iron")


@pytest.mark.parametrize("draw", ["standards", "candidates"])
@pytest.mark.parametrize("method", ["average", "net"])
def test_weights_make_every_site_from_the_standards(draw, method):
    table = build_sites(NAMES, EDGES, NOISE, trials=150, draw=draw, method=method)
    np.testing.assert_allclose(table.weights.sum(axis=1), 1.0)
    np.testing.assert_allclose(table.weights @ EDGES, table.spectra, atol=1e-13)
    assert len(table.names) == table.spectra.shape[0] == table.weights.shape[0]
    assert table.standards == NAMES


def test_candidates_are_standards_then_pairs_then_growth():
    made = build_candidates(EDGES, NOISE, trials=100)
    np.testing.assert_array_equal(made.spectra[:6], EDGES)
    np.testing.assert_array_equal(made.spectra[6], (EDGES[0] + EDGES[1]) / 2)
    np.testing.assert_array_equal(made.spectra[20], (EDGES[4] + EDGES[5]) / 2)
    assert made.spectra.shape[0] > 21
    assert np.all(np.count_nonzero(made.weights[21:], axis=1) == 3)
    np.testing.assert_array_equal(build_candidates(EDGES, NOISE, mixtures="none").spectra, EDGES)


def test_the_table_holds_what_the_reduction_gives():
    made = build_candidates(EDGES, NOISE, trials=100, seed=7)
    table = build_sites(NAMES, EDGES, NOISE, trials=100, seed=7)
    np.testing.assert_array_equal(table.spectra, reduce_sites(made.spectra, NOISE))


def test_pure_standards_survive_the_net_under_their_names():
    table = build_sites(NAMES, EDGES, NOISE, method="net")
    far = site_distance(EDGES, NOISE)
    assert (far + 9 * np.eye(6)).min() > 3.72  # no two of these standards are within the limit
    assert table.names[:6] == NAMES
    np.testing.assert_array_equal(table.spectra[:6], EDGES)
    assert table.names[6] == "0.50 Hematite + 0.50 Magnetite"


def test_twins_become_one_site():
    twins = EDGES[[0, 0, 1]]
    table = build_sites(["hematite", "hematite", "magnetite"], twins, NOISE, mixtures="none")
    assert table.names == ("0.50 hematite + 0.50 hematite (2)", "magnetite")
    assert build_sites(["a", "b", "c"], twins, NOISE, mixtures="none", method="net").names == ("a", "c")


def test_one_standard_is_one_site():
    table = build_sites(["hematite"], EDGES[:1], NOISE)
    assert table.names == ("hematite",)
    np.testing.assert_array_equal(table.weights, [[1.0]])


def test_names():
    assert distinct_names(["a", "b", "a", "a"]) == ("a", "b", "a (2)", "a (3)")
    assert mixture_name(NAMES, np.array([0, 1.0, 0, 0, 0, 0])) == "Magnetite"
    assert (
        mixture_name(NAMES, np.array([0.25, 0.5, 0, 0.25, 0, 0]))
        == "0.50 Magnetite + 0.25 Hematite + 0.25 Goethite"
    )
    assert mixture_name([f"s{k}" for k in range(9)], np.array([0.2] + [0.1] * 8)).endswith("+ 0.10 s4 + ...")
    assert mixture_name(["x"] * 1000, np.full(1000, 1e-3)) == "mixture of many standards"


def test_a_library_too_large_for_the_matrix_is_refused_before_it_is_grown():
    many = [f"s{k}" for k in range(300)]
    with pytest.raises(InputError, match="'net'"):
        build_sites(many, np.random.default_rng(0).random((300, 5)), NOISE, trials=10**9)


def test_bad_input_is_refused():
    with pytest.raises(InputError, match="2 names for 6 standards"):
        build_sites(["a", "b"], EDGES, NOISE)
    with pytest.raises(InputError, match="unknown mixtures 'triples'"):
        build_sites(NAMES, EDGES, NOISE, mixtures="triples")
    with pytest.raises(InputError):
        build_sites(NAMES, np.ones((6, 40)), NOISE)
