"""What an observed site is made of: one reference, a mixture of up to three, or nothing in the library."""

import numpy as np
import pytest
from gigaxas.observed import explain
from needle_fields import ENERGY, PAPER, library
from scipy.stats import chi2

SIGMA = 0.01


def plain(count=4, energies=40):
    """References (count, energies) orthogonal to each other and a constant, and one orthogonal to all."""
    rng = np.random.default_rng(1)
    rows = np.linalg.qr(np.column_stack([np.ones(energies), rng.normal(size=(energies, count + 1))]))[0].T[1:]
    return rows[:-1], rows[-1]


def explained(spectrum, references, error=1e-4):
    return explain(spectrum, np.full(spectrum.size, SIGMA**2), references, error)


@pytest.mark.parametrize("factor", [0.95, 1.05])
@pytest.mark.parametrize("parts", [2, 3])
def test_a_further_reference_must_gain_more_than_noise_would(parts, factor):
    """Without noise chi-square falls by exactly the square of the added amount over sigma."""
    references, _ = plain()
    small = SIGMA * np.sqrt(factor * chi2.isf(1e-4, 1))
    amounts = np.array([1.0, 0.4, small] if parts == 3 else [1.0, small])
    found = explained(amounts @ references[:parts], references)
    kept = parts if factor > 1 else parts - 1
    expected = np.zeros(4)
    expected[:kept] = amounts[:kept] / amounts[:kept].sum()
    np.testing.assert_allclose(found.shares, expected, atol=1e-9)
    assert found.chi_square == pytest.approx(0.0 if factor > 1 else (small / SIGMA) ** 2, abs=1e-6)
    assert found.freedom == 40 - 1 - kept


def test_no_more_than_three_references_make_a_mixture():
    references, _ = plain()
    found = explained(np.array([1.0, 0.9, 0.8, 0.7]) @ references, references)
    assert np.count_nonzero(found.shares) == 3
    assert found.chi_square == pytest.approx((0.7 / SIGMA) ** 2)
    assert found.outside


@pytest.mark.parametrize("error", [1e-4, 1e-2])
@pytest.mark.parametrize("factor", [0.5, 2.0])
def test_outside_is_what_noise_explains_with_less_than_the_error(error, factor):
    references, strange = plain()
    residual = SIGMA * np.sqrt(chi2.isf(factor * error, 38))
    found = explained(references[1] + residual * strange, references, error)
    assert found.p_value == pytest.approx(factor * error)
    assert found.outside == (factor < 1)
    np.testing.assert_allclose(found.shares, [0, 1, 0, 0])


def test_amounts_are_not_negative():
    references, _ = plain()
    found = explained(references[0] - 0.5 * references[1], references)
    np.testing.assert_allclose(found.shares, [1, 0, 0, 0])
    nothing = explained(-references[0] - references[1] - references[2] - references[3], references)
    assert nothing.shares.sum() == 0
    assert nothing.outside


def test_each_energy_weighs_by_its_own_noise():
    """A misfit at an energy of large noise says little: the same residual is explained or is not."""
    references, strange = plain()
    variance = np.full(40, SIGMA**2)
    variance[:20] *= 1e4
    bump = np.zeros(40)
    bump[5] = 0.2
    assert not explain(references[0] + bump, variance, references, 1e-4).outside
    assert explain(references[0] + bump[::-1], variance, references, 1e-4).outside
    assert strange.size == 40


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
    spectrum = library()[3] + 0.08 * np.exp(-0.5 * ((ENERGY - 7150) / 6) ** 2)
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


def test_threes_are_looked_for_among_the_best_pairs_of_a_large_library():
    """More references than are tried in all threes: the three that were mixed are among those tried."""
    rng = np.random.default_rng(4)
    assert len(library()) > 40
    for _ in range(10):
        chosen = rng.choice(61, 3, replace=False)
        spectrum = np.full(3, 1 / 3) @ library()[chosen]
        found = explain(spectrum, PAPER.sigma(spectrum) ** 2 / 25, library(), 1e-4)
        assert set(np.flatnonzero(found.shares)) == set(chosen.tolist())
