import itertools
from dataclasses import replace

import numpy as np
import pytest
from component_clusters import LIBRARY, NAMES, leaked_rows, make_clusters
from gigaxas.components.decide import Rules, decide
from gigaxas.components.mixture import best_mixture
from gigaxas.errors import InputError
from gigaxas.spectra import read_library
from hypothesis import example, given, settings
from hypothesis import strategies as st
from planted import ENERGY, spectrum
from scipy.optimize import nnls as scipy_nnls

PURE = ("hematite", "magnetite", "SFCA-I", "kirschsteinite", "biotite", "wustite")
LEAKS = (0.03, 0.1, 0.3)
MIXTURES = ((0, 1, 0.3), (0, 1, 0.6), (2, 3, 0.5), (2, 5, 0.85))


def planted(seed):
    """Six phases, then six leaks of the first two, then four mixtures."""
    pure = [spectrum(name) for name in PURE]
    leaks = leaked_rows(PURE[:2], LEAKS)
    mixed = [w * pure[a] + (1 - w) * pure[b] for a, b, w in MIXTURES]
    steps = [1.2] * 6 + [step for _, step in leaks] + [1.2] * 4
    pixels = np.random.default_rng(seed).integers(30, 100_000, 16)
    return make_clusters([*pure, *(s for s, _ in leaks), *mixed], pixels, steps, seed=seed)


@pytest.mark.parametrize("seed", range(4))
def test_planted_leaks_and_mixtures_are_found_and_nothing_else(seed):
    clusters = planted(seed)
    found = {decision.label: decision for decision in decide(clusters, Rules())}
    assert [found[label].kind for label in range(1, 7)] == ["component"] * 6
    for i, (phase, share) in enumerate(itertools.product((1, 2), LEAKS)):
        decision = found[7 + i]
        assert (decision.kind, decision.members) == ("flattened", (phase,))
        explanation = decision.explanation
        assert abs(explanation.amount - share) < 5 * explanation.amount_error
        assert explanation.amount_error < 0.2 * share + 0.003
    for i, (a, b, weight) in enumerate(MIXTURES):
        decision = found[13 + i]
        assert (decision.kind, decision.members) == ("mixture", (a + 1, b + 1))
        np.testing.assert_allclose(decision.weights, [weight, 1 - weight], atol=0.02)


@pytest.mark.parametrize(
    ("pixels", "members"),
    [
        (60, 2),
        (2_000, 3),
        *(pytest.param(*case, marks=pytest.mark.slow) for case in [(2_000, 2), (50_000, 3)]),
    ],
)
def test_phases_that_are_neither_stay(pixels, members):
    clusters = make_clusters(LIBRARY, np.full(len(NAMES), pixels))
    removed = [d for d in decide(clusters, Rules(members=members)) if d.kind != "component"]
    assert removed == []


def test_without_the_thickness_leaks_are_those_at_the_working_point():
    spectra = [spectrum("hematite"), leaked_rows(["hematite"], [0.1])[0][0], spectrum("magnetite")]
    clusters = make_clusters(spectra, [5000, 3000, 4000], measured=False)
    found = {decision.label: decision for decision in decide(clusters, Rules())}
    assert found[2].kind == "flattened"
    assert found[1].kind == found[3].kind == "component"


def test_a_phase_in_two_clusters_becomes_one_component_the_larger():
    clusters = make_clusters([spectrum("hematite")] * 2 + [spectrum("magnetite")], [300, 9000, 4000])
    found = decide(clusters, Rules())
    assert [(d.label, d.kind, d.members) for d in found] == [
        (2, "component", (2,)),
        (3, "component", (3,)),
        (1, "same", (2,)),
    ]


def test_three_members_explain_only_where_asked():
    pure = [spectrum(name) for name in PURE[:4]]
    clusters = make_clusters([*pure, (pure[0] + pure[1] + pure[2]) / 3], [9000, 8000, 7000, 6000, 5000])
    assert all(d.kind == "component" for d in decide(clusters, Rules()))
    last = decide(clusters, Rules(members=3))[-1]
    assert (last.label, last.kind, last.members) == (5, "mixture", (1, 2, 3))
    np.testing.assert_allclose(last.weights, 1 / 3, atol=0.02)


def test_a_chain_of_mixtures_is_explained_by_its_ends():
    ends = spectrum("hematite"), spectrum("wustite")
    shares = np.linspace(0, 1, 12)
    clusters = make_clusters([(1 - w) * ends[0] + w * ends[1] for w in shares], np.arange(12) * 100 + 200)
    found = decide(clusters, Rules())
    assert {d.label for d in found if d.kind == "component"} == {1, 12}
    assert all(d.members == (1, 12) for d in found if d.kind == "mixture")


