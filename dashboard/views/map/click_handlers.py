"""Write what is clicked on the map to the URL."""

from collections.abc import Mapping
from typing import Any, Final

import streamlit as st

from dashboard.charts import deck_map
from dashboard.images import gallery_view
from dashboard.queries import run_queries
from dashboard.queries.run_queries import FLOWS, HEXAGONS
from dashboard.shell import url_state
from dashboard.shell.page_query import View
from streetclip.results.filters import Selection

CELL: Final = "cell"
"""URL parameter of the hexagon whose images are shown."""

_AFRESH = "map_afresh"


def pick(view: View, layer: str, row: Mapping[str, Any]) -> None:
    """Show what is clicked, all images for layer ""; `row` is untrusted."""
    if layer == deck_map.COUNTRIES:
        # A country without images would leave an empty page.
        anywhere = view.but(country=None, region=None, city=None)
        if row.get("code") in set(run_queries.pairs(anywhere)["true_country"]):
            _show(view, anywhere.but(country=str(row["code"])).selection)
    elif layer == FLOWS:
        pair(view, row.get("true"), row.get("predicted"))
    elif layer == HEXAGONS:
        url_state.change(**{CELL: _number(row.get(CELL))})
    else:
        url_state.change(**{gallery_view.IMAGE: _number(row.get("id")), CELL: None})


def pair(view: View, true: object, predicted: object) -> None:
    """Show the images of a true and a predicted country."""
    codes = set(run_queries.table(view).codes)
    if true in codes and predicted in codes:
        chosen = view.but(country=str(true), predicted=str(predicted), region=None, city=None)
        _show(view, chosen.selection)


def _show(view: View, selection: Selection) -> None:
    url_state.change_filters(selection, view.defaults, **{CELL: None})


def _number(value: object) -> str | None:
    is_number = isinstance(value, int) and not isinstance(value, bool) and value >= 0
    return str(value) if is_number else None


def way_back() -> None:
    """Draw a button that clears the clicked mark."""

    def unpick() -> None:
        st.session_state[_AFRESH] = times_unpicked() + 1
        url_state.change(**{CELL: None})

    st.button("Show all images", icon=":material/close:", key="map_all", on_click=unpick)


def times_unpicked() -> int:
    """Count clicks on `way_back`: in the map's key, they clear its selection."""
    return int(st.session_state.get(_AFRESH, 0))
