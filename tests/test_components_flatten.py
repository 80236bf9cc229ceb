import numpy as np
import pytest
from component_clusters import LIBRARY, leaked_rows, make_clusters
from gigaxas.components.alike import SAME, compare
from gigaxas.components.evidence import mean_variance
from gigaxas.components.flattened import fit_flattened, leaked
from gigaxas.spectra.noise import NoiseModel
from gigaxas.spectra.signal_noise import SignalNoise
from hypothesis import given, settings
from hypothesis import strategies as st
from planted import NAMES, NOISE, WINDOWS, spectrum


def as_it_is(clusters, row):
    return SAME.search(compare(clusters, row, np.arange(len(clusters.labels)), 0.05))


@given(st.floats(-1, 6), st.floats(0, 5))
def test_a_leak_lets_light_through_beside_the_sample(mu, share):
    light = (np.exp(-mu) + share) / (1 + share)
    assert leaked(mu, share) == pytest.approx(-np.log(light), abs=1e-12)


@given(st.floats(-1, 6), st.floats(0, 2), st.floats(0, 2))
def test_a_leak_of_a_leak_is_a_leak(mu, first, second):
    twice = leaked(leaked(mu, first), second)
    assert twice == pytest.approx(leaked(mu, first + second + first * second), abs=1e-9)


@settings(deadline=None, max_examples=20)
@given(st.integers(0, len(LIBRARY) - 1), st.floats(0.02, 0.6), st.floats(0.6, 1.6))
def test_the_share_is_found_whatever_the_thickness(phase, share, thickness):
    low = 0.5
    mu = leaked(LIBRARY[phase] * NOISE.edge_step * thickness + low, share)
    before, after = mu[WINDOWS.pre].mean(), mu[WINDOWS.post].mean()
    flat = (mu - before) / (after - before)
    clusters = make_clusters([LIBRARY[phase], flat], [10_000, 10_000], [1.2, after - before], seed=phase)
    clusters.low[:] = before
    leaks = fit_flattened(clusters, 1, 0.05)
    assert leaks.amount[0] == pytest.approx(share, abs=5 * leaks.error[0] + 0.01 * share), NAMES[phase]
    assert leaks.chi_square[0] < 240
    assert leaks.chi_square[0] <= as_it_is(clusters, 1).chi_square[0] + 1e-6


def test_a_sharper_spectrum_is_no_leak_of_a_flatter_one():
    (flat, step), proper = leaked_rows(["hematite"], [0.2])[0], spectrum("hematite")
    leaks = fit_flattened(make_clusters([proper, flat], [5000, 5000], [1.2, step]), 0, 0.05)
    assert leaks.chi_square[1] > 1000
    assert np.isinf(leaks.chi_square[0])


def test_a_spectrum_upside_down_is_no_fit():
    proper = spectrum("hematite")
    clusters = make_clusters([proper, 1.0 - proper], [5000, 5000])
    assert np.isinf(fit_flattened(clusters, 0, 0.05).chi_square).all()
    assert np.isinf(as_it_is(clusters, 0).chi_square[1])


def test_the_spread_of_few_pixels_leans_on_the_camera():
    noise = np.full((3, 4), 0.05)
    error = np.array([[np.nan] * 4, [0.03] * 4, [0.001] * 4])
    variance = mean_variance(error, np.array([1, 4, 10_000]), noise)
    assert variance[0] == pytest.approx(0.05**2)
    assert variance[1] == pytest.approx((3 * 4 * 0.03**2 + 10 * 0.05**2) / 13 / 4)
    assert variance[2] == pytest.approx(0.001**2, rel=0.01)


def test_the_noise_of_a_pixel_is_that_of_the_noise_model():
    noise, spectra = NoiseModel(2.7e4, 0.3, 1.4), LIBRARY[:5]
    np.testing.assert_allclose(noise.sigma_at(spectra, 0.3, 1.1), noise.sigma(spectra), rtol=1e-12)
    assert np.isfinite(noise.sigma_at(20.0, 0.3, 1.1))
    low, step = np.array([[0.2, 0.3]]), np.array([[1.0], [1.1]])
    np.testing.assert_array_equal(noise.edge_sigma(low, step), noise.sigma_at(np.ones((2, 2)), low, step))


@pytest.mark.parametrize("read", [0.02, (0.01, 0.02, 0.03)])
def test_noise_that_the_signal_tells_is_the_same_for_pixels_of_any_thickness(read):
    found = SignalNoise(np.array(read), gain=0.01).edge_sigma(
        np.array([[0.2, 0.3]]), np.array([[1.0], [1.1]])
    )
    np.testing.assert_allclose(found, np.full((2, 2), np.sqrt(np.mean(np.square(read)) + 0.01)))
