"""Find what to look at next: the worst country and attribute value, the most frequent mistake."""

from typing import NamedTuple

import pandas as pd
import streamlit as st

from dashboard.queries.run_queries import BY_VIEW, groups, mask, routes, table
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
    counts = groups(view, "country").groupby("country", as_index=False)
    counted = counts[["n", "country_correct"]].sum()
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
    found = routes(view).head(1)
    if found.empty:
        return None
    true, predicted, n = found.iloc[0][["true_country", "pred_country", "n"]]
    counted = groups(view, "country")
    total = counted.loc[counted["country"] == true, "n"].sum()
    return WeakSpot((true, predicted), Proportion(int(n), int(total)))
