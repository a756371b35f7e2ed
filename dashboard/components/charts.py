"""Charts with their tables: they take frames of shares and draw."""

import altair as alt
import pandas as pd
import streamlit as st

from dashboard import formats, theme
from dashboard.components import markup

_NEAREST_KM, _FARTHEST_KM = 0.5, 20_000
_PER_CENT_TICKS = [0, 20, 40, 60, 80, 100]
_SHARE = st.column_config.NumberColumn(format="%.1f")
_WHOLE = st.column_config.NumberColumn(format="localized")
_DISTANCE_TITLE = "distance from the true place (km, log scale)"


def distance_curve(curve: pd.DataFrame, thresholds: pd.DataFrame) -> None:
    """Draw the share of images within each distance, with the five thresholds marked.

    Args:
        curve: distance_km, value, low, high (shares in [0, 1]).
        thresholds: name, threshold_km, value, low, high, n, ceiling.
    """
    line = _in_per_cent(curve[curve["distance_km"].between(_NEAREST_KM, _FARTHEST_KM)])
    marks = _in_per_cent(thresholds)
    layers = [*_ceilings(marks), *_curve(line), *_thresholds(marks)]
    theme.draw(layers, key="distance_curve", alt_text=_curve_text(thresholds))
    markup.remark(
        "Dotted: the thresholds street, city, region, country and continent. Ticks on them: the "
        "ceiling of the candidates. Band: Wilson 95 %."
    )
    with st.expander("Table: share within each threshold", key="distance_table"):
        st.dataframe(
            marks[["name", "threshold_km", "value", "low", "high", "ceiling", "n"]],
            hide_index=True,
            column_config={
                "name": "threshold",
                "threshold_km": st.column_config.NumberColumn("km", format="localized"),
                "value": st.column_config.NumberColumn("share (%)", format="%.1f"),
                "low": _SHARE,
                "high": _SHARE,
                "ceiling": st.column_config.NumberColumn("ceiling (%)", format="%.1f"),
                "n": _WHOLE,
            },
        )


def continent_bars(continents: pd.DataFrame) -> None:
    """Draw country accuracy by true continent, with intervals; few images are drawn pale.

    Args:
        continents: continent, n, then country, city and hierarchical, each with _low and _high
            (shares in [0, 1]), and geoscore; in the order of drawing.
    """
    bars = continents[["continent", "n"]].assign(
        value=continents["country"], low=continents["country_low"], high=continents["country_high"]
    )
    theme.draw(
        _bars(_in_per_cent(bars)),
        key="continent_bars",
        alt_text=_bars_text(bars),
    )
    few = (continents["n"] < theme.SMALL_N).any()
    pale = f" Pale and dashed: fewer than {theme.SMALL_N} images." if few else ""
    markup.remark(f"Whiskers: Wilson 95 %.{pale}")
    with st.expander("Table: accuracy by continent", key="continent_table"):
        _continent_table(continents)


def _continent_table(continents: pd.DataFrame) -> None:
    shown = pd.DataFrame({"continent": continents["continent"], "n": continents["n"]})
    config = {
        "n": _WHOLE,
        "geoscore": st.column_config.NumberColumn("GeoScore", format="localized"),
    }
    for name, title in (
        ("country", "country"),
        ("city", "city"),
        ("hierarchical", "city given country"),
    ):
        shown[name] = 100 * continents[name]
        shown[f"{name}_interval"] = _intervals(continents, f"{name}_low", f"{name}_high")
        config[name] = st.column_config.NumberColumn(f"{title} (%)", format="%.1f")
        config[f"{name}_interval"] = st.column_config.TextColumn("95 %")
    shown["geoscore"] = continents["geoscore"].round()
    st.dataframe(shown, hide_index=True, column_config=config)


def _in_per_cent(shares: pd.DataFrame) -> pd.DataFrame:
    """Shares as per cent, with the texts of labels and tooltips beside them."""
    texts = {
        "label": [formats.share(value) for value in shares["value"]],
        "interval": _intervals(shares, "low", "high"),
    }
    if "n" in shares:
        texts["n_label"] = [formats.count(n) for n in shares["n"]]
    if "ceiling" in shares:
        texts["ceiling_label"] = [formats.share(value) for value in shares["ceiling"]]
    numbers = {
        name: 100 * pd.to_numeric(shares[name])
        for name in ("value", "low", "high", "ceiling")
        if name in shares
    }
    return shares.assign(**numbers, **texts)


def _intervals(shares: pd.DataFrame, low: str, high: str) -> list[str]:
    return [formats.interval(*ends) for ends in zip(shares[low], shares[high], strict=True)]


def _distance_axis(field: str) -> alt.X:
    return alt.X(
        f"{field}:Q",
        title=_DISTANCE_TITLE,
        scale=alt.Scale(type="log", domain=[_NEAREST_KM, _FARTHEST_KM], nice=False),
        axis=alt.Axis(values=[1, 10, 100, 1000, 10_000], format=",d", grid=False),
    )


