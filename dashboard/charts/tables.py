"""Tables whose numbers read as the page's texts do, to the last digit."""

import re
from collections.abc import Mapping
from typing import Any

import pandas as pd
import streamlit as st

_FIXED = re.compile(r"%\+?\.(\d)f")


def draw(rows: pd.DataFrame, *, column_config: Mapping[str, Any], **options: Any) -> None:
    """Draw a table without its index.

    Args:
        rows: As they are shown.
        column_config: Streamlit's.
        options: Further ones of `st.dataframe`.
    """
    st.dataframe(
        halves_settled(rows, column_config),
        hide_index=True,
        column_config=dict(column_config),
        **options,
    )


def halves_settled(rows: pd.DataFrame, column_config: Mapping[str, Any]) -> pd.DataFrame:
    """Round what lies halfway between two last digits as Python does.

    A browser writes 47.25 with one decimal as 47.3, Python as 47.2. All other numbers keep their
    digits, so that a column is sorted by its full values.

    Args:
        rows: As they are shown.
        column_config: Streamlit's; columns with a format such as %.1f are settled.

    Examples:
        >>> config = {"share": st.column_config.NumberColumn(format="%.1f")}
        >>> halves_settled(pd.DataFrame({"share": [47.25, 47.26]}), config)["share"].tolist()
        [47.2, 47.26]
    """
    settled = {
        name: rows[name].map(lambda value, digits=digits: _settled(value, digits), "ignore")
        for name, digits in _decimals(column_config).items()
        if name in rows
    }
    return rows.assign(**settled)


def _decimals(column_config: Mapping[str, Any]) -> dict[str, int]:
    """By column, how many decimals its format has."""
    found: dict[str, int] = {}
    for name, config in column_config.items():
        numbers = config.get("type_config", {}) if isinstance(config, Mapping) else {}
        match = _FIXED.fullmatch(numbers.get("format") or "")
        if match:
            found[name] = int(match[1])
    return found


def _settled(value: float, digits: int) -> float:
    is_half = (2 * 10**digits * value) % 2 == 1
    return round(value, digits) if is_half else value
