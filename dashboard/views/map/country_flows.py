"""From country to country: the map in words and as a table."""

from collections.abc import Callable
from dataclasses import dataclass

import pandas as pd
import streamlit as st

from dashboard.charts import tables
from dashboard.queries.map_data import ARCS, FLOWS, HEXAGONS, LIMITS, POINTS
from dashboard.shell import formats, html

_MOST_ROWS = 300
_NAMED = 3


@dataclass(frozen=True, kw_only=True)
class Shown:
    """How much of a view a map shows.

    Attributes:
        form: As `map_data.form_of`.
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
    """Write what the map draws, of how many images, and why so.

    Examples:
        >>> numbers = {"num_selected": 9, "num_placed": 8, "num_in": 8, "num_pairs": 2}
        >>> words(Shown(form="arcs", is_by_scale=False, num_marks=8, **numbers)).split(". ")[0]
        '8 images, each an arc from its true to its predicted place'
    """
    of, marks = _images(shown.num_in), formats.count(shown.num_marks)
    is_cut = shown.num_in < shown.num_placed
    if is_cut:
        of = f"{formats.count(shown.num_in)} of {_images(shown.num_placed)}"
    plural = "" if shown.num_marks == 1 else "s"
    text = {
        ARCS: f"{of}, each an arc from its true to its predicted place.",
        POINTS: f"{of}, each a point.",
        HEXAGONS: f"{of} in {marks} hexagon{plural}.",
        FLOWS: f"{of} in {marks} flow{plural} between countries.",
    }[shown.form]
    if shown.form == FLOWS and shown.num_marks < shown.num_pairs:
        pairs = formats.count(shown.num_pairs)
        text = f"{of} in the {marks} most frequent of {pairs} flows between countries."
    limits = {form: formats.count(most) for form, most in LIMITS.items()}
    instead_of = {POINTS: ARCS, FLOWS: POINTS}.get(shown.form)
    if shown.form in LIMITS and is_cut:
        text += f" They are spread evenly over all: more than {limits[shown.form]} are unreadable."
    elif shown.is_by_scale and instead_of is not None:
        text += f" More than {limits[instead_of]} are too many for {instead_of}."
    without = shown.num_selected - shown.num_placed
    if without:
        text += (
            f" {_images(without)} {'has' if without == 1 else 'have'} no place on the map: nothing "
            "was predicted, or no coordinates are known."
        )
    return text


def _images(n: int) -> str:
    return f"{formats.count(n)} {'image' if n == 1 else 'images'}"


def table(routes: pd.DataFrame, *, key: str, on_pick: Callable[[str, str], None]) -> None:
    """Draw which country is taken for which, as a table; a click on a row picks the pair.

    Args:
        routes: As `map_data.routes`.
        key: Unique on the page; see `selection_events.keyed`.
        on_pick: Called with the true and the predicted country of a row.
    """
    top = routes.head(_MOST_ROWS)

    def pick(row: int | None) -> None:
        if row is not None:
            on_pick(top["true_country"].iloc[row], top["pred_country"].iloc[row])

    with st.expander("Table: from country to country", key="map_table_box"):
        if top.empty:
            html.remark("No image is placed in another country.")
            return
        shown = pd.DataFrame(
            {
                "true": top["true_country"].map(formats.country),
                "predicted": top["pred_country"].map(formats.country),
                "n": top["n"],
                "km": top["distance_km"].round(),
                "confidence": 100 * top["country_probability"],
            }
        )
        columns = {
            "true": "true country",
            "predicted": "predicted country",
            "n": tables.whole(),
            "km": tables.whole("mean distance (km)"),
            "confidence": tables.decimal("mean confidence (%)"),
        }
        tables.clickable(shown, key=key, columns=columns, on_pick=pick)
        if len(routes) > len(top):
            first, total = formats.count(len(top)), formats.count(len(routes))
            html.remark(f"The {first} most frequent of {total} pairs of countries.")


def alt_text(routes: pd.DataFrame) -> str:
    """Write the map in a sentence; `routes` as `map_data.routes`."""
    if routes.empty:
        return "A map of images whose predicted country is the true one."
    columns = (routes.head(_NAMED)[name] for name in ("true_country", "pred_country", "n"))
    named = [
        f"{formats.country(true)} taken for {formats.country(predicted)} {formats.count(n)} times"
        for true, predicted, n in zip(*columns, strict=True)
    ]
    return f"A map of true and predicted places. Most frequent: {', '.join(named)}."
