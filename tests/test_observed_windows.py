"""Sums over windows against an oracle written from their definition, and the noise level found on data."""

import numpy as np
import pytest
from gigaxas.errors import InputError
from gigaxas.observed import find_level, probe_windows
from gigaxas.observed.level import contrast_unit, mode
from gigaxas.observed.pixels import standardise_pixels, whole_unit
from gigaxas.observed.windows import move_to, strip_of
from gigaxas.spectra.noise import NoiseModel
from hypothesis import given, settings
from hypothesis import strategies as st

NOISE = NoiseModel(c_ref=2.7e4, mu_low=0.36, mu_high=1.56)


def image(rng, energies, shape, void=0.0):
    """Noisy spectra (E, y, x) of two shapes, some pixels void."""
    grid = np.linspace(0, 1, energies)
    means = np.stack([np.tanh(8 * (grid - 0.4)), np.tanh(8 * (grid - 0.5)) + 0.1 * grid])
    phase = rng.integers(0, 2, shape)
    mu = means[phase].transpose(2, 0, 1) + rng.normal(0, 0.05, (energies, *shape))
    mu[:, rng.random(shape) < void] = np.nan
    return mu


def slow_sums(pixels, y, x, k):
    """Scatter, its smooth kin, contrast and coherence of one window, from what the pixels were rounded to."""
    part = pixels.samples[:, y : y + k, x : x + k].astype(float).reshape(pixels.samples.shape[0], -1)
    good = pixels.valid[y : y + k, x : x + k].ravel()
    ys, xs = (axis.ravel()[good] for axis in np.mgrid[:k, :k])
    spectra = part[:, good]
    away = spectra - spectra.mean(axis=1, keepdims=True)
    coherence = sum((away[:-step] * away[step:]).sum() for step in (2, 3))
    padded = np.pad(away, ((1, 1), (0, 0)))
    smoothed = ((padded[:-2] + padded[1:-1] + padded[2:]) ** 2).sum()
    contrast, full = 0.0, (np.mgrid[:k, :k][0] - k // 2).astype(float)
    for axis in (ys, xs):
        lever = axis - axis.mean()
        moment = np.pad(away @ lever, 1)
        smooth = moment[:-2] + moment[1:-1] + moment[2:]
        contrast += (smooth**2).sum() * (full**2).sum() / (lever**2).sum()
    return (away**2).sum(), smoothed, contrast, coherence


@pytest.mark.parametrize("dtype", [np.uint16, np.float32, np.float64])
def test_pixels_are_standardised_and_bad_ones_void(dtype):
    rng = np.random.default_rng(0)
    block = rng.uniform(100, 60000, (20, 6, 7)).astype(dtype)
    block[:, 1, 2] = 500  # constant
    block[3, 4, 5] = 65535
    if dtype != np.uint16:
        block[7, 0, 0] = np.nan
    pixels = standardise_pixels(block, 5, 65535)
    values = block.astype(float)
    centred = values - values.mean(axis=0)
    length = np.maximum(np.linalg.norm(centred, axis=0), 1e-9)
    expected = np.rint(centred / length * pixels.unit)
    bad = {(1, 2), (4, 5)} | ({(0, 0)} if dtype != np.uint16 else set())
    for y, x in np.ndindex(6, 7):
        assert pixels.valid[y, x] == ((y, x) not in bad)
        wanted = np.zeros(20) if (y, x) in bad else expected[:, y, x]
        assert np.array_equal(pixels.samples[:, y, x], wanted)


@settings(deadline=None, max_examples=25)
@given(
    st.sampled_from([3, 5, 7]),
    st.integers(3, 30),
    st.integers(0, 4),
    st.integers(0, 9),
    st.sampled_from([0.0, 0.05]),
    st.integers(0, 2**20),
)
def test_window_sums_are_the_oracle_s(k, energies, more_rows, more_columns, void, seed):
    rng = np.random.default_rng(seed)
    mu = image(rng, energies, (k + more_rows, k + more_columns), void)
    pixels = standardise_pixels(mu, k)
    strip = strip_of(pixels, k, 2)
    for y in range(strip.rows):
        move_to(strip, y)
        for x in range(more_columns + 1):
            here = strip.row
            assert here.pixels[x] == pixels.valid[y : y + k, x : x + k].sum()
            total = pixels.samples[:, y : y + k, x : x + k].astype(float).sum(axis=(1, 2))
            assert np.array_equal(here.total[:, x], total)
            if here.pixels[x] < k * k - 2:
                continue
            scatter, smooth, contrast, coherence = slow_sums(pixels, y, x, k)
            scale = max(scatter, 1.0)
            np.testing.assert_allclose(here.scatter[x], scatter, rtol=1e-9, atol=1e-6 * scale)
            np.testing.assert_allclose(here.smooth[x], smooth, rtol=1e-7, atol=1e-6 * scale)
            np.testing.assert_allclose(here.contrast[x], contrast, rtol=1e-5, atol=1e-5 * scale)
            np.testing.assert_allclose(here.coherence[x], coherence, rtol=1e-6, atol=1e-6 * scale)


@pytest.mark.parametrize("k", [3, 5, 7, 9, 15, 21])
def test_sums_stay_whole_numbers(k):
    lever = sum(abs(j - k // 2) for j in range(k)) * k
    assert whole_unit(k) * max(k * k, lever) <= 2**24


def test_noise_alone_has_the_levels_that_are_expected():
    rng = np.random.default_rng(1)
    spectrum = np.tanh(np.linspace(-4, 4, 178))
    mu = spectrum[:, None, None] + rng.normal(0, 0.03, (178, 80, 80))
    probed, _ = probe_windows(mu, 5)
    length = np.linalg.norm(spectrum - spectrum.mean())
    assert mode(probed[:, 0]) == pytest.approx(178 * (0.03 / length) ** 2, rel=0.03)
    assert mode(probed[:, 1]) == pytest.approx(1.0, abs=0.06)
    assert mode(probed[:, 2]) == pytest.approx(0.0, abs=0.03)
    assert contrast_unit(5) == 2 * 50


@pytest.mark.parametrize("times", [0.5, 1.0, 1.7])
def test_a_wrong_noise_scale_is_noticed(times):
    rng = np.random.default_rng(2)
    spectrum = 0.5 + 0.5 * np.tanh(np.linspace(-6, 6, 178))
    mu = spectrum[:, None, None] + times * NOISE.sigma(spectrum)[:, None, None] * rng.normal(
        size=(178, 60, 60)
    )
    probed, total = probe_windows(mu, 5)
    level = find_level(probed, total[:-1] / total[-1], NOISE, 5, 23, 1e-4)
    assert level.scale == pytest.approx(times, rel=0.03)
    assert level.spread == pytest.approx(1.0, abs=0.1)


def test_noise_shared_by_neighbours_is_noticed():
    rng = np.random.default_rng(3)
    spectrum = 0.5 + 0.5 * np.tanh(np.linspace(-6, 6, 178))
    noise = rng.normal(0, 0.05, (178, 62, 62))
    blurred = sum(np.roll(noise, shift, axis) for axis in (1, 2) for shift in (-1, 0, 1))[:, 1:-1, 1:-1]
    probed, total = probe_windows(spectrum[:, None, None] + blurred, 5)
    level = find_level(probed, total[:-1] / total[-1], NOISE, 5, 23, 1e-4)
    assert level.spread > 1.25


def test_without_spectra_no_level_is_found():
    rng = np.random.default_rng(4)
    probed, total = probe_windows(rng.normal(size=(40, 30, 30)), 5)
    with pytest.raises(InputError, match="windows of 5 x 5 pixels with a spectrum"):
        find_level(probed, total[:-1], NOISE, 5, 23, 1e-4)
