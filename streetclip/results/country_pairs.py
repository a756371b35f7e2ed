"""Count the pairs of true and predicted country."""

from collections.abc import Mapping
from typing import Final

import numpy as np
import pandas as pd

from streetclip.gazetteer import countries
from streetclip.results.blocks import selected_rows
from streetclip.results.run_table import Bool, RunTable

COUNTERS: Final = [
    "n",
    "city_correct",
    "num_distances",
    "distance_km_sum",
    "country_probability_sum",
]
"""Columns of pairs that are sums over images."""


def country_pairs(table: RunTable, mask: Bool) -> pd.DataFrame:
    """Count the pairs of true and predicted country that occur, by code.

    The columns are true_country, pred_country ("" where nothing was predicted) and `COUNTERS`.
    """
    return _sum(_pairs(table, mask), ["true_country", "pred_country"], COUNTERS)


def continent_pairs(table: RunTable, mask: Bool) -> pd.DataFrame:
    """Count the pairs of true and predicted continent.

    The true continent is the dataset's. The predicted one is the predicted country's; where that
    country is correct it is the true one, because dataset and gazetteer may differ.

    Returns:
        One row for each pair that occurs, by name: true_continent, pred_continent ("" where
        nothing was predicted), right (images whose country is correct), and the counters of
        `country_pairs`.
    """
    pairs = _pairs(table, mask)
    is_correct = pairs["true_country"] == pairs["pred_country"]
    predicted = pairs["pred_country"].map(continents(table))
    pairs["pred_continent"] = predicted.where(~is_correct, pairs["true_continent"])
    pairs["right"] = pairs["n"].where(is_correct, 0)
    return _sum(pairs, ["true_continent", "pred_continent"], ["right", *COUNTERS])


def continents(table: RunTable) -> Mapping[str, str]:
    """Map every country code of a run to its continent; "" to "".

    It is the dataset's (of two, the first in the alphabet), else the gazetteer's.
    """
    listed = {code: country.continent for code, country in countries().items()}
    stated = dict(
        sorted(zip(table.places["country"], table.places["continent"], strict=True), reverse=True)
    )
    return {code: stated.get(code, listed.get(code, "")) for code in table.codes}


def _sum(pairs: pd.DataFrame, keys: list[str], counters: list[str]) -> pd.DataFrame:
    return pairs.groupby(keys, as_index=False, sort=True)[counters].sum()


def _pairs(table: RunTable, mask: Bool) -> pd.DataFrame:
    """Count pairs by the true country's continent, too: a dataset may have a country in two."""
    names = ("distance_km", "country_probability")
    distance_km, probability = table.load(*names)
    is_correct = table.correct("city")
    group_of, keys = table.dataset.place_groups("country")
    num_codes = len(table.codes)
    sums = np.zeros((len(COUNTERS), len(keys) * num_codes))
    for rows in selected_rows(table.with_prediction(mask)):
        pair = (group_of * num_codes)[table.place[rows]] + table.pred_country[rows]
        distance = distance_km[rows]
        weights = (
            None,
            is_correct[rows],
            ~np.isnan(distance),
            np.fmax(distance, 0),
            np.fmax(probability[rows], 0),
        )
        sums += [np.bincount(pair, each, minlength=sums.shape[1]) for each in weights]
    pairs = pd.DataFrame(dict(zip(COUNTERS, sums, strict=True)))
    pairs = pairs.astype(dict.fromkeys(COUNTERS[:3], np.int64))
    pairs = pairs[pairs["n"] > 0]
    true = keys.iloc[pairs.index // num_codes]
    return pairs.assign(
        true_continent=true["continent"].to_numpy(dtype=object),
        true_country=true["country"].to_numpy(dtype=object),
        pred_country=np.array(table.codes, dtype=object)[pairs.index % num_codes],
    )
