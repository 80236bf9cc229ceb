"""Clusters that are another one shifted in energy, self-absorbed, or with another background."""

import numpy as np
import pytest
from component_clusters import LIBRARY, NAMES, make_clusters
from gigaxas.components.alike import BACKGROUND, MOST_SHIFT, SAME, SELF_ABSORBED, SHIFTED, compare
from gigaxas.components.decide import Rules, component_map, decide, explained_spectrum
from gigaxas.components.evidence import ClusterEvidence, evidence_of_image
from hypothesis import given, settings
from hypothesis import strategies as st
from planted import ENERGY, NOISE, spectrum
from scipy.interpolate import CubicSpline

FLUORESCENCE = Rules(fluorescence=True)


def spread_over(values, shifts, linear=False):
    """The mean of a spectrum measured at energies that differ by these shifts."""
    curve = CubicSpline(ENERGY, values)
    held = [np.clip(ENERGY - shift, ENERGY[0], ENERGY[-1]) for shift in shifts]
    return np.mean([np.interp(at, ENERGY, values) if linear else curve(at) for at in held], axis=0)


def intensities(spectra, pixels, gain=1e-3, seed=0):
    """Clusters of an intensity whose variance is `gain` times the signal."""
    spectra, pixels = np.asarray(spectra), np.asarray(pixels)
    noise = np.sqrt(gain * np.maximum(spectra, 0.01))
    variance = noise**2 / pixels[:, None]
    measured = np.random.default_rng(seed).normal(spectra, np.sqrt(variance))
    count = len(spectra)
    labels = np.arange(1, count + 1)
    return ClusterEvidence(
        ENERGY, labels, pixels, measured, variance, noise, np.zeros(count), np.ones(count), True
    )


def fitted(likeness, clusters, row=1, floor=0.05):
    return likeness.search(compare(clusters, row, np.arange(len(clusters.labels)), floor))


def kinds(decisions):
    return {one.label: (one.kind, one.members) for one in decisions}


@settings(deadline=None, max_examples=20)
@given(st.integers(0, len(LIBRARY) - 1), st.floats(-1.9, 1.9), st.booleans(), st.integers(0, 99))
def test_the_shift_is_found_and_explains(phase, shift, linear, seed):
    spread = shift + np.linspace(-0.25, 0.25, 9)
    spectra = [spread_over(LIBRARY[phase], np.linspace(-0.25, 0.25, 9)), LIBRARY[phase]]
    spectra = [spectra[0], spread_over(LIBRARY[phase], spread, linear)]
    found = fitted(SHIFTED, make_clusters(spectra, [4000, 2500], seed=seed))
    assert found.chi_square[0] < 230, NAMES[phase]
    assert found.amount[0] == pytest.approx(shift, abs=0.03 + 4 * found.error[0]), NAMES[phase]


def test_chi_square_of_a_shifted_cluster_is_that_of_noise():
    """Without a floor: noise that a spline moves between two energies is less, and counts as less."""
    values = spectrum("hematite")
    found = []
    for seed in range(12):
        clusters = make_clusters([values, spread_over(values, [0.9])], [200, 4000], seed=seed)
        found.append(fitted(SHIFTED, clusters, floor=0.0).chi_square[0])
    assert np.mean(found) == pytest.approx(174, rel=0.06)


def test_noise_of_a_scaled_spectrum_is_scaled():
    thin, thick = spectrum("hematite"), 20.0 * spectrum("hematite")
    found = [
        fitted(SAME, intensities([thick, thin], [30, 3000], seed=seed), floor=0.0).chi_square[0]
        for seed in range(12)
    ]
    assert np.mean(found) == pytest.approx(176, rel=0.06)


