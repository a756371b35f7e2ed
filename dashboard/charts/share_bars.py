"""Bars of shares with their intervals, values and tables."""

import altair as alt
import pandas as pd
import streamlit as st

from dashboard.charts import channels, tables
from dashboard.charts.channels import role, row_names, tooltip
from dashboard.shell import formats, html, theme

SHARE_TICKS = [0, 20, 40, 60, 80, 100]
"""Per cent, of every axis of shares."""

_MOST_ROW_PIXELS, _AXIS_PIXELS = 60, 60
_CONTINENTS = alt.Scale(
    domain=list(theme.CONTINENT_COLOURS), range=list(theme.CONTINENT_COLOURS.values())
)


def continent_bars(continents: pd.DataFrame) -> None:
    """Draw country accuracy by true continent.

    Args:
        continents: continent, n, then country, city and hierarchical, each with _low and _high
            (shares in [0, 1]), and geoscore; perhaps baseline, the country accuracy to compare
            with; in the order of drawing.
    """
    bars = continents[["continent", "n"]].assign(
        value=continents["country"], low=continents["country_low"], high=continents["country_high"]
    )
    fill = alt.Fill("continent:N", sort=None, scale=_CONTINENTS, legend=None)
    layers = share_bars(in_per_cent(bars), "continent", "country accuracy (%)", fill=fill)
    tick = ""
    if "baseline" in continents:
        layers.append(_baseline_ticks(continents))
        tick = " Tick: the baseline."
    parts = [
        f"{continent} {formats.share(value)} of {formats.count(n)}"
        for continent, value, n in zip(bars["continent"], bars["value"], bars["n"], strict=True)
    ]
    channels.show(
        layers,
        key="continent_bars",
        alt_text=f"Country accuracy by true continent: {', '.join(parts)}.",
        height=min(theme.CHART_HEIGHT, _AXIS_PIXELS + _MOST_ROW_PIXELS * len(bars)),
    )
    few = (continents["n"] < theme.SMALL_N).any()
    pale = f" Pale and dashed: fewer than {theme.SMALL_N} images." if few else ""
    html.remark(f"Whiskers: Wilson 95 %.{tick}{pale}")
    with st.expander("Table: accuracy by continent", key="continent_table"):
        _continent_table(continents)


def _baseline_ticks(continents: pd.DataFrame) -> alt.Chart:
    rows = continents[["continent"]].assign(
        baseline=100 * continents["baseline"],
        label=[formats.share(value) for value in continents["baseline"]],
    )
    tick = alt.Chart(rows.dropna()).mark_tick(
        orient="vertical", thickness=3, height=alt.RelativeBandSize(band=0.9)
    )
    return tick.encode(
        alt.X("baseline:Q"),
        row_names("continent"),
        role("ink"),
        tooltip=tooltip(continent="continent", label="baseline"),
    )


def _continent_table(continents: pd.DataFrame) -> None:
    shown = continents[["continent", "n"]]
    config = {"n": tables.whole()}
    for name, title in (
        ("country", "country (%)"),
        ("city", "city (%)"),
        ("hierarchical", "city given country (%)"),
    ):
        shown = shown.assign(
            **{
                name: 100 * continents[name],
                f"{name}_interval": intervals(continents, f"{name}_low", f"{name}_high"),
            }
        )
        config |= {name: tables.decimal(title), f"{name}_interval": tables.text()}
        if name == "country" and "baseline" in continents:
            shown["baseline"] = 100 * continents["baseline"]
            config["baseline"] = tables.decimal("country, baseline (%)")
    shown["geoscore"] = continents["geoscore"].round()
    tables.draw(shown, column_config=config | {"geoscore": tables.whole("GeoScore")})


def in_per_cent(shares: pd.DataFrame) -> pd.DataFrame:
    """Turn shares into per cent and add the texts of labels and tooltips.

    Args:
        shares: value, low, high and perhaps ceiling in [0, 1], perhaps n, and whatever else.

    Returns:
        The same in per cent, with label, interval, n_label, n_text and ceiling_label.
    """
    columns = {
        "label": [formats.share(value) for value in shares["value"]],
        "interval": intervals(shares, "low", "high"),
    }
    if "n" in shares:
        columns["n_label"] = [formats.count(n) for n in shares["n"]]
        columns["n_text"] = [f"n = {text}" for text in columns["n_label"]]
    if "ceiling" in shares:
        columns["ceiling_label"] = [formats.share(value) for value in shares["ceiling"]]
    for name in ("value", "low", "high", "ceiling"):
        if name in shares:
            columns[name] = 100 * pd.to_numeric(shares[name])
    return shares.assign(**columns)


def intervals(shares: pd.DataFrame, low: str, high: str) -> list[str]:
    """Write the intervals whose bounds are two columns of shares."""
    return [formats.interval(*bounds) for bounds in zip(shares[low], shares[high], strict=True)]


def share_axis(lowest: float = 0, step: int = 20, **axis: object) -> dict[str, object]:
    """Scale and axis of a channel of shares in per cent, up to 100."""
    ticks = list(range(int(lowest), 101, step))
    return {
        "scale": alt.Scale(domain=[lowest, 100], nice=False),
        "axis": alt.Axis(values=ticks, **axis),
    }


def share_bars(
    rows: pd.DataFrame, field: str, title: str, *, fill: alt.Fill | None = None
) -> list[alt.Chart]:
    """Bars of shares with whiskers, value and n at their right; few images pale and dashed.

    Args:
        rows: What `in_per_cent` gives, with n and a column of distinct names, in order.
        field: That column.
        title: What the shares are.
        fill: The bars' colour; default: that of correct predictions.
    """
    y = row_names(field)
    bar = alt.Chart(rows).mark_bar(height=alt.RelativeBandSize(band=0.62))
    outline = bar.transform_filter(channels.FEW).mark_bar(
        height=alt.RelativeBandSize(band=0.62), filled=False, strokeDash=[3, 3]
    )
    texts = {field: field, "label": title, "interval": "95 % interval", "n_label": "n"}
    return [
        bar.encode(
            alt.X("value:Q", title=title, **share_axis()),
            y,
            role("right") if fill is None else fill,
            channels.pale(),
            tooltip=tooltip(**texts),
        ),
        outline.encode(alt.X("value:Q"), y, role("muted")),
        alt.Chart(rows)
        .mark_rule(strokeWidth=1.5)
        .encode(alt.X("low:Q"), alt.X2("high:Q"), y, role("ink")),
        *values_at_right(rows, y),
    ]


def values_at_right(rows: pd.DataFrame, y: alt.Y) -> list[alt.Chart]:
    """The texts label and n_text of each row, right of the chart."""
    edge = alt.XValue("width")
    value = alt.Chart(rows).mark_text(align="right", dx=52)
    n = alt.Chart(rows).mark_text(align="left", dx=62)
    return [
        value.encode(edge, y, role("ink"), alt.Text("label:N")),
        n.encode(edge, y, role("muted"), alt.Text("n_text:N")),
    ]
