"""Slow errors of the field: found where many grains vary alike, taken out where that is asked for."""

from dataclasses import replace

import measured_scenes as scenes
import numpy as np
import pytest
from gigaxas.config.load import validated
from gigaxas.config.schema import Sites
from gigaxas.execution.session import open_session
from gigaxas.observed import (
    count_in_cells,
    counts_of,
    fit_field,
    grain_sums,
    level_of_samples,
    sample_windows,
)
from gigaxas.observed.field import polynomials, terms_of
from gigaxas.spectra.signal_noise import SignalNoise
from gigaxas.stores.sites import read_sites
from gigaxas.tasks.pixels import without_field
from gigaxas.workflow.phases import phases
from gigaxas.workflow.products import Listener, make_products, products_of
from gigaxas.workflow.resolve import reopen, resolve, with_cube
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.polynomial import Legendre

ENERGY = scenes.ENERGY
SIDE, GRAIN = 160, 40
SIGMA = 0.02
PHASES = np.stack([scenes.edge(ENERGY, *shape) for shape in ((7121, 0.8), (7125, 0.4), (7123, 0.1))])
Y, X = np.mgrid[:SIDE, :SIDE] / SIDE - 0.5
PHASE = (Y.argsort(0).argsort(0) // GRAIN + 2 * (np.arange(SIDE) // GRAIN)) % 3
RNG = np.random.default_rng(0)
NOISE = RNG.normal(0, SIGMA, (ENERGY.size, SIDE, SIDE))


def plain():
    return np.moveaxis(PHASES[PHASE], -1, 0) + NOISE


def shifted(by=0.5):
    image = np.empty(NOISE.shape)
    for number, (position, white) in enumerate(((7121, 0.8), (7125, 0.4), (7123, 0.1))):
        here = number == PHASE
        image[:, here] = scenes.edge(ENERGY[:, None] + by * 2 * X[here], position, white)
    return image + NOISE


def drifted(size=0.03):
    """An error of its own at every energy, linear and square in y and x."""
    way = np.random.default_rng(1).normal(0, size, (3, ENERGY.size))
    return plain() + np.einsum("be,byx->eyx", way, np.stack([Y, X, 4 * Y * X]))


def graded():
    """Every grain drifts towards a composition of its own: no error of the instrument."""
    image, rng = plain(), np.random.default_rng(2)
    for y in range(0, SIDE, GRAIN):
        for x in range(0, SIDE, GRAIN):
            here = np.s_[y : y + GRAIN, x : x + GRAIN]
            way = rng.dirichlet(np.ones(3)) @ PHASES - PHASES[PHASE[y, x]]
            slope = rng.normal(0, 1, 2) @ np.stack([Y[here], X[here]]).reshape(2, -1)
            image[:, *here] += 0.8 * way[:, None, None] * slope.reshape(GRAIN, GRAIN)
    return image


def one_gradient():
    """One composition that drifts to another over the whole image, without any boundary."""
    share = (0.5 + X)[None]
    return (1 - share) * PHASES[0][:, None, None] + share * PHASES[1][:, None, None] + NOISE


def found(image, cut=SIDE):
    """The level and the field of an image, looked at in squares of `cut` pixels."""
    level = level_of_samples([sample_windows(image, 5)], SignalNoise(read=SIGMA), 5, 23, 1e-4)
    parts = [
        grain_sums(image[:, y : y + cut, x : x + cut], (y, x), image.shape[1:], level)
        for y in range(0, SIDE, cut)
        for x in range(0, SIDE, cut)
    ]
    return level, fit_field(parts, ENERGY, (SIDE, SIDE), level)


@pytest.mark.parametrize("image", [plain, graded, one_gradient], ids=lambda one: one.__name__)
def test_phases_and_their_gradients_are_no_error_of_the_field(image):
    assert found(image())[1] is None


def test_a_shift_of_energy_is_found_and_taken_out():
    _, field = found(shifted())
    assert field.largest_shift == pytest.approx(1.0, abs=0.1)
    assert field.explained > 0.9
    assert field.grains >= 12
    at = field.shift_at(np.arange(SIDE), np.arange(SIDE))
    np.testing.assert_allclose(at - at.mean(), X, atol=0.06)
    freed = without_field(shifted().astype(np.float32), (0, 0), field, ENERGY)
    inner = np.s_[3:-3]
    assert np.std((freed - plain())[inner]) < 0.4 * np.std((shifted() - plain())[inner])


def test_an_error_at_every_energy_is_found_and_taken_out():
    _, field = found(drifted())
    assert field.shift.size == 0
    assert len(field.additive) >= 3
    freed = without_field(drifted().astype(np.float32), (0, 0), field, ENERGY)
    left = freed - plain()
    assert np.std(left - left.mean(axis=(1, 2), keepdims=True)) < 0.15 * np.std(drifted() - plain())
    spread = np.linalg.norm(PHASES - PHASES.mean(axis=1, keepdims=True), axis=1).mean()
    added = drifted() - plain()
    assert field.additive_share == pytest.approx(np.sqrt(np.mean((added**2).sum(axis=0))) / spread, rel=0.2)


def test_any_part_of_the_image_is_freed_of_its_own_place_in_the_field():
    _, field = found(drifted())
    image = drifted().astype(np.float32)
    whole = without_field(image, (0, 0), field, ENERGY)
    part = without_field(image[:, 30:50, 70:130], (30, 70), field, ENERGY)
    np.testing.assert_array_equal(part, whole[:, 30:50, 70:130])


def test_grains_that_areas_cut_tell_the_same():
    one, other = found(drifted())[1], found(drifted(), cut=SIDE // 2)[1]
    np.testing.assert_allclose(one.additive[:3], other.additive[:3], atol=0.002)


def test_a_mean_is_freed_of_the_field_where_its_pixels_lie():
    _, field = found(drifted())
    part = np.s_[20:110, 35:150]
    label = np.full((90, 115), 7, np.uint16)
    cells = counts_of([count_in_cells(label, np.array([3, 7]), (20, 35), (SIDE, SIDE))], 2)
    assert cells.sum(axis=1).tolist() == [0, label.size]
    expected = field.additive_at(np.arange(SIDE), np.arange(SIDE))[:, *part].mean(axis=(1, 2))
    np.testing.assert_allclose(field.mean_additive(cells)[1], expected, atol=2e-4)


def test_void_pixels_tell_nothing():
    image = drifted()
    image[:, 60:100, 60:100] = np.nan
    field = found(image)[1]
    assert np.isfinite(field.additive).all()
    freed = without_field(image.astype(np.float32), (0, 0), field, ENERGY)
    np.testing.assert_array_equal(np.isnan(freed), np.isnan(image))


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 6), st.integers(0, 1000), st.integers(0, 1000))
def test_polynomials_are_those_of_legendre(degree, y, x):
    values = polynomials(np.array([y]), np.array([x]), (1001, 1001), degree)[0]
    assert len(values) == terms_of(degree)
    v, u = 2 * y / 1000 - 1, 2 * x / 1000 - 1
    expected = [
        Legendre.basis(i)(v) * Legendre.basis(total - i)(u)
        for total in range(1, degree + 1)
        for i in range(total + 1)
    ]
    np.testing.assert_allclose(values, expected, atol=1e-12)


