"""Normalisation, resampling and standardisation, against their definitions written out."""

from dataclasses import replace

import numpy as np
import pytest
from gigaxas.errors import InputError
from gigaxas.raw.normalisation import make_normaliser, normalise_spectra
from gigaxas.spectra import (
    POST_EDGE,
    PRE_EDGE,
    Spectrum,
    edge_step,
    find_e0,
    normalise,
    resample,
    standardise,
)
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from spectra_model import E0, GRID, edge, raw, scan_energies

E = scan_energies()
SCAN = Spectrum("model", E, raw(E), "model.xdi")


def test_lines_are_removed_exactly_from_a_step_on_a_slope() -> None:
    step = np.where(E < E0, 0.0, 1.7) + 0.3 - 2e-4 * (E - 7000)
    normal = normalise(replace(SCAN, mu=step), PRE_EDGE, POST_EDGE)
    inside = (PRE_EDGE[0] <= E) & (POST_EDGE[1] >= E)
    np.testing.assert_allclose(normal.mu[inside], np.where(E < E0, 0.0, 1.0)[inside], atol=1e-11)
    assert edge_step(replace(SCAN, mu=step), PRE_EDGE, POST_EDGE) == pytest.approx(1.7, abs=1e-9)


def test_on_an_even_grid_it_is_two_least_squares_lines() -> None:
    mu = raw(GRID)
    pre, post = (PRE_EDGE[0] <= GRID) & (PRE_EDGE[1] >= GRID), (POST_EDGE[0] <= GRID) & (POST_EDGE[1] >= GRID)
    above = mu - np.polyval(np.polyfit(GRID[pre] - 7112, mu[pre], 1), GRID - 7112)
    line = np.polyval(np.polyfit(GRID[post] - 7112, above[post], 1), GRID - 7112)
    normal = normalise(Spectrum("s", GRID, mu), PRE_EDGE, POST_EDGE)
    # Samples at a range's ends may weigh otherwise than in plain least squares.
    np.testing.assert_allclose(normal.mu, above / line, atol=2e-3)
    assert edge_step(Spectrum("s", GRID, mu), PRE_EDGE, POST_EDGE) == pytest.approx(1.3, rel=0.05)


def test_a_densely_sampled_foot_of_the_edge_does_not_tilt_the_pre_edge_line() -> None:
    dense = np.unique(np.concatenate([E, np.arange(7080, 7095, 0.02)]))
    coarse = normalise(SCAN, PRE_EDGE, POST_EDGE)
    normal = normalise(Spectrum("dense", dense, raw(dense)), PRE_EDGE, POST_EDGE)
    np.testing.assert_allclose(np.interp(E, dense, normal.mu), coarse.mu, atol=2e-3)


@given(gain=st.floats(1e-6, 1e6), offset=st.floats(-1, 1), slope=st.floats(-1e-3, 1e-3))
def test_normalising_forgets_gain_and_background_line(gain: float, offset: float, slope: float) -> None:
    other = gain * (SCAN.mu + offset + slope * (E - 7100))
    expected = normalise(SCAN, PRE_EDGE, POST_EDGE, E0)
    inside = (PRE_EDGE[0] <= E) & (POST_EDGE[1] >= E)
    found = normalise(replace(SCAN, mu=other), PRE_EDGE, POST_EDGE, E0)
    np.testing.assert_allclose(found.mu[inside], expected.mu[inside], atol=1e-9)
    steps = [edge_step(replace(SCAN, mu=mu), PRE_EDGE, POST_EDGE, E0) for mu in (SCAN.mu, other)]
    assert steps[1] == pytest.approx(gain * steps[0], rel=1e-9)


