import numpy as np
import pytest
from composed_tiles import CLUSTERS, INVALID, NOISE, OFFSET, PURE, SCALE, composed, plan, scene
from gigaxas.components.composition import compose
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import nnls as scipy_nnls


@pytest.mark.parametrize("dtype", ["uint16", "float32"])
@pytest.mark.parametrize("everywhere", [False, True])
def test_pixels_are_fitted_on_the_basis_of_their_cluster(dtype, everywhere):
    label, samples = scene(0, dtype=dtype)
    found = composed(label, samples, plan(everywhere))
    values = samples * SCALE + OFFSET if dtype == "uint16" else samples.astype(np.float64)
    for y, x in np.ndindex(label.shape):
        here, kind = found.ratio[:, y, x], label[y, x]
        fitted = kind in (1, 2, 3, 4) if everywhere else kind == 4
        if not fitted:
            assert (
                here.tolist() == {0: [0, 0, 0], 1: [1, 0, 0], 2: [0, 1, 0], 3: [0, 0, 1], 5: [1, 0, 0]}[kind]
            )
            assert np.isnan(found.residual[y, x])
            continue
        basis = CLUSTERS.spectra[: 3 if everywhere else 2]
        weights, left = scipy_nnls(basis.T, values[:, y, x])
        np.testing.assert_allclose(here[: len(basis)], weights, atol=1e-6)
        assert found.residual[y, x] == pytest.approx(left / np.sqrt(len(values)), rel=1e-5)
        assert found.main[y, x] == 1 + weights.argmax()
    assert (found.main[label == 0] == 0).all()
    assert found.main[label == 5].tolist() == [1] * (label == 5).sum()


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 99), st.integers(1, 10), st.integers(1, 22), st.booleans(), st.booleans())
def test_maps_are_the_same_for_any_tiles(seed, y, x, everywhere, one):
    label, samples = scene(seed)
    whole = composed(label, samples, plan(everywhere, one))
    for rows in (slice(0, y), slice(y, None)):
        for columns in (slice(0, x), slice(x, None)):
            part = composed(label[rows, columns], samples[:, rows, columns], plan(everywhere, one))
            for name, values in vars(part).items():
                np.testing.assert_array_equal(values, getattr(whole, name)[..., rows, columns])


def test_one_sigma_is_the_scatter_of_the_ratio():
    rng = np.random.default_rng(3)
    mixture = 0.5 * PURE[0] + 0.5 * PURE[1]
    noise = NOISE.sigma(mixture)
    samples = (mixture + rng.normal(0, noise, (60, 60, 178))).transpose(2, 0, 1)
    label = np.full((60, 60), 4, np.uint16)
    found = composed(label, samples, plan())
    scatter = found.ratio[:2].std(axis=(1, 2))
    np.testing.assert_allclose(found.sigma[:2].mean(axis=(1, 2)), scatter, rtol=0.05)
    assert np.isnan(found.sigma[2]).all()
    assert found.residual.mean() == pytest.approx(np.sqrt((noise**2).mean()), rel=0.02)
    twice = composed(label, samples, plan(), edge_noise=2 * np.full((60, 60), plan().shares[4].edge_noise))
    np.testing.assert_allclose(twice.sigma, 2 * found.sigma, rtol=1e-6)


def test_ratios_sum_to_one_where_asked():
    label, samples = scene(1)
    found = composed(label, samples, plan(one=True))
    np.testing.assert_allclose(found.ratio[:, label > 0].sum(axis=0), 1.0, atol=1e-6)


def test_a_filled_pixel_without_spectrum_takes_the_ratios_of_its_cluster():
    label, samples = scene(2)
    y, x = np.argwhere(label == 4)[0]
    samples[7, y, x] = INVALID
    found = composed(label, samples, plan())
    assert found.ratio[:, y, x].tolist() == [0.5, 0.5, 0.0]
    assert np.isnan(found.residual[y, x])
    assert np.isnan(found.sigma[:, y, x]).all()


def test_a_tile_without_mixtures_needs_no_spectra():
    label = np.array([[1, 2], [0, 5]], np.uint16)
    found = compose(label, None, plan())
    assert found.main.tolist() == [[1, 2], [0, 1]]
    assert np.isnan(found.residual).all()
