"""Camera noise: Eq. 3 with its sign put right, and the normalised spectrum's noise."""

import dataclasses

import numpy as np
import pytest
import site_oracle
from gigaxas.errors import InputError
from gigaxas.spectra.noise import NoiseModel, has_edge, sigma_absorbance, sigma_counts
from hypothesis import given
from hypothesis import strategies as st

PAPER = NoiseModel(c_ref=2.7e4, mu_low=0.36, mu_high=1.56)


def test_the_papers_working_point_by_hand():
    # N = 27000 and 27000 exp(-1.56) = 5673.73: the two terms of the variance, added by hand
    expected = np.sqrt(3.448431e-4 + 1.639496e-3) / 1.2
    assert PAPER.sigma(np.array([1.0]))[0] == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("model", [PAPER, NoiseModel(2.0e4, 0.5, 2.5), NoiseModel(2.7e4, 0.36, 1.92)])
def test_sigma_equals_the_oracle(model):
    spectrum = np.linspace(-0.05, 1.4, 50)
    expected = site_oracle.sigma(spectrum, model.c_ref, model.mu_low, model.mu_high)
    np.testing.assert_allclose(model.sigma(spectrum), expected, rtol=1e-13)
    image = np.stack([spectrum, spectrum[::-1]])[None]
    assert model.sigma(image).shape == image.shape
    np.testing.assert_array_equal(model.sigma(image)[0, 1, ::-1], model.sigma(spectrum))


def test_sigma_is_the_scatter_of_spectra_with_noise_on_their_counts():
    generator = np.random.default_rng(1)
    clean = np.array([0.0, 0.5, 1.0, 1.3])
    c_trans = np.broadcast_to(PAPER.counts(clean), (200_000, 4))
    c_ref = np.full_like(c_trans, PAPER.c_ref)
    noisy = PAPER.normalised(
        c_ref + sigma_counts(c_ref) * generator.standard_normal(c_ref.shape),
        c_trans + sigma_counts(c_trans) * generator.standard_normal(c_trans.shape),
    )
    # the square of the relative noise of a count, below 1 %, bends the logarithm by about as much
    np.testing.assert_allclose(noisy.std(axis=0), PAPER.sigma(clean), rtol=0.01)


@given(st.floats(-0.2, 2.0), st.floats(1e3, 1e5))
def test_normalised_inverts_counts(value, c_ref):
    model = dataclasses.replace(PAPER, c_ref=c_ref)
    back = model.normalised(np.array([c_ref]), model.counts(np.array([value])))
    assert back[0] == pytest.approx(value, abs=1e-12)


def test_the_lowest_count_is_where_the_variance_ends():
    assert PAPER.lowest_count == pytest.approx(6.765, abs=1e-3)
    lowest = PAPER.lowest_count * (1 + 1e-12)
    assert np.isfinite(sigma_absorbance(2.7e4, lowest))
    with pytest.raises(InputError, match=r"lowest count of 6\.765"):
        sigma_absorbance(2.7e4, 6.7)
    with pytest.raises(InputError, match="reference"):
        sigma_absorbance(6.7, 2.7e4)
    with pytest.raises(InputError, match="transmitted"):
        PAPER.sigma(np.array([0.5, 7.0]))


def test_read_noise_makes_b_negative():
    model = dataclasses.replace(PAPER, c_ref=500.0, a=0.14, b=-12.7)
    assert model.lowest_count == 0.0
    counts = 500 * np.exp([0.0, -0.36, -1.56])
    relative = (0.14 * counts + 12.7) / counts**2
    expected = np.sqrt(relative[0] + relative[1:]) / 1.2
    np.testing.assert_allclose(model.sigma(np.array([0.0, 1.0])), expected, rtol=1e-12)
    found = has_edge([500.0, 0.0, -5.0], [0.36], [1.56], (5, 9), 0.14, -12.7)
    assert found.tolist() == [True, False, False]
    dark = model.sigma_at(np.array([1.0, 5.0, 1e4]), 0.36, 1.2)
    assert np.all(np.isfinite(dark))
    assert dark[0] == pytest.approx(model.sigma(np.ones(1))[0], rel=1e-12)
    with pytest.raises(InputError, match="counts to 0"):
        dataclasses.replace(model, c_ref=60.0).draw(np.ones(5000), np.random.default_rng(0))


@pytest.mark.parametrize("b", [0.0, -12.7])
@pytest.mark.parametrize("count", [0.0, -3.0, np.nan, np.inf])
def test_counts_that_are_none_are_refused(count, b):
    with pytest.raises(InputError):
        sigma_counts(np.array([100.0, count]), a=9.3131, b=b)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"mu_high": 0.36}, "mu_high = 0.36 is not above mu_low = 0.36"),
        ({"mu_high": 0.1}, "edge step must be positive"),
        ({"mu_high": float("nan")}, "not finite"),
        ({"c_ref": 5.0}, "lowest count"),
        ({"c_ref": -1.0}, "lowest count"),
        ({"mu_high": 9.0}, "lowest count"),
        ({"a": 0.0}, "calibrate"),
    ],
)
def test_a_working_point_that_cannot_be_is_refused(change, message):
    with pytest.raises(InputError, match=message):
        dataclasses.replace(PAPER, **change)


@pytest.mark.parametrize("value", [np.nan, np.inf, -1e6])
def test_bad_spectra_are_refused(value):
    with pytest.raises(InputError):
        PAPER.sigma(np.array([0.1, value]))


def test_the_working_point_of_maps_is_their_mean_over_valid_pixels():
    model = NoiseModel.measured([2.6e4, 2.8e4, np.nan], [[0.3, 0.42]], [1.5, 1.62, np.nan])
    assert (model.c_ref, model.mu_low, model.mu_high) == pytest.approx((2.7e4, 0.36, 1.56))
    with pytest.raises(InputError, match="mu_low holds no finite value"):
        NoiseModel.measured([2.6e4], [np.nan], [1.5])
