"""The level of the noise: every choice among the windows of a sample, and the limits of a uniform window."""

import numpy as np
import pytest
from gigaxas.errors import InputError
from gigaxas.observed import find_level, level_of_samples, sample_windows
from gigaxas.observed.noise_level import contrast_unit, mode, noise_contrast
from gigaxas.spectra.noise import NoiseModel
from gigaxas.spectra.signal_noise import SignalNoise
from hypothesis import given
from hypothesis import strategies as st
from scipy.linalg import toeplitz
from scipy.ndimage import gaussian_filter
from scipy.signal import fftconvolve
from scipy.stats import chi2, norm

NOISE = NoiseModel(c_ref=2.7e4, mu_low=0.36, mu_high=1.56)
SPECTRUM = 0.5 + 0.5 * np.tanh(np.linspace(-6, 6, 178))
WHITE = np.ones((1, 1))
UNIFORM = ((0.0099, 0.0101), (0.98, 1.02), (-0.02, 0.02))


def windows(count, *ranges):
    """Statistics (count, 3) of windows: variance, contrast, coherence; a value or an even range of each."""
    columns = [np.linspace(*one, count) if np.size(one) == 2 else np.full(count, one) for one in ranges]
    return np.stack(columns, axis=1)


def found(*parts, error=1e-4, space=WHITE, noise=NOISE):
    return find_level(np.concatenate(parts), SPECTRUM, noise, space, 5, 23, error)


def blur(width, radius=4):
    """The correlation (2 radius + 1, 2 radius + 1) of white noise blurred by a Gaussian."""
    steps = np.arange(-radius, radius + 1)
    return np.exp(-np.add.outer(steps**2, steps**2) / (4.0 * width**2))


@given(st.lists(st.integers(-1000, 1000), min_size=1, max_size=60))
def test_the_mode_is_the_middle_of_the_shortest_fifth(values):
    ordered = sorted(values)
    share = max(2, round(len(ordered) / 5))
    runs = [ordered[k : k + share] for k in range(max(1, len(ordered) - share + 1))]
    shortest = min(runs, key=lambda run: run[-1] - run[0]) if len(ordered) > share else ordered
    assert mode(np.array(values, float)) == np.median(shortest)


def test_a_quarter_of_uniform_windows_tells_the_level():
    edges = windows(750, (0.004, 0.08), (1.0, 17.0), (-0.7, 1.1))
    level = found(windows(250, *UNIFORM), edges)
    assert level.variance == pytest.approx(0.01, rel=0.03)
    assert level.contrast == pytest.approx(1.0, rel=0.03)
    assert level.coherence == pytest.approx(0.0, abs=0.03)


def test_windows_that_are_mostly_noise_tell_nothing():
    level = found(windows(30, 0.49, 1.0, 0.0), windows(400, 0.51, 2.0, 0.2))
    assert (level.windows, level.variance, level.contrast) == (30, 0.49, pytest.approx(1.0))


def test_coherence_is_told_by_windows_of_the_usual_contrast():
    """Windows across an edge have their own coherence and variance, and may be as many as they please."""
    level = found(windows(300, *UNIFORM), windows(250, 0.03, (1.9, 9.0), 0.25))
    assert level.coherence == pytest.approx(0.0, abs=0.02)
    assert level.variance == pytest.approx(0.01, rel=0.02)


def test_the_variance_is_told_by_windows_of_the_usual_coherence():
    """Fine textures have the usual contrast, but two phases."""
    texture = windows(280, 0.03, (0.98, 1.02), (0.25, 0.8))
    assert found(windows(300, *UNIFORM), texture).variance == pytest.approx(0.01, rel=0.02)


@pytest.mark.parametrize(("contrast", "coherence"), [(5.0, 0.0), (1.0, 0.4)])
def test_more_than_noise_can_do_is_a_mixture_however_common(contrast, coherence):
    with pytest.raises(InputError, match="that hold one phase, expected at least 20"):
        found(windows(300, 0.01, contrast, coherence))
    assert found(windows(300, 0.01, 3.9, 0.29)).contrast == pytest.approx(3.9)