@pytest.mark.parametrize("method", ["lines", "step", "constants"])
def test_pixels_and_references_are_normalised_alike(method) -> None:
    pixel = make_normaliser(GRID, PRE_EDGE, POST_EDGE, E0, method)
    expected = normalise(Spectrum("s", GRID, raw(GRID)), PRE_EDGE, POST_EDGE, E0, method)
    np.testing.assert_allclose(normalise_spectra(raw(GRID)[None], pixel)[0], expected.mu, atol=1e-9)


def test_constants_leave_slopes_and_lines_and_steps_do_not() -> None:
    slope = 0.3 - 4e-4 * (E - 7100)
    step = np.where(E < E0, 0.0, 1.7)
    before, after = PRE_EDGE[1] >= E, POST_EDGE[0] <= E
    constants = normalise(replace(SCAN, mu=step + slope), PRE_EDGE, POST_EDGE, E0, "constants").mu
    assert np.ptp(constants[before]) > 0.01
    assert np.ptp(constants[after]) > 0.01
    inside = (PRE_EDGE[0] <= E) & (POST_EDGE[1] >= E)
    rising = replace(SCAN, mu=step * (1 + 1e-3 * (E - E0)) + slope)
    found = normalise(rising, PRE_EDGE, POST_EDGE, E0, "step").mu
    np.testing.assert_allclose(found[inside], (step / 1.7 * (1 + 1e-3 * (E - E0)))[inside], atol=1e-9)
    assert edge_step(replace(SCAN, mu=step), PRE_EDGE, POST_EDGE, E0, "constants") == pytest.approx(1.7)


@given(shift=st.floats(-8, 8))
def test_e0_follows_the_edge(shift: float) -> None:
    moved = Spectrum("moved", E, edge(E, e0=E0 + shift, white=0.0))
    assert find_e0(moved, (7095, 7170)) == pytest.approx(E0 + shift, abs=0.3)


def test_e0_withstands_noise_of_fine_sampling() -> None:
    fine = np.arange(7090, 7170, 0.05)
    noisy = edge(fine) + 0.02 * np.random.default_rng(3).standard_normal(fine.size)
    assert find_e0(Spectrum("noisy", fine, noisy), (7095, 7165)) == pytest.approx(E0, abs=1.0)
    assert abs(fine[np.argmax(np.gradient(noisy, fine))] - E0) > 1.0  # what taking differences would say


@pytest.mark.parametrize(
    ("mu", "pre", "post", "e0", "message"),
    [
        (-raw(E), PRE_EDGE, POST_EDGE, E0, "negative"),
        (0 * E + 3, PRE_EDGE, POST_EDGE, None, "same at every energy"),
        (7e-4 * E, PRE_EDGE, POST_EDGE, None, "the edge step is"),
        (-7e-4 * E, PRE_EDGE, POST_EDGE, None, "does not rise"),
        (np.sin(17 * E), PRE_EDGE, POST_EDGE, None, "edge step"),
        (raw(E), (7009.0, 7012.0), POST_EDGE, None, "1 energies in the pre-edge range"),
        (raw(E), PRE_EDGE, (7400.0, 7500.0), None, "0 energies in the post-edge range"),
        (raw(E), POST_EDGE, PRE_EDGE, None, "four rising energies"),
        (raw(E), PRE_EDGE, POST_EDGE, 7000.0, "E0 = 7000"),
        (raw(E) - 8e-3 * np.maximum(E - 7150, 0), (7000.0, 7095.0), POST_EDGE, E0, "falls to"),
        (
            np.where(E[7] == E, np.nan, raw(E)),
            PRE_EDGE,
            POST_EDGE,
            None,
            "1 of .* samples that are not finite",
        ),
    ],
)
def test_spectra_without_a_usable_edge_are_refused(mu, pre, post, e0, message) -> None:
    with pytest.raises(InputError, match=message):
        normalise(replace(SCAN, mu=mu), pre, post, e0)


def test_resampling_on_its_own_grid_changes_no_bit() -> None:
    np.testing.assert_array_equal(resample(SCAN, E), SCAN.mu)
    np.testing.assert_array_equal(resample(replace(SCAN, energy=E[::-1], mu=SCAN.mu[::-1]), E), SCAN.mu)