@pytest.mark.parametrize("seed", range(3))
def test_a_shifted_phase_is_one_component_and_a_needle_in_it_another(seed):
    """Three parts of a field whose energy drifts; a needle at z of 4 is moved along with its host."""
    rng = np.random.default_rng([seed, 8])
    host, other = LIBRARY[rng.choice(len(LIBRARY), 2, replace=False)]
    sigma = NOISE.sigma(host[None])[0]
    share = 8.0 / np.linalg.norm((other - host) / sigma)
    needle = (1 - share) * host + share * other
    parts = [np.linspace(low, low + 0.6, 9) for low in (-0.9, -0.3, 0.3)]
    spectra = [*(spread_over(host, part) for part in parts), spread_over(needle, [0.1])]
    found = kinds(decide(make_clusters(spectra, [9000, 7000, 8000, 49], seed=seed), Rules()))
    assert found[1] == ("component", (1,))
    assert found[4] == ("component", (4,))
    assert found[2] == found[3] == ("shifted", (1,))


def test_a_chain_of_shifts_is_one_component_up_to_its_limit():
    steps = np.arange(7) * 0.9
    spectra = [spread_over(spectrum("magnetite"), [step]) for step in steps]
    found = decide(make_clusters(spectra, np.arange(7) * 1000 + 3000), Rules())
    assert 1 < sum(one.kind == "component" for one in found) < 7
    for one in found:
        assert abs(steps[one.label - 1] - steps[one.members[0] - 1]) <= MOST_SHIFT + 0.05


def test_what_is_alike_by_one_between_is_one_component():
    """Each is the next one blurred a little more; the ends are too far apart for one step."""
    values = spectrum("magnetite")
    blurs = [np.linspace(-half, half, 33) for half in (0.0, 1.7, 2.4)]
    clusters = make_clusters([spread_over(values, blur) for blur in blurs], [1000, 2000, 3000])
    assert fitted(SHIFTED, clusters, 0).chi_square[2] > 300
    found = {one.label: one for one in decide(clusters, Rules())}
    assert [found[label].members for label in (1, 2, 3)] == [(3,), (3,), (3,)]
    assert found[1].explanation.members == (2,)


def test_a_blur_beyond_that_of_a_shift_is_no_shift():
    values = spectrum("wustite")
    blurred = spread_over(values, np.linspace(-2.4, 2.4, 33))
    assert fitted(SHIFTED, make_clusters([values, blurred], [9000, 30_000])).chi_square[0] > 300


@settings(deadline=None, max_examples=15)
@given(st.integers(0, len(LIBRARY) - 1), st.floats(0.05, 3.0), st.integers(0, 99))
def test_self_absorption_is_found_and_is_not_undone(phase, absorption, seed):
    values = LIBRARY[phase] + 0.2
    level = (values - values.min()) / np.ptp(values)
    cut = 0.3 + 4.0 * level / (1 + absorption * level)
    clusters = intensities([values, cut], [9000, 3000], seed=seed)
    found = fitted(SELF_ABSORBED, clusters)
    assert found.chi_square[0] < 240
    assert found.amount[0] == pytest.approx(absorption, abs=5 * found.error[0] + 0.02 * absorption)
    if absorption > 0.5:
        assert fitted(SELF_ABSORBED, clusters, 0).chi_square[1] > 1000


def test_a_fluorescing_particle_in_many_clusters_is_one_component():
    """Edges and middle of one particle: self-absorbed from 0 to 1.5, its thickness from 1 to 8."""
    values = spectrum("fayalite")
    level = (values - values.min()) / np.ptp(values)
    absorbed = np.linspace(0, 1.5, 24)
    thick = np.linspace(1, 8, 24)
    spectra = [t * (0.1 + level / (1 + s * level)) for s, t in zip(absorbed, thick, strict=True)]
    other = spectrum("hematite") - spectrum("hematite").min() + 0.1
    clusters = intensities([*spectra, other], [*np.arange(24) * 7 + 40, 60])
    found = decide(clusters, FLUORESCENCE)
    components = [one.label for one in found if one.kind == "component"]
    assert len(components) == 2
    assert 25 in components
    assert {one.kind for one in found} <= {"component", "same", "self-absorbed"}


