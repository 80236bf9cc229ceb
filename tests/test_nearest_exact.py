"""The engines give the label of the definition on every pixel, and the definition is the method's."""

import numpy as np
import pytest
from nearest_oracle import codes, grains, mixtures, nearest, noisy_pixels, smooth_spectra

import pipeline.nearest as pn

RNG = np.random.default_rng


def _scene(seed: int, sites: int, energies: int, pixels: int, sigma: float, coherent: bool):
    rng = RNG(seed)
    matrix = mixtures(rng, smooth_spectra(rng, 20, energies), sites)
    if coherent:
        labels = grains(rng, sites, 64, -(-pixels // 64))[:pixels]
    else:
        labels = rng.integers(0, sites + 1, pixels)
    return matrix, noisy_pixels(rng, matrix, labels, sigma)


def _as_type(pixels: np.ndarray, kind: str) -> np.ndarray:
    return codes(pixels) if kind == "uint16" else pixels.astype(kind)


@pytest.mark.parametrize("kind", ["uint16", "float32", "float64"])
@pytest.mark.parametrize("sigma", [0.0, 0.01, 0.037, 0.3])
@pytest.mark.parametrize("coherent", [True, False])
def test_equals_the_oracles(kind: str, sigma: float, coherent: bool):
    sites, pixels = _scene(3, 150, 178, 800, sigma, coherent)
    block = _as_type(pixels, kind)
    found = pn.assign_block(block, pn.prepare(sites), want_runner_up=True)
    labels, correlations = pn.brute(block, pn.prepare(sites))
    truth, certain = nearest(block, sites)
    np.testing.assert_array_equal(found.labels, labels[0])
    np.testing.assert_array_equal(found.runner_up, labels[1])
    np.testing.assert_array_equal(found.correlation, correlations[0].astype(np.float32))
    np.testing.assert_array_equal(found.labels[certain], truth[certain])
    assert certain.mean() > 0.99
