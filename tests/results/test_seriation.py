"""The order of a matrix by likeness, on matrices whose blocks are known."""

import itertools

import numpy as np
import pandas as pd
import pytest

from streetclip.results import OTHER, by_similarity, matrix


def pairs_of(counts):
    """Pairs as `country_pairs` gives them, of (true, predicted) → images."""
    return pd.DataFrame(
        {
            "true_country": [true for true, _ in counts],
            "pred_country": [predicted for _, predicted in counts],
            "n": list(counts.values()),
            "city_correct": 0,
            "num_distances": list(counts.values()),
            "distance_km_sum": 1.0,
            "country_probability_sum": 1.0,
        }
    )


def confused(groups, *, inside=9, across=0, right=50):
    """Countries that are taken for the others of their own group `inside` times."""
    codes = [code for group in groups for code in group]
    group_of = {code: group for group in groups for code in group}
    counts = {}
    for a in codes:
        for b in codes:
            n = right if a == b else inside if group_of[a] is group_of[b] else across
            if n:
                counts[a, b] = n
    return counts


def stand_together(order, groups):
    positions = {code: i for i, code in enumerate(order)}
    spans = [sorted(positions[code] for code in group) for group in groups]
    return all(span[-1] - span[0] == len(span) - 1 for span in spans)


GROUPS = [("AT", "FR", "ZA"), ("BE", "NZ"), ("CL", "DE", "JP", "US")]


@pytest.mark.parametrize("across", [0, 1])
def test_those_that_are_confused_stand_side_by_side(across):
    found = matrix(pairs_of(confused(GROUPS, across=across)))
    assert not stand_together(found.labels, GROUPS)
    order = by_similarity(found)
    assert sorted(order) == sorted(found.labels)
    assert stand_together(order, GROUPS)


def test_a_chain_of_neighbours_is_found_in_its_order():
    chain = ["DE", "AT", "JP", "BE", "US", "CL", "FR"]
    counts = {(code, code): 40 for code in chain}
    for a, b in itertools.pairwise(chain):
        counts[a, b], counts[b, a] = 8, 5
    order = list(by_similarity(matrix(pairs_of(counts))))
    assert order in (chain, chain[::-1])


def test_the_order_does_not_depend_on_the_order_of_the_pairs():
    pairs = pairs_of(confused(GROUPS, across=1))
    shuffled = pairs.sample(frac=1, random_state=3)
    assert by_similarity(matrix(pairs)) == by_similarity(matrix(shuffled))


def test_what_was_rolled_up_stays_last():
    found = matrix(pairs_of(confused(GROUPS, across=1)), top=5)
    order = by_similarity(found)
    assert order[-1] == OTHER
    assert set(order) == set(found.labels)


@pytest.mark.parametrize("codes", [("FR",), ("FR", "DE")])
def test_one_or_two_labels_stay_as_they_are(codes):
    found = matrix(pairs_of({(code, code): 3 for code in codes}))
    assert by_similarity(found) == tuple(sorted(codes))


def test_without_any_confusion_all_labels_are_kept():
    codes = ["FR", "DE", "US", "JP"]
    order = by_similarity(matrix(pairs_of({(code, code): 3 for code in codes})))
    assert sorted(order) == sorted(codes)
    assert np.isin(order, codes).all()
