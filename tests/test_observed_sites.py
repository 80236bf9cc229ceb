"""Sites observed in images with known truth: needles found, noise left alone, the same for any parts."""

import numpy as np
import pytest
from gigaxas.errors import InputError
from gigaxas.evaluation import VerifyScene, classify_image, inset_grid, library_sites, score_needles
from gigaxas.observed import (
    explain,
    level_of_samples,
    observe_block,
    observe_sites,
    sample_windows,
    sites_of_groups,
)
from gigaxas.observed.selection import allowed_astray
from gigaxas.observed.survival import keeps_window, losses
from gigaxas.sites import cross_distance, site_distance
from gigaxas.tiles import Tile, chunk_rows
from hypothesis import given, settings
from hypothesis import strategies as st
from needle_fields import NOISY, PAPER, field, library, noise_field, windows
from scipy.stats import binom, norm


def recall(seeds, noise=PAPER, **varied):
    found = []
    for seed in seeds:
        scene, image = field(seed, noise, **varied)
        maps = classify_image(image, observe_sites(image, noise).spectra)
        score = score_needles(scene, maps.label)
        if "gradient" not in varied:
            assert score.false == 0
            assert score.pure >= 0.99
        assert score.strayed < 0.01
        found += score.found.tolist()
    return np.mean(found)


@pytest.mark.parametrize(("noise", "least"), [(PAPER, 0.95), (NOISY, 0.9)])
def test_needles_are_found_and_the_background_stays_pure(noise, least):
    assert recall(range(4), noise) >= least


@pytest.mark.parametrize("varied", [{"thickness": 2.0}, {"light": 2.0}, {"gradient": 8.0}], ids=str)
def test_needles_are_found_where_the_field_varies(varied):
    assert recall(range(4), **varied) >= 0.95 - 0.05


def test_the_library_alone_loses_what_lies_between_its_sites():
    sites = library_sites(library(), PAPER, trials=0)
    scene, image = field(0)
    assert score_needles(scene, classify_image(image, sites).label).found.mean() < 0.5


@pytest.mark.parametrize("noise", [PAPER, NOISY])
@pytest.mark.parametrize("varied", [{}, {"thickness": 2.0, "light": 2.0}], ids=["even", "varied"])
def test_noise_alone_is_one_site(noise, varied):
    for seed in range(3):
        assert len(observe_sites(noise_field(seed, noise, **varied), noise).spectra) == 1


@pytest.mark.slow
def test_no_false_cluster_in_a_hundred_fields_of_noise():
    for seed in range(100):
        varied = {"thickness": 2.0, "light": 2.0} if seed % 2 else {}
        for noise in (PAPER, NOISY):
            image = noise_field(seed, noise, **varied)
            label = classify_image(image, observe_sites(image, noise).spectra).label
            assert np.unique(label).tolist() == [1]


def test_a_needle_of_one_window_survives_with_a_dead_pixel_in_it():
    pair = library()[[3, 20]]
    scene = inset_grid(pair, 60, 5, 1)
    image = scene.measure(PAPER, np.random.default_rng(5), windows())
    y, x = scene.needles[0].y, scene.needles[0].x
    image[:, y + 1, x + 3] = np.nan
    sites = observe_sites(image, PAPER)
    assert len(sites.spectra) == 2
    assert sites.windows[1] >= 1
    assert tuple(sites.first[1]) == (y, x)
    label = classify_image(image, sites.spectra).label
    assert np.all(label[scene.needles[0].region].ravel()[label[scene.needles[0].region].ravel() > 0] == 2)


def test_a_gradient_gives_a_chain_of_sites_at_the_limit_s_spacing():
    start, end = library()[0], library()[40]
    share = np.linspace(0, 1, 160)[None, :, None].repeat(60, axis=0)
    spectra = ((1 - share) * start + share * end).astype(np.float32)
    scene = VerifyScene(np.zeros((60, 160), int), spectra, (), 1)
    image = scene.measure(PAPER, np.random.default_rng(6), windows())
    sites = observe_sites(image, PAPER)
    steps = site_distance(np.stack([start, end]), PAPER)[0, 1] / 3.719
    assert steps * 0.6 <= len(sites.spectra) <= steps * 1.6
    # every place on the way lies within half the limit of a site, but for the noise of what was seen
    there, back = cross_distance(spectra[0].astype(float), sites.spectra, PAPER)
    assert (0.5 * (there + back)).min(axis=1).max() < 0.5 * 3.719 + 1.0
    assert (classify_image(image, sites.spectra).kept > 0).mean() > 0.8


@settings(deadline=None, max_examples=8)
@given(st.lists(st.integers(1, 70), min_size=1, max_size=6), st.integers(0, 3))
def test_groups_do_not_depend_on_how_a_block_comes(cuts, seed):
    _, image = field(seed, side=96, needles=3)
    level = level_of_samples([sample_windows(image[:, :60, :60].copy(), 5)], PAPER, 5, 23, 1e-4)
    whole = observe_block([image], (0, 0), level)
    ends = sorted({min(end, 96) for end in np.cumsum(cuts)} | {96})
    parts = [image[:, a:b] for a, b in zip([0, *ends[:-1]], ends, strict=True) if b > a]
    again = observe_block(parts, (0, 0), level)
    for name in ("total", "windows", "noise", "mean", "length", "first"):
        assert np.array_equal(getattr(whole, name), getattr(again, name)), name


