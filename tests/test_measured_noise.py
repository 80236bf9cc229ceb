"""Noise measured on an image alone, against images whose noise is known (MEASURED 2)."""

import os
from pathlib import Path

import numpy as np
import pytest
from gigaxas.errors import InputError
from gigaxas.spectra.measured_noise import measure_noise
from gigaxas.spectra.noise_correlation import (
    LAGS,
    RADIUS,
    correlation_in_energy,
    correlation_in_space,
    residual_mixing,
)
from gigaxas.spectra.noise_levels import fit_levels
from gigaxas.spectra.structure import projector, structure_basis
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

NEIGHBOURS = ((0, 1), (0, 2), (1, 0), (2, 0), (1, 1), (2, 2), (1, -1), (2, -2))


def edge(energy, position, white=0.0):
    line = white * np.exp(-(((energy - position - 3) / 2.5) ** 2))
    return 1 / (1 + np.exp(-(energy - position) / 2)) + line


def scene(energies=90, side=96, start=7009, stop=7321):
    """Two phases in squares of 24 pixels, a smooth thickness that varies by a fifth: absorbance (E, y, x)."""
    energy = np.linspace(start, stop, energies)
    square = np.arange(side) // 24
    texture = ndimage.gaussian_filter(np.random.default_rng(11).normal(size=(side, side)), 6)
    phases = edge(energy, 7122)[:, None, None], edge(energy, 7128)[:, None, None]
    return np.where(np.add.outer(square, square) % 2, *phases) * (1 + 0.2 * texture / texture.std())


def third_without_iron():
    """Two phases above, nothing in the lowest third: absorbance (58, 60, 60)."""
    energy = np.linspace(7090, 7175, 58)
    spectra = np.stack([edge(energy, 7121, 0.8), edge(energy, 7125, 0.4), 0 * energy], axis=1)
    phase = np.zeros((60, 60), int)
    phase[:, 30:], phase[40:] = 1, 2
    return 0.5 * spectra[:, phase]


@pytest.fixture(scope="module")
def clean():
    return scene()


@pytest.fixture
def rng():
    return np.random.default_rng(20261126)


def along(values, step):
    """Products of values (E, h, w) with those of the neighbour a step (dy, dx) away."""
    dy, dx = step
    near, far = (slice(max(0, s), min(0, s) or None) for s in (-dx, dx))
    return values[:, dy:, far] * values[:, : values.shape[1] - dy, near]


def in_space(noise, step):
    return np.mean(along(noise, step)) / np.mean(noise**2)


def in_energy(noise, lag):
    return np.mean(noise[lag:] * noise[:-lag]) / np.mean(noise**2)


def check(found, noise, sigma=0.10, correlation=0.05):
    """Hold what was measured against the very noise (E, h, w) that is in the image."""
    assert found.sigma == pytest.approx(np.sqrt(np.mean(noise**2)), rel=sigma)
    for dy, dx in NEIGHBOURS:
        measured = found.model.space[RADIUS + dy, RADIUS + dx]
        assert measured == pytest.approx(in_space(noise, (dy, dx)), abs=correlation), (dy, dx)
    for lag in (1, 2):
        assert found.model.energy[lag] == pytest.approx(in_energy(noise, lag), abs=correlation), lag


FILTERS = {
    "white": lambda n: n,
    "blurred by 0.5 px": lambda n: ndimage.gaussian_filter(n, (0, 0.5, 0.5)),
    "blurred by 1 px": lambda n: ndimage.gaussian_filter(n, (0, 1, 1)),
    "blurred by 1.5 px": lambda n: ndimage.gaussian_filter(n, (0, 1.5, 1.5)),
    "3 x 3 mean": lambda n: ndimage.uniform_filter(n, (0, 3, 3)),
    "half a pixel along x": lambda n: ndimage.shift(n, (0, 0, 0.5), order=1, mode="nearest"),
    "five points in energy": lambda n: ndimage.uniform_filter1d(n, 5, axis=0),
}


@pytest.mark.parametrize("name", FILTERS)
def test_noise_of_a_linear_filter_is_measured(name, clean, rng):
    drawn = rng.normal(0, 0.02, clean.shape)
    found = measure_noise([FILTERS[name](clean + drawn)], counted_from_zero=False)
    check(found, FILTERS[name](drawn), sigma=0.03, correlation=0.02)
    assert found.error < 0.01
    assert found.structure == 2


