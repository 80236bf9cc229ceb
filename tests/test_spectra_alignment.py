"""The shift of energy between references and image, on scenes whose shift is known."""

import numpy as np
import pytest
from gigaxas.errors import InputError
from gigaxas.spectra import Spectrum
from gigaxas.spectra.alignment import estimate_shift, shifts_by_source
from hypothesis import given, settings
from hypothesis import strategies as st

ENERGY = np.linspace(7009.2, 7321.2, 90)
GRID = np.linspace(7000, 7330, 661)
SIGMA = 0.02


def edge(energy, position, white=0.0):
    peak = white * np.exp(-(((energy - position - 3) / 2.5) ** 2))
    return 1 / (1 + np.exp(-(energy - position) / 2)) + peak


def references(behind=0.0, names=("early", "late"), source="refs"):
    """References whose energies are too low by `behind` eV."""
    positions = {"early": 7122.0, "late": 7128.0, "sharp": 7119.0}
    return [
        Spectrum(name, GRID, edge(GRID + behind, positions[name]), f"{source}/{name}.txt") for name in names
    ]


def image(count=40, sigma=SIGMA, seed=0):
    """Spectra of pixels of the two phases in turn."""
    clean = np.array([edge(ENERGY, 7122 if i % 2 else 7128) for i in range(count)])
    return clean + np.random.default_rng(seed).normal(0, sigma, clean.shape)


@pytest.mark.parametrize("behind", [1.0, -1.0, 0.0, 0.37, -2.4, 4.2])
def test_the_shift_is_what_the_references_are_to_be_moved_by(behind) -> None:
    found = estimate_shift(ENERGY, image(), SIGMA, references(behind))
    assert found.ev == pytest.approx(behind, abs=0.05)
    assert found.error < 0.04
    assert not found.at_limit
    assert found.is_notable == (behind != 0.0)
    assert found.gain == found.moved - found.unmoved >= -1e-9
    moved = [Spectrum(r.name, r.energy + found.ev, r.mu, r.source) for r in references(behind)]
    again = estimate_shift(ENERGY, image(), SIGMA, moved)
    assert again.ev == pytest.approx(0.0, abs=0.02)
    assert again.unmoved == pytest.approx(found.moved, abs=1e-4)


def test_the_error_is_the_scatter_of_repeated_measurements() -> None:
    found = [estimate_shift(ENERGY, image(4, seed=seed), SIGMA, references(1.0)) for seed in range(40)]
    pulls = [(shift.ev - 1.0) / shift.error for shift in found]
    assert 0.6 < np.std(pulls) < 1.3
    assert abs(np.mean([shift.ev for shift in found]) - 1.0) < 0.05


@settings(max_examples=20)
@given(gain=st.floats(1e-3, 1e4), offset=st.floats(-50, 50))
def test_scale_and_offset_of_the_image_change_nothing(gain: float, offset: float) -> None:
    expected = estimate_shift(ENERGY, image(6), SIGMA, references(1.0))
    found = estimate_shift(ENERGY, gain * (image(6) + offset), gain * SIGMA, references(1.0))
    assert found.ev == pytest.approx(expected.ev, abs=1e-5)
    assert found.error == pytest.approx(expected.error, rel=1e-3)


def test_mixtures_are_explained_by_pairs() -> None:
    half = (edge(ENERGY, 7122) + edge(ENERGY, 7128)) / 2
    spectra = half + np.random.default_rng(1).normal(0, 0.005, (8, ENERGY.size))
    found = estimate_shift(ENERGY, spectra, 0.005, references(1.0))
    assert found.ev == pytest.approx(1.0, abs=3 * found.error)
    assert found.error < 0.1
    assert found.moved > 0.9998


def test_spectra_that_no_reference_explains_hardly_count() -> None:
    strange = np.array([np.sin(ENERGY / 30)] * 8 + [edge(ENERGY, 7119, 1.5)] * 16)
    spectra = np.concatenate([image(), strange + np.random.default_rng(2).normal(0, SIGMA, strange.shape)])
    found = estimate_shift(ENERGY, spectra, SIGMA, references(1.0))
    assert found.ev == pytest.approx(1.0, abs=0.1)
    assert found.moved > 0.99


def test_misfit_widens_the_error() -> None:
    other = [Spectrum(r.name, r.energy, r.mu + 0.1 * np.sin(r.energy / 9), r.source) for r in references(1.0)]
    plain = estimate_shift(ENERGY, image(), SIGMA, references(1.0))
    assert estimate_shift(ENERGY, image(), SIGMA, other).error > 2 * plain.error


@pytest.mark.parametrize("behind", [5.6, -5.6])
def test_a_shift_at_the_end_of_its_interval_is_said_to_be_there(behind) -> None:
    spectra = image()[1::2]
    found = estimate_shift(ENERGY, spectra, SIGMA, references(behind, ("early",)))
    assert found.at_limit
    assert found.is_notable
    assert found.ev == pytest.approx(np.sign(behind) * 5.0)


def test_every_source_has_its_own_shift() -> None:
    library = references(1.0, source="one") + references(-0.5, source="two/below")
    found = shifts_by_source(ENERGY, image(), SIGMA, library)
    assert {name: round(shift.ev, 1) for name, shift in found.items()} == {"one": 1.0, "two": -0.5}


def test_noise_of_each_sample_weighs_it() -> None:
    spectra, sigma = image(), np.full((40, ENERGY.size), SIGMA)
    bad = ENERGY > 7200
    sigma[:, bad] = 1e3
    spectra[:, bad] = np.random.default_rng(3).normal(0, 1e3, spectra[:, bad].shape)
    assert estimate_shift(ENERGY, spectra, sigma, references(1.0)).ev == pytest.approx(1.0, abs=0.05)


@pytest.mark.parametrize(
    ("spectra", "sigma", "library", "message"),
    [
        (image(2), SIGMA, [], "found none"),
        (image(2), 0.0, references(), "not above 0"),
        (np.ones((2, 90)), SIGMA, references(), "constant"),
        (image(2), SIGMA, [Spectrum("flat", GRID, np.ones(661))], "all are constant"),
        (
            image(2),
            SIGMA,
            [Spectrum("short", GRID[:60], edge(GRID[:60], 7122))],
            "leave out short references",
        ),
    ],
)
def test_what_no_shift_can_be_measured_on_is_refused(spectra, sigma, library, message) -> None:
    with pytest.raises(InputError, match=message):
        estimate_shift(ENERGY, spectra, sigma, library)
