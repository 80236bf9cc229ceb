from itertools import pairwise

import numpy as np
import pytest
from gigaxas.components.pca import code_unit, first_spectra, gram_sums
from gigaxas.errors import InputError
from hypothesis import given, settings
from hypothesis import strategies as st

ENERGIES = 12


def cube(seed, dtype):
    rng = np.random.default_rng(seed)
    kept = rng.integers(0, 4, (9, 20)).astype(np.uint16)
    spectra = np.linspace(0, 1, ENERGIES)[None] + 0.3 * rng.random((4, ENERGIES))
    image = spectra[kept].transpose(2, 0, 1) + rng.normal(0, 0.02, (ENERGIES, 9, 20))
    return (np.rint((image + 2) * 8000) if dtype == "uint16" else image).astype(dtype), kept


def published(block, kept, label, scale, offset):
    """The program's way: the first left singular vector, divided by its last element."""
    pixels = block[:, kept == label].astype(np.float64) * scale + offset
    vector = np.linalg.svd(pixels)[0][:, 0]
    return vector / vector[-1]


@pytest.mark.parametrize(("dtype", "rtol"), [("uint16", 1e-9), ("float32", 1e-4), ("float64", 1e-4)])
def test_the_spectrum_is_the_first_singular_vector_over_its_last_element(dtype, rtol):
    block, kept = cube(1, dtype)
    labels = np.array([1, 2, 3])
    code = dtype == "uint16"
    scale, offset = (1 / 8000, -2.0) if code else (1.0, 0.0)
    unit = 1.0 if code else code_unit(np.ones((1, 1)))
    found = first_spectra(gram_sums(block, kept, labels, unit), unit, scale, offset)
    for row, label in enumerate(labels):
        np.testing.assert_allclose(
            found[row], published(block, kept, label, scale, offset), rtol=rtol, atol=rtol
        )


@settings(deadline=None)
@given(
    st.lists(st.integers(1, 19), max_size=4, unique=True),
    st.integers(0, 99),
    st.sampled_from(["uint16", "float32"]),
)
def test_sums_are_the_same_for_any_tiles_in_any_order(cuts, seed, dtype):
    block, kept = cube(seed, dtype)
    labels, unit = np.array([1, 2, 3]), 1.0 if dtype == "uint16" else 2.0**-16
    whole = gram_sums(block, kept, labels, unit)
    edges = [0, *sorted(cuts), 20]
    parts = [gram_sums(block[:, :, a:b], kept[:, a:b], labels, unit) for a, b in pairwise(edges)]
    np.testing.assert_array_equal(np.sum(parts, axis=0), whole)


def test_a_pixel_with_an_invalid_sample_counts_for_nothing():
    block = np.full((3, 1, 4), 7, np.uint16)
    block[1, 0, 0] = 65535
    sums = gram_sums(block, np.ones((1, 4), np.uint16), np.array([1]), 1.0, 65535)
    assert sums[0, -1].tolist() == [21, 21, 21, 3]
    nan = np.full((3, 1, 2), 2.0)
    nan[0, 0, 1] = np.nan
    assert gram_sums(nan, np.ones((1, 2), np.uint16), np.array([1]), 1.0)[0, -1].tolist() == [2, 2, 2, 1]


def test_a_vector_that_ends_at_0_is_refused():
    block = np.array([5, 0], np.uint16).reshape(2, 1, 1)
    with pytest.raises(InputError, match="ends at 0"):
        first_spectra(gram_sums(block, np.ones((1, 1), np.uint16), np.array([1]), 1.0), 1.0)
