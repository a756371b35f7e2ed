"""Confusion counts against a Counter and scikit-learn's matrix."""

from collections import Counter

import numpy as np
import pytest
from sklearn.metrics import confusion_matrix

from streetclip.metrics.confusion import pair_counts


def random_pairs(count, seed):
    generator = np.random.default_rng(seed)
    true = generator.choice(["FR", "DE", "JP"], count)
    predicted = generator.choice(["FR", "DE", "JP", "BR", ""], count)
    return true, predicted


def test_counts_equal_a_counter():
    true, predicted = random_pairs(431, 0)
    expected = Counter(zip(true.tolist(), predicted.tolist(), strict=True))
    counts = pair_counts(true, predicted)
    assert counts.to_dict() == expected
    assert counts.n.sum() == 431


def test_counts_equal_the_cells_of_the_confusion_matrix():
    true, predicted = random_pairs(97, 1)
    labels = ["", "BR", "DE", "FR", "JP"]
    matrix = confusion_matrix(true, predicted, labels=labels)
    found = pair_counts(true, predicted).to_dict()
    for row, true_label in enumerate(labels):
        for column, predicted_label in enumerate(labels):
            assert found.get((true_label, predicted_label), 0) == matrix[row, column]


def test_the_most_frequent_pair_comes_first_and_ties_go_by_code():
    true = ["DE", "FR", "FR", "DE", "AT", "FR"]
    predicted = ["FR", "DE", "DE", "FR", "FR", "FR"]
    assert list(pair_counts(true, predicted).to_dict().items()) == [
        (("DE", "FR"), 2),
        (("FR", "DE"), 2),
        (("AT", "FR"), 1),
        (("FR", "FR"), 1),
    ]


def test_true_and_predicted_are_not_swapped():
    assert pair_counts(["FR"], ["DE"]).to_dict() == {("FR", "DE"): 1}


def test_no_images_give_no_pairs():
    assert pair_counts([], []).to_dict() == {}


def test_unequal_lengths_are_refused():
    with pytest.raises(ValueError, match="2 true and 1 predicted"):
        pair_counts(["FR", "DE"], ["FR"])


def test_a_missing_code_is_not_taken_for_a_country_called_none():
    with pytest.raises(ValueError, match="predicted_codes holds None"):
        pair_counts(["FR", "DE"], ["FR", None])
