"""Absorbance, normalisation, energy shift and drift of raw counts, against an oracle and planted truth."""

import numpy as np
import pytest
from gigaxas.errors import InputError
from gigaxas.raw.absorbance import CountLimits, Counts, absorbance, count_invalid
from gigaxas.raw.drift import margin, measure_drift, undo_drift
from gigaxas.raw.energy_shift import Blocks, ShiftMap, apply_shift, edge_position, fit_shift
from gigaxas.raw.normalisation import make_normaliser, normalise_block, normalise_spectra
from gigaxas.raw.robust_fit import robust_fit
from gigaxas.simulate import modelled_library, sinter_scene
from gigaxas.spectra import Spectrum
from gigaxas.spectra.noise import NoiseModel
from gigaxas.spectra.normalisation import edge_step, normalise
from hypothesis import given, settings
from hypothesis import strategies as st
from raw_files import C_REF, EDGE, ENERGY, POST, PRE, counts, field_mu, oracle, spectrum, texture
from scipy import ndimage

CAMERA = NoiseModel(c_ref=C_REF, mu_low=0.36, mu_high=1.56)
LIMITS = CountLimits(65535, 65535, CAMERA.lowest_count)
LINES = make_normaliser(ENERGY, PRE, POST, EDGE, "lines")
GRID = np.linspace(7009.2, 7321.2, 178)
MODELLED = (7009.2, 7080.0), (7200.0, 7321.2)


def normalised(transmitted, reference, dark, normaliser=LINES, least=5.0):
    dark = np.zeros(transmitted.shape[1:], np.float32) if dark is None else dark
    block = absorbance(Counts(transmitted, reference, dark, dark), LIMITS)
    maps = normalise_block(block, normaliser, CAMERA, least)
    return block.mu, block.valid, maps


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.booleans())
def test_counts_become_what_method_1_says(seed, extreme):
    rng = np.random.default_rng(seed)
    amount = rng.uniform(0.3, 1.5, (3, 4))
    transmitted, reference = counts(field_mu(amount), rng)
    dark = rng.integers(90, 110, (3, 4)).astype(np.float32)
    if extreme:
        for images in (transmitted, reference):
            images[rng.integers(61), rng.integers(3), rng.integers(4)] = rng.choice([0, 50, 65535])
    mu, valid, _ = normalised(transmitted, reference, dark, least=0.0)
    for y in range(3):
        for x in range(4):
            wanted = oracle(transmitted[:, y, x].astype(float), reference[:, y, x].astype(float), dark[y, x])
            assert valid[y, x] == (wanted is not None)
            if wanted is None:
                assert np.isnan(mu[:, y, x]).all()
            else:
                np.testing.assert_allclose(mu[:, y, x], wanted, rtol=1e-5, atol=2e-5)


def test_every_bad_sample_is_counted_once_by_its_reason():
    reference = np.full((61, 2, 3), 20000, np.uint16)
    transmitted = reference // 2
    transmitted[3, 0, 0], reference[3, 0, 0] = 0, 65535
    transmitted[[5, 6], 0, 1] = 40, 100
    reference[7, 1, 2] = 103
    dark = np.full((2, 3), 100, np.float32)
    counted = Counts(transmitted, reference, dark, dark)
    seen = absorbance(counted, LIMITS)
    assert seen.valid.tolist() == [[False, False, True], [True, True, False]]
    assert count_invalid(counted, LIMITS, seen.valid).tolist() == [1, 2, 1]


def test_counts_that_are_no_numbers_are_invalid():
    reference = np.full((61, 1, 3), 2e4)
    transmitted = reference / 2
    transmitted[4, 0, 0], reference[4, 0, 1] = np.nan, np.inf
    dark = np.zeros((1, 3), np.float32)
    seen = absorbance(Counts(transmitted, reference, dark, dark), LIMITS)
    assert seen.valid.tolist() == [[False, False, True]]
    assert np.isfinite(seen.mu).all()


def test_lines_are_those_of_the_references():
    mu = field_mu(np.array([[0.4, 1.3]]))[:, 0].T
    for one, wanted in zip(normalise_spectra(mu, LINES), mu, strict=True):
        same = normalise(Spectrum("one", ENERGY, wanted), PRE, POST, EDGE)
        np.testing.assert_allclose(one, same.mu, atol=1e-9)
        assert LINES.step @ wanted == pytest.approx(
            edge_step(Spectrum("one", ENERGY, wanted), PRE, POST, EDGE)
        )


