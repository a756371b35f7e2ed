from collections import Counter

import numpy as np
import pandas as pd
import pytest

from streetclip.metrics.intervals import newcombe_interval, wilson_interval
from streetclip.results import (
    OTHER,
    asymmetric_pairs,
    continent_pairs,
    country_pairs,
    matrix,
    mistakes_by_nearness,
)
from streetclip.results.confusion import COUNTERS


def make_pairs(counts, km=None):
    """A frame of pairs of (true, predicted) → n."""
    rows = [
        {
            "true_country": true,
            "pred_country": predicted,
            "n": n,
            "city_correct": 0,
            "num_distances": n if km else 0,
            "distance_km_sum": n * (km or {}).get((true, predicted), 0.0),
            "country_probability_sum": n / 2,
        }
        for (true, predicted), n in sorted(counts.items())
    ]
    columns = ["true_country", "pred_country", *COUNTERS]
    return pd.DataFrame(rows, columns=columns)


COUNTS = {
    ("FR", "FR"): 50,
    ("FR", "ES"): 9,
    ("FR", "PT"): 1,
    ("FR", ""): 3,
    ("ES", "ES"): 40,
    ("ES", "FR"): 4,
    ("PT", "ES"): 5,
    ("PT", "PT"): 7,
    ("JP", "JP"): 90,
    ("JP", "KR"): 2,
    ("DE", "DE"): 6,
}


def test_a_matrix_of_all_has_every_pair_in_its_cell():
    found = matrix(make_pairs(COUNTS))
    assert found.labels == ("DE", "ES", "FR", "JP", "KR", "PT")
    assert found.pred_labels == (*found.labels, "")
    cells = found.cells.set_index(["true", "predicted"])
    assert cells["n"].to_dict() == COUNTS
    assert cells["right"].to_dict() == {
        (true, predicted): n * (true == predicted) for (true, predicted), n in COUNTS.items()
    }
    assert list(cells.index) == sorted(
        COUNTS, key=lambda key: [found.pred_labels.index(label) for label in key]
    )


def test_shares_are_of_the_row_and_of_the_column():
    cells = matrix(make_pairs(COUNTS)).cells.set_index(["true", "predicted"])
    cell = cells.loc["FR", "ES"]
    assert (cell["row_n"], cell["row_share"]) == (63, 9 / 63)
    assert (cell["column_n"], cell["column_share"]) == (54, 9 / 54)


def test_the_most_confused_keep_their_rows_and_the_rest_is_other():
    # Wrong images, on either side: ES 9+4+5 = 18, FR 9+1+3+4 = 17, PT 1+5 = 6, JP 2, KR 2, DE 0.
    found = matrix(make_pairs(COUNTS), top=3)
    assert found.labels == ("ES", "FR", "PT", OTHER)
    assert found.pred_labels == ("ES", "FR", "PT", OTHER, "")
    cells = found.cells.set_index(["true", "predicted"])
    assert cells.loc[(OTHER, OTHER), ["n", "right"]].tolist() == [98, 96]
    assert cells["n"].sum() == sum(COUNTS.values())
    assert cells.loc[("ES", "FR"), "n"] == 4


def test_of_equally_confused_the_one_with_more_images_comes_first():
    assert matrix(make_pairs(COUNTS), top=4).labels == ("ES", "FR", "JP", "PT", OTHER)


def test_all_labels_fit_exactly_without_other():
    assert OTHER not in matrix(make_pairs(COUNTS), top=6).labels


def test_labels_can_be_sorted_by_continent_first():
    continent = {"JP": "Asia", "KR": "Asia", "DE": "Europe"}
    order = matrix(make_pairs(COUNTS), top=5, order=continent).labels
    assert order == ("ES", "FR", "PT", "JP", "KR", OTHER)


def test_a_matrix_of_nothing_is_empty():
    found = matrix(make_pairs({}))
    assert found.labels == ()
    assert found.pred_labels == ()
    assert found.cells.empty
    assert {"row_share", "column_share"} <= set(found.cells.columns)


def test_a_matrix_keeps_its_pairs_as_they_were():
    pairs = make_pairs(COUNTS)
    before = pairs.copy()
    matrix(pairs, top=2)
    pd.testing.assert_frame_equal(pairs, before)


def test_no_row_at_all_is_refused():
    with pytest.raises(ValueError, match="top is 0"):
        matrix(make_pairs(COUNTS), top=0)


