"""Tables whose numbers read as the page's texts do, and of which a row can be clicked."""

import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import pandas as pd
import streamlit as st

from dashboard.shell import formats

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

    `on_pick` is called with the position of a clicked row, None where it was chosen already.
    `chosen` is the position of the chosen row, if it is among them.
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


class Column(NamedTuple):
    """A column of `show`: Streamlit's configuration, and how it is made of the rows."""

    config: Any
    made: Callable[[pd.DataFrame, str], Any] = lambda rows, name: rows[name]


def show(
    rows: pd.DataFrame,
    columns: Mapping[str, Column],
    *,
    key: str | None = None,
    on_pick: Callable[[int | None], None] | None = None,
    chosen: int | None = None,
) -> None:
    """Draw a table of columns that are made of the rows; with `on_pick` as `clickable`."""
    shown = pd.DataFrame({name: each.made(rows, name) for name, each in columns.items()})
    config = {name: each.config for name, each in columns.items()}
    if on_pick is None:
        draw(shown, column_config=config, key=key)
    else:
        clickable(shown, key=key or "", columns=config, on_pick=on_pick, chosen=chosen)


def decimal(title: str, *, form: str = "%.1f", **options: Any) -> Column:
    """Numbers with one decimal."""
    return Column(st.column_config.NumberColumn(title, format=form, **options))


def per_cent(title: str, *, form: str = "%.1f", **options: Any) -> Column:
    """Shares in [0, 1], written in per cent."""
    column = decimal(title, form=form, **options)
    return column._replace(made=lambda rows, name: 100 * pd.to_numeric(rows[name]))


def whole(title: str = "n", **options: Any) -> Column:
    """Whole numbers, thousands separated."""
    config = st.column_config.NumberColumn(title, format="localized", **options)
    return Column(config, lambda rows, name: rows[name].round())


def text(title: str, **options: Any) -> Column:
    """Texts."""
    return Column(st.column_config.TextColumn(title, **options))


def country(title: str, **options: Any) -> Column:
    """Names of countries, from their codes in a column of this or of another name."""
    source = options.pop("source", None)
    column = text(title, **options)
    return column._replace(made=lambda rows, name: rows[source or name].map(formats.country))


def interval(
    low: str = "low",
    high: str = "high",
    write: Callable[[float, float], str] = formats.interval,
    **options: Any,
) -> Column:
    """95 % intervals, written from the columns of their bounds."""

    def made(rows: pd.DataFrame, _: str) -> list[str]:
        return [write(*bounds) for bounds in zip(rows[low], rows[high], strict=True)]

    return text("95 %", **options)._replace(made=made)


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
