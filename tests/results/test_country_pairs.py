import math
from collections import defaultdict

import numpy as np
import pytest

from streetclip.results import continent_pairs, continents, country_pairs, group_counts


def plain_pairs(rows, keys_of):
    """Sums by pair, in plain Python."""
    grouped = defaultdict(list)
    for row in rows:
        grouped[keys_of(row)].append(row)
    return [
        {
            "keys": keys,
            "n": len(inside),
            "right": sum(row["country_correct"] for row in inside),
            "city_correct": sum(row["city_correct"] for row in inside),
            "num_distances": sum(row["distance_km"] is not None for row in inside),
            "distance_km_sum": math.fsum(row["distance_km"] or 0 for row in inside),
            "country_probability_sum": math.fsum(row["country_probability"] or 0 for row in inside),
        }
        for keys, inside in sorted(grouped.items())
    ]


def check(found, expected):
    assert list(zip(found.iloc[:, 0], found.iloc[:, 1], strict=True)) == [
        each["keys"] for each in expected
    ]
    for name in found.columns[2:]:
        values = [each[name] for each in expected]
        if name.endswith("_sum"):
            np.testing.assert_allclose(found[name], values, rtol=1e-11, atol=1e-9)
        else:
            assert found[name].tolist() == values, name


def test_pairs_are_those_of_a_plain_count(world, chosen):
    expected = plain_pairs(
        world.chosen(chosen), lambda row: (row["true_country"], row["pred_country"] or "")
    )
    check(country_pairs(world.table, chosen), expected)


def test_continents_pair_by_what_the_dataset_states(world, chosen):
    continent_of = {"FR": "Europe", "GB": "Europe", "CA": "North America", "JP": "Asia"}
    continent_of |= {"RE": "Africa", "SG": "Asia", "": ""}

    def keys_of(row):
        if row["country_correct"]:
            return row["continent"], row["continent"]
        # RU stands in two continents of the dataset: the first in the alphabet.
        return row["continent"], {**continent_of, "RU": "Asia"}[row["pred_country"] or ""]

    check(continent_pairs(world.table, chosen), plain_pairs(world.chosen(chosen), keys_of))


def test_rows_of_continents_add_up_to_their_images(world, chosen):
    pairs = continent_pairs(world.table, chosen).groupby("true_continent")[["n", "right"]].sum()
    groups = group_counts(world.table, chosen, "continent").set_index("continent")
    assert pairs["n"].to_dict() == groups["n"].to_dict()
    assert pairs["right"].to_dict() == groups["country_correct"].to_dict()


@pytest.mark.parametrize(
    ("code", "continent"), [("FR", "Europe"), ("JP", "Asia"), ("RU", "Asia"), ("", "")]
)
def test_continents_know_also_what_is_never_true(world, code, continent):
    assert continents(world.table)[code] == continent
