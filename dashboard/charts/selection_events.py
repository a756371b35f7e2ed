"""Clicks in charts and tables, as what was clicked.

A chart or table that is clicked keeps its selection in the session under its key. The URL is the
truth, so give it a key that holds the state it shows (`keyed`): once a click has changed the URL,
it is drawn anew without a selection, and the same mark can be clicked again.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final

import pandas as pd
import streamlit as st

from dashboard.charts import tables
from dashboard.charts.vega import Spec

_NAME: Final = "picked"


def keyed(name: str, *shown: object) -> str:
    """The key of a chart or table that shows a state, as the filter that a click on it sets."""
    return "_".join([name, *("-" if each is None else repr(each) for each in shown)])


def mark(*fields: str) -> list[Spec]:
    """The `params` of a layer of which one mark can be clicked.

    Args:
        fields: Columns of the layer's rows that say which mark it is.
    """
    how = {"type": "point", "fields": list(fields), "on": "click", "toggle": False, "clear": False}
    return [{"name": _NAME, "select": how}]


def clicked_mark(key: str) -> dict[str, Any] | None:
    """The fields of the mark that was just clicked, for a chart's callback; None for a miss."""
    marks = st.session_state[key]["selection"].get(_NAME) or []
    return dict(marks[0]) if marks else None


def table(
    rows: pd.DataFrame,
    *,
    key: str,
    columns: dict[str, Any],
    on_pick: Callable[[int | None], None],
    chosen: int | None = None,
) -> None:
    """Draw a table of which one row can be chosen.

    Args:
        rows: As they are shown.
        key: Unique on the page; see `keyed`.
        columns: Streamlit's `column_config`.
        on_pick: Called with the position of the row that is clicked, None where the chosen row
            is clicked again.
        chosen: The position of the row that is chosen, if it is among them.
    """
    tables.draw(
        rows,
        key=key,
        column_config=columns,
        on_select=lambda: _hand_on(key, on_pick),
        selection_mode="single-row",
        selection_default=None if chosen is None else {"selection": {"rows": [chosen]}},
    )


def _hand_on(key: str, on_pick: Callable[[int | None], None]) -> None:
    rows = st.session_state[key]["selection"]["rows"]
    on_pick(int(rows[0]) if rows else None)


def position(values: "pd.Series[Any] | Sequence[Any]", value: object) -> int | None:
    """The position of a value among others; None where it is not among them."""
    found = list(values)
    return found.index(value) if value in found else None
