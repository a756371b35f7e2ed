"""From country to country: the map in words and as a table."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import pandas as pd
import streamlit as st

from dashboard.charts import selection_events
from dashboard.queries.map_data import ARCS, FLOWS, HEXAGONS, LIMITS, POINTS
from dashboard.shell import formats, html

_MOST_ROWS = 300
_NAMED = 3


@dataclass(frozen=True, kw_only=True)
class Shown:
    """How much of a view a map shows.

    Attributes:
        form: As `mapping.form_of`.
        is_by_scale: Whether it was chosen by the number of images.
        num_selected: Images that the filters leave.
        num_placed: Those of them that have the places that the form needs.
        num_marks: Arcs, points, hexagons or flows that are drawn.
        num_in: Images in them.
        num_pairs: Pairs of different countries.
    """

    form: str
    is_by_scale: bool
    num_selected: int
    num_placed: int
    num_marks: int
    num_in: int
    num_pairs: int


def words(shown: Shown) -> str:
    """Say what the map draws, of how many images, and why so.

    Examples:
        >>> numbers = {"num_selected": 9, "num_placed": 8, "num_in": 8, "num_pairs": 2}
        >>> words(Shown(form="arcs", is_by_scale=False, num_marks=8, **numbers)).split(". ")[0]
        '8 images, each an arc from its true to its predicted place'
    """
    without = shown.num_selected - shown.num_placed
    missing = (
        f" {_images(without)} {'has' if without == 1 else 'have'} no place on the map: nothing was "
        "predicted, or no coordinates are known."
    )
    return _what(shown) + _why(shown) + (missing if without else "")


def _what(shown: Shown) -> str:
    of = f"{_images(shown.num_in)}"
    if shown.num_in < shown.num_placed:
        of = f"{formats.count(shown.num_in)} of {_images(shown.num_placed)}"
    marks = formats.count(shown.num_marks)
    if shown.form == FLOWS and shown.num_marks < shown.num_pairs:
        pairs = formats.count(shown.num_pairs)
        return f"{of} in the {marks} most frequent of {pairs} flows between countries."
    plural = "" if shown.num_marks == 1 else "s"
    return {
        ARCS: f"{of}, each an arc from its true to its predicted place.",
        POINTS: f"{of}, each a point.",
        HEXAGONS: f"{of} in {marks} hexagon{plural}.",
        FLOWS: f"{of} in {marks} flow{plural} between countries.",
    }[shown.form]


def _why(shown: Shown) -> str:
    limits = {form: formats.count(most) for form, most in LIMITS.items()}
    if shown.form in LIMITS and shown.num_in < shown.num_placed:
        return f" They are spread evenly over all: more than {limits[shown.form]} cannot be read."
    if not shown.is_by_scale or shown.form not in _TOO_MANY_FOR:
        return ""
    instead = _TOO_MANY_FOR[shown.form]
    return f" More than {limits[instead]} are too many for {instead}."


_TOO_MANY_FOR: Mapping[str, str] = MappingProxyType({POINTS: ARCS, FLOWS: POINTS})


def _images(n: int) -> str:
    return f"{formats.count(n)} {'image' if n == 1 else 'images'}"


def table(
    routes: pd.DataFrame,
    *,
    key: str,
    on_pick: Callable[[str, str], None],
) -> None:
    """Draw which country is taken for which, as a table; a click on a row picks the pair.

    Args:
        routes: As `mapping.routes`.
        key: Unique on the page; see `picks.keyed`.
        on_pick: Called with the true and the predicted country of a row.
    """
    top = routes.head(_MOST_ROWS)
    with st.expander("Table: from country to country", key="map_table_box"):
        if top.empty:
            html.remark("No image is placed in another country.")
            return
        shown = pd.DataFrame(
            {
                "true": [formats.country(code) for code in top["true_country"]],
                "predicted": [formats.country(code) for code in top["pred_country"]],
                "n": top["n"],
                "km": top["distance_km"].round(),
                "confidence": 100 * top["country_probability"],
            }
        )
        selection_events.table(
            shown, key=key, columns=_columns(), on_pick=lambda row: _pick(top, row, on_pick)
        )
        if len(routes) > len(top):
            first, all_ = formats.count(len(top)), formats.count(len(routes))
            html.remark(f"The {first} most frequent of {all_} pairs of countries.")


def _pick(top: pd.DataFrame, row: int | None, on_pick: Callable[[str, str], None]) -> None:
    if row is not None:
        on_pick(top["true_country"].iloc[row], top["pred_country"].iloc[row])


def _columns() -> dict[str, Any]:
    number = st.column_config.NumberColumn
    return {
        "true": "true country",
        "predicted": "predicted country",
        "n": number("n", format="localized"),
        "km": number("mean distance (km)", format="localized"),
        "confidence": number("mean confidence (%)", format="%.1f"),
    }


def alt_text(routes: pd.DataFrame) -> str:
    """What the map says, in a sentence.

    Args:
        routes: As `mapping.routes`.
    """
    if routes.empty:
        return "A map of images whose predicted country is the true one."
    top = routes.head(_NAMED)
    columns = (top[name] for name in ("true_country", "pred_country", "n"))
    named = [
        f"{formats.country(true)} taken for {formats.country(predicted)} {formats.count(n)} times"
        for true, predicted, n in zip(*columns, strict=True)
    ]
    return f"A map of true and predicted places. Most frequent: {', '.join(named)}."