def test_noise_of_a_median_filter_is_measured(clean, rng):
    once, again = (ndimage.median_filter(clean + rng.normal(0, 0.02, clean.shape), (1, 3, 3)) for _ in "12")
    # the median of an image is not the image and the median of its noise; two draws differ by noise alone
    check(measure_noise([once], counted_from_zero=False), (once - again) / np.sqrt(2))


@pytest.mark.parametrize("low", [5, 100, 1_000, 10_000])
def test_counts_have_a_gain_of_one(low, clean, rng):
    expected = low * 2 * clean + 0.2
    counts = rng.poisson(expected)
    found = measure_noise([counts], counted_from_zero=True)
    check(found, counts - expected)
    assert found.model.gain == pytest.approx(1, rel=0.10)
    assert found.model.origin == 0


@pytest.mark.parametrize("low", [5, 100])
def test_few_pixels_a_third_of_them_without_signal_have_a_gain_of_one(low, rng):
    expected = low * 2 * third_without_iron() + 0.2
    counts = rng.poisson(expected)
    found = measure_noise([counts], counted_from_zero=True)
    check(found, counts - expected)
    assert found.model.gain == pytest.approx(1, rel=0.10)


def test_few_pixels_of_absorbance_a_third_of_them_without_signal(rng):
    noise = rng.normal(0, 0.01, (58, 60, 60))
    found = measure_noise([third_without_iron() + noise], counted_from_zero=False)
    check(found, noise)
    assert found.model.read == pytest.approx(0.01, rel=0.05)


def test_transmission_counts_as_absorbance_have_the_variance_of_one_over_their_counts(clean, rng):
    expected = 1000 * np.exp(-clean)
    image = np.log(1000 / rng.poisson(expected))
    found = measure_noise([image], counted_from_zero=False)
    check(found, image - clean)
    for low, high in ((0.0, 0.1), (0.4, 0.6), (0.9, 1.1)):
        level = (clean > low) & (clean < high)
        told = np.sqrt(np.mean(found.model.variance(clean[level])))
        assert told == pytest.approx(np.sqrt(np.mean(1 / expected[level])), rel=0.10)


def test_read_noise_and_counting_noise_are_told_apart(clean, rng):
    expected = 100 * clean + 10
    noise = rng.poisson(expected) - expected + rng.normal(0, 3.5, clean.shape)
    found = measure_noise([expected + noise], counted_from_zero=True)
    check(found, noise)
    assert found.model.read == pytest.approx(3.5, rel=0.10)
    assert found.model.gain == pytest.approx(1, rel=0.10)


def test_noise_in_proportion_to_the_signal_is_told_from_counting(clean, rng):
    noise = 0.02 * (clean + 0.1) * rng.normal(size=clean.shape)
    found = measure_noise([clean + 0.1 + noise], counted_from_zero=True)
    assert found.model.flat == pytest.approx(0.02, rel=0.10)
    assert found.model.gain == 0


def test_a_fixed_pattern_is_structure_not_noise(clean, rng):
    pattern = 1 + 0.02 * rng.normal(size=clean.shape[1:])
    expected = (1000 * clean + 10) * pattern
    counts = rng.poisson(expected)
    found = measure_noise([counts], counted_from_zero=True)
    check(found, counts - expected)


def test_grains_finer_than_the_reach_of_noise_are_structure(rng):
    energy = np.linspace(7090, 7175, 58)
    spectra = np.stack([edge(energy, 7118 + i, 0.2 * (i % 4)) for i in range(9)], axis=1)
    grains = ndimage.gaussian_filter(rng.normal(size=(9, 96, 96)), (0, 1.5, 1.5)).argmax(axis=0)
    noise = rng.normal(0, 0.005, (58, 96, 96))
    check(measure_noise([spectra[:, grains] + noise], counted_from_zero=False), noise)


def test_outliers_are_no_noise(clean, rng):
    noise = rng.normal(0, 0.02, clean.shape)
    struck = np.where(rng.random(clean.shape) < 1e-3, 1.0, 0.0)
    found = measure_noise([clean + noise + struck], counted_from_zero=False)
    assert found.sigma == pytest.approx(0.02, rel=0.03)


SMALL = third_without_iron() + np.random.default_rng(3).normal(0, 0.01, (58, 60, 60))


@pytest.fixture(scope="module")
def as_it_is():
    return measure_noise([SMALL], counted_from_zero=False)