def test_athena_divides_by_the_step():
    step = make_normaliser(ENERGY, PRE, POST, EDGE, "step")
    mu = field_mu(np.ones((1, 1))).reshape(-1)
    above = mu - np.polyval(np.polyfit(ENERGY[PRE[1] >= ENERGY], mu[PRE[1] >= ENERGY], 1), ENERGY)
    np.testing.assert_allclose(normalise_spectra(mu[None], step)[0], above / (step.step @ mu), atol=1e-4)


def test_maps_hold_step_and_levels_and_the_noise_is_the_scatter():
    rng = np.random.default_rng(3)
    transmitted, reference = counts(field_mu(np.ones((60, 60))), rng, dark=0)
    _, valid, maps = normalised(transmitted, reference, None)
    assert valid.all()
    clean = field_mu(np.ones((1, 1))).reshape(-1)
    assert maps.edge_step.mean() == pytest.approx(LINES.step @ clean, abs=3e-3)
    assert maps.mu_low.mean() == pytest.approx(clean[PRE[1] >= ENERGY].mean(), abs=2e-3)
    assert maps.mu_high.mean() == pytest.approx(clean[POST[0] <= ENERGY].mean(), abs=2e-3)
    assert maps.edge_step.std() == pytest.approx(maps.edge_step_noise.mean(), rel=0.06)


def test_a_step_below_five_times_its_noise_is_void():
    rng = np.random.default_rng(4)
    steps = LINES.step @ field_mu(np.array([[0.0, 1.0]]))[:, 0]
    _, _, maps = normalised(*counts(field_mu(np.full((20, 20), 0.02)), rng, dark=0), None, least=0.0)
    noise = np.nanmean(maps.edge_step_noise)
    # where the step is k times its noise, a share Phi(k - 5) of the pixels is seen above five times
    amount = (np.array([0.0, 4.0, 6.0, 80.0]) * noise - steps[0]) / (steps[1] - steps[0])
    images = field_mu(np.repeat(amount[:, None], 600, axis=1))
    mu, valid, maps = normalised(*counts(images, rng, dark=0), None)
    np.testing.assert_allclose(valid.mean(axis=1), [0, 0.16, 0.84, 1], atol=0.06)
    np.testing.assert_array_equal(np.isnan(mu).all(axis=0), ~valid)
    np.testing.assert_array_equal(np.isnan(maps.edge_step), ~valid)


@pytest.mark.parametrize(
    ("pre", "post", "edge", "said"),
    [
        ((6900, 6950), POST, EDGE, "references.pre_edge: 0 images"),
        (PRE, (7292, 7400), EDGE, "references.post_edge"),
        (PRE, POST, 7500, "expected the edge between"),
    ],
)
def test_ranges_without_images_are_refused(pre, post, edge, said):
    with pytest.raises(InputError, match=said):
        make_normaliser(ENERGY, pre, post, edge, "lines")


def blocks(true, plane, rng, phases=None, side=16, count=12):
    """Mean spectra of blocks of pixels of a field with this shift, at the paper's noise."""
    noise = 0.045 / side
    positions, spectra = [], []
    for y in np.linspace(side / 2, plane[0] - side / 2, count) - 0.5:
        for x in np.linspace(side / 2, plane[1] - side / 2, count) - 0.5:
            shift = float(true.at(np.array([y]), np.array([x]))[0, 0])
            one = spectrum(GRID + shift) if phases is None else phases(GRID + shift, rng)
            positions.append((y, x))
            spectra.append(0.4 + 1.2 * one + rng.normal(0, noise, GRID.size))
    return Blocks(np.array(spectra), np.array(positions))


def largest_error(found, true):
    ys, xs = (np.linspace(0, size - 1, 40) for size in true.plane)
    return np.abs(found.at(ys, xs) - true.at(ys, xs)).max()


@pytest.mark.parametrize("degree", [1, 2])
def test_a_planted_shift_is_found_on_a_foil(degree):
    terms = (1.4, -2.1, 0.9, 0.4, -0.7)[: 2 if degree == 1 else 5]
    true = ShiftMap((300, 500), terms, 0, 0)
    normaliser = make_normaliser(GRID, *MODELLED, EDGE, "lines")
    seen = blocks(true, true.plane, np.random.default_rng(0))
    seen = seen._replace(spectra=normalise_spectra(seen.spectra, normaliser))
    found = fit_shift(seen, GRID, (7080, 7200), true.plane, degree)
    assert largest_error(found, true) < 0.05
    assert found.error < 0.05
    assert found.at(np.array([149.5]), np.array([249.5]))[0, 0] == pytest.approx(0, abs=1e-12)


