"""Which pixels are void: at the rate that is said, by every reason, and the same however they are cut."""

import numpy as np
import pytest
from gigaxas.config.load import validated
from gigaxas.simulate.noise import correlated_normal
from gigaxas.spectra.signal_noise import SignalNoise
from gigaxas.spectra.void import TAIL, VOID_REASONS, VoidRule, void_reasons
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
