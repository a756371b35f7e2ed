"""Draw tables with clickable rows and numbers written as in texts."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, NamedTuple

import pandas as pd
import streamlit as st

from dashboard.shell import formats

_FIXED = re.compile(r"%\+?\.(\d)f")


class Column(NamedTuple):
    """A column of `show`: Streamlit's configuration, and its values from the rows."""

    config: Any
    made: Callable[[pd.DataFrame, str], Any] = lambda rows, name: rows[name]


def show(
    rows: pd.DataFrame,
    columns: Mapping[str, Column],
    *,
    key: str,
    values: Sequence[Any] = (),
    chosen: Any = None,
    height: int | Literal["auto"] = "auto",
    on_pick: Callable[[Any], None] | None = None,
) -> None:
    """Draw columns made from the rows; with `on_pick`, a click anywhere on a row chooses it.

    `on_pick` gets the value of the clicked row, None for a click on the chosen one. `height`: in
    pixels.
    """
    shown = pd.DataFrame({name: each.made(rows, name) for name, each in columns.items()})
    config = {name: each.config for name, each in columns.items()}
    options: dict[str, Any] = {}
    if on_pick is not None:

        def clicked() -> None:
            found = st.session_state[key]["selection"]["rows"]
            on_pick(values[int(found[0])] if found else None)

        first = {"selection": {"rows": [values.index(chosen)]}} if chosen in values else None
        options = {"on_select": clicked, "selection_mode": "single-row", "selection_default": first}
    settled = halves_settled(shown, config)
    options |= {"hide_index": True, "column_config": config, "placeholder": formats.NONE}
    with st.container(key=f"{'pick' if on_pick else 'read'}_row_{key}"):
        st.dataframe(settled, key=key, height=height, **options)


def columns_of(rows: pd.DataFrame, **made: Column) -> dict[str, Column]:
    """List all columns of some rows, under their own names unless `made` has another."""
    return {name: made.get(name, Column(name)) for name in map(str, rows)}


def decimal(title: str, *, form: str = "%.1f", **options: Any) -> Column:
    """Make a column of numbers with one decimal."""
    return Column(st.column_config.NumberColumn(title, format=form, **options))


def per_cent(title: str, *, form: str = "%.1f", **options: Any) -> Column:
    """Make a column of shares in [0, 1], written in per cent."""
    column = decimal(title, form=form, **options)
    return column._replace(made=lambda rows, name: 100 * pd.to_numeric(rows[name]))


def whole(title: str = "n", **options: Any) -> Column:
    """Make a column of whole numbers, thousands separated."""
    config = st.column_config.NumberColumn(title, format="localized", **options)
    return Column(config, lambda rows, name: rows[name].round())


def text(title: str, **options: Any) -> Column:
    """Make a column of texts."""
    return Column(st.column_config.TextColumn(title, **options))


def country(title: str, source: str = "", **options: Any) -> Column:
    """Make a column of country names from codes."""
    config = st.column_config.TextColumn(title, **options)
    return Column(config, lambda rows, name: rows[source or name].map(formats.country))


def interval(
    low: str = "low",
    high: str = "high",
    write: Callable[[float, float], str] = formats.interval,
    title: str = "95 %",
    **options: Any,
) -> Column:
    """Make a column of 95 % intervals from two columns."""

    def made(rows: pd.DataFrame, _: str) -> list[str]:
        return [write(*bounds) for bounds in zip(rows[low], rows[high], strict=True)]

    return text(title, **options)._replace(made=made)


def halves_settled(rows: pd.DataFrame, column_config: Mapping[str, Any]) -> pd.DataFrame:
    """Round numbers halfway between two last digits as Python does, unlike browsers.

    All other numbers keep their digits, by which a column is sorted.

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