@settings(max_examples=6)
@given(factor=st.floats(-3, 3).map(lambda power: 10.0**power), added=st.floats(-10, 10))
def test_a_factor_and_an_added_constant_change_nothing_but_the_unit(as_it_is, factor, added):
    scaled = measure_noise([(SMALL + added) * factor], counted_from_zero=False)
    check_scaled(scaled, as_it_is, factor)
    assert scaled.model.origin / factor - added == pytest.approx(as_it_is.model.origin, abs=1e-6)


@pytest.mark.parametrize("factor", [0.1, 20.0])
def test_an_intensity_in_another_unit_has_its_noise_in_that_unit(factor, rng):
    counts = rng.poisson(200 * third_without_iron() + 20).astype(float)
    as_it_is = measure_noise([counts], counted_from_zero=True)
    check_scaled(measure_noise([counts * factor], counted_from_zero=True), as_it_is, factor)


def check_scaled(scaled, one, factor):
    assert scaled.sigma == pytest.approx(one.sigma * factor, rel=1e-6)
    assert scaled.model.read == pytest.approx(one.model.read * factor, rel=1e-6, abs=1e-9 * factor)
    assert scaled.model.gain == pytest.approx(one.model.gain * factor, rel=1e-6, abs=1e-12 * factor)
    assert scaled.model.flat == pytest.approx(one.model.flat, rel=1e-6, abs=1e-9)
    np.testing.assert_allclose(scaled.model.space, one.model.space, atol=1e-6)
    np.testing.assert_allclose(scaled.model.energy, one.model.energy, atol=1e-6)
    assert (scaled.windows, scaled.structure) == (one.windows, one.structure)


def test_sample_areas_tell_what_the_whole_image_tells():
    areas = [SMALL[:, y : y + 30, x : x + 30] for y in (0, 30) for x in (0, 30)]
    found = measure_noise(areas, counted_from_zero=False)
    assert found.areas == 4
    assert found.sigma == pytest.approx(0.01, rel=0.02)


def test_absent_pixels_and_energies_are_left_out():
    image = SMALL.copy()
    image[:, :10] = np.nan
    image[:, 10:12] = 0.0
    image[7, 20, 20] = np.nan
    image[30] = np.nan
    found = measure_noise([image], counted_from_zero=False)
    assert found.energies == 57
    assert found.pixels <= 48 * 60 - 1
    assert found.sigma == pytest.approx(0.01, rel=0.02)


def test_energies_without_any_scatter_are_left_out():
    image = SMALL.copy()
    image[[0, 25, 26]] = 3.0
    found = measure_noise([image], counted_from_zero=True)
    without = measure_noise([np.delete(image, [0, 25, 26], axis=0)], counted_from_zero=True)
    assert found.energies == 55
    assert (found.sigma, found.windows) == (without.sigma, without.windows)


def test_the_error_is_the_scatter_of_repeated_measurements(rng):
    drawn = [rng.normal(0, 1, (12, 40, 40)) for _ in range(30)]
    found = [measure_noise([image], counted_from_zero=False) for image in drawn]
    scatter = np.std([one.sigma for one in found], ddof=1)
    assert np.mean([one.error for one in found]) == pytest.approx(scatter, rel=0.5)


@pytest.mark.parametrize("noise", ["white", "counts"])
def test_ten_energies_are_enough(noise, rng):
    mu = scene(energies=10, start=7105, stop=7150)
    expected = mu if noise == "white" else 10 * mu + 0.2
    image = expected + rng.normal(0, 0.02, mu.shape) if noise == "white" else rng.poisson(expected)
    found = measure_noise([image], counted_from_zero=noise == "counts")
    check(found, image - expected)


def box(points):
    return ndimage.uniform_filter1d(SMALL, points, axis=0)


def hole():
    image = SMALL.copy()
    image[:, 15:], image[:, :, 30:] = np.nan, np.nan
    return image


