"""z and Eq. 1 against METHOD 2 written out, and what must hold for any spectra."""

import numpy as np
import pytest
import site_oracle
from gigaxas.errors import InputError
from gigaxas.sites import cross_distance, nearest_error, scale, site_distance, site_error
from gigaxas.sites.distance import Scaled, z_limit
from gigaxas.sites.pairs import fill_square
from gigaxas.spectra.noise import NoiseModel
from gigaxas.spectra.standardisation import standardise
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.special import ndtr
from site_oracle import EDGES

NOISE = NoiseModel(c_ref=2.7e4, mu_low=0.36, mu_high=1.56)
CONDITIONS = (2.7e4, 0.36, 1.56)


@st.composite
def spectra(draw, most=7):
    """A few spectra of a few energies, some repeated, none flat."""
    shape = (draw(st.integers(2, most)), draw(st.integers(3, 12)))
    values = draw(hnp.arrays(np.float64, shape, elements=st.floats(-0.5, 2.0, width=32)))
    rising = np.where(np.ptp(values, axis=1, keepdims=True) < 1e-3, np.arange(shape[1]) / shape[1], 0.0)
    copies = draw(st.lists(st.integers(0, shape[0] - 1), max_size=2))
    return (values + rising)[[*range(shape[0]), *copies]]


@settings(deadline=None)
@given(spectra())
def test_distance_and_error_equal_the_oracle(matrix):
    z, error = site_distance(matrix, NOISE), site_error(matrix, NOISE)
    expected = site_oracle.matrix(matrix, CONDITIONS, site_oracle.mean_z)
    np.testing.assert_allclose(z, expected, rtol=1e-6, atol=1e-12)
    expected = site_oracle.matrix(matrix, CONDITIONS, site_oracle.error)
    np.testing.assert_allclose(error, expected, rtol=1e-4, atol=1e-300)


def test_distance_equals_the_oracle_to_many_digits():
    expected = site_oracle.matrix(EDGES, CONDITIONS, site_oracle.mean_z)
    np.testing.assert_allclose(site_distance(EDGES, NOISE), expected, rtol=1e-11)


@settings(deadline=None)
@given(spectra())
def test_distance_is_symmetric_zero_on_the_diagonal_and_for_copies(matrix):
    z = site_distance(matrix, NOISE)
    np.testing.assert_array_equal(z, z.T)
    same = (matrix[:, None] == matrix[None]).all(axis=2)
    assert np.all(z[same] == 0.0)
    assert np.all(np.isfinite(z))
    assert np.all(z >= 0)
    assert np.all(site_error(matrix, NOISE)[same] == 0.5)


@settings(deadline=None)
@given(spectra(), st.floats(0.1, 10.0), st.floats(-5.0, 5.0))
def test_the_similarity_part_ignores_offset_and_gain(matrix, gain, offset):
    v = (
        NOISE.sigma(matrix) / np.linalg.norm(matrix - matrix.mean(axis=1, keepdims=True), axis=1)[:, None]
    ) ** 2
    before, after = (_distance(Scaled(standardise(m), v)) for m in (matrix, gain * matrix + offset))
    np.testing.assert_allclose(before, after, rtol=1e-6, atol=1e-6)


def _distance(scaled):
    out = np.empty((scaled.t.shape[0],) * 2)
    fill_square(scaled.t, scaled.v, False, out)
    return out


@settings(deadline=None)
@given(spectra(), st.randoms(use_true_random=False))
def test_a_pair_does_not_depend_on_its_company(matrix, random):
    order = random.sample(range(len(matrix)), k=random.randint(1, len(matrix)))
    np.testing.assert_array_equal(
        site_distance(matrix[order], NOISE), site_distance(matrix, NOISE)[np.ix_(order, order)]
    )