def test_resampling_is_linear_between_samples() -> None:
    middle = (E[1:] + E[:-1]) / 2
    np.testing.assert_allclose(resample(SCAN, middle), (SCAN.mu[1:] + SCAN.mu[:-1]) / 2, atol=1e-12)


def test_resampling_beyond_the_spectrum() -> None:
    span = GRID[-1] - GRID[0]
    for short, fits in ((0.009 * span, True), (0.011 * span, False)):
        for cut in (Spectrum("low", E, raw(E)), Spectrum("high", E, raw(E))):
            energy = (
                np.linspace(GRID[0] + short, 7400, 99)
                if cut.name == "low"
                else np.linspace(7000, GRID[-1] - short, 99)
            )
            part = Spectrum(cut.name, energy, raw(energy))
            if fits:
                assert resample(part, GRID).shape == GRID.shape
            else:
                with pytest.raises(InputError, match=r"expected it to cover the grid, 7009.2 to 7321.2 eV"):
                    resample(part, GRID)
                held = resample(part, GRID, extrapolate=True)
                assert held[0 if cut.name == "low" else -1] == part.mu[0 if cut.name == "low" else -1]


def test_resampling_says_when_energies_are_kev_or_another_edge() -> None:
    with pytest.raises(InputError, match="look like keV"):
        resample(replace(SCAN, energy=E / 1000), GRID, extrapolate=True)
    with pytest.raises(InputError, match="energies of the same edge"):
        resample(replace(SCAN, energy=E + 2000), GRID, extrapolate=True)


@pytest.mark.parametrize(
    "grid", [[7100.0], [7100.0, 7100.0], [7200.0, 7100.0], [7100.0, np.nan], [[7100.0, 7101.0]]]
)
def test_a_grid_that_does_not_increase_is_refused(grid) -> None:
    with pytest.raises(InputError, match="expected at least 2 finite, increasing energies"):
        resample(SCAN, grid)


FINITE = st.floats(-1e6, 1e6)


@given(arrays(np.float64, (3, 12), elements=st.floats(-1e3, 1e3)), st.floats(1e-3, 1e3), st.floats(-1e3, 1e3))
def test_standardised_spectra_have_no_mean_unit_length_and_no_memory_of_gain(values, gain, offset) -> None:
    values[:, 0], values[:, 1] = 2e3, -2e3
    t = standardise(values)
    np.testing.assert_allclose(t.sum(axis=-1), 0, atol=1e-12)
    np.testing.assert_allclose((t**2).sum(axis=-1), 1, rtol=1e-12)
    np.testing.assert_allclose(standardise(gain * values + offset), t, atol=1e-9)
    np.testing.assert_allclose(t[0] @ t[2], np.corrcoef(values[0], values[2])[0, 1], atol=1e-12)


@pytest.mark.parametrize("scale", [1e-300, 1.0, 1e300])
def test_standardising_keeps_any_scale_and_shape(scale: float) -> None:
    stack = np.linspace(-1, 1, 24).reshape(2, 3, 4) ** 3 * scale
    assert standardise(stack).shape == (2, 3, 4)
    np.testing.assert_allclose(standardise(stack), standardise(stack / scale), rtol=1e-12, atol=1e-15)
    assert standardise(np.zeros((0, 7))).shape == (0, 7)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([[1.0, 2.0], [3.0, 3.0]], "spectrum 2 of 2 is constant"),
        ([0.1] * 10, "constant"),
        ([[1.0, np.nan], [np.inf, 1.0]], "2 of 2 spectra .* not finite"),
        (3.0, "at least 2 energies"),
        ([[1.0]], "at least 2 energies"),
    ],
)
def test_spectra_that_have_no_standardised_form_are_refused(values, message) -> None:
    with pytest.raises(InputError, match=message):
        standardise(values)
