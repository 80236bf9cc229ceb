from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from gigaxas.errors import InputError
from gigaxas.spatial.cluster_sums import cluster_spectra, merge_sums, sum_spectra
from hypothesis import given, settings
from hypothesis import strategies as st

ENERGIES = 6


def direct(block, kept, label):
    spectra = block[:, kept == label].astype(np.float64)
    return spectra.mean(axis=1), spectra.std(axis=1, ddof=1) / np.sqrt(spectra.shape[1])


@pytest.mark.parametrize("dtype", ["uint16", "float32", "float64"])
def test_mean_and_standard_error_are_those_of_the_kept_pixels(dtype):
    rng = np.random.default_rng(1)
    block = rng.normal(30_000, 500, (ENERGIES, 20, 30)).astype(dtype)
    kept = rng.integers(0, 4, (20, 30)).astype(np.uint16)
    found = cluster_spectra(merge_sums([sum_spectra(block, kept, 65535)], 9))
    assert found.labels.tolist() == [1, 2, 3]
    for row, label in enumerate(found.labels):
        mean, error = direct(block, kept, label)
        np.testing.assert_allclose(found.mean[row], mean, rtol=1e-12)
        np.testing.assert_allclose(found.standard_error[row], error, rtol=1e-6)
        assert found.pixels[row] == (kept == label).sum()


@settings(deadline=None)
@given(st.lists(st.integers(1, 19), max_size=4, unique=True), st.integers(0, 9))
def test_integer_samples_give_the_same_bits_for_any_tiles_in_any_order(cuts, seed):
    rng = np.random.default_rng(seed)
    block = rng.integers(0, 65535, (ENERGIES, 5, 20)).astype(np.uint16)
    kept = rng.integers(0, 4, (5, 20)).astype(np.uint16)
    edges = [0, *sorted(cuts), 20]
    parts = [sum_spectra(block[:, :, a:b], kept[:, a:b], 65535) for a, b in pairwise(edges)]
    rng.shuffle(parts)
    whole = cluster_spectra(merge_sums([sum_spectra(block, kept, 65535)], 4))
    tiled = cluster_spectra(merge_sums(parts, 4))
    np.testing.assert_array_equal(tiled.mean, whole.mean)
    np.testing.assert_array_equal(tiled.standard_error, whole.standard_error)


FLOATS = st.sampled_from([np.float32, np.float64])


@settings(deadline=None)
@given(
    st.lists(st.integers(1, 19), max_size=4, unique=True), st.integers(0, 99), FLOATS, st.integers(-30, 20)
)
def test_float_samples_give_the_same_bits_for_any_tiles_in_any_order(cuts, seed, dtype, power):
    rng = np.random.default_rng(seed)
    block = (rng.normal(0, 1, (ENERGIES, 5, 20)) * 10.0 ** rng.integers(-3, 4, (5, 20)) * 10.0**power).astype(
        dtype
    )
    kept = rng.integers(0, 4, (5, 20)).astype(np.uint16)
    edges = [0, *sorted(cuts), 20]
    parts = [sum_spectra(block[:, :, a:b], kept[:, a:b]) for a, b in pairwise(edges)]
    rng.shuffle(parts)
    whole = cluster_spectra(merge_sums([sum_spectra(block, kept)], 4))
    tiled = cluster_spectra(merge_sums(parts, 4))
    np.testing.assert_array_equal(tiled.mean, whole.mean)
    np.testing.assert_array_equal(tiled.standard_error, whole.standard_error)


@settings(deadline=None)
@given(st.lists(st.floats(-1e30, 1e30, allow_subnormal=False), min_size=1, max_size=30))
def test_a_float_mean_is_the_true_mean_rounded_once(values):
    samples = np.array(values).reshape(1, 1, -1)
    found = cluster_spectra(sum_spectra(samples, np.ones((1, len(values)), np.uint16)))
    true = sum(Fraction(v) for v in values if abs(v) >= 2.0**-128) / len(values)
    assert found.mean[0, 0] == float(true)


def test_a_sample_that_is_no_absorbance_is_refused():
    with pytest.raises(InputError, match="expected an absorbance"):
        sum_spectra(np.full((2, 1, 1), 1e31), np.ones((1, 1), np.uint16))


def test_scale_and_offset_turn_codes_into_absorbance():
    block = np.arange(12, dtype=np.uint16).reshape(2, 1, 6)
    kept = np.ones((1, 6), np.uint16)
    sums = merge_sums([sum_spectra(block, kept)], 1)
    mean, error = direct(block * 0.5 - 2.0, kept, 1)
    found = cluster_spectra(sums, scale=0.5, offset=-2.0)
    np.testing.assert_allclose(found.mean[0], mean)
    np.testing.assert_allclose(found.standard_error[0], error)


def test_a_pixel_with_an_invalid_sample_counts_for_nothing():
    block = np.full((3, 1, 4), 7.0, np.float32)
    block[1, 0, 0] = np.nan
    kept = np.ones((1, 4), np.uint16)
    sums = sum_spectra(block, kept)
    assert sums.pixels.tolist() == [3]
    assert cluster_spectra(sums).mean.tolist() == [[7.0, 7.0, 7.0]]


@pytest.mark.parametrize("energy", [0, 1, 2])
def test_a_pixel_with_an_invalid_code_counts_for_nothing(energy):
    block = np.full((3, 1, 4), 7, np.uint16)
    block[energy, 0, 0] = 65535
    sums = sum_spectra(block, np.ones((1, 4), np.uint16), 65535)
    assert sums.pixels.tolist() == [3]
    assert sums.first.tolist() == [[21, 21, 21]]
    assert sums.second.tolist() == [[147, 147, 147]]


def test_equal_samples_have_no_standard_error():
    values = np.random.default_rng(0).random((64, 1, 1))  # their squares are rounded, up or down
    found = cluster_spectra(sum_spectra(np.repeat(values, 3, axis=2), np.ones((1, 3), np.uint16)))
    assert (found.standard_error[0] < 1e-8).all()


def test_one_pixel_has_a_mean_but_no_standard_error():
    sums = merge_sums([sum_spectra(np.ones((2, 1, 1), np.uint16), np.ones((1, 1), np.uint16))], 1)
    found = cluster_spectra(sums)
    assert found.mean.tolist() == [[1.0, 1.0]]
    assert np.isnan(found.standard_error).all()
