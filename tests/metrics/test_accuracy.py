"""Accuracy by group against plain loops and scikit-learn."""

import numpy as np
import pytest
from sklearn.metrics import recall_score

from streetclip.metrics.accuracy import count_by_group, macro_accuracy, macro_share


def random_answers(count, seed=0):
    generator = np.random.default_rng(seed)
    group = generator.choice(["FR", "DE", "JP", "BR"], count, p=[0.6, 0.25, 0.1, 0.05])
    return generator.random(count) < 0.4, group


def test_counts_equal_a_plain_loop():
    correct, group = random_answers(313)
    expected = {}
    for right, name in zip(correct.tolist(), group.tolist(), strict=True):
        successes, n = expected.get(name, (0, 0))
        expected[name] = successes + right, n + 1
    counts = count_by_group(correct, group)
    assert counts.groups == ("BR", "DE", "FR", "JP")
    found = zip(counts.groups, counts.successes.tolist(), counts.n.tolist(), strict=True)
    assert {name: (successes, n) for name, successes, n in found} == expected


def test_proportions_keep_the_order_and_the_counts():
    proportions = count_by_group([True, False, True], ["b", "b", "a"]).proportions()
    assert [(name, p.successes, p.n) for name, p in proportions.items()] == [
        ("a", 1, 1),
        ("b", 1, 2),
    ]


def test_macro_accuracy_weighs_each_group_the_same():
    correct = [True] * 9 + [False] + [False, True, False]
    group = ["FR"] * 10 + ["DE"] + ["JP"] * 2
    assert macro_accuracy(correct, group) == pytest.approx((9 / 10 + 0 + 1 / 2) / 3)


def test_macro_accuracy_is_macro_averaged_recall():
    generator = np.random.default_rng(3)
    true = generator.choice(["FR", "DE", "JP"], 157, p=[0.7, 0.2, 0.1])
    predicted = generator.choice(["FR", "DE", "JP"], 157)
    expected = recall_score(true, predicted, average="macro")
    assert macro_accuracy(true == predicted, true) == pytest.approx(expected)


def test_names_of_any_length_are_told_apart():
    assert macro_accuracy([True, False, False], ["Asia", "Asia 2", "Asia 2"]) == 0.5


def test_python_objects_count_as_numpy_text_does():
    correct, group = random_answers(57)
    assert macro_accuracy(correct, group.astype(object)) == macro_accuracy(correct, group)


def test_no_answers_have_no_macro_accuracy():
    assert macro_accuracy([], []) is None
    assert count_by_group(np.zeros(0, bool), np.zeros(0, object)).groups == ()


def test_unequal_lengths_are_refused():
    with pytest.raises(ValueError, match="shape"):
        macro_accuracy([True, False], ["FR"])


@pytest.mark.parametrize("correct", [[0.5, 1.0], [2, 0], [[True, False]]])
def test_answers_that_are_not_booleans_are_refused(correct):
    with pytest.raises(ValueError, match="array of bool"):
        macro_accuracy(correct, ["FR", "DE"])


@pytest.mark.parametrize("stranger", [None, float("nan"), 7])
def test_a_group_that_is_not_text_is_refused(stranger):
    with pytest.raises(ValueError, match="expected text"):
        macro_accuracy([True, False], np.array(["FR", stranger], dtype=object))


def test_numbers_are_no_groups():
    with pytest.raises(ValueError, match="array of text"):
        macro_accuracy([True, False], np.array([1, 2]))


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