@pytest.mark.parametrize("correct", ["none", "field"])
def test_a_run_tells_of_the_field_and_takes_it_out_when_asked(tmp_path, correct):
    image, energy = tmp_path / "image.npy", tmp_path / "energy.txt"
    np.save(image, drifted(0.1).astype("f4"))
    np.savetxt(energy, ENERGY)
    config = validated(
        {
            "title": "field",
            "output": str(tmp_path / "run"),
            "edge": "Fe K",
            "ingest": {"stack": str(image), "energies": str(energy), "quantity": "normalised"},
            "sites": {"from": "observed", "correct": correct},
            "compute": {"cluster": "threads"},
        }
    )
    said = []
    run = resolve(config, said.append)
    with open_session(run.paths, config, "classify") as runner:
        run = make_products(products_of(run), run, runner, Listener(said.append))
    line = next(line for line in said if line.startswith("field "))
    assert "each energy has an error of its own" in line
    assert ("taken out" in line) == (correct == "field")
    assert ("sites.correct: field takes it out" in line) == (correct == "none")
    stored = read_sites(tmp_path / "run" / "sites.zarr")
    assert stored.field.additive.shape[1] == ENERGY.size
    assert (len(stored.table.names) == 3) == (correct == "field")
    assert len(phases(config).components) == 3
    assert (reopen(config).info.field is not None) == (correct == "field")
    assert [product.name for product in products_of(with_cube(resolve(config))) if not product.is_made] == []


def test_a_field_is_not_taken_out_of_data_that_nobody_looks_at():
    with pytest.raises(ValueError, match="needs sites from the data"):
        Sites.model_validate({"from": "library", "correct": "field"})


def test_an_energy_without_noise_tells_nothing_of_a_field():
    level, field = found(drifted())
    profile = level.profile.copy()
    profile[5] = 0.0
    parts = [grain_sums(drifted(), (0, 0), (SIDE, SIDE), level)]
    silent = fit_field(parts, ENERGY, (SIDE, SIDE), replace(level, profile=profile))
    assert np.isfinite(silent.explained)
    np.testing.assert_allclose(silent.additive[:2], field.additive[:2], atol=1e-3)
