"""Count which country is taken for which: the pairs of true and predicted country that occur."""

from collections.abc import Mapping
from typing import Final

import numpy as np
import pandas as pd

from streetclip.gazetteer import countries
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
    """Count the pairs of true and predicted country.

    Returns:
        One row for each pair that occurs, by code: true_country, pred_country ("" where nothing
        was predicted), n, city_correct, num_distances, distance_km_sum and
        country_probability_sum.
    """
    return _sum(_pairs(table, mask), ["true_country", "pred_country"], COUNTERS)


def continent_pairs(table: RunTable, mask: Bool) -> pd.DataFrame:
    """Count the pairs of true and predicted continent.

    The true continent is the dataset's. The predicted one is the continent of the predicted
    country; where that country is correct it is the true one, so that a place in Asia of a country
    that the gazetteer has in Europe is no mistake.

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
    """Give the continent of every country of a run by ISO code; of "" it is "".

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
    rows = np.flatnonzero(table.with_prediction(mask))
    group_of, keys = table.dataset.place_groups("country")
    num_codes = len(table.codes)
    pair = (group_of * num_codes)[table.place[rows]] + table.pred_country[rows]
    distance_km = table.column("distance_km")[rows]
    probability = table.column("country_probability")[rows].astype(np.float64)
    is_known = ~np.isnan(distance_km)
    size = len(keys) * num_codes
    counts = pd.DataFrame(
        {
            "n": np.bincount(pair, minlength=size),
            "city_correct": np.bincount(pair[table.correct("city")[rows]], minlength=size),
            "num_distances": np.bincount(pair[is_known], minlength=size),
            "distance_km_sum": np.bincount(pair, np.fmax(distance_km, 0), minlength=size),
            "country_probability_sum": np.bincount(pair, np.fmax(probability, 0), minlength=size),
        }
    )
    counts = counts[counts["n"] > 0]
    true = keys.iloc[counts.index // num_codes]
    return counts.assign(
        true_continent=true["continent"].to_numpy(dtype=object),
        true_country=true["country"].to_numpy(dtype=object),
        pred_country=np.array(table.codes, dtype=object)[counts.index % num_codes],
    )
