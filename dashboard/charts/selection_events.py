"""Read clicks in charts.

The session keeps a selection under its chart's key. With the state of the URL in the key (`keyed`)
a click that changes the URL clears the selection, and the same mark can be clicked again.
"""

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


def clicked_mark(key: str) -> dict[str, Any]:
    """Read the fields of the clicked mark; empty for a miss."""
    marks = st.session_state[key]["selection"].get(_NAME)
    return dict(marks[0]) if marks else {}
