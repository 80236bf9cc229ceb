"""Maps of single pixels' certainty: what they promise is what noisy pixels show."""

import numpy as np
import pytest
from gigaxas.evaluation import VerifyScene
from gigaxas.nearest import assign_block, prepare
from gigaxas.nearest.certainty import certainty_maps, prepare_certainty
from gigaxas.spectra.signal_noise import SignalNoise
from needle_fields import PAPER, library, windows


@pytest.fixture(scope="module")
def close():
    """Two compositions about z = 1 apart, half of the field each, and what the maps say."""
    one = library()[3]
    pair = np.stack([one, 0.92 * one + 0.08 * library()[20]])
    phase = np.zeros((100, 100), int)
    phase[:, 50:] = 1
    scene = VerifyScene(phase, pair.astype(np.float32)[phase], (), 2)
    image = scene.measure(PAPER, np.random.default_rng(0), windows())
    image[:, 3, 4] = np.nan
    found = assign_block(image, prepare(pair), want_runner_up=True)
    certainty = prepare_certainty(pair, PAPER, ["chi_square", "runner_up"])
    return phase, pair, image, found, certainty_maps(image, found, certainty)


def test_the_probability_of_the_runner_up_is_the_share_of_mistakes(close):
    phase, _, _, found, maps = close
    wrong = found.labels != phase + 1
    probability = maps["runner_up"]
    good = np.isfinite(probability)
    assert probability[good].mean() == pytest.approx(wrong[good].mean(), abs=0.015)
    for low, high in ((0.0, 0.1), (0.1, 0.3), (0.3, 0.5)):
        here = good & (probability >= low) & (probability < high)
        assert here.sum() > 200
        assert probability[here].mean() == pytest.approx(wrong[here].mean(), abs=0.05)


def test_chi_square_is_near_one_and_the_weighted_fit_s(close):
    phase, pair, image, found, maps = close
    right = found.labels == phase + 1
    assert np.nanmean(maps["chi_square"][right]) == pytest.approx(1.0, abs=0.02)
    for y, x in ((0, 0), (40, 70), (99, 99)):
        site = pair[found.labels[y, x] - 1]
        root = 1 / PAPER.sigma(site)
        design = np.stack([site, np.ones_like(site)], axis=1) * root[:, None]
        _, rest, _, _ = np.linalg.lstsq(design, image[:, y, x] * root, rcond=None)
        assert maps["chi_square"][y, x] == pytest.approx(rest[0] / (len(site) - 2), rel=1e-5)


def test_the_noise_of_counts_is_that_of_the_pixel_s_own_signal():
    site = 20 + 200 * library()[3]
    thickness = np.where(np.arange(60) < 30, 0.25, 4.0)
    counts = np.random.default_rng(1).poisson(thickness * site[:, None, None] * np.ones((1, 60, 1)))
    image = counts.astype(np.float32)
    noise = SignalNoise(np.array(0.0), gain=1.0)
    found = assign_block(image, prepare(site[None]))
    chi = certainty_maps(image, found, prepare_certainty(site[None], noise, ["chi_square"]))["chi_square"]
    assert chi[:, :30].mean() == pytest.approx(1.0, abs=0.03)
    assert chi[:, 30:].mean() == pytest.approx(1.0, abs=0.03)


def test_a_foreign_pixel_has_a_large_chi_square(close):
    _, pair, image, _, _ = close
    strange = image.copy()
    strange[80:120, 10, 10] += 0.3
    found = assign_block(strange, prepare(pair), want_runner_up=True)
    maps = certainty_maps(strange, found, prepare_certainty(pair, PAPER, ["chi_square"]))
    assert list(maps) == ["chi_square"]
    assert maps["chi_square"][10, 10] > 3


def test_void_pixels_and_a_single_site(close):
    _, pair, image, _, maps = close
    assert np.isnan(maps["runner_up"][3, 4])
    assert np.isnan(maps["chi_square"][3, 4])
    found = assign_block(image, prepare(pair[:1]), want_runner_up=True)
    alone = certainty_maps(image, found, prepare_certainty(pair[:1], PAPER, ["runner_up"]))
    assert np.nanmax(alone["runner_up"]) == 0.0
    assert prepare_certainty(pair, PAPER, []) is None


def test_codes_stand_for_absorbance(close):
    _, pair, image, found, maps = close
    codes = (image - 0.5) / 0.25
    again = certainty_maps(codes, found, prepare_certainty(pair, PAPER, ["chi_square"]), 0.25, 0.5)
    np.testing.assert_allclose(again["chi_square"], maps["chi_square"], rtol=1e-4)
