"""Vega-Lite charts from plain dictionaries, in the house style.

Altair makes the same specifications, but checks each mark against its schema: 165 ms for a chart of
eight marks on a slow core, half of what a page may take. From dictionaries it is 5 ms. What the
browser draws is the same, and the tests check every chart against Vega-Lite's schema instead.
"""

import hashlib
from collections.abc import Callable, Sequence
from typing import Any, Final

import pandas as pd
import streamlit as st

from dashboard.shell import theme

Spec = dict[str, Any]

_SCHEMA: Final = "https://vega.github.io/schema/vega-lite/v6.json"  # a name; nothing fetches it
_LABEL_PIXELS: Final = 12
_ROLE: Final = "colour_role"  # a column that each layer adds to its rows
_MUTED: Final = {"expr": "scale('color', 'muted')"}


def role(name: str) -> Spec:
    """A colour by role, for `layer`: the mark follows the light or the dark theme.

    Args:
        name: One of `theme.ROLES`.
    """
    return {"role": name}


def quantity(field: str, **settings: Any) -> Spec:
    """A channel that takes its numbers from a column."""
    return {"field": field, "type": "quantitative", **settings}


def name(field: str, **settings: Any) -> Spec:
    """An axis or a colour that takes its texts from a column, in the order of the rows."""
    return {"field": field, "type": "nominal", "sort": None, **settings}


def rows_axis(field: str) -> Spec:
    """A vertical axis with a row for each text of a column, every one written beside its row."""
    return name(field, title=None, axis={"labelOverlap": False, "labelFlush": False})


def words(field: str) -> Spec:
    """The texts of text marks, from a column."""
    return {"field": field, "type": "nominal"}


def tooltip(*fields: tuple[str, str]) -> list[Spec]:
    """What to show of a mark: columns of texts, each with its title."""
    return [{"field": field, "type": "nominal", "title": title} for field, title in fields]


def layer(
    rows: pd.DataFrame,
    kind: str,
    *,
    mark: Spec | None = None,
    where: str | None = None,
    **channels: Any,
) -> Spec:
    """One mark for each row.

    Args:
        rows: The data; layers that are given the very same frame share it, which is quicker than
            a frame for each.
        kind: Vega-Lite's name of the mark, as "bar".
        mark: Further properties of the mark.
        where: Vega's expression for the rows that have the mark, as "datum.n < 30".
        channels: Vega-Lite's encoding. Without `color`, the mark has the role "ink"; one that
            has a `fill` has None.
    """
    encoding = {"color": role("ink"), **channels}
    transforms: list[Spec] = [] if where is None else [{"filter": where}]
    named = (encoding["color"] or {}).get("role")
    if named is not None:
        transforms.append(role_column(named))
        encoding["color"] = role_channel()
    return {
        "data": rows,
        **({"transform": transforms} if transforms else {}),
        "mark": {"type": kind, **(mark or {})},
        "encoding": {channel: each for channel, each in encoding.items() if each is not None},
    }


def role_column(name: str) -> Spec:
    """The transform that gives rows the role that `role_channel` shows."""
    return {"calculate": f"'{name}'", "as": _ROLE}


def role_channel() -> Spec:
    """A colour or stroke by the role of `role_column`, for layers that are not made by `layer`."""
    scale = {"domain": list(theme.ROLES), "range": "category"}
    return name(_ROLE, scale=scale, legend=None)


def draw(
    layers: Sequence[Spec],
    *,
    key: str,
    alt_text: str,
    height: int = theme.CHART_HEIGHT,
    on_select: Callable[[], None] | None = None,
) -> None:
    """Draw layers as one chart, with a description for those who do not see it.

    Args:
        layers: What `layer` gives, the lowest first; one of them is coloured by `role`, whose
            scale the axes share: Streamlit's own grey of axis labels is too pale to read.
        key: Unique on the page.
        alt_text: What the chart says, in a sentence.
        height: Pixels, axes included.
        on_select: Called after a click, where a layer holds a selection among its `params`; the
            session state of `key` then says what was chosen.
    """
    st.vega_lite_chart(
        specification(layers, height),
        width="stretch",
        key=key,
        alt=alt_text,
        on_select="ignore" if on_select is None else on_select,
    )


def specification(layers: Sequence[Spec], height: int) -> Spec:
    """The whole chart, its frames gathered under names that change with what they hold.

    Data that is a dictionary stays where it is: what has text for values, or names other data.
    """
    datasets: dict[str, pd.DataFrame] = {}
    names: dict[int, str] = {}
    drawn = []
    for each in filter(_has_marks, layers):
        rows = each["data"]
        if isinstance(rows, dict):  # as Vega-Lite takes it
            drawn.append(each)
            continue
        if id(rows) not in names:
            names[id(rows)] = f"rows_{_digest(rows)}"
            datasets[names[id(rows)]] = rows
        drawn.append(each | {"data": {"name": names[id(rows)]}})
    return {
        "$schema": _SCHEMA,
        "datasets": datasets,
        "layer": drawn,
        "height": height,
        "config": _config(),
    }


def _has_marks(each: Spec) -> bool:
    """Whether a layer draws anything: a screen reader would stop at an empty group of marks."""
    return isinstance(each["data"], dict) or len(each["data"]) > 0 or "params" in each


def _digest(rows: pd.DataFrame) -> str:
    """A name for a frame's content: the browser draws a chart anew when its names change."""
    digest = hashlib.blake2b(repr(list(rows.columns)).encode(), digest_size=8)
    for column in (rows[each] for each in rows.columns):
        values = column.to_numpy()
        is_text = values.dtype == object
        digest.update(repr(values.tolist()).encode() if is_text else values.tobytes())
    return digest.hexdigest()


def _config() -> Spec:
    return {
        "view": {"stroke": None},
        "text": {"fontSize": _LABEL_PIXELS},
        "axis": {
            "labelColor": _MUTED,
            "titleColor": _MUTED,
            "labelFontSize": _LABEL_PIXELS,
            "titleFontSize": _LABEL_PIXELS,
            "titleFontWeight": "normal",
            "labelPadding": 5,
            "titlePadding": 8,
            "gridOpacity": 0.6,
            "labelLimit": 160,
        },
    }
