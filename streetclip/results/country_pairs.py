"""Which country is taken for which: counts of the pairs that occur."""

from collections.abc import Mapping
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from streetclip.gazetteer import countries
from streetclip.results.blocks import selected_rows
from streetclip.results.run_table import RunTable
from streetclip.store import Flag

COUNTERS: Final = (
    "n",
    "city_correct",
    "num_distances",
    "distance_km_sum",
    "country_probability_sum",
)
"""Columns of pairs that are sums over images."""


def country_pairs(table: RunTable, mask: NDArray[np.bool_]) -> pd.DataFrame:
    """Count the pairs of true and predicted country.

    Args:
        table: The run.
        mask: N booleans: which images to look at; those without a prediction are left out.

    Returns:
        As `store.country_pairs`, one row for each pair that occurs, by code: true_country,
        pred_country ("" where nothing was predicted), n, city_correct, num_distances,
        distance_km_sum and country_probability_sum.
    """
    keys = ["true_country", "pred_country"]
    return _summed(_place_pairs(table, mask), keys)


def continent_pairs(table: RunTable, mask: NDArray[np.bool_]) -> pd.DataFrame:
    """Count the pairs of true and predicted continent.

    The true continent is the one that the dataset states. The predicted one is the continent of
    the predicted country; where that country is right it is the true one, so that a place in
    Asia of a country that the gazetteer has in Europe is no mistake.

    Args:
        table: The run.
        mask: N booleans: which images to look at; those without a prediction are left out.

    Returns:
        One row for each pair that occurs, by name: true_continent, pred_continent ("" where
        nothing was predicted), right (images whose country is right), and the counters of
        `country_pairs`.
    """
    pairs = _place_pairs(table, mask)
    right = pairs["true_country"] == pairs["pred_country"]
    continent_of = continents(table)
    predicted = pairs["pred_country"].map(continent_of)
    pairs["pred_continent"] = predicted.where(~right, pairs["true_continent"])
    pairs["right"] = pairs["n"].where(right, 0)
    return _summed(pairs, ["true_continent", "pred_continent"], ("right", *COUNTERS))


def continents(table: RunTable) -> Mapping[str, str]:
    """The continent of every country of a run by ISO code; of "" it is "".

    It is the one that the dataset has it in (of two, the first in the alphabet), else the
    gazetteer's.
    """
    listed = {code: country.continent for code, country in countries().items()}
    stated = dict(
        sorted(zip(table.places["country"], table.places["continent"], strict=True), reverse=True)
    )
    return {code: stated.get(code, listed.get(code, "")) for code in table.codes}


def _summed(
    pairs: pd.DataFrame, keys: list[str], counters: tuple[str, ...] = COUNTERS
) -> pd.DataFrame:
    summed: pd.DataFrame = pairs.groupby(keys, as_index=False, sort=True)[list(counters)].sum()
    return summed


def _place_pairs(table: RunTable, mask: NDArray[np.bool_]) -> pd.DataFrame:
    """Pairs by the true country's continent, too: a dataset may have a country in two."""
    flags, distance_km, probability = table.load("flags", "distance_km", "country_probability")
    group_of, keys = table.dataset.place_groups("country")
    num_codes = len(table.codes)
    first_of = group_of * num_codes
    counts = np.zeros((3, len(keys) * num_codes), dtype=np.int64)
    sums = np.zeros((2, len(keys) * num_codes))
    for rows in selected_rows(table.judged(mask)):
        pair = first_of[table.place[rows]] + table.pred_country[rows]
        distance = distance_km[rows]
        right = np.flatnonzero((flags[rows] & Flag.CITY_CORRECT) != 0)
        missing = np.flatnonzero(np.isnan(distance))
        for count, chosen in zip(counts, (pair, pair[right], pair[missing]), strict=True):
            np.add.at(count, chosen, 1)
        for total, weight in zip(sums, (distance, probability[rows]), strict=True):
            np.add.at(total, pair, np.fmax(weight, 0.0, dtype=np.float64))
    found = np.flatnonzero(counts[0])
    n, city_correct, num_missing = counts[:, found]
    true = keys.iloc[found // num_codes]
    return pd.DataFrame(
        {
            "true_continent": true["continent"].to_numpy(dtype=object),
            "true_country": true["country"].to_numpy(dtype=object),
            "pred_country": np.array(table.codes, dtype=object)[found % num_codes],
            "n": n,
            "city_correct": city_correct,
            "num_distances": n - num_missing,
            "distance_km_sum": sums[0, found],
            "country_probability_sum": sums[1, found],
        }
    )
