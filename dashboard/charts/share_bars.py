"""Bars of shares with their tables."""

import pandas as pd
import streamlit as st

from dashboard.charts import tables, vega
from dashboard.charts.vega import Spec
from dashboard.shell import formats, html, theme

SHARE_TICKS = [0, 20, 40, 60, 80, 100]
"""Per cent, of every axis of shares."""

_MOST_ROW_PIXELS, _AXIS_PIXELS = 60, 60
_WHOLE = st.column_config.NumberColumn(format="localized")


def continent_bars(continents: pd.DataFrame) -> None:
    """Draw country accuracy by true continent, with intervals; few images are drawn pale.

    Args:
        continents: continent, n, then country, city and hierarchical, each with _low and _high
            (shares in [0, 1]), and geoscore; perhaps baseline, the country accuracy to compare
            with; in the order of drawing.
    """
    bars = continents[["continent", "n"]].assign(
        value=continents["country"], low=continents["country_low"], high=continents["country_high"]
    )
    rows = in_per_cent(bars)
    layers = share_bars(rows, "continent", "country accuracy (%)", fill=_continent_fill())
    has_baseline = "baseline" in continents
    if has_baseline:
        layers.append(_baseline_ticks(continents))
    height = min(theme.CHART_HEIGHT, _AXIS_PIXELS + _MOST_ROW_PIXELS * len(bars))
    vega.draw(layers, key="continent_bars", alt_text=_bars_text(bars), height=height)
    tick = " Tick: the baseline." if has_baseline else ""
    few = (continents["n"] < theme.SMALL_N).any()
    pale = f" Pale and dashed: fewer than {theme.SMALL_N} images." if few else ""
    html.remark(f"Whiskers: Wilson 95 %.{tick}{pale}")
    with st.expander("Table: accuracy by continent", key="continent_table"):
        _continent_table(continents)


def _continent_fill() -> Spec:
    names = list(theme.CONTINENT_COLOURS)
    scale = {"domain": names, "range": list(theme.CONTINENT_COLOURS.values())}
    return vega.name("continent", scale=scale, legend=None)


def _baseline_ticks(continents: pd.DataFrame) -> Spec:
    rows = pd.DataFrame(
        {
            "continent": continents["continent"],
            "baseline": 100 * continents["baseline"],
            "label": [formats.share(value) for value in continents["baseline"]],
        }
    ).dropna()
    return vega.layer(
        rows,
        "tick",
        mark={"orient": "vertical", "thickness": 3, "height": {"band": 0.9}},
        x=vega.quantity("baseline"),
        y=vega.rows_axis("continent"),
        tooltip=vega.tooltip(("continent", "continent"), ("label", "baseline")),
    )


def _continent_table(continents: pd.DataFrame) -> None:
    shown = pd.DataFrame({"continent": continents["continent"], "n": continents["n"]})
    config = {
        "n": _WHOLE,
        "geoscore": st.column_config.NumberColumn("GeoScore", format="localized"),
        "baseline": st.column_config.NumberColumn("country, baseline (%)", format="%.1f"),
    }
    for name, title in (
        ("country", "country"),
        ("city", "city"),
        ("hierarchical", "city given country"),
    ):
        shown[name] = 100 * continents[name]
        shown[f"{name}_interval"] = intervals(continents, f"{name}_low", f"{name}_high")
        config[name] = st.column_config.NumberColumn(f"{title} (%)", format="%.1f")
        config[f"{name}_interval"] = st.column_config.TextColumn("95 %")
        if name == "country" and "baseline" in continents:
            shown["baseline"] = 100 * continents["baseline"]
    shown["geoscore"] = continents["geoscore"].round()
    tables.draw(shown, column_config=config)


def _bars_text(bars: pd.DataFrame) -> str:
    parts = [
        f"{continent} {formats.share(value)} of {formats.count(n)}"
        for continent, value, n in zip(bars["continent"], bars["value"], bars["n"], strict=True)
    ]
    return f"Country accuracy by true continent: {', '.join(parts)}."


# Shares, their texts and their bars, for other components too


def in_per_cent(shares: pd.DataFrame) -> pd.DataFrame:
    """Shares as per cent, with the texts of labels and tooltips beside them.

    Args:
        shares: value, low, high and perhaps ceiling in [0, 1], perhaps n, and whatever else.

    Returns:
        The same in per cent, with label, interval, n_label, n_text and ceiling_label.
    """
    texts = {
        "label": [formats.share(value) for value in shares["value"]],
        "interval": intervals(shares, "low", "high"),
    }
    if "n" in shares:
        texts["n_label"] = [formats.count(n) for n in shares["n"]]
        texts["n_text"] = [f"n = {text}" for text in texts["n_label"]]
    if "ceiling" in shares:
        texts["ceiling_label"] = [formats.share(value) for value in shares["ceiling"]]
    numbers = {
        name: 100 * pd.to_numeric(shares[name])
        for name in ("value", "low", "high", "ceiling")
        if name in shares
    }
    return shares.assign(**numbers, **texts)


def intervals(shares: pd.DataFrame, low: str, high: str) -> list[str]:
    """The texts of intervals whose ends stand in two columns."""
    return [formats.interval(*ends) for ends in zip(shares[low], shares[high], strict=True)]


def share_bars(
    rows: pd.DataFrame, field: str, title: str, *, fill: Spec | None = None
) -> list[Spec]:
    """Bars of shares with whiskers, value and n at their right; few images pale and dashed.

    Args:
        rows: What `in_per_cent` gives, with n and a column of distinct names, in order.
        field: That column.
        title: What the shares are.
        fill: The bars' colour; without it, that of what is right.
    """
    axis = {"values": SHARE_TICKS}
    x = vega.quantity("value", title=title, scale={"domain": [0, 100], "nice": False}, axis=axis)
    y = vega.rows_axis(field)
    bar = vega.layer(
        rows,
        "bar",
        mark={"height": {"band": 0.62}},
        x=x,
        y=y,
        opacity={
            "condition": {"test": f"datum.n < {theme.SMALL_N}", "value": theme.PALE_OPACITY},
            "value": 1,
        },
        tooltip=vega.tooltip(
            (field, field), ("label", title), ("interval", "95 % interval"), ("n_label", "n")
        ),
        **({"color": vega.role("right")} if fill is None else {"fill": fill, "color": None}),
    )
    outline = {"height": {"band": 0.62}, "filled": False, "strokeDash": [3, 3]}
    whisker = vega.layer(
        rows, "rule", mark={"strokeWidth": 1.5}, x=vega.quantity("low"), x2={"field": "high"}, y=y
    )
    return [
        bar,
        vega.layer(
            rows,
            "bar",
            mark=outline,
            where=f"datum.n < {theme.SMALL_N}",
            x=vega.quantity("value"),
            y=y,
            color=vega.role("muted"),
        ),
        whisker,
        *values_at_right(rows, y),
    ]


def values_at_right(rows: pd.DataFrame, y: Spec) -> list[Spec]:
    """The texts label and n_text of each row, right of the chart."""
    edge = {"value": "width"}
    return [
        vega.layer(
            rows, "text", mark={"align": "right", "dx": 52}, x=edge, y=y, text=vega.words("label")
        ),
        vega.layer(
            rows,
            "text",
            mark={"align": "left", "dx": 62},
            x=edge,
            y=y,
            text=vega.words("n_text"),
            color=vega.role("muted"),
        ),
    ]
