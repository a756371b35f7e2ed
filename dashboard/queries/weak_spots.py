"""Find what to look at next: the worst country and attribute value, the most frequent mistake."""

from typing import NamedTuple

import pandas as pd
import streamlit as st

from dashboard.queries.run_queries import BY_VIEW, counts, mask, table
from dashboard.shell.page_query import View
from streetclip import results
from streetclip.metrics.intervals import Proportion, wilson_interval


class WeakSpot(NamedTuple):
    """A share of images in [0, 1] with its Wilson 95 % interval.

    `names`: the country's code, attribute and value, or the true and the predicted country's code.
    """

    names: tuple[str, ...]
    share: Proportion


def worst_country(view: View) -> WeakSpot | None:
    """Find the country of the worst accuracy, by the upper bound; None if there is but one."""
    by_code = counts(view, "country").groupby("country", as_index=False)
    counted = by_code[["n", "country_correct"]].sum()
    return _worst(counted, ["country"]) if len(counted) > 1 else None


@st.cache_data(show_spinner=False, max_entries=32, hash_funcs=BY_VIEW)
def worst_value(view: View) -> WeakSpot | None:
    """Find the attribute's value of the worst accuracy, likewise, among images with others."""
    counted = results.attribute_counts(table(view), mask(view))
    has_rest = counted.groupby("attribute")["value"].transform("size") > 1
    return _worst(counted[has_rest], ["attribute", "value"])


def _worst(counted: pd.DataFrame, keys: list[str]) -> WeakSpot | None:
    if counted.empty:
        return None
    high = wilson_interval(counted["country_correct"], counted["n"])[1]
    row = counted.iloc[int(high.argmin())]
    return WeakSpot(tuple(row[keys]), Proportion(int(row["country_correct"]), int(row["n"])))


def top_mistake(view: View) -> WeakSpot | None:
    """Find the pair of countries that is confused most often, as a share of the true one."""
    counted = counts(view, "country")
    if not counted["country"].is_unique:  # one is on two continents
        counted = counts(view, "country_code")
    order = ["top_mistake_n", "country"]
    found = counted.sort_values(order, ascending=[False, True]).head(1)
    if not found["top_mistake_n"].any():
        return None
    true, predicted, n, total = found.iloc[0][["country", "top_mistake", "top_mistake_n", "n"]]
    return WeakSpot((true, predicted), Proportion(int(n), int(total)))