@settings(deadline=None, max_examples=15)
@given(st.integers(0, len(LIBRARY) - 1), st.floats(-0.5, 0.5), st.floats(-0.5, 0.5), st.integers(0, 99))
def test_a_background_is_taken_off(phase, slope, square, seed):
    u = np.linspace(-1, 1, ENERGY.size)
    tilted = 0.8 * LIBRARY[phase] + 0.1 + slope * u + square * u**2
    clusters = make_clusters([LIBRARY[phase], tilted], [9000, 3000], seed=seed)
    assert fitted(BACKGROUND, clusters).chi_square[0] < 240


def test_a_background_alone_is_no_cluster():
    u = np.linspace(-1, 1, ENERGY.size)
    clusters = make_clusters([spectrum("hematite"), 0.5 + 0.2 * u], [9000, 3000])
    assert np.isinf(fitted(BACKGROUND, clusters).chi_square[0])
    assert kinds(decide(clusters, Rules()))[2] == ("component", (2,))


@pytest.mark.parametrize("kind", ["same", "flattened", "self-absorbed", "shifted", "background", "mixture"])
def test_the_explained_spectrum_is_the_cluster_s_own(kind):
    values, other = spectrum("hematite"), spectrum("wustite")
    u = np.linspace(-1, 1, ENERGY.size)
    level = values - values.min()
    made = {
        "same": values,
        "flattened": -np.log((np.exp(-1.2 * values) + 0.2) / 1.2),
        "self-absorbed": level / (1 + 0.8 * level),
        "shifted": spread_over(values, [0.7]),
        "background": values + 0.3 * u,
        "mixture": 0.4 * values + 0.6 * other,
    }[kind]
    clusters = make_clusters([values, other, made], [9000, 8000, 3000], measured=False)
    rules = Rules(fluorescence=kind == "self-absorbed")
    one = next(one for one in decide(clusters, rules) if one.label == 3)
    assert one.kind == kind
    model = explained_spectrum(clusters, 3, one.explanation, rules.floor)
    assert np.abs(model - made).max() < 0.01


def test_a_map_of_components_keeps_mixtures_apart():
    values, other = spectrum("hematite"), spectrum("wustite")
    spectra = [values, other, spread_over(values, [0.7]), 0.5 * values + 0.5 * other]
    found = decide(make_clusters(spectra, [9000, 8000, 3000, 2000]), Rules())
    label = np.array([[0, 1, 2], [3, 4, 7]], np.uint16)
    assert component_map(label, found).tolist() == [[0, 1, 2], [1, 4, 7]]
    assert component_map(label, found).dtype == np.uint16


def test_a_drift_of_energy_over_a_field_makes_no_components():
    """Two phases side by side, the energy 1 eV higher at the right; clusters are cut by the shift."""
    rng = np.random.default_rng(5)
    y, x = np.mgrid[:60, :60]
    shift, phase = 2.0 * (x / 59 - 0.5), (y >= 30).astype(int)
    curves = CubicSpline(ENERGY, [spectrum("hematite"), spectrum("fayalite")], axis=1)
    image = np.moveaxis(
        [
            [curves(np.clip(ENERGY - shift[i, j], *ENERGY[[0, -1]]))[phase[i, j]] for j in range(60)]
            for i in range(60)
        ],
        -1,
        0,
    )
    image = image + rng.normal(size=image.shape) * NOISE.sigma(spectrum("hematite")[None])[0][:, None, None]
    image[:, 3, 3] = np.nan
    label = (1 + phase + 2 * (x // 20)).astype(np.uint16)
    evidence = evidence_of_image(image, np.where(x % 20 < 18, label, 0), ENERGY, NOISE)
    assert evidence.pixels.tolist() == [539, 540, 540, 540, 540, 540]
    found = component_map(label, decide(evidence, Rules()))
    assert [len(np.unique(found[phase == k])) for k in (0, 1)] == [1, 1]
    assert found[0, 0] != found[59, 0]
    doubled = evidence_of_image(image, label, ENERGY, NOISE, shared=2.0)
    np.testing.assert_allclose(
        doubled.variance, 2.0 * evidence_of_image(image, label, ENERGY, NOISE).variance
    )
