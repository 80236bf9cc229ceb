"""The audit's figures on cases counted by hand or by the oracle, and Eq. 1 put to the proof."""

import numpy as np
import pytest
import site_oracle
from gigaxas.errors import InputError
from gigaxas.sites import (
    Mixtures,
    SiteTable,
    audit_sites,
    build_candidates,
    intrinsic_dimension,
    prove_error,
    quantiles,
    reduce_table,
    site_error,
)
from gigaxas.sites.audit import first_components, random_mixtures
from gigaxas.spectra.noise import NoiseModel
from site_oracle import EDGES

NOISE = NoiseModel(c_ref=2.7e4, mu_low=0.36, mu_high=1.56)
CONDITIONS = (2.7e4, 0.36, 1.56)
NAMES = tuple("ABCDEF")


def test_the_audit_equals_the_oracle():
    candidates = build_candidates(EDGES, NOISE, trials=20)
    table = reduce_table(NAMES, candidates, NOISE)
    audit = audit_sites(table, candidates, NOISE, mixtures=30, seed=3)
    sites = list(table.spectra)
    own = np.array(site_oracle.matrix(sites, CONDITIONS, site_oracle.error))
    np.fill_diagonal(own, 0.0)
    np.testing.assert_allclose(audit.spacing_error, own.max(axis=1), rtol=1e-9)
    to_sites = [max(site_oracle.error(s, site, CONDITIONS) for site in sites) for s in candidates.spectra]
    np.testing.assert_allclose(audit.candidate_error, to_sites, rtol=1e-9)


def test_denseness_counts_the_mixtures_that_no_site_covers():
    candidates = Mixtures(EDGES, np.eye(6))
    lone = SiteTable(EDGES[:1], np.eye(6)[:1], ("A",), NAMES)
    audit = audit_sites(lone, candidates, NOISE, mixtures=300, seed=5)
    generator = np.random.default_rng(5)
    for number in (3, 4, 5):
        trial = random_mixtures(EDGES, 300, number, generator)
        error = site_error(np.concatenate([EDGES[:1], trial]), NOISE)[0, 1:]
        assert audit.uncovered[number] == np.mean(error < 1e-4)
    assert 0.0 < audit.uncovered[3] < 1.0
    assert audit.spacing_error[0] == 0.0


def test_the_net_covers_every_candidate_and_keeps_its_sites_apart():
    candidates = build_candidates(EDGES, NOISE, trials=300)
    net = audit_sites(reduce_table(NAMES, candidates, NOISE, method="net"), candidates, NOISE, mixtures=2000)
    # Phi is convex there: a mean z within the limit is an Eq. 1 above it, so the net covers in both measures
    assert net.candidate_error.min() >= 1e-4
    assert all(share < 0.05 for share in net.uncovered.values())


def test_the_audit_repeats_with_its_seed_and_asks_only_for_mixtures_there_are():
    candidates = build_candidates(EDGES[:3], NOISE)
    table = reduce_table(NAMES[:3], candidates, NOISE)
    first, again = (audit_sites(table, candidates, NOISE, mixtures=50, seed=1) for _ in range(2))
    assert first.uncovered == again.uncovered
    assert list(first.uncovered) == [3]
    with pytest.raises(InputError, match="limit ="):
        audit_sites(table, candidates, NOISE, limit=0.5)


def test_random_mixtures_are_of_different_standards_in_shares_of_one():
    mixed = random_mixtures(np.eye(7), 500, 4, np.random.default_rng(0))
    assert np.all(np.count_nonzero(mixed, axis=1) == 4)
    np.testing.assert_allclose(mixed.sum(axis=1), 1.0)
    assert np.ptp(np.count_nonzero(mixed, axis=0)) < 150