def test_what_correlated_noise_does_is_no_mixture():
    """Blurred by a pixel, noise has a contrast of 5.6; smoothed over three energies, a coherence of 1/3."""
    space, smoothed = blur(1.0), SignalNoise(read=0.03, energy=np.array([1.0, 2 / 3, 1 / 3]))
    level = found(windows(300, 0.01, noise_contrast(space, 5), 0.4), space=space, noise=smoothed)
    assert level.contrast == pytest.approx(noise_contrast(space, 5)) == pytest.approx(5.60, abs=0.01)
    assert level.coherence == pytest.approx(0.4)
    with pytest.raises(InputError, match="that hold one phase"):
        found(windows(300, 0.01, 6.0 * noise_contrast(space, 5), 0.0), space=space)


@pytest.mark.parametrize("width", [0.6, 1.0, 1.5])
def test_windows_of_blurred_noise_are_as_the_correlation_says(width):
    rng = np.random.default_rng(5)
    noise = gaussian_filter(rng.normal(size=(178, 240, 240)), (0, width, width), mode="wrap")
    noise *= 0.03 / noise.std()
    sample = sample_windows(SPECTRUM[:, None, None] + noise, 5)
    level = level_of_samples([sample], NOISE, 5, 23, 1e-4)
    white = np.zeros((41, 41))
    white[20, 20] = 1.0
    kernel = gaussian_filter(white, width)
    expected = fftconvolve(kernel, kernel, mode="same")[16:25, 16:25] / np.sum(kernel**2)
    np.testing.assert_allclose(level.space, expected, atol=0.03)
    length = np.linalg.norm(SPECTRUM - SPECTRUM.mean())
    assert level.variance == pytest.approx(176 * (0.03 / length) ** 2, rel=0.05)
    assert level.contrast == pytest.approx(mode(sample.statistics[:, 1]), rel=0.05)
    means = noise.reshape(178, 48, 5, 48, 5).mean(axis=(2, 4))
    assert level.spread == pytest.approx(25 * means.var() / 0.03**2, rel=0.05)
    wide = noise.reshape(178, 6, 40, 6, 40).mean(axis=(2, 4))
    assert level.wide_spread == pytest.approx(1600 * wide.var() / 0.03**2, rel=0.1)


def test_smoothing_in_energy_leaves_fewer_energies_that_count():
    """The squares of noise smoothed over three energies vary as those of this many independent ones."""
    smoothed = SignalNoise(read=0.03, energy=np.array([1.0, 2 / 3, 1 / 3]))
    level = found(windows(300, 0.01, 1.0, 0.33), noise=smoothed)
    matrix = toeplitz(np.pad(smoothed.energy, (0, 175)))
    assert level.freedom == pytest.approx(178**2 / np.sum(matrix**2))
    assert level.smooth == pytest.approx(3.0)
    assert level.tail(100) == pytest.approx(chi2.isf(1e-6, level.freedom) / level.freedom)


@pytest.mark.parametrize("count", [19, 20])
def test_fewer_than_twenty_windows_tell_no_level(count):
    if count == 20:
        assert found(windows(count, *UNIFORM)).windows == count
        return
    with pytest.raises(InputError, match="found 19 windows of 5 x 5 pixels with a spectrum"):
        found(windows(count, *UNIFORM))
    with pytest.raises(InputError, match="found 19 windows of 5 x 5 pixels that hold one phase"):
        found(windows(count, *UNIFORM), windows(1, 0.01, 9.0, 0.0))


def white(rng, sigma=0.03, side=150, energies=64):
    """An image (E, h, w) of one spectrum with white noise, and that spectrum."""
    spectrum = np.tanh(np.linspace(-4, 4, energies))
    return spectrum[:, None, None] + rng.normal(0, sigma, (energies, side, side)), spectrum


def test_noise_alone_has_the_levels_that_are_expected():
    mu, spectrum = white(np.random.default_rng(1))
    statistics = sample_windows(mu, 5).statistics
    length = np.linalg.norm(spectrum - spectrum.mean())
    # standardisation takes the noise along the spectrum and along a constant away: 62 of 64 are left
    assert mode(statistics[:, 0]) == pytest.approx(62 * (0.03 / length) ** 2, rel=0.01)
    assert mode(statistics[:, 1]) == pytest.approx(1.0, abs=0.06)
    assert mode(statistics[:, 2]) == pytest.approx(-4 / 64, abs=0.02)
    assert contrast_unit(5) == 2 * 50


