"""The engines give the label of the definition on every pixel, and the definition is the method's."""

import gigaxas.nearest as pn
import numpy as np
import pytest
from nearest_oracle import codes, grains, mixtures, nearest, noisy_pixels, smooth_spectra

RNG = np.random.default_rng


def _sites(seed: int, count: int, energies: int = 178) -> np.ndarray:
    rng = RNG(seed)
    return mixtures(rng, smooth_spectra(rng, 20, energies), count)


def _scene(seed: int, sites: int, energies: int, pixels: int, sigma: float, coherent: bool):
    rng = RNG(seed + 1)
    matrix = _sites(seed, sites, energies)
    if coherent:
        labels = grains(rng, sites, 64, -(-pixels // 64))[:pixels]
    else:
        labels = rng.integers(0, sites + 1, pixels)
    return matrix, noisy_pixels(rng, matrix, labels, sigma)


def _as_type(pixels: np.ndarray, kind: str) -> np.ndarray:
    return codes(pixels) if kind == "uint16" else pixels.astype(kind)


def _assert_exact(block: np.ndarray, prepared: pn.Prepared, invalid: int | None = None) -> pn.Assignment:
    """Compare labels, runner-ups and correlations with brute force, bit for bit."""
    plain = pn.assign_block(block, prepared, invalid)
    ranked = pn.assign_block(block, prepared, invalid, want_runner_up=True)
    labels, correlations = pn.brute(block, prepared, invalid)
    np.testing.assert_array_equal(plain.labels, labels[0])
    np.testing.assert_array_equal(plain.correlation, correlations[0].astype(np.float32))
    np.testing.assert_array_equal(ranked.labels, labels[0])
    np.testing.assert_array_equal(ranked.runner_up, labels[1])
    np.testing.assert_array_equal(ranked.runner_up_correlation, correlations[1].astype(np.float32))
    return plain


@pytest.mark.parametrize("kind", ["uint16", "float32", "float64"])
@pytest.mark.parametrize("sigma", [0.0, 0.01, 0.037, 0.3])
@pytest.mark.parametrize("coherent", [True, False])
def test_equals_both_oracles(kind: str, sigma: float, coherent: bool):
    sites, pixels = _scene(3, 150, 178, 700, sigma, coherent)
    block = _as_type(pixels, kind)
    found = _assert_exact(block, pn.prepare(sites))
    truth, certain = nearest(block, sites)
    np.testing.assert_array_equal(found.labels[certain], truth[certain])
    assert certain.mean() > 0.99


@pytest.mark.parametrize("components", [8, 16, 24, 32, 48, 64])
def test_any_number_of_axes_gives_the_same_labels(components: int):
    sites, pixels = _scene(5, 400, 178, 20_000, 0.037, coherent=True)
    block = codes(pixels)
    found = pn.assign_block(block, pn.prepare(sites, components))
    labels, _ = pn.brute(block[:, :4000], pn.prepare(sites))
    np.testing.assert_array_equal(found.labels[:4000], labels[0])
    np.testing.assert_array_equal(found.labels, pn.assign_block(block, pn.prepare(sites)).labels)


@pytest.mark.parametrize("energies", [2, 3, 8, 9, 15, 16, 17, 64, 500])
@pytest.mark.parametrize("count", [1, 2, 3, 16, 17, 40])
def test_any_size(energies: int, count: int):
    rng = RNG(energies * 100 + count)
    sites = rng.normal(size=(count, energies))
    pixels = noisy_pixels(rng, sites, rng.integers(0, count + 1, 300), 0.5)
    _assert_exact(codes(pixels / 4), pn.prepare(sites))
    _assert_exact(pixels, pn.prepare(sites))


def test_sites_that_no_axes_hold_are_screened_in_full():
    sites = RNG(0).normal(size=(300, 178))
    prepared = pn.prepare(sites)
    assert prepared.layout is None
    pixels = noisy_pixels(RNG(1), sites, RNG(2).integers(0, 301, 2000), 1.0)
    _assert_exact(pixels.astype(np.float32), prepared)
    np.testing.assert_array_equal(
        pn.assign_block(pixels, pn.prepare(sites, 64)).labels, pn.assign_block(pixels, prepared).labels
    )


def test_of_equal_sites_the_lowest_number_wins():
    base = _sites(7, 90)
    sites = np.concatenate([base, base[::-1], 3.0 * base + 1.0])
    pixels = noisy_pixels(RNG(8), base, RNG(9).integers(1, 91, 2000), 0.037)
    found = _assert_exact(codes(pixels), pn.prepare(sites))
    assert found.labels.max() <= 90
    ranked = pn.assign_block(codes(pixels), pn.prepare(sites), want_runner_up=True)
    assert (ranked.runner_up > 90).all()


def test_sites_that_differ_in_the_last_bits_count_as_equal():
    base = _sites(11, 60)
    ulps = RNG(12).integers(-2, 3, (4, *base.shape))
    sites = np.concatenate([base, *(base + u * np.spacing(base) for u in ulps)])
    pixels = noisy_pixels(RNG(13), base, RNG(14).integers(1, 61, 2000), 0.02)
    found = _assert_exact(pixels, pn.prepare(sites))
    truth, certain = nearest(pixels[:, :300], sites)
    np.testing.assert_array_equal(found.labels[:300][certain], truth[certain])
    assert found.labels.max() <= 60


def test_void_pixels_are_void_and_no_others():
    sites, pixels = _scene(15, 100, 178, 1000, 0.037, coherent=False)
    pixels[:, pixels[0] == 0] = sites[0][:, None]
    coded = codes(pixels)
    coded[:, 10], coded[:, 20], coded[:, 30], coded[100, 40], coded[0, 50] = 0, 777, 65535, 65535, 65535
    found = _assert_exact(coded, pn.prepare(sites), 65535)
    assert set(np.flatnonzero(found.labels == 0)) == {10, 20, 30, 40, 50}
    assert (found.correlation[[10, 20, 30, 40, 50]] == 0).all()
    for kind in (np.float32, np.float64):
        floats = pixels.astype(kind)
        floats[:, 10], floats[:, 20], floats[3, 30], floats[0, 40], floats[177, 50] = (
            0,
            -2.5,
            np.nan,
            np.inf,
            -np.inf,
        )
        found = _assert_exact(floats, pn.prepare(sites))
        assert set(np.flatnonzero(found.labels == 0)) == {10, 20, 30, 40, 50}


@pytest.mark.parametrize("kind", [np.float32, np.float64])
@pytest.mark.parametrize("offset", [1e3, 1e6, -1e12])
def test_huge_offsets(kind: type, offset: float):
    sites, pixels = _scene(17, 200, 178, 1000, 0.037, coherent=True)
    block = (pixels + offset).astype(kind)
    found = _assert_exact(block, pn.prepare(sites))
    truth, certain = nearest(block[:, :200], sites)
    np.testing.assert_array_equal(found.labels[:200][certain], truth[certain])


@pytest.mark.parametrize("scale", [1e-320, 1e-300, 1e-140, 1e-30, 1e30, 1e140, 1e300])
def test_extreme_scales_of_pixels_and_sites(scale: float):
    sites, pixels = _scene(19, 100, 64, 500, 0.037, coherent=True)
    expected = pn.assign_block(pixels, pn.prepare(sites)).labels
    found = _assert_exact(pixels * scale, pn.prepare(sites))
    if scale > 1e-310:
        assert (found.labels == expected).mean() > 0.999
        np.testing.assert_array_equal(pn.prepare(sites * 2.0**400).sites, pn.prepare(sites).sites)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["uint16", "float32"])
def test_two_million_pixels(kind: str):
    rng, differences, pixels = RNG(23), 0, 0
    sites = _sites(21, 1500)
    sites[700:720] = sites[100:120]
    sites[800:820] = np.nextafter(sites[200:220], 9.0)
    prepared = {components: pn.prepare(sites, components) for components in (8, 16, 32, 64)}
    for coherent, sigma, blank in [
        (True, 0.037, 0),
        (False, 0.037, 0.05),
        (True, 0.005, 0.05),
        (False, 0.1, 0),
    ]:
        for components in prepared:
            n = 65_536
            labels = grains(rng, 1500, 256, 256) if coherent else rng.integers(1, 1501, n)
            labels[rng.random(n) < blank] = 0
            block = _as_type(noisy_pixels(rng, sites, labels, sigma), kind)
            found = pn.assign_block(block, prepared[components]).labels
            differences += int(np.sum(found != pn.brute(block, prepared[components])[0][0]))
            pixels += n
    assert pixels >= 1_000_000
    assert differences == 0