@pytest.mark.parametrize("dimension", [1, 2, 3, 4])
def test_the_dimension_of_a_flat_patch_is_its_own(dimension):
    generator = np.random.default_rng(dimension)
    steps = generator.uniform(-0.02, 0.02, size=(400, dimension))
    directions = np.linalg.qr(generator.standard_normal((40, 6)))[0][:, :dimension].T
    assert intrinsic_dimension(np.linspace(0, 1, 40) + steps @ directions, neighbours=40) == dimension


def test_the_dimension_is_local():
    angle = np.linspace(0, 2 * np.pi, 200, endpoint=False)
    energies = np.arange(30)
    ring = np.cos(angle)[:, None] * np.sin(energies) + np.sin(angle)[:, None] * np.cos(3 * energies)
    assert intrinsic_dimension(ring, neighbours=4) == 1
    assert intrinsic_dimension(ring, neighbours=199) == 2


def test_copies_do_not_hide_the_dimension():
    generator = np.random.default_rng(1)
    spectra = np.linspace(0, 1, 40) + generator.uniform(-0.1, 0.1, (30, 2)) @ generator.standard_normal(
        (2, 40)
    )
    assert intrinsic_dimension(spectra[np.repeat(np.arange(30), 11)]) == intrinsic_dimension(spectra) == 2


@pytest.mark.parametrize(("neighbours", "share"), [(1, 0.1), (10, 0.0), (10, 1.0)])
def test_a_dimension_without_a_meaning_is_refused(neighbours, share):
    with pytest.raises(InputError, match="intrinsic dimension"):
        intrinsic_dimension(EDGES, neighbours, share)


def test_too_few_different_spectra_have_no_dimension():
    with pytest.raises(InputError, match="2 different spectra"):
        intrinsic_dimension(EDGES[[0, 0, 1, 1]])


def test_first_components_keep_the_distances_of_a_plane():
    generator = np.random.default_rng(1)
    plane = generator.standard_normal((2, 40))
    spectra = EDGES[0] + 1e-3 * generator.standard_normal((20, 2)) @ plane
    t = (spectra - spectra.mean(axis=1, keepdims=True)) / spectra.std(axis=1, keepdims=True) / np.sqrt(40)
    flat = first_components(spectra)
    np.testing.assert_allclose(
        np.linalg.norm(flat[:, None] - flat[None], axis=2),
        np.linalg.norm(t[:, None] - t[None], axis=2),
        atol=1e-5,
    )
    assert first_components(EDGES[:1]).tolist() == [[0.0, 0.0]]


def test_quantiles():
    assert quantiles(np.arange(101.0), (0.0, 0.5, 0.95)) == {0.0: 0.0, 0.5: 50.0, 0.95: 95.0}


def test_measured_error_rates_are_those_of_eq_1():
    mixed = random_mixtures(EDGES, 150, 4, np.random.default_rng(0))
    proof = prove_error(mixed, NOISE, pairs=25, draws=6000, lowest=5e-3, seed=2)
    assert len(proof.pairs) == 25
    assert np.all(np.diff(proof.expected) >= 0)
    pull = (proof.measured - proof.expected) / proof.deviation
    assert np.abs(pull).max() < 4.5
    assert np.mean(pull**2) < 2.2


def test_noise_is_drawn_on_both_counts():
    noisy = NOISE.draw(np.broadcast_to(EDGES[0], (20_000, EDGES[0].size)), np.random.default_rng(0))
    np.testing.assert_allclose(noisy.std(axis=0), NOISE.sigma(EDGES[0]), rtol=0.03)
    np.testing.assert_allclose(noisy.mean(axis=0), EDGES[0], atol=5e-3)


def test_what_cannot_be_proved_is_said():
    with pytest.raises(InputError, match="no pair"):
        prove_error(EDGES[[0, 0]], NOISE)
    dark = NoiseModel(c_ref=300.0, mu_low=0.36, mu_high=1.56)
    with pytest.raises(InputError, match="too dark"):
        prove_error(build_candidates(EDGES, dark).spectra, dark, draws=5000)
