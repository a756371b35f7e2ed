"""Clicks in charts and tables, as what was clicked.

A chart or table that is clicked keeps its selection in the session under its key. The URL is the
truth, so give it a key that holds the state it shows (`keyed`): once a click has changed the URL,
it is drawn again without a selection, and the same mark can be clicked once more.
"""

from collections.abc import Sequence
from typing import Any, Final

import altair as alt
import pandas as pd
import streamlit as st

from dashboard.charts.tables import clickable as table

__all__ = ["clicked_mark", "keyed", "mark", "position", "table"]

_NAME: Final = "picked"


def keyed(name: str, *shown: object) -> str:
    """Make the key of a chart or table that shows a state, as the filter that a click sets."""
    return "_".join([name, *("-" if each is None else repr(each) for each in shown)])


def mark(*fields: str) -> alt.Parameter:
    """Let one mark of a layer be clicked; columns of its rows say which."""
    return alt.selection_point(_NAME, fields=list(fields), on="click", toggle=False, clear=False)


def clicked_mark(key: str) -> dict[str, Any]:
    """Fields of the mark that was just clicked, for a chart's callback; empty for a miss."""
    marks = st.session_state[key]["selection"].get(_NAME)
    return dict(marks[0]) if marks else {}


def position(values: "pd.Series[Any] | Sequence[Any]", value: object) -> int | None:
    """Position of a value among others; None where it is not among them."""
    found = list(values)
    return found.index(value) if value in found else None
