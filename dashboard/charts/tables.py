"""Tables whose numbers read as the page's texts do, and of which a row can be clicked."""

import re
from collections.abc import Callable, Mapping
from typing import Any

import pandas as pd
import streamlit as st

_FIXED = re.compile(r"%\+?\.(\d)f")


def draw(rows: pd.DataFrame, *, column_config: Mapping[str, Any], **options: Any) -> None:
    """Draw a table without its index; `options` are those of `st.dataframe`."""
    st.dataframe(
        halves_settled(rows, column_config),
        hide_index=True,
        column_config=dict(column_config),
        **options,
    )


def clickable(
    rows: pd.DataFrame,
    *,
    key: str,
    columns: Mapping[str, Any],
    on_pick: Callable[[int | None], None],
    chosen: int | None = None,
) -> None:
    """Draw a table of which one row can be chosen.

    Args:
        rows: As they are shown.
        key: Unique on the page; see `selection_events.keyed`.
        columns: Streamlit's `column_config`.
        on_pick: Called with the position of a clicked row, None where it was chosen already.
        chosen: The position of the chosen row, if it is among them.
    """

    def clicked() -> None:
        found = st.session_state[key]["selection"]["rows"]
        on_pick(int(found[0]) if found else None)

    draw(
        rows,
        key=key,
        column_config=columns,
        on_select=clicked,
        selection_mode="single-row",
        selection_default=None if chosen is None else {"selection": {"rows": [chosen]}},
    )


def decimal(title: str, *, form: str = "%.1f", **options: Any) -> Any:
    """Configure a column of numbers with one decimal."""
    return st.column_config.NumberColumn(title, format=form, **options)


def whole(title: str = "n", **options: Any) -> Any:
    """Configure a column of whole numbers, thousands separated."""
    return st.column_config.NumberColumn(title, format="localized", **options)


def text(title: str = "95 %", **options: Any) -> Any:
    """Configure a column of texts."""
    return st.column_config.TextColumn(title, **options)


def halves_settled(rows: pd.DataFrame, column_config: Mapping[str, Any]) -> pd.DataFrame:
    """Round what lies halfway between two last digits as Python does.

    A browser writes 47.25 with one decimal as 47.3, Python as 47.2. All other numbers keep their
    digits, so that a column is sorted by its full values.

    Examples:
        >>> config = {"share": st.column_config.NumberColumn(format="%.1f")}
        >>> halves_settled(pd.DataFrame({"share": [47.25, 47.26]}), config)["share"].tolist()
        [47.2, 47.26]
    """

    def settled(value: float, digits: int) -> float:
        is_half = (2 * 10**digits * value) % 2 == 1
        return round(value, digits) if is_half else value

    changed = {}
    for name, config in column_config.items():
        numbers = config.get("type_config", {}) if isinstance(config, Mapping) else {}
        match = _FIXED.fullmatch(numbers.get("format") or "")
        if match and name in rows:
            digits = int(match[1])
            changed[name] = rows[name].map(lambda value, d=digits: settled(value, d), "ignore")
    return rows.assign(**changed)