def test_a_cluster_that_another_one_needs_stays_although_others_explain_it():
    pure = [spectrum(name) for name in PURE[:3]]
    half = (pure[0] + pure[1]) / 2
    clusters = make_clusters([*pure, half, (half + pure[2]) / 2], [9000, 8000, 7000, 6000, 5000])
    found = {d.label: d for d in decide(clusters, Rules())}
    assert (found[5].kind, found[5].members) == ("mixture", (3, 4))
    assert found[4].kind == "component"
    alone = {d.label: d for d in decide(clusters, Rules(), keep=[5])}
    assert (alone[4].kind, alone[4].members) == ("mixture", (1, 2))


def renumbered(clusters, order, labels):
    """The same clusters in another order, under other labels."""
    rows = {
        name: values[order]
        for name, values in vars(clusters).items()
        if name not in ("energy", "labels", "measured")
    }
    return replace(clusters, labels=labels, **rows)


def told(decisions, row_of):
    """Decisions with clusters named by what they are."""
    return [
        (
            row_of[d.label],
            d.kind,
            {row_of[member]: weight for member, weight in zip(d.members, d.weights, strict=True)},
            d.explanation and (d.explanation.chi_square, d.explanation.amount, d.explanation.amount_error),
        )
        for d in decisions
    ]


@settings(deadline=None, max_examples=15)
@given(st.integers(0, 10**6), st.sampled_from([2, 3]))
@example(213136, 2)
def test_every_removed_cluster_is_explained_by_components_in_any_numbering(seed, members):
    rng = np.random.default_rng(seed)
    ends = LIBRARY[rng.choice(len(LIBRARY), 4, replace=False)]
    mixed = rng.dirichlet([0.6] * 4, 8) * (rng.random((8, 4)) < 0.5)
    mixed = mixed[mixed.sum(axis=1) > 0]
    mixed /= mixed.sum(axis=1, keepdims=True)
    pixels = rng.integers(0, 5, 4 + len(mixed)) * 500 + 50  # often as many as another
    clusters, rules = (
        make_clusters(np.vstack([ends, mixed @ ends]), pixels, seed=seed),
        Rules(members=members),
    )
    order = rng.permutation(len(pixels))
    labels = np.sort(rng.choice(1000, len(pixels), replace=False)) + 1
    found = decide(clusters, rules)
    components = {d.label for d in found if d.kind == "component"}
    assert all(set(d.members) <= components for d in found)
    assert all(d.explanation.probability >= 1e-3 for d in found if d.explanation)
    again = decide(renumbered(clusters, order, labels), rules)
    assert all(list(d.members) == sorted(d.members) for d in (*found, *again))
    assert told(again, dict(zip(labels, order, strict=True))) == told(found, {n + 1: n for n in order})


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 10**6), st.sampled_from([2, 3]))
def test_the_best_combination_is_that_of_a_slow_search(seed, size):
    rng = np.random.default_rng(seed)
    rows = rng.choice(len(LIBRARY), 7, replace=False)
    target = rng.dirichlet(np.ones(size)) @ LIBRARY[rows[:size]]
    clusters = make_clusters([target, *LIBRARY[rows]], np.full(8, 10_000_000), seed=seed)
    found = best_mixture(clusters, 0, np.arange(1, 8), size, 0.05)
    root = 1 / np.sqrt(clusters.variance[0] + (0.05 * clusters.noise[0]) ** 2)
    slow = []
    for members in itertools.combinations(range(1, 8), size):
        basis = (clusters.spectra[list(members)] * root).T
        weights, left = scipy_nnls(basis, clusters.spectra[0] * root)
        if weights.min() > 0:
            slow.append((left**2, members, weights))
    best = min(slow)
    assert found.members == best[1]
    np.testing.assert_allclose(found.weights, best[2], atol=1e-6)
    assert found.chi_square <= best[0] * (1 + 1e-6)


def test_an_expert_keeps_and_merges():
    clusters = planted(0)
    found = {d.label: d for d in decide(clusters, Rules(), keep=[13, 7], merge={5: 4, 14: 15})}
    assert (found[13].kind, found[13].expert) == ("component", True)
    assert found[7].kind == "component"
    assert (found[5].kind, found[5].members, found[5].explanation) == ("merged", (4,), None)
    assert found[15].kind == "component"
    assert found[14].members == (15,)


@pytest.mark.parametrize(
    ("keep", "merge", "message"),
    [
        ([99], {}, "labels 99, which no cluster has"),
        ([], {1: 77}, "labels 77"),
        ([], {1: 2, 2: 3}, "2 is merged itself"),
        ([1], {1: 2}, "1 is kept as well"),
        ([], {1: 1}, "1 is merged itself"),
    ],
)
def test_overrules_that_contradict_each_other_are_refused(keep, merge, message):
    with pytest.raises(InputError, match=message):
        decide(planted(0), Rules(), keep, merge)


