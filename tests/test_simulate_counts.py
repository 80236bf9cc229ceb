"""The simulated camera against METHOD 1: absorbance, its noise, normalisation and what becomes void."""

import numpy as np
import pytest
from gigaxas.errors import InputError
from gigaxas.simulate import RESIN, edge_windows, modelled_library, simulate_block
from gigaxas.spectra.noise import NoiseModel

ENERGY = np.linspace(7009.2, 7321.2, 178)
PAPER = NoiseModel(c_ref=2.7e4, mu_low=0.36, mu_high=1.56)
NOISY = NoiseModel(c_ref=2.0e4, mu_low=0.5, mu_high=2.5)


def spectrum_of(name: str) -> np.ndarray:
    names, spectra = modelled_library(ENERGY)
    return spectra[names.index(name)]


def flat_block(spectrum, noise, shape=(60, 60), thickness=1.0, seed=0):
    phase = np.zeros(shape, dtype=np.uint8)
    return simulate_block(
        phase, np.full(shape, thickness), spectrum[None], noise, np.random.default_rng(seed)
    )


def oracle_sigma(spectrum, noise, thickness=1.0):
    """METHOD 1 word for word: sigma of the normalised absorbance at one edge step."""
    step = (noise.mu_high - noise.mu_low) * thickness
    c_trans = noise.c_ref * np.exp(-(spectrum * step + noise.mu_low))
    variance = (noise.a * noise.c_ref - noise.b) / noise.c_ref**2 + (noise.a * c_trans - noise.b) / c_trans**2
    return np.sqrt(variance) / step


@pytest.mark.parametrize("noise", [PAPER, NOISY], ids=["paper", "noisy"])
@pytest.mark.parametrize("thickness", [0.7, 1.0])
def test_noise_of_the_block_is_the_noise_of_the_model(noise, thickness):
    spectrum = spectrum_of("hematite")
    block = flat_block(spectrum, noise, thickness=thickness)
    assert block.valid.all()
    measured = block.mu.reshape(178, -1).astype(np.float64)
    expected = oracle_sigma(spectrum, noise, thickness)
    assert np.median(measured.std(axis=1) / expected) == pytest.approx(1, abs=0.025)
    np.testing.assert_allclose(measured.std(axis=1), expected, rtol=0.10)
    # the logarithm of noisy counts is a little too large on average: half the difference of the variances
    np.testing.assert_allclose(measured.mean(axis=1), spectrum, atol=6 * expected.max() / 60)


def test_noise_agrees_with_the_noise_model_of_the_sites():
    spectrum = spectrum_of("magnetite")
    block = flat_block(spectrum, PAPER)
    ratio = block.mu.reshape(178, -1).std(axis=1) / PAPER.sigma(spectrum)
    assert np.median(ratio) == pytest.approx(1, abs=0.025)


def test_noise_is_independent_between_energies_and_pixels():
    spectrum = spectrum_of("hematite")
    noise = flat_block(spectrum, PAPER).mu.reshape(178, -1) - spectrum[:, None]
    beside = np.corrcoef(noise[60:100].ravel(), noise[61:101].ravel())[0, 1]
    neighbour = np.corrcoef(noise[60:100, :-1].ravel(), noise[60:100, 1:].ravel())[0, 1]
    assert abs(beside) < 0.06
    assert abs(neighbour) < 0.02


def test_edge_step_follows_thickness_and_normalisation_holds_per_pixel():
    phase = np.zeros((40, 80), dtype=np.uint8)
    thickness = np.repeat(np.linspace(0.5, 1.4, 80)[None], 40, axis=0)
    spectra = spectrum_of("hematite")[None]
    block = simulate_block(phase, thickness, spectra, PAPER, np.random.default_rng(3))
    step = (block.mu_high - block.mu_low).mean(axis=0)
    np.testing.assert_allclose(step, 1.2 * thickness[0], rtol=0.01)
    np.testing.assert_allclose(block.mu_low, 0.36, atol=0.03)
    windows = edge_windows(ENERGY)
    np.testing.assert_allclose(block.mu[windows.pre].mean(axis=0), 0, atol=1e-4)
    np.testing.assert_allclose(block.mu[windows.post].mean(axis=0), 1, atol=1e-4)


def test_resin_is_void_and_carries_no_edge():
    phase = np.full((50, 50), RESIN, dtype=np.uint8)
    phase[:, 25:] = 0
    block = simulate_block(
        phase, np.ones((50, 50)), spectrum_of("SFCA")[None], PAPER, np.random.default_rng(1)
    )
    np.testing.assert_array_equal(block.valid, phase == 0)
    assert np.isnan(block.mu[:, :, :25]).all()
    assert np.isfinite(block.mu[:, :, 25:]).all()
    np.testing.assert_allclose((block.mu_high - block.mu_low)[:, :25], 0, atol=0.04)


