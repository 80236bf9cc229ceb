"""Which pixels are void: at the rate that is said, by every reason, and the same however they are cut."""

import numpy as np
import pytest
from gigaxas.config.load import validated
from gigaxas.simulate.noise import correlated_normal
from gigaxas.spectra.noise import NoiseModel
from gigaxas.spectra.signal_noise import SignalNoise
from gigaxas.spectra.void import EDGE_STEP, NO_SAMPLES, TAIL, VOID_REASONS, VoidRule, void_reasons
from gigaxas.workflow.image import edge_masks

RANGES = {"modelled": True, "pre_edge": [690, 704], "post_edge": [726, 740]}
E = 60
BEFORE, AFTER = np.arange(E) < 15, np.arange(E) >= 40


def rule(noise, intensity, least_sum=None):
    return VoidRule(noise, BEFORE, AFTER, 5.0, least_sum, intensity)


@pytest.mark.parametrize("level", [0.2, 5.0, 100.0])
def test_counts_without_structure_pass_for_a_signal_as_rarely_as_said(level):
    counts = np.random.default_rng(1).poisson(level, (E, 20_000)).astype(float)
    found = void_reasons(counts, rule(SignalNoise(np.array(0.0), gain=1.0), True))
    assert np.mean(found == 0) < 4 * TAIL


def test_reasons_are_those_of_the_pixel():
    noise = SignalNoise(np.array(0.1))
    spectra = np.tile(np.where(AFTER, 1.0, 0.0)[:, None], (1, 4))
    spectra += np.random.default_rng(0).normal(0, 0.1, spectra.shape)
    spectra[3, 1], spectra[:, 2] = np.nan, 0.7
    spectra[:, 3] -= np.where(AFTER, 1.0, 0.0)
    assert [VOID_REASONS[k] for k in void_reasons(spectra, rule(noise, False))] == [
        *("signal", "no_samples", "no_samples", "edge_step")
    ]
    assert void_reasons(spectra[:, :1] + 1, rule(noise, True, 1e3))[0] == VOID_REASONS.index("sum")


READ = np.random.default_rng(4).uniform(0.04, 0.12, E)
NOISES = {
    "one number": SignalNoise(np.array(0.1), origin=0.2),
    "one an energy, counted": SignalNoise(READ, gain=2e-3, flat=0.05, energy=np.array([1.0, 0.3])),
    "a camera": NoiseModel(4000.0, 0.4, 1.4),
}


def step_noise_by_samples(levels, noise):
    """Return the noise of the mean after less the mean before the edge, from that of every sample (E,)."""
    weight = AFTER / AFTER.sum() - BEFORE / BEFORE.sum()
    errors = np.broadcast_to(noise.sigma_at(levels, 0.0, 1.0), E) * weight
    # the levels stand for smooth signals: neighbours share their noise
    mixed = weight / np.sqrt(weight @ weight)
    shared = 1.0 + sum(2.0 * c * (mixed[k:] @ mixed[:-k]) for k, c in enumerate(noise.energy) if k)
    return np.sqrt(np.sum(errors**2) * shared)


@pytest.mark.parametrize("noise", NOISES.values(), ids=NOISES)
def test_an_edge_step_is_void_below_so_many_times_its_noise_at_every_sample(noise):
    rng = np.random.default_rng(3)
    low, step = rng.uniform(0.1, 0.6, 400), rng.uniform(0.0, 0.5, 400)
    signal = low + np.where(AFTER, 1.0, 0.4)[:, None] * step + rng.normal(0.0, 0.05, (E, 400))
    found = void_reasons(signal, rule(noise, False)) == EDGE_STEP
    for spectrum, void in zip(signal.T, found, strict=True):
        before, after = spectrum[BEFORE].mean(), spectrum[AFTER].mean()
        sigma = step_noise_by_samples(np.where(BEFORE, before, after), noise)
        assert void == (after - before < 5.0 * sigma)
    assert 20 < np.count_nonzero(found) < 380


@pytest.mark.parametrize("intensity", [False, True])
@pytest.mark.parametrize("noise", NOISES.values(), ids=NOISES)
def test_codes_are_void_where_the_signals_that_they_stand_for_are(noise, intensity):
    rng = np.random.default_rng(5)
    codes = np.round(4000.0 + 900.0 * rng.normal(size=(E, 5000))).astype(np.uint16)
    codes += np.where(AFTER[:, None] & (rng.random(5000) < 0.5), np.uint16(6000), np.uint16(0))
    codes[:, 0], codes[7, 1], codes[:, 2] = 5000, 65535, 65535
    signal = codes * 1e-4 + 0.1
    signal[codes == 65535] = np.nan
    found = void_reasons(codes, rule(noise, intensity, 30.0), 1e-4, 0.1, 65535)
    np.testing.assert_array_equal(found, void_reasons(signal, rule(noise, intensity, 30.0)))
    assert set(found[:3]) == {NO_SAMPLES}
    assert np.unique(found).size > 2


@pytest.mark.parametrize("value", [-1.0, 65535.0, 0.0])
def test_no_number_but_nan_marks_a_real_sample(value):
    spectra = np.where(AFTER, 2.0, -1.0)[:, None] + np.zeros((E, 3))
    spectra[4, 1], spectra[5, 2] = value, np.nan
    found = void_reasons(spectra, None)
    assert found.tolist() == [0, 0, NO_SAMPLES]


def test_codes_at_very_many_energies_are_summed_whole():
    codes = np.full((40_000, 2), 60_000, np.uint16)
    codes[0] = 50_000
    asked = VoidRule(SignalNoise(np.array(1.0)), None, None, 5.0, 1e9, False)
    assert void_reasons(codes, asked).tolist() == [0, 0]


def test_no_cut_into_tiles_changes_a_reason():
    noise = SignalNoise(np.array(0.05), gain=0.01, flat=0.02, energy=np.array([1.0, 0.4]))
    spectra = np.random.default_rng(2).normal(0.5, 0.3, (E, 300)).astype(np.float32)
    for intensity in (False, True):
        whole = void_reasons(spectra, rule(noise, intensity))
        parts = [void_reasons(spectra[:, k : k + 1], rule(noise, intensity)) for k in range(300)]
        np.testing.assert_array_equal(np.concatenate(parts), whole)


def test_noise_is_drawn_with_the_correlations_asked_for():
    space = np.array([[0.0, 0.1, 0.0], [0.4, 1.0, 0.4], [0.0, 0.1, 0.0]])
    found = correlated_normal((40, 64, 64), space, np.array([1.0, 0.3]), np.random.default_rng(0))
    assert np.mean(found[:, :, 1:] * found[:, :, :-1]) == pytest.approx(0.4, abs=0.02)
    assert np.mean(found[:, 1:] * found[:, :-1]) == pytest.approx(0.1, abs=0.02)
    assert np.mean(found[1:] * found[:-1]) == pytest.approx(0.3, abs=0.02)


def test_an_axis_too_coarse_for_a_white_line_still_tells_void():
    energy = np.array([690.0, 695, 700, 705, 713, 720, 727, 733, 740])
    found = edge_masks(
        validated({"title": "t", "output": "o", "simulate": {}, "edge": "Fe L3", "references": RANGES}),
        energy,
    )
    assert all(mask.any() for mask in found)
