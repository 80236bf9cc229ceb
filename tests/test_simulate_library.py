"""The modelled library: complete, normalised, and as similar among itself as measured standards are."""

import numpy as np
import pytest
from gigaxas.errors import InputError
from gigaxas.simulate import edge_windows, modelled_library
from gigaxas.simulate.library import SCATTERING, read_phases
from gigaxas.spectra.noise import NoiseModel

ENERGY = np.linspace(7009.2, 7321.2, 178)
PAPER = NoiseModel(c_ref=2.7e4, mu_low=0.36, mu_high=1.56)
SINTER = ("hematite", "magnetite", "wustite", "SFCA", "SFCA-I", "CF", "C2F", "fayalite", "kirschsteinite")


def pair_distances(spectra: np.ndarray) -> np.ndarray:
    """METHOD 2, pair by pair: mean z of every two spectra."""
    sigma = PAPER.sigma(spectra)
    centred = spectra - spectra.mean(axis=1, keepdims=True)
    norm = np.linalg.norm(centred, axis=1)
    t = centred / norm[:, None]
    z = np.zeros((len(t), len(t)))
    for i in range(len(t)):
        for j in range(len(t)):
            if i != j:
                z[i, j] = (1 - t[i] @ t[j]) / np.linalg.norm((t[i] - t[j]) * sigma[i] / norm[i])
    return (z + z.T) / 2


@pytest.fixture(scope="module")
def library():
    return modelled_library(ENERGY)


def test_sixty_one_phases_with_unique_names(library):
    names, spectra = library
    assert len(names) == len(set(names)) == 61
    assert spectra.shape == (61, 178)
    assert np.isfinite(spectra).all()
    assert set(SINTER) <= set(names)


def test_spectra_are_0_before_and_1_after_the_edge(library):
    _, spectra = library
    windows = edge_windows(ENERGY)
    np.testing.assert_allclose(spectra[:, windows.pre].mean(axis=1), 0, atol=1e-12)
    np.testing.assert_allclose(spectra[:, windows.post].mean(axis=1), 1, atol=1e-12)
    assert np.abs(spectra[:, ENERGY < 7100]).max() < 0.01
    assert np.abs(spectra[:, ENERGY > 7200] - 1).max() < 0.2


def test_the_edge_rises_with_valence():
    """Iron with oxygen neighbours: half of the step lies higher for ferric than for ferrous phases."""
    edges = {2.0: [], 3.0: []}
    for phase in read_phases():
        if phase.shells[0].element == "O" and phase.valence in edges:
            edges[phase.valence].append(phase.edge_ev)
    assert min(edges[3.0]) > max(edges[2.0])
    assert 3 < np.mean(edges[3.0]) - np.mean(edges[2.0]) < 6


def test_tetrahedral_iron_has_the_stronger_pre_edge(library):
    names, spectra = library
    pre_edge = spectra[:, np.abs(ENERGY - 7113.5).argmin()]
    assert pre_edge[names.index("ferrian orthoclase")] > 2 * pre_edge[names.index("goethite")]


def test_every_row_of_the_table_is_physical():
    for phase in read_phases():
        assert 0 <= phase.valence <= 3
        assert 7110 < phase.edge_ev < 7130
        assert phase.distances_from
        assert all(1.8 < shell.distance < 4.5 and 0 < shell.disorder < 0.03 for shell in phase.shells)
        assert all(shell.element in SCATTERING and shell.number > 0 for shell in phase.shells)


def test_first_coordination_shell_matches_the_coordination():
    for phase in read_phases():
        if phase.shells[0].element == "O":
            oxygen = sum(shell.number for shell in phase.shells if shell.element == "O")
            assert oxygen == pytest.approx(phase.coordination, abs=0.2), phase.name


def test_pairs_are_as_far_apart_as_measured_standards(library):
    names, spectra = library
    z = pair_distances(spectra)
    pairs = z[np.triu_indices(61, 1)]
    assert 2 < pairs.min() < 3
    assert 10 < np.median(pairs) < 20
    assert 25 < pairs.max() < 60
    chosen = [names.index(name) for name in SINTER]
    assert z[np.ix_(chosen, chosen)][np.triu_indices(len(chosen), 1)].min() > 6


def test_few_factors_span_the_library(library):
    _, spectra = library
    standardised = spectra - spectra.mean(axis=1, keepdims=True)
    standardised /= np.linalg.norm(standardised, axis=1, keepdims=True)
    variance = np.linalg.svd(standardised - standardised.mean(axis=0), compute_uv=False) ** 2
    assert variance[:6].sum() / variance.sum() > 0.95


def test_another_grid_gives_the_same_curves(library):
    _, spectra = library
    fine = np.linspace(7009.2, 7321.2, 178 * 4 - 3)
    _, resampled = modelled_library(fine)
    np.testing.assert_allclose(resampled[:, ::4], spectra, atol=5e-3)


def test_an_axis_that_misses_the_edge_is_refused():
    with pytest.raises(InputError, match="pre-edge"):
        modelled_library(np.linspace(7100, 7321, 100))