def _share_axis(field: str) -> alt.Y:
    return alt.Y(
        f"{field}:Q",
        title="share of images (%)",
        scale=alt.Scale(domain=[0, 100], nice=False),
        axis=alt.Axis(values=_PER_CENT_TICKS),
    )


def _curve(line: pd.DataFrame) -> list[alt.Chart]:
    base = alt.Chart(line).encode(x=_distance_axis("distance_km"))
    band = base.mark_area(opacity=0.3).encode(y=_share_axis("low"), y2="high:Q")
    curve = base.mark_line(strokeWidth=2).encode(y=_share_axis("value"))
    return [theme.in_role(band, "right"), theme.in_role(curve, "right")]


def _ceilings(marks: pd.DataFrame) -> list[alt.Chart]:
    known = marks.dropna(subset="ceiling")
    tick = alt.Chart(known).mark_tick(orient="horizontal", thickness=2, size=16)
    return [
        theme.in_role(
            tick.encode(
                x=_distance_axis("threshold_km"),
                y=_share_axis("ceiling"),
                tooltip=_tooltip(("name", "threshold"), ("ceiling_label", "ceiling")),
            ),
            "muted",
        )
    ]


def _thresholds(marks: pd.DataFrame) -> list[alt.Chart]:
    base = alt.Chart(marks).encode(x=_distance_axis("threshold_km"))
    rule = base.mark_rule(strokeDash=[2, 3], opacity=0.6)
    name = base.mark_text(baseline="bottom").encode(
        y=alt.value(-4), text=alt.Text("threshold_km:Q", format=",d")
    )
    point = base.mark_point(filled=True, size=50, opacity=1).encode(
        y=_share_axis("value"),
        tooltip=_tooltip(
            ("name", "threshold"),
            ("threshold_km", "km"),
            ("label", "share"),
            ("interval", "95 % interval"),
            ("n_label", "n"),
            ("ceiling_label", "ceiling"),
        ),
    )
    # The curve rises and the ceiling lies above it: right below a point there is room, but for
    # points near the axis.
    low = "datum.value < 10"
    share = base.mark_text(
        align=alt.expr(f"{low} ? 'center' : 'left'"),
        dx=alt.expr(f"{low} ? 0 : 6"),
        dy=alt.expr(f"{low} ? -16 : 11"),
    ).encode(y=_share_axis("value"), text="label:N")
    return [
        theme.in_role(rule, "muted"),
        theme.in_role(name, "muted"),
        theme.in_role(point, "right"),
        theme.in_role(share, "ink"),
    ]


def _bars(bars: pd.DataFrame) -> list[alt.Chart]:
    order = list(bars["continent"])
    base = alt.Chart(bars).encode(y=alt.Y("continent:N", sort=order, title=None))
    x_axis = alt.Axis(values=_PER_CENT_TICKS)
    x_scale = alt.Scale(domain=[0, 100], nice=False)
    few = f"datum.n < {theme.SMALL_N}"
    bar = base.mark_bar(height={"band": 0.62}).encode(
        x=alt.X("value:Q", title="country accuracy (%)", scale=x_scale, axis=x_axis),
        fill=alt.Fill("continent:N", scale=theme.continent_scale(), legend=None),
        opacity=alt.when(few).then(alt.value(theme.PALE_OPACITY)).otherwise(alt.value(1)),
        tooltip=_tooltip(
            ("continent", "continent"),
            ("label", "country accuracy"),
            ("interval", "95 % interval"),
            ("n_label", "n"),
        ),
    )
    outline = (
        base.transform_filter(few)
        .mark_bar(height={"band": 0.62}, filled=False, strokeDash=[3, 3])
        .encode(x="value:Q")
    )
    whisker = base.mark_rule(strokeWidth=1.5).encode(x="low:Q", x2="high:Q")
    at_right = base.encode(x=alt.value("width"))
    label = at_right.mark_text(align="right", dx=52).encode(text="label:N")
    number = at_right.transform_calculate(n_text="'n = ' + datum.n_label")
    return [
        bar,
        theme.in_role(outline, "muted"),
        theme.in_role(whisker, "ink"),
        theme.in_role(label, "ink"),
        theme.in_role(number.mark_text(align="left", dx=62).encode(text="n_text:N"), "muted"),
    ]


def _tooltip(*fields: tuple[str, str]) -> list[alt.Tooltip]:
    return [alt.Tooltip(f"{field}:N", title=title) for field, title in fields]


def _curve_text(thresholds: pd.DataFrame) -> str:
    parts = [
        f"{formats.share(value)} within {formats.kilometres(km)}"
        for value, km in zip(thresholds["value"], thresholds["threshold_km"], strict=True)
    ]
    return f"Share of images by distance from the true place: {', '.join(parts)}."


def _bars_text(bars: pd.DataFrame) -> str:
    parts = [
        f"{continent} {formats.share(value)} of {formats.count(n)}"
        for continent, value, n in zip(bars["continent"], bars["value"], bars["n"], strict=True)
    ]
    return f"Country accuracy by true continent: {', '.join(parts)}."
