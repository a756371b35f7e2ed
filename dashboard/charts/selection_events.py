"""Read clicks in charts.

The session keeps a selection under its chart's key. With the state of the URL in the key (`keyed`)
a click that changes the URL clears the selection, and the same mark can be clicked again.
"""

from collections.abc import Callable
from typing import Any, Final

import altair as alt
import streamlit as st

_NAME: Final = "picked"


def keyed(name: str, *shown: object) -> str:
    """Make the key of a chart or table from its state."""
    return "_".join([name, *("-" if each is None else repr(each) for each in shown)])


def mark(*fields: str) -> alt.Parameter:
    """Make the marks of a layer clickable, identified by columns."""
    return alt.selection_point(_NAME, fields=list(fields), on="click", toggle=False, clear=False)


def clickable(chart: alt.Chart, *fields: str) -> alt.Chart:
    """Make a layer's marks clickable, with a pointer that shows it."""
    chart.mark.cursor = "pointer"
    return chart.add_params(mark(*fields))


def picker(key: str, field: str, on_pick: Callable[[Any], None]) -> Callable[[], None]:
    """Make the callback of a chart; `on_pick` gets a field of the clicked mark."""

    def pick() -> None:
        clicked = clicked_mark(key)
        if field in clicked:
            on_pick(clicked[field])

    return pick


def clicked_mark(key: str) -> dict[str, Any]:
    """Read the fields of the clicked mark; empty for a miss."""
    marks = st.session_state[key]["selection"].get(_NAME)
    return dict(marks[0]) if marks else {}