def test_the_void_limit_is_five_sigma_of_the_edge_step():
    spectrum = spectrum_of("hematite")
    windows = edge_windows(ENERGY)
    sigma = oracle_sigma(np.zeros(178), PAPER)[0] * 1.2
    of_the_step = sigma * np.sqrt(sum(1 / (part.stop - part.start) for part in (windows.pre, windows.post)))
    shares = [
        flat_block(spectrum, PAPER, thickness=times * of_the_step / 1.2).valid.mean() for times in (2, 5, 8)
    ]
    assert shares[0] < 0.01
    assert 0.4 < shares[1] < 0.6
    assert shares[2] > 0.98


def test_counts_below_the_floor_are_invalid_samples_not_numbers():
    thick = NoiseModel(c_ref=2.7e4, mu_low=0.36, mu_high=7.5)
    spectrum = spectrum_of("hematite")
    block = flat_block(spectrum, thick, thickness=1.2)
    expected = 2.7e4 * np.exp(-(spectrum * 7.14 * 1.2 + 0.36))
    blind = expected < thick.b / thick.a
    assert 0 < blind.sum() < 178
    assert np.isnan(block.mu[blind]).all()
    assert not block.valid.any()


def test_read_noise_down_to_no_counts_gives_invalid_samples_not_infinite_ones():
    thick = NoiseModel(c_ref=500.0, mu_low=0.36, mu_high=4.5, a=0.14, b=-12.7)
    block = flat_block(spectrum_of("hematite"), thick, shape=(40, 40))
    assert not np.isinf(block.mu).any()
    lost = np.isnan(block.mu[:, ~np.isnan(block.mu_high)]).mean(axis=1)
    assert lost[:20].max() == 0  # bright before the edge
    assert 0.02 < lost[-1] < 0.5  # about 5 counts +- 3.7 behind it


def test_saturated_counts_are_invalid():
    block = flat_block(spectrum_of("hematite"), NoiseModel(c_ref=65534.0, mu_low=0.36, mu_high=1.56))
    assert np.isnan(block.mu).mean() == pytest.approx(0.5, abs=0.02)


def test_absorbance_comes_from_whole_counts():
    """With counts this low the absorbances of one energy take few values: ratios of whole numbers."""
    dim = NoiseModel(c_ref=300.0, mu_low=0.0, mu_high=0.5)
    block = flat_block(np.linspace(0, 1, 178), dim)
    mu = block.mu * (block.mu_high - block.mu_low) + block.mu_low
    ratio = np.exp(mu[90][block.valid].astype(np.float64))
    counts = np.arange(10, 700)
    nearest = np.rint(counts[:, None] * ratio[None, :300])
    error = np.abs(counts[:, None] * ratio[None, :300] - nearest).min(axis=0)
    assert error.max() < 1e-3


def test_same_seed_same_block_other_seed_another():
    spectrum = spectrum_of("CF")
    first, again = flat_block(spectrum, PAPER, seed=5), flat_block(spectrum, PAPER, seed=5)
    np.testing.assert_array_equal(first.mu, again.mu)
    np.testing.assert_array_equal(first.mu_high, again.mu_high)
    assert (flat_block(spectrum, PAPER, seed=6).mu != first.mu).mean() > 0.99


def test_windows_are_the_default_regions_with_both_ends():
    windows = edge_windows(ENERGY)
    assert ENERGY[windows.pre][0] == 7009.2
    assert ENERGY[windows.pre][-1] <= 7080 < ENERGY[windows.pre.stop]
    assert ENERGY[windows.post.start - 1] < 7200 <= ENERGY[windows.post][0]
    assert ENERGY[windows.post][-1] == 7321.2
    assert windows.energies == 178


@pytest.mark.parametrize(
    ("energy", "message"),
    [
        (ENERGY[::-1], "does not rise"),
        (ENERGY / 1000, "give energies in eV"),
        (ENERGY[60:], "pre-edge"),
        (ENERGY[:90], "post-edge"),
        (np.array([7100.0]), "does not rise"),
    ],
)
def test_an_axis_without_the_regions_is_refused(energy, message):
    with pytest.raises(InputError, match=message):
        edge_windows(energy)


def test_blocks_that_do_not_fit_are_refused():
    spectra = spectrum_of("CF")[None]
    one, rng = np.ones((4, 4)), np.random.default_rng(0)
    phase = np.zeros((4, 4), dtype=np.uint8)
    with pytest.raises(InputError, match="thickness map"):
        simulate_block(phase, one[:3], spectra, PAPER, rng)
    with pytest.raises(InputError, match="same energy axis"):
        simulate_block(phase, one, spectra[:, :100], PAPER, rng)
    with pytest.raises(InputError, match="Phase number 1 has no spectrum"):
        simulate_block(phase + np.uint8(1), one, spectra, PAPER, rng)
    with pytest.raises(InputError, match="NaN"):
        simulate_block(phase, one, np.full((1, 178), np.nan), PAPER, rng)
    with pytest.raises(InputError, match="thickness"):
        simulate_block(phase, -one, spectra, PAPER, rng)
