"""Describe the map in words and as a table of country pairs."""

from collections.abc import Callable

import pandas as pd
import streamlit as st

from dashboard.charts import tables
from dashboard.queries.run_queries import ARCS, FLOWS, HEXAGONS, LIMITS, POINTS
from dashboard.shell import formats, html

_MOST_ROWS = 300
_NAMED = 3


def words(
    form: str,
    *,
    is_by_scale: bool,
    num_marks: int,
    num_drawn: int,
    num_selected: int,
    num_placed: int,
    num_pairs: int,
) -> str:
    """Write what the map draws, of how many images, and why.

    The marks show `num_drawn` images; `num_placed` of the `num_selected` filtered images have the
    places that the form needs; `num_pairs` counts the pairs of different countries.

    Examples:
        >>> numbers = {"num_selected": 9, "num_placed": 8, "num_pairs": 2}
        >>> words("arcs", is_by_scale=False, num_marks=8, num_drawn=8, **numbers).split(". ")[0]
        '8 images, each an arc from its true to its predicted place'
    """
    of, marks = formats.images(num_drawn), formats.count(num_marks)
    is_cut = num_drawn < num_placed
    if is_cut:
        of = f"{formats.count(num_drawn)} of {formats.images(num_placed)}"
    plural = "" if num_marks == 1 else "s"
    text = {
        ARCS: f"{of}, each an arc from its true to its predicted place.",
        POINTS: f"{of}, each a point.",
        HEXAGONS: f"{of} in {marks} hexagon{plural}.",
        FLOWS: f"{of} in {marks} flow{plural} between countries.",
    }[form]
    if form == FLOWS and num_marks < num_pairs:
        pairs = formats.count(num_pairs)
        text = f"{of} in the {marks} most frequent of {pairs} flows between countries."
    limits = {form: formats.count(most) for form, most in LIMITS.items()}
    instead_of = {POINTS: ARCS, FLOWS: POINTS}.get(form)
    if form in LIMITS and is_cut:
        text += f" They are spread evenly over all: more than {limits[form]} are unreadable."
    elif is_by_scale and instead_of is not None:
        text += f" More than {limits[instead_of]} are too many for {instead_of}."
    without = num_selected - num_placed
    if without:
        text += (
            f" {formats.images(without)} {'has' if without == 1 else 'have'} no place on the map: "
            "nothing was predicted, or no coordinates are known."
        )
    return text


def table(routes: pd.DataFrame, *, key: str, on_pick: Callable[[str, str], None]) -> None:
    """Draw `run_queries.routes` as a table; `on_pick` gets true and predicted country."""
    top = routes.head(_MOST_ROWS)
    with st.expander("Table: from country to country", key="map_table_box"):
        if top.empty:
            html.remark("No image is placed in another country.")
            return
        columns = {
            "true": tables.country("true country", source="true_country"),
            "predicted": tables.country("predicted country", source="pred_country"),
            "n": tables.whole(),
            "distance_km": tables.whole("mean distance (km)"),
            "country_probability": tables.per_cent("mean confidence (%)"),
        }
        tables.show(
            top,
            columns,
            key=key,
            values=list(zip(top["true_country"], top["pred_country"], strict=True)),
            on_pick=lambda pair: None if pair is None else on_pick(*pair),
        )
        if len(routes) > len(top):
            first, total = formats.count(len(top)), formats.count(len(routes))
            html.remark(f"The {first} most frequent of {total} pairs of countries.")


def alt_text(routes: pd.DataFrame) -> str:
    """Describe the map in a sentence; `routes`: `run_queries.routes`."""
    if routes.empty:
        return "A map of images whose predicted country is the true one."
    top = routes.head(_NAMED)[["true_country", "pred_country", "n"]]
    named = [
        f"{formats.country(true)} taken for {formats.country(predicted)} {formats.count(n)} times"
        for true, predicted, n in top.itertuples(index=False)
    ]
    return f"A map of true and predicted places. Most frequent: {', '.join(named)}."
