"""Draw bars of shares with intervals, values and tables."""

from collections.abc import Callable
from typing import Any

import altair as alt
import pandas as pd
import streamlit as st

from dashboard.charts import channels, selection_events, tables
from dashboard.charts.channels import role, row_names, share_tooltip, tooltip
from dashboard.shell import formats, html, theme

SHARE_TICKS = [0, 20, 40, 60, 80, 100]
"""Ticks of axes of shares, in per cent."""

_MOST_ROW_PIXELS, _AXIS_PIXELS = 60, 60
_CONTINENTS = alt.Scale(
    domain=list(theme.CONTINENT_COLOURS), range=list(theme.CONTINENT_COLOURS.values())
)


def continent_bars(
    continents: pd.DataFrame,
    *,
    key: str = "continent_bars",
    on_pick: Callable[[str], None] | None = None,
) -> None:
    """Draw country accuracy by true continent, in the order of the rows.

    `on_pick` gets the continent of a clicked bar or row of the table.

    `continents`: continent, n, geoscore, country, city and hierarchical, each of the three with
    _low and _high (shares in [0, 1]); optionally baseline.
    """
    bars = continents[["continent", "n"]].assign(
        value=continents["country"], low=continents["country_low"], high=continents["country_high"]
    )
    fill = alt.Fill("continent:N", sort=None, scale=_CONTINENTS, legend=None)
    layers = share_bars(in_per_cent(bars), "continent", "country accuracy (%)", fill=fill)
    on_select = None
    if on_pick is not None:
        layers[0] = selection_events.clickable(layers[0], "continent")
        on_select = selection_events.picker(key, "continent", on_pick)
    tick = ""
    if "baseline" in continents:
        rows = continents[["continent"]].assign(
            baseline=100 * continents["baseline"], label=continents["baseline"].map(formats.share)
        )
        layers.append(
            alt.Chart(rows.dropna())
            .mark_tick(orient="vertical", thickness=3, height=alt.RelativeBandSize(band=0.9))
            .encode(
                alt.X("baseline:Q"),
                row_names("continent"),
                role("ink"),
                tooltip=tooltip(continent="continent", label="baseline"),
            )
        )
        tick = " Tick: the baseline."
    channels.show(
        layers,
        key=key,
        on_select=on_select,
        alt_text=f"Country accuracy by true continent: {listed(bars, 'continent')}.",
        height=min(theme.CHART_HEIGHT, _AXIS_PIXELS + _MOST_ROW_PIXELS * len(bars)),
    )
    few = channels.few_remark(continents["n"], "Pale and dashed")
    html.remark(f"Whiskers: Wilson 95 %.{tick}{few}")
    with st.expander("Table: accuracy by continent", key="continent_table"):
        columns = {"continent": tables.text("continent"), "n": tables.whole()}
        for name, title in (
            ("country", "country (%)"),
            ("city", "city (%)"),
            ("hierarchical", "city given country (%)"),
        ):
            columns[name] = tables.per_cent(title)
            columns[f"{name}_interval"] = tables.interval(f"{name}_low", f"{name}_high")
            if name == "country" and "baseline" in continents:
                columns["baseline"] = tables.per_cent("country, baseline (%)")
        columns["geoscore"] = tables.whole("GeoScore")
        tables.show(
            continents,
            columns,
            key=f"{key}_rows",
            values=list(continents["continent"]),
            on_pick=on_pick and (lambda name: None if name is None else on_pick(name)),
        )


def listed(
    rows: pd.DataFrame, field: str, write: Callable[[float | None], str] = formats.share
) -> str:
    """List names, values and n of rows for a description."""
    parts = zip(rows[field], rows["value"], rows["n"], strict=True)
    return ", ".join(f"{name} {write(value)} of {formats.count(n)}" for name, value, n in parts)


def in_per_cent(shares: pd.DataFrame) -> pd.DataFrame:
    """Convert value, low, high and ceiling from shares to per cent.

    Adds the texts label, interval, n_label, n_text and ceiling_label.
    """
    columns: dict[str, Any] = {
        "label": shares["value"].map(formats.share),
        "interval": intervals(shares, "low", "high"),
    }
    if "n" in shares:
        columns["n_label"] = shares["n"].map(formats.count)
        columns["n_text"] = [f"n = {text}" for text in columns["n_label"]]
    if "ceiling" in shares:
        columns["ceiling_label"] = shares["ceiling"].map(formats.share)
    for name in ("value", "low", "high", "ceiling"):
        if name in shares:
            columns[name] = 100 * pd.to_numeric(shares[name])
    return shares.assign(**columns)


def intervals(shares: pd.DataFrame, low: str, high: str) -> list[str]:
    """Write intervals whose bounds are two columns of shares."""
    return [formats.interval(*bounds) for bounds in zip(shares[low], shares[high], strict=True)]


def share_channel(
    channel: type, field: str, title: str | None, lowest: float = 0, step: int = 20, **axis: Any
) -> Any:
    """Make an `alt.X` or `alt.Y` of shares, up to 100 %."""
    return channel(
        f"{field}:Q",
        title=title,
        scale=alt.Scale(domain=[lowest, 100], nice=False),
        axis=alt.Axis(values=list(range(int(lowest), 101, step)), **axis),
    )


def share_bars(
    rows: pd.DataFrame, field: str, title: str, *, fill: alt.Fill | None = None
) -> list[alt.Chart]:
    """Draw bars of shares with whiskers, value and n.

    `rows`: as of `in_per_cent`, with n and distinct names in `field`, in order.
    """
    y = row_names(field)
    bar = alt.Chart(rows).mark_bar(height=alt.RelativeBandSize(band=0.62))
    outline = bar.transform_filter(channels.FEW).mark_bar(
        aria=False, height=alt.RelativeBandSize(band=0.62), filled=False, strokeDash=[3, 3]
    )
    return [
        bar.encode(
            share_channel(alt.X, "value", title),
            y,
            role("correct") if fill is None else fill,
            channels.pale(),
            tooltip=share_tooltip(title, **{field: field}),
        ),
        outline.encode(alt.X("value:Q"), y, role("muted")),
        alt.Chart(rows)
        .mark_rule(strokeWidth=1.5)
        .encode(alt.X("low:Q"), alt.X2("high:Q"), y, role("ink")),
        *values_at_right(rows, y),
    ]


def values_at_right(rows: pd.DataFrame, y: alt.Y) -> list[alt.Chart]:
    """Write label and n_text of each row right of the chart."""
    edge = alt.XValue("width")
    value = alt.Chart(rows).mark_text(align="right", dx=52)
    n = alt.Chart(rows).mark_text(align="left", dx=62)
    return [
        value.encode(edge, y, role("ink"), alt.Text("label:N")),
        n.encode(edge, y, role("muted"), alt.Text("n_text:N")),
    ]