def test_chunk_rows_cut_where_chunks_end():
    tile = Tile(0, 0, 100, 620, 7, 30)
    assert [(part.y0, part.y1) for part in chunk_rows(tile, 256)] == [(100, 256), (256, 512), (512, 620)]
    assert [(part.y0, part.y1) for part in chunk_rows(Tile(0, 0, 0, 512, 0, 9), 256)] == [
        (0, 256),
        (256, 512),
    ]


def test_a_window_is_kept_as_the_binomial_says():
    for astray in (0.0, 0.01, 0.05, 0.3, 1.0):
        assert keeps_window(astray, 25, 23) == pytest.approx(binom.cdf(2, 25, astray))
    assert binom.cdf(2, 25, allowed_astray(25, 23)) == pytest.approx(0.9)


def test_the_loss_is_what_noisy_pixels_show():
    """Monte Carlo: windows of a grain between two sites, assigned pixel by pixel."""
    rng = np.random.default_rng(7)
    energies, sd = 48, 0.02
    a = np.zeros(energies)
    b = np.zeros(energies)
    b[:10] = 4.2 * sd / np.sqrt(10)
    grain = 0.12 * b
    profile = np.full((1, energies), 1 / energies)
    nearest, loss = np.empty(1, np.int64), np.empty(1)
    sites = np.stack([a, b])
    losses(grain[None], np.array([energies * sd**2]), sites, profile, 9.0, 25, 23, nearest, loss)
    pixels = grain + rng.normal(0, sd, (4000, 25, energies))
    strays = ((pixels - b) ** 2).sum(-1) < ((pixels - a) ** 2).sum(-1)
    assert nearest[0] == 0
    assert loss[0] == pytest.approx((strays.sum(axis=1) > 2).mean(), abs=0.02)
    margin = (((grain - b) ** 2).sum() - (grain**2).sum()) / (2 * np.sqrt((b**2).sum()) * sd)
    assert strays.mean() == pytest.approx(norm.sf(margin), abs=0.005)


def test_an_image_that_shows_nothing_is_refused():
    rng = np.random.default_rng(8)
    with pytest.raises(InputError, match="found"):
        observe_sites(rng.normal(size=(178, 40, 40)).astype(np.float32), PAPER)
    with pytest.raises(InputError, match="p_num is 13"):
        observe_sites(noise_field(0, side=40), PAPER, 5, 13)
    with pytest.raises(InputError, match="shape"):
        observe_sites(np.ones((178, 4, 40), np.float32), PAPER)


def test_merging_nothing_says_what_to_do():
    _, image = field(0, side=96, needles=3)
    level = level_of_samples([sample_windows(image[:, :60, :60].copy(), 5)], PAPER, 5, 23, 1e-4)
    nothing = observe_block([np.full((178, 20, 20), np.nan, np.float32)], (0, 0), level)
    with pytest.raises(InputError, match=r"set sites\.from: library"):
        sites_of_groups([nothing], level)


@pytest.mark.parametrize("components", [1, 2, 3])
def test_a_mixture_of_references_is_recognised(components):
    rng = np.random.default_rng(components)
    for _ in range(5):
        chosen = rng.choice(61, components, replace=False)
        shares = rng.dirichlet(np.full(components, 20.0))
        spectrum = shares @ library()[chosen]
        variance = PAPER.sigma(spectrum) ** 2 / 25
        noisy = 1.3 * (spectrum + rng.normal(0, np.sqrt(variance))) + 0.2
        found = explain(noisy, 1.69 * variance, library(), 1e-4)
        assert not found.outside
        assert found.shares.sum() == pytest.approx(1.0)
        assert set(np.flatnonzero(found.shares)) == set(chosen.tolist())
        np.testing.assert_allclose(found.shares[chosen], shares, atol=0.08)


def test_what_the_library_does_not_hold_is_outside():
    rng = np.random.default_rng(9)
    spectrum = library()[3] + 0.08 * np.exp(-0.5 * ((np.linspace(7009.2, 7321.2, 178) - 7150) / 6) ** 2)
    variance = PAPER.sigma(spectrum) ** 2 / 25
    found = explain(spectrum + rng.normal(0, np.sqrt(variance)), variance, library(), 1e-4)
    assert found.outside
    assert found.p_value < 1e-4
    assert found.chi_square > found.freedom


def test_p_values_of_a_reference_are_even():
    rng = np.random.default_rng(10)
    spectrum = library()[7]
    variance = PAPER.sigma(spectrum) ** 2 / 25
    values = [
        explain(spectrum + rng.normal(0, np.sqrt(variance)), variance, library()[[7]], 1e-4).p_value
        for _ in range(300)
    ]
    assert np.mean(values) == pytest.approx(0.5, abs=0.07)
    assert np.mean(np.array(values) < 0.1) == pytest.approx(0.1, abs=0.06)
