import itertools

import numpy as np
import pytest
from gigaxas.components.nnls import fit, nnls
from gigaxas.components.projection import make_frame, project
from gigaxas.errors import InputError
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import nnls as scipy_nnls

ENERGIES = 30


def problem(seed, count, scale, spectra=40, likeness=0.0):
    """A basis (E, k) and spectra (n, E), some of which lie outside the cone on purpose."""
    rng = np.random.default_rng(seed)
    basis = rng.random((ENERGIES, count)) + likeness * rng.random((ENERGIES, 1))
    weights = rng.dirichlet(np.ones(count), spectra) * rng.choice([1, 1, -0.5], (spectra, count))
    noise = rng.normal(0, rng.choice([0, 1e-3, 0.1, 3]), (spectra, ENERGIES))
    return basis, scale * (weights @ basis.T + noise)


def best_of_all_sets(basis, spectrum, sum_to_one):
    """The least residual over every set of free components whose weights are not negative."""
    best = np.zeros(basis.shape[1]), np.inf
    for size in range(1, basis.shape[1] + 1):
        for members in itertools.combinations(range(basis.shape[1]), size):
            x = np.zeros(basis.shape[1])
            chosen = basis[:, members]
            if sum_to_one:
                ones = np.ones((1, size))
                system = np.block([[chosen.T @ chosen, ones.T], [ones, np.zeros((1, 1))]])
                x[list(members)] = np.linalg.solve(system, [*(chosen.T @ spectrum), 1.0])[:size]
            else:
                x[list(members)] = np.linalg.lstsq(chosen, spectrum, rcond=None)[0]
            left = np.linalg.norm(basis @ x - spectrum)
            if x.min() >= -1e-12 and left < best[1] - 1e-12:
                best = x, left
    return best


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 10**6), st.integers(1, 14), st.sampled_from([1e-6, 1.0, 1e6]), st.sampled_from([0, 5]))
def test_weights_and_residuals_are_those_of_scipy(seed, count, scale, likeness):
    basis, spectra = problem(seed, count, scale, likeness=likeness)
    found = nnls(basis, spectra)
    condition = np.linalg.cond(basis)
    assert found.weights.min() >= 0.0
    for i, spectrum in enumerate(spectra):
        x, left = scipy_nnls(basis, spectrum, maxiter=1000)
        size = np.linalg.norm(spectrum)
        np.testing.assert_allclose(found.weights[:, i], x, atol=1e-14 * size * condition)
        assert abs(found.residual[i] - left) <= 1e-7 * size  # it is a difference of squares
        assert np.linalg.norm(basis @ found.weights[:, i] - spectrum) <= left + 1e-13 * size


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 10**6), st.integers(1, 14), st.booleans())
def test_no_component_could_lower_the_residual(seed, count, one):
    basis, spectra = problem(seed, count, 1.0)
    found = nnls(basis, spectra, one)
    slope = basis.T @ (spectra.T - basis @ found.weights)
    for x, gain in zip(found.weights.T, slope.T, strict=True):
        level = gain[x > 0].mean() if one else 0.0
        assert gain.max() <= level + 1e-10
        np.testing.assert_allclose(gain[x > 0], level, atol=1e-10)


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 10**6), st.integers(1, 5), st.booleans())
def test_the_best_of_all_sets_of_components_is_found(seed, count, one):
    basis, spectra = problem(seed, count, 1.0, spectra=8)
    found = nnls(basis, spectra, one)
    for i, spectrum in enumerate(spectra):
        x, _ = best_of_all_sets(basis, spectrum, one)
        np.testing.assert_allclose(found.weights[:, i], x, atol=1e-10)


@settings(deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 8))
def test_weights_sum_to_one_where_asked(seed, count):
    basis, spectra = problem(seed, count, 1.0)
    found = nnls(basis, spectra, sum_to_one=True)
    assert found.weights.min() >= 0.0
    np.testing.assert_allclose(found.weights.sum(axis=0), 1.0, atol=1e-12)


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 10**6), st.integers(1, 12), st.booleans(), st.sampled_from(["uint16", "float32"]))
def test_a_spectrum_gets_the_same_bits_whatever_stands_beside_it(seed, count, one, dtype):
    rng = np.random.default_rng(seed)
    basis = rng.random((ENERGIES, count)) * 10_000
    samples = (rng.random((ENERGIES, 700)) * 10_000).astype(dtype)
    frame, order = make_frame(basis), rng.permutation(700)[: rng.integers(1, 700)]

    def fitted(block):
        coordinates, total = project(frame, block, 0.5, -3.0)
        return fit(frame.components, coordinates, total, np.eye(count), one)

    whole, part = fitted(samples), fitted(samples[:, order])
    np.testing.assert_array_equal(part.weights, whole.weights[:, order])
    np.testing.assert_array_equal(part.variance, whole.variance[:, order])
    np.testing.assert_array_equal(part.residual, whole.residual[order])


def test_more_components_than_remembered_sets_still_gives_scipys_weights():
    rng = np.random.default_rng(4)
    basis = rng.random((60, 25))
    spectra = rng.random((200, 60))
    found = nnls(basis, spectra)
    direct = np.array([scipy_nnls(basis, spectrum)[0] for spectrum in spectra])
    np.testing.assert_allclose(found.weights.T, direct, atol=1e-11)


@pytest.mark.parametrize("one", [False, True])
def test_variance_is_that_of_repeated_measurements(one):
    rng = np.random.default_rng(2)
    basis = rng.random((ENERGIES, 3))
    true = basis @ [0.5, 0.3, 0.2]
    found = nnls(basis, true + rng.normal(0, 0.02, (20_000, ENERGIES)), one)
    measured = found.weights.var(axis=1)
    np.testing.assert_allclose(found.variance[:, 0] * 0.02**2, measured, rtol=0.04)


def test_a_weight_held_at_0_has_the_variance_it_would_have_if_free():
    basis = np.array([[1.0, 1.0], [0.0, 1.0], [0.0, 1.0]])
    found = nnls(basis, np.array([[2.0, -1.0, -1.0]]))
    assert found.weights[:, 0].tolist() == [2.0, 0.0]
    both = np.linalg.inv(basis.T @ basis)
    np.testing.assert_allclose(found.variance[:, 0], [1.0, both[1, 1]])


def test_a_spectrum_of_zeros_has_no_component():
    assert nnls(np.eye(4)[:, :2], np.zeros((1, 4))).weights.ravel().tolist() == [0.0, 0.0]


@pytest.mark.parametrize(
    ("basis", "spectra", "message"),
    [
        (np.ones((4, 2)), np.ones((1, 4)), "combination of the others"),
        (np.zeros((4, 1)), np.ones((1, 4)), "combination of the others"),
        (np.full((4, 1), np.nan), np.ones((1, 4)), "component is not finite"),
        (np.eye(4), np.full((1, 4), np.inf), "spectrum is not finite"),
        (np.eye(4), np.ones((1, 5)), "expected \\(n, E\\) and \\(E, k\\)"),
        (np.ones((2, 3)), np.ones((1, 2)), "expected 1 to 2"),
        (np.eye(70)[:, :63], np.ones((1, 70)), "expected at most 62"),
    ],
)
def test_what_has_no_solution_is_refused(basis, spectra, message):
    with pytest.raises(InputError, match=message):
        nnls(basis, spectra)
