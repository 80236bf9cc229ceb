"""Exact sums against fractions, which round nothing."""

from fractions import Fraction

import numpy as np
import pytest
from gigaxas.errors import InputError
from gigaxas.exact import FIRST_BITS, SECOND_BITS, exact_sums
from hypothesis import given, settings
from hypothesis import strategies as st

SLOTS = 3
sample = st.one_of(
    st.floats(-1e30, 1e30, allow_subnormal=False),
    st.floats(-4, 4),
    st.sampled_from([2.0**-128, -(2.0**99), 0.0]),
)


@settings(deadline=None)
@given(st.lists(st.tuples(sample, st.integers(0, SLOTS - 1)), max_size=20))
def test_sums_are_those_of_fractions(pairs):
    values = np.array([value for value, _ in pairs], float)
    slots = np.array([slot for _, slot in pairs], np.int64)
    first, second = exact_sums(values[None], slots, SLOTS)
    for slot in range(SLOTS):
        here = [value for value in values[slots == slot].tolist() if abs(value) >= 2.0**-128]
        assert Fraction(first[slot, 0], 2**FIRST_BITS) == sum(map(Fraction, here))
        assert Fraction(second[slot, 0], 2**SECOND_BITS) == sum(Fraction(value * value) for value in here)


@pytest.mark.parametrize("sign", [-1, 1])
def test_every_bit_counts_at_every_exponent(sign):
    for exponent in range(-128, 100):
        value = sign * (2.0 - 2.0**-52) * 2.0**exponent
        first, second = exact_sums(np.array([[value]]), np.zeros(1, np.int64), 1)
        assert Fraction(first[0, 0], 2**FIRST_BITS) == Fraction(value)
        assert Fraction(second[0, 0], 2**SECOND_BITS) == Fraction(value * value)


def test_the_range_of_a_sample_ends_where_it_says():
    slots = np.zeros(1, np.int64)
    for sign in (-1, 1):
        with pytest.raises(InputError, match="expected an absorbance"):
            exact_sums(np.array([[sign * 2.0**100]]), slots, 1)
        for value, kept in (
            (np.nextafter(2.0**100, 0), True),
            (2.0**-128, True),
            (np.nextafter(2.0**-128, 0), False),
        ):
            first, _ = exact_sums(np.array([[sign * value]]), slots, 1)
            assert Fraction(first[0, 0], 2**FIRST_BITS) == (Fraction(sign * value) if kept else 0)
