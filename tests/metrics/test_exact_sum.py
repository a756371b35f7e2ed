"""Sums against whole-number arithmetic, in any order and any grouping."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streetclip.metrics.averages import exact_sum

VALUES = st.lists(st.floats(0, 2**16) | st.sampled_from([0.0, 0.1, 5000.0]), max_size=30)


@settings(deadline=None)
@given(VALUES)
def test_a_sum_is_that_of_fractions_cut_off_at_86_bits_behind_the_point(values):
    cut_off = [Fraction(math.floor(Fraction(value) * 2**86), 2**86) for value in values]
    assert exact_sum(np.array(values, np.float64)) == sum(cut_off)


def test_many_values_add_up_the_same_in_any_order_and_grouping():
    values = np.random.default_rng(0).uniform(0, 20_000, 20_011)
    whole = exact_sum(values)
    assert exact_sum(values[::-1]) == whole
    assert exact_sum(values[:777]) + exact_sum(values[777:]) == whole
    assert float(whole) == math.fsum(values)


@pytest.mark.parametrize("stranger", [math.nan, math.inf, -1.0, 70_000.0])
def test_what_cannot_be_added_exactly_is_refused(stranger):
    with pytest.raises(ValueError, match="out of range"):
        exact_sum(np.array([1.0, stranger]))