@pytest.mark.parametrize("top", [1, 2, 4, None])
def test_cells_of_a_run_are_those_of_a_plain_count(world, chosen, top):
    found = matrix(country_pairs(world.table, chosen), top)

    def label(code):
        return code if code in found.labels or code == "" else OTHER

    rows = world.chosen(chosen)
    expected = Counter((label(r["true_country"]), label(r["pred_country"] or "")) for r in rows)
    right = Counter(
        (label(r["true_country"]), label(r["pred_country"])) for r in rows if r["country_correct"]
    )
    cells = found.cells.set_index(["true", "predicted"])
    assert cells["n"].to_dict() == expected
    assert {key: n for key, n in cells["right"].to_dict().items() if n} == right


def test_continents_make_a_matrix_of_their_own(world):
    found = matrix(continent_pairs(world.table, world.table.done))
    assert found.labels == ("Africa", "Asia", "Europe", "North America")
    assert found.cells["right"].sum() == sum(row["country_correct"] for row in world.rows)


def test_one_sided_confusions_compare_shares():
    found = asymmetric_pairs(make_pairs(COUNTS)).set_index(["country", "other"])
    # ES and PT are both true; KR is never, so JP and KR cannot be compared.
    assert set(found.index) == {("FR", "ES"), ("PT", "ES"), ("FR", "PT")}
    row = found.loc["FR", "ES"]
    assert row[["n", "other_n", "taken", "other_taken"]].tolist() == [63, 44, 9, 4]
    assert (row["share"], row["other_share"]) == (9 / 63, 4 / 44)
    ends = [float(each) for each in newcombe_interval(9, 63, 4, 44)]
    assert row[["difference", "low", "high"]].tolist() == pytest.approx(ends)


def test_the_most_certain_comes_first():
    found = asymmetric_pairs(make_pairs(COUNTS))
    assert found["low"].is_monotonic_decreasing
    assert (found["difference"] >= 0).all()
    assert found.loc[0, "country"] == "PT"


def test_an_even_confusion_stands_there_once():
    even = make_pairs({("A", "B"): 2, ("A", "A"): 8, ("B", "A"): 1, ("B", "B"): 4})
    found = asymmetric_pairs(even)
    assert found[["country", "other", "difference"]].to_numpy().tolist() == [["A", "B", 0.0]]


def test_one_sided_confusions_of_nothing_are_none():
    assert asymmetric_pairs(make_pairs({})).empty


def test_every_two_countries_of_a_run_are_compared_once(world, chosen):
    rows = world.chosen(chosen)
    n = Counter(row["true_country"] for row in rows)
    taken = Counter((row["true_country"], row["pred_country"]) for row in rows)
    found = asymmetric_pairs(country_pairs(world.table, chosen))
    for row in found.itertuples():
        assert (row.n, row.other_n) == (n[row.country], n[row.other])
        assert row.taken == taken[row.country, row.other]
        assert row.other_taken == taken[row.other, row.country]
        assert row.taken / row.n >= row.other_taken / row.other_n
    expected = {frozenset(pair) for pair in taken if pair[1] in n and len(set(pair)) == 2}
    assert {frozenset((row.country, row.other)) for row in found.itertuples()} == expected
    assert len(found) == len(expected)


def test_mistakes_are_near_or_far():
    # Borders: FR–ES, ES–PT. One continent: FR–PT. JP and KR share the continent, but no border.
    km = {("FR", "ES"): 800.0, ("ES", "FR"): 900.0, ("PT", "ES"): 400.0, ("FR", "PT"): 1200.0}
    counts = {**COUNTS, ("JP", "FR"): 4}
    found = mistakes_by_nearness(
        make_pairs(counts, {**km, ("JP", "KR"): 1000.0, ("JP", "FR"): 9e3})
    )
    assert found["nearness"].tolist() == ["neighbour", "same continent", "other continent"]
    assert found["n"].tolist() == [18, 3, 4]
    assert found["share"].tolist() == [18 / 25, 3 / 25, 4 / 25]
    low, high = wilson_interval([18, 3, 4], 25)
    assert found["low"].tolist() == low.tolist()
    assert found["high"].tolist() == high.tolist()
    expected = [(9 * 800 + 4 * 900 + 5 * 400) / 18, (1200 + 2 * 1000) / 3, 9000.0]
    assert found["mean_km"].tolist() == pytest.approx(expected)


def test_without_mistakes_there_is_no_share():
    found = mistakes_by_nearness(make_pairs({("FR", "FR"): 3, ("FR", ""): 1}))
    assert found["n"].tolist() == [0, 0, 0]
    assert found[["share", "low", "high", "mean_km"]].isna().all(axis=None)
    assert found["mean_km"].dtype == np.float64