def test_a_pair_does_not_depend_on_its_block():
    many = np.concatenate([EDGES * (1 + 0.001 * k) for k in range(50)])  # 300 spectra, three blocks
    few = many[[0, 127, 128, 299]]
    np.testing.assert_array_equal(
        site_distance(many, NOISE)[np.ix_([0, 127, 128, 299], [0, 127, 128, 299])], site_distance(few, NOISE)
    )
    z12, z21 = cross_distance(few, many, NOISE)
    np.testing.assert_array_equal(0.5 * (z12 + z21), site_distance(many, NOISE)[[0, 127, 128, 299]])


def test_z12_is_the_chance_of_noise_carrying_one_spectrum_to_the_other():
    """Noise of sigma_1 on s1 against the two standardised spectra: [I] Eq. 5 to first order in the noise."""
    s1, s2 = EDGES[0], 0.97 * EDGES[0] + 0.03 * EDGES[3]
    generator = np.random.default_rng(3)
    noisy = s1 + NOISE.sigma(s1) * generator.standard_normal((200_000, s1.size))
    t = standardise(np.stack([s1, s2]))
    wrong = np.mean(noisy @ (t[1] - t[0]) > 0)
    z12, _ = cross_distance(s1[None], s2[None], NOISE)
    assert 0.02 < wrong < 0.4
    assert wrong == pytest.approx(site_oracle.phi(-z12[0, 0]), abs=4 * np.sqrt(wrong / 200_000))


@settings(deadline=None)
@given(spectra(), spectra())
def test_nearest_error_is_the_largest_entry_of_the_oracle(left, right):
    energies = min(left.shape[1], right.shape[1])
    left, right = left[:, :energies] + np.arange(energies), right[:, :energies] + np.arange(energies)
    mild = NoiseModel(c_ref=1e30, mu_low=0.0, mu_high=1.0, b=0.0)
    error, where = nearest_error(scale(left, mild), scale(right, mild))
    z12, z21 = cross_distance(left, right, mild)
    full = 0.5 * (ndtr(-z12) + ndtr(-z21))
    np.testing.assert_allclose(error, full.max(axis=1), rtol=1e-12, atol=0)
    np.testing.assert_allclose(full[np.arange(len(left)), where], error, rtol=1e-12, atol=0)


def test_nearest_error_leaves_out_the_excluded_site():
    scaled = scale(EDGES, NOISE)
    error, where = nearest_error(scaled, scaled, exclude=np.arange(len(EDGES)))
    full = site_error(EDGES, NOISE)
    np.fill_diagonal(full, -1)
    np.testing.assert_array_equal(where, full.argmax(axis=1))
    np.testing.assert_array_equal(error, full.max(axis=1))
    alone, none = nearest_error(scale(EDGES[:1], NOISE), scale(EDGES[:1], NOISE), exclude=np.array([0]))
    assert (alone[0], none[0]) == (0.0, -1)


@pytest.mark.parametrize(("probability", "z"), [(0.01, 2.326348), (1e-4, 3.719016)])
def test_the_limits_of_the_paper(probability, z):
    assert z_limit(probability, "limit") == pytest.approx(z, abs=1e-6)


@pytest.mark.parametrize("probability", [0.0, 0.5, -0.1, 0.7, 1.0, np.nan, np.inf])
def test_a_limit_that_is_no_error_probability_is_refused(probability):
    with pytest.raises(InputError, match=r"below 0\.5"):
        z_limit(probability, "limit")


def test_spectra_that_cannot_be_compared_are_refused():
    flat = EDGES.copy()
    flat[2] = 0.7
    with pytest.raises(InputError):
        site_distance(flat, NOISE)
    flat[2, 0] = np.nan
    with pytest.raises(InputError):
        site_error(flat, NOISE)
    with pytest.raises(InputError, match="energies"):
        cross_distance(EDGES, EDGES[:, :-1], NOISE)
    for shape in [(5,), (0, 5), (2, 1), (2, 2, 5)]:
        with pytest.raises(InputError, match="shape"):
            site_distance(np.ones(shape), NOISE)


def test_a_matrix_beyond_the_memory_is_refused_before_it_is_made():
    many = np.random.default_rng(0).random((30_000, 3))
    with pytest.raises(InputError, match="net"):
        site_distance(many, NOISE)