REFUSED = {
    "few energies": (SMALL[::7], "found 9 energies, expected at least 10"),
    "smoothed, few energies": (box(3)[20:34], "14 energies, expected at least 20"),
    "smoothed too widely": (box(11), "over 6 energies, expected it to fade"),
    "few pixels": (hole(), "found 18 uniform windows of 5 x 5 pixels, expected at least 20"),
    "nothing but absent pixels": (np.full((58, 60, 60), np.nan), "found 0 energies"),
    "no noise": (third_without_iron(), "found none in the image, expected more than rounding"),
    "no noise, rounded": (third_without_iron().astype(np.float32), "found none in the image"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_an_image_that_cannot_tell_its_noise_is_refused(name):
    image, sentence = REFUSED[name]
    with pytest.raises(InputError, match=sentence) as refused:
        measure_noise([image], counted_from_zero=False)
    assert "set noise.sigma, or noise.model" in str(refused.value)


@pytest.mark.parametrize(
    ("read", "gain", "flat"),
    [(2, 0, 0), (0, 1, 0), (0, 0, 0.1), (3.5, 1, 0), (0, 1, 0.1), (3, 0, 0.1), (8, 1, 0.1)],
)
def test_levels_tell_the_terms_that_made_them_and_no_others(read, gain, flat, rng):
    levels = rng.uniform(0, 200, (20, 20_000))
    variance = read**2 + gain * levels + (flat * levels) ** 2
    model = fit_levels(levels, np.sqrt(variance) * rng.normal(size=levels.shape), np.eye(20), True)
    found = np.array([model.read, model.gain, model.flat], dtype=float)
    np.testing.assert_allclose(found, (read, gain, flat), rtol=0.10)


def test_structure_is_found_to_its_number_and_noise_has_none(rng):
    noise = ndimage.gaussian_filter(rng.normal(size=(40, 80, 80)), (0, 1, 1))
    assert structure_basis([noise]).shape == (40, 0)
    planted = np.linalg.qr(rng.normal(size=(40, 3)))[0]
    maps = ndimage.gaussian_filter(rng.normal(size=(3, 80, 80)), (0, 8, 8))
    image = noise + np.tensordot(planted, maps / maps.std(), 1)
    basis = structure_basis([image - image.mean(axis=(1, 2), keepdims=True)])
    assert basis.shape == (40, 3)
    assert np.linalg.norm(projector(basis) @ planted, 2) < 0.2


def test_correlation_in_energy_is_freed_from_the_projection(rng):
    noise = ndimage.uniform_filter1d(rng.normal(size=(60, 20_000)), 3, axis=0, mode="wrap")
    rest = projector(np.linalg.qr(rng.normal(size=(60, 20)))[0])
    left = rest @ noise
    covariance, correlation = left @ left.T / 20_000, np.ones(1)
    for _ in range(3):
        correlation = correlation_in_energy(covariance, rest, residual_mixing(rest, correlation))
    np.testing.assert_allclose(correlation, [1, 2 / 3, 1 / 3, *[0] * (LAGS - 2)], atol=0.02)


def test_correlation_in_space_is_that_of_the_pixels_that_are_seen(rng):
    noise = ndimage.shift(rng.normal(size=(50, 40, 60)), (0, 0, 0.5), order=1, mode="wrap")
    seen = rng.random((40, 60)) < 0.7
    found = correlation_in_space([np.where(seen, noise, 0.0)], [seen])
    assert found.shape == (2 * RADIUS + 1,) * 2
    for dy, dx in NEIGHBOURS:
        assert found[RADIUS + dy, RADIUS + dx] == pytest.approx(in_space(noise, (dy, dx)), abs=0.02)
    np.testing.assert_allclose(found, found[::-1, ::-1], atol=1e-12)


@pytest.fixture(scope="module")
def als():
    """Counts (123, 125, 125) and I0 (123,) of a measured stack, or a skip that says how to give it."""
    folder = Path(os.environ.get("GIGAXAS_STACKS", "../shared/data/stacks")) / "als_stxm_fe_l"
    if not (folder / "i0.xsp").is_file():
        pytest.skip(f"no measured stack at {folder}; set GIGAXAS_STACKS to the folder of stacks")
    frames = [np.loadtxt(path) for path in sorted((folder / "aligned").glob("*.xim"))]
    return np.array(frames), np.loadtxt(folder / "i0.xsp")[:, 1]


@pytest.mark.real
def test_counts_of_a_measured_stack_scatter_by_a_tenth_of_their_mean(als):
    counts, _ = als
    found = measure_noise([counts], counted_from_zero=True)
    assert 0.09 * 0.85 < found.sigma**2 / counts.mean() < 0.11 * 1.15
    assert found.model.space[RADIUS, RADIUS + 1] == pytest.approx(0.40, abs=0.05)
    assert found.model.space[RADIUS + 1, RADIUS] == pytest.approx(0.09, abs=0.05)


@pytest.mark.real
def test_absorbance_of_a_measured_stack_scatters_as_its_counts_do(als):
    counts, i0 = als
    found = measure_noise([np.log(i0[:, None, None] / counts)], counted_from_zero=False)
    assert found.sigma == pytest.approx(np.sqrt(np.mean(0.1 / counts)), rel=0.15)
    assert found.model.space[RADIUS, RADIUS + 1] == pytest.approx(0.40, abs=0.05)
