"""Which country is taken for which: pairs, matrices of them, and what they say."""

from collections.abc import Mapping
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from streetclip.analysis.blocks import selected_rows
from streetclip.analysis.table import RunTable
from streetclip.store import Flag

OTHER: Final = "(other)"
"""Row and column of all the countries that a matrix has no row of their own for."""


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
    names = ("flags", "distance_km", "country_probability")
    flags, distance_km, probability = table.load(*names)
    true, predicted, codes = table.true_country, table.pred_country, table.codes
    counts = np.zeros((3, len(codes) ** 2), dtype=np.int64)
    sums = np.zeros((2, len(codes) ** 2))
    for rows in selected_rows(table.judged(mask)):
        pair = true[rows] * np.int64(len(codes)) + predicted[rows]
        distance = distance_km[rows]
        right = np.flatnonzero(flags[rows] & Flag.CITY_CORRECT)
        missing = np.flatnonzero(np.isnan(distance))
        for count, chosen in zip(counts, (pair, pair[right], pair[missing]), strict=True):
            np.add.at(count, chosen, 1)
        for total, weight in zip(sums, (distance, probability[rows]), strict=True):
            np.add.at(total, pair, np.fmax(weight, 0.0, dtype=np.float64))
    found = np.flatnonzero(counts[0])
    n, city_correct, num_missing = counts[:, found]
    texts = np.array(codes, dtype=object)
    return pd.DataFrame(
        {
            "true_country": texts[found // len(codes)],
            "pred_country": texts[found % len(codes)],
            "n": n,
            "city_correct": city_correct,
            "num_distances": n - num_missing,
            "distance_km_sum": sums[0, found],
            "country_probability_sum": sums[1, found],
        }
    )


def continent_pairs(pairs: pd.DataFrame, continents: Mapping[str, str]) -> pd.DataFrame:
    """Roll pairs of countries up to pairs of continents.

    Args:
        pairs: As `country_pairs` gives them.
        continents: ISO code → continent; a code that is missing is its own, "" stays "".

    Returns:
        true_continent, pred_continent, right (images whose country is right) and the sums of the
        other columns of `pairs`, by name.
    """
    rolled = pd.DataFrame(
        {
            "true_continent": [continents.get(code, code) for code in pairs["true_country"]],
            "pred_continent": [continents.get(code, code) for code in pairs["pred_country"]],
            "right": pairs["n"].where(pairs["true_country"] == pairs["pred_country"], 0),
        },
        index=pairs.index,
    )
    counters = pairs.drop(columns=["true_country", "pred_country"])
    whole = pd.concat([rolled, counters], axis=1)
    return whole.groupby(["true_continent", "pred_continent"], as_index=False).sum()