@pytest.mark.real
def test_of_measured_standards_only_foils_explain_each_other(standards_folder):
    library = read_library(standards_folder, ENERGY, pre_edge=(7009.2, 7080.0), post_edge=(7200.0, 7321.2))
    clusters = make_clusters(library.spectra, np.full(len(library.names), 20_000))
    metal = {
        label
        for label, name in enumerate(library.names, 1)
        if "foil" in name.lower() or "metal" in name.lower() or name == "Fe"
    }
    found = decide(clusters, Rules())
    removed = [decision for decision in found if decision.kind != "component"]
    assert len(library.names) > 30
    assert len(removed) >= 2
    assert all({decision.label, *decision.members} <= metal for decision in removed)


def test_one_cluster_is_a_component():
    assert [d.kind for d in decide(make_clusters([spectrum("hematite")], [100]), Rules())] == ["component"]


ENDS = ("hematite", "magnetite", "SFCA-I")


def gradient(shift=0, weights=(0.5, 0.3, 0.2)):
    """Three phases, then the mean of all their mixtures, and wustite; labels move by `shift`."""
    spectra = [*(spectrum(name) for name in ENDS), 0.0, spectrum("wustite")]
    spectra[3] = sum(weight * one for weight, one in zip(weights, spectra[:3], strict=True))
    clusters = make_clusters(spectra, [5000, 4000, 3000, 60_000, 800])
    return replace(clusters, labels=clusters.labels + shift)


@pytest.mark.parametrize("shift", [0, 10])
def test_a_continuum_is_a_mixture_of_its_ends_without_a_test(shift):
    """Pairs do not explain it, and a mean that nothing explains is taken all the same."""
    clusters, ends = gradient(shift), [1 + shift, 2 + shift, 3 + shift]
    alone = {d.label: d.kind for d in decide(clusters, Rules())}
    assert set(alone.values()) == {"component"}
    strange = clusters.spectra.copy()
    strange[3] += 0.02 * np.sin(np.arange(strange.shape[1]))
    for seen in (clusters, replace(clusters, spectra=strange)):
        found = {d.label: d for d in decide(seen, Rules(), continua={4 + shift: ends})}
        kinds = [found[label].kind for label in clusters.labels]
        assert kinds == ["component"] * 3 + ["continuum", "component"]
        assert found[4 + shift].members == tuple(ends)
        np.testing.assert_allclose(found[4 + shift].weights, [0.5, 0.3, 0.2], atol=0.02)
    assert found[4 + shift].explanation.chi_square > 1000


def test_a_continuum_explains_no_other_cluster():
    """Its mean over all mixtures is no spectrum: one more cluster like it is not the same as it."""
    clusters = gradient()
    twin = make_clusters(np.concatenate([clusters.spectra, clusters.spectra[3:4]]), [*clusters.pixels, 500])
    assert {d.label: d.kind for d in decide(twin, Rules())}[6] == "same"
    found = {d.label: d for d in decide(twin, Rules(), continua={4: [1, 2, 3]})}
    assert found[6].kind == "component"
    assert found[4].kind == "continuum"


@pytest.mark.parametrize(
    ("continua", "keep", "merge", "members"),
    [
        ({4: [1, 2, 77]}, (), {}, (1, 2)),  # an end without a pixel is left out
        ({4: [1, 77]}, (), {}, None),  # and one end alone is none
        ({77: [1, 2]}, (), {}, None),  # a continuum without a pixel
        ({4: [1, 2, 3]}, (4,), {}, None),  # an expert keeps it
        ({4: [1, 2, 3]}, (), {5: 4}, None),  # or has something merged into it
        ({4: [1, 2, 3]}, (), {3: 2}, (1, 2)),  # an end that is merged is what it is merged into
        ({4: [1, 2]}, (), {2: 1}, None),
    ],
)
def test_which_ends_of_a_continuum_count(continua, keep, merge, members):
    decisions = {d.label: d for d in decide(gradient(), Rules(), keep, merge, continua)}
    assert decisions[4].kind == ("component" if members is None else "continuum")
    assert decisions[4].members == (members or (4,))


def test_an_end_that_others_explain_is_told_by_these():
    """The third end is a mixture of the two others: the continuum holds them alone."""
    one, other = spectrum("hematite"), spectrum("magnetite")
    spectra = [one, other, 0.5 * (one + other), 0.4 * one + 0.6 * other]
    clusters = make_clusters(spectra, [5000, 4000, 3000, 60_000])
    found = {d.label: d for d in decide(clusters, Rules(), continua={4: [1, 2, 3]})}
    assert found[3].kind == "mixture"
    assert found[4].kind == "continuum"
    assert found[4].members == (1, 2)
    assert found[4].explanation.members == (1, 2, 3)
