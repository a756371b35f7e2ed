"""Macro averages by hand and against scikit-learn."""

import numpy as np
import pytest
from sklearn.metrics import recall_score

from streetclip.metrics.averages import macro_share


def test_each_group_weighs_the_same():
    assert macro_share([9, 0, 1], [10, 1, 2]) == pytest.approx((9 / 10 + 0 + 1 / 2) / 3)


def test_macro_share_of_correct_countries_is_macro_averaged_recall():
    generator = np.random.default_rng(3)
    true = generator.choice(3, 157, p=[0.7, 0.2, 0.1])
    predicted = generator.choice(3, 157)
    expected = recall_score(true, predicted, average="macro")
    found = macro_share(np.bincount(true[true == predicted], minlength=3), np.bincount(true))
    assert found == pytest.approx(expected)


def test_macro_share_leaves_out_groups_without_a_denominator():
    assert macro_share([1, 0, 0], [2, 0, 1]) == 0.25
    assert macro_share([0], [0]) is None


def test_macro_share_is_the_same_in_any_order():
    successes, n = np.array([1, 2, 5, 1, 8]), np.array([3, 7, 11, 13, 9])
    orders = [np.random.default_rng(seed).permutation(5) for seed in range(20)]
    assert len({macro_share(successes[order], n[order]) for order in orders}) == 1


@pytest.mark.parametrize(("successes", "n"), [([2], [1]), ([-1], [1]), ([1], [1, 2])])
def test_counts_that_cannot_be_are_refused(successes, n):
    with pytest.raises(ValueError, match="0 ≤ successes ≤ n"):
        macro_share(successes, n)