@pytest.mark.parametrize("error", [0.2, 0.02])
def test_a_uniform_window_exceeds_each_limit_as_often_as_asked(error):
    """Monte Carlo on windows that share no pixel."""
    mu, spectrum = white(np.random.default_rng(2), side=300)
    statistics = sample_windows(mu[:, :60, :60], 5).statistics
    level = find_level(statistics, spectrum, SignalNoise(read=0.03), WHITE, 5, 23, error)
    tiles = mu.reshape(64, 60, 5, 60, 5).transpose(1, 3, 0, 2, 4).reshape(-1, 64, 5, 5)
    apart = np.concatenate([sample_windows(tile, 5).statistics for tile in tiles])
    # the mode of a skew distribution lies a little below its mean
    assert error / 2 < np.mean(apart[:, 1] > level.contrast_limit) < 2 * error
    assert error / 2 < np.mean(apart[:, 2] > level.coherence_limit) < 2 * error


def test_limits_are_quantiles_about_the_usual_value():
    usual, shared = found(windows(300, 0.01, 1.0, 0.0)), found(windows(300, 0.01, 2.0, 0.1))
    v = usual.profile
    pairs = sum(np.sum(v[step:] * v[:-step]) for step in (2, 3))
    three = sum(np.eye(178, k=k) for k in (-1, 0, 1))
    smoothed = three @ np.diag(v) @ three
    freedom = 2.0 * np.trace(smoothed) ** 2 / np.sum(smoothed**2)
    assert usual.contrast_limit == pytest.approx(chi2.isf(1e-4, freedom) / freedom)
    assert shared.contrast_limit == pytest.approx(2.0 * usual.contrast_limit)
    assert usual.coherence_limit == pytest.approx(norm.isf(1e-4) * np.sqrt(pairs / 24))
    assert shared.coherence_limit == pytest.approx(usual.coherence_limit + 0.1)


def test_the_level_holds_what_the_camera_says():
    level = found(windows(300, *UNIFORM))
    variance = NOISE.sigma(SPECTRUM) ** 2 / np.sum((SPECTRUM - SPECTRUM.mean()) ** 2)
    np.testing.assert_allclose(level.profile, variance / variance.sum())
    assert level.model == pytest.approx(variance.sum())
    assert level.scale == pytest.approx(np.sqrt(level.variance / variance.sum()))
    assert level.freedom == pytest.approx(variance.sum() ** 2 / np.sum(variance**2))
    assert (level.spread, level.wide_spread, level.scatter) == (1.0, 1.0, 1.0)


@pytest.mark.parametrize("times", [0.5, 1.0, 1.7])
def test_a_wrong_noise_scale_is_noticed(times):
    rng = np.random.default_rng(2)
    noise = times * NOISE.sigma(SPECTRUM)[:, None, None] * rng.normal(size=(178, 60, 60))
    sample = sample_windows(SPECTRUM[:, None, None] + noise, 5)
    level = level_of_samples([sample], NOISE, 5, 23, 1e-4)
    assert level.scale == pytest.approx(times, rel=0.03)
    assert level.spread == pytest.approx(1.0, abs=0.1)


def test_samples_are_one_and_their_unit_does_not_matter():
    rng = np.random.default_rng(3)
    images = [SPECTRUM[:, None, None] + 0.03 * rng.normal(size=(178, 30, side)) for side in (20, 40)]
    level = level_of_samples([sample_windows(image, 5) for image in images], NOISE, 5, 23, 1e-4)
    assert level.windows == 26 * 16 + 26 * 36
    coded = [sample_windows((image + 2.0) / 0.001, 5) for image in images]
    same = level_of_samples(coded, NOISE, 5, 23, 1e-4, 0.001, -2.0)
    assert same.variance == pytest.approx(level.variance, rel=1e-3)
    np.testing.assert_allclose(same.profile, level.profile, rtol=1e-6)


def test_without_spectra_no_level_is_found():
    sample = sample_windows(np.random.default_rng(4).normal(size=(40, 30, 30)), 5)
    assert sample.count == 0
    with pytest.raises(InputError, match="windows of 5 x 5 pixels with a spectrum"):
        level_of_samples([sample], NOISE, 5, 23, 1e-4)