def test_composition_is_not_taken_for_a_shift():
    """Nine fields of blocks that each mix three of 61 phases, whose own edges lie up to 12 eV apart."""
    from scipy.interpolate import CubicSpline

    library = CubicSpline(GRID, modelled_library(GRID)[1], axis=1)
    number = {name: i for i, name in enumerate(modelled_library(GRID)[0])}
    present = np.array([number[name] for name in sinter_scene((128, 128), 0).names])

    def phases(energy, rng):
        some = rng.choice(present, 3)
        return rng.dirichlet([0.2] * 3) @ library(np.clip(energy, GRID[0], GRID[-1]))[some]

    true = ShiftMap((300, 300), (1.4, -2.1, 0.9, 0.4, -0.7), 0, 0)
    normaliser = make_normaliser(GRID, *MODELLED, EDGE, "lines")
    parts = [blocks(true, true.plane, np.random.default_rng(seed), phases) for seed in range(9)]
    spectra, positions = (np.concatenate([part[i] for part in parts]) for i in (0, 1))
    spectra = normalise_spectra(spectra, normaliser)
    found = fit_shift(Blocks(spectra, positions), GRID, (7080, 7200), true.plane, 2)
    assert np.ptp(edge_position(spectra, GRID, (7080, 7200))) > 6
    assert largest_error(found, true) < 0.05


def test_no_edge_no_shift():
    flat = np.zeros((200, GRID.size))
    with pytest.raises(InputError, match="0 of 200 blocks"):
        fit_shift(Blocks(flat, np.zeros((200, 2))), GRID, (7080, 7200), (10, 10), 1)
    with pytest.raises(InputError, match="images between"):
        edge_position(flat, GRID, (7080.1, 7080.2))


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32 - 1), st.booleans())
def test_the_shift_is_taken_out_again(seed, uneven):
    rng = np.random.default_rng(seed)
    energy = np.sort(rng.uniform(7000, 7300, 120)) if uneven else np.linspace(7000, 7300, 120)
    energy = energy + 0.5 * np.arange(120) if uneven else energy
    shift = rng.uniform(-3, 3) + rng.uniform(-0.02, 0.02) * np.arange(300).reshape(3, 100)
    wave = lambda at: np.sin(at / 40) + 0.3 * np.sin(at / 23)  # noqa: E731
    mu = wave(energy[:, None, None] + shift).astype(np.float32)
    found = apply_shift(mu, shift, energy)
    inside = slice(12, -12)
    np.testing.assert_allclose(
        found[inside],
        np.broadcast_to(wave(energy)[:, None, None], mu.shape)[inside],
        atol=0.03 if uneven else 4e-3,
    )


def test_no_shift_changes_nothing():
    mu = np.random.default_rng(0).normal(size=(20, 5, 300)).astype(np.float32)
    np.testing.assert_allclose(apply_shift(mu, np.zeros((5, 300)), np.linspace(1, 20, 20)), mu, atol=3e-6)


def test_outliers_do_not_bend_a_fit():
    rng = np.random.default_rng(1)
    x = np.linspace(-1, 1, 200)
    design = np.vander(x, 2)
    values = design @ [2.0, 1.0] + rng.normal(0, 0.01, 200)
    values[::10] += 5
    found, covariance = robust_fit(design, values)
    np.testing.assert_allclose(found, [2, 1], atol=0.02)
    assert covariance.shape == (2, 2)


def drifting(amount, path, rng, noise):
    images = field_mu(amount)
    moved = [
        ndimage.shift(image, step, order=3, mode="nearest") for image, step in zip(images, path, strict=True)
    ]
    return (np.array(moved) + rng.normal(0, noise, images.shape)).astype(np.float32)


def test_drift_is_measured_and_undone():
    rng = np.random.default_rng(2)
    along = np.linspace(0, 1, len(ENERGY))
    path = np.stack([3 * along, -1.5 * along**2], axis=1)
    path -= path[POST[0] <= ENERGY].mean(axis=0)
    amount = texture((140, 150), 5, 2.5)
    mu = drifting(amount, path, rng, 0.045)
    found = measure_drift(mu, np.flatnonzero(POST[0] <= ENERGY))
    assert np.abs(found - path).max() < 0.1
    clean = drifting(amount, path, rng, 0.0)
    core = (slice(20, 100), slice(20, 110))
    valid = np.ones(amount.shape, bool)
    valid[60, 70] = False
    moved, good = undo_drift(clean, valid, path, core)
    still = field_mu(amount)[:, *core]
    assert np.abs(moved - still).max() < 0.25 * np.abs(clean[:, *core] - still).max()
    touched = np.argwhere(~good)
    assert 4 <= len(touched) <= 40
    assert (np.abs(touched - [40, 50]).max(axis=0) <= margin(path)).all()


def test_without_texture_there_is_no_drift():
    mu = np.random.default_rng(0).normal(1, 0.05, (61, 64, 64)).astype(np.float32)
    assert not measure_drift(mu, np.arange(40, 61)).any()
