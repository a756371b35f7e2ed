"""Groups of images, ranked: bars with bounds, and the table below them."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from dashboard.charts import metric_cards, selection_events, share_bars, vega
from dashboard.charts.vega import Spec
from dashboard.queries.group_ranking import LEVELS, MEDIAN, METRICS, Macro
from dashboard.shell import formats, html, theme

TOP = 20
"""Bars that are drawn."""

MOST_ROWS = 1000
"""Rows that are listed."""

_ROW_PIXELS, _MOST_ROW_PIXELS, _AXIS_PIXELS = 18, 44, 60
_BLANK = "(blank)"
_WHOLE_FROM_KM = 10  # as `formats.kilometres`
_NEAREST_KM, _FARTHEST_KM = 1.0, 20_000.0
_DEFINITIONS = {
    "country": "The predicted country is the true one. Interval: Wilson 95 %.",
    "city": "The predicted country and city are both right. Interval: Wilson 95 %.",
    "given": "The city is right, of the images whose country is right. Interval: Wilson 95 %.",
    MEDIAN: "Half of the images are at most this far off. Interval: 95 %, from order statistics.",
}


def named(shown: pd.DataFrame) -> pd.DataFrame:
    """Groups with their names as they are written, which are distinct, and the place around them.

    Args:
        shown: As `grouped.judged` gives them; few enough to be drawn.

    Returns:
        The same with name (distinct texts) and inside (the country or continent, "" if it is the
        same for all).
    """
    keys = [each for each in (*LEVELS, "predicted", "attribute") if each in shown]
    own = keys[-1]
    texts = [_key_text(own, value) for value in shown[own]]
    around = [each for each in keys[-2::-1] if len(shown[each].unique()) > 1]
    places = zip(*([_key_text(each, text) for text in shown[each]] for each in around), strict=True)
    inside = [", ".join(place) for place in places] if around else [""] * len(shown)
    return shown.assign(name=_distinct(texts, inside), inside=inside)


def _key_text(key: str, value: str) -> str:
    if key in ("country", "predicted"):
        return formats.country(value)
    return formats.plain(value, 60) or _BLANK


def _distinct(texts: Sequence[str], inside: Sequence[str]) -> list[str]:
    """Names, told apart by what is around them, else by a number."""
    seen: dict[str, int] = {}
    for text in texts:
        seen[text] = seen.get(text, 0) + 1
    names = [
        f"{text}, {place}" if seen[text] > 1 and place else text
        for text, place in zip(texts, inside, strict=True)
    ]
    used: dict[str, int] = {}
    for position, each in enumerate(names):
        used[each] = used.get(each, 0) + 1
        if used[each] > 1:
            names[position] = f"{each} ({used[each]})"
    return names


def words(metric: str) -> Callable[[float | None], str]:
    """How values of a metric are written."""
    return formats.kilometres if metric == MEDIAN else formats.share


def intervals(shown: pd.DataFrame, metric: str) -> list[str]:
    """The texts of the bounds of a metric.

    Args:
        shown: low and high, as `grouped.judged` gives them.
        metric: One of `METRICS`.
    """
    if metric != MEDIAN:
        return share_bars.intervals(shown, "low", "high")
    return [
        formats.NONE
        if math.isnan(low)
        else f"{formats.kilometre_number(low)}–{formats.kilometre_number(high)}"
        for low, high in zip(shown["low"], shown["high"], strict=True)
    ]


def map_ends(shown: pd.DataFrame, metric: str) -> tuple[float, float] | None:
    """The values at the ends of a map's colours: of medians, up to the largest finite one."""
    if metric != MEDIAN:
        return None
    finite = shown.loc[np.isfinite(shown["value"]), "value"]
    return 0.0, max(1.0, float(finite.max()) if len(finite) else 0.0)


def headline(
    whole: pd.DataFrame, shown: pd.DataFrame, metric: str, names: str, macro: Macro | None
) -> None:
    """Draw the figure over all images and over true countries, and how many groups are small.

    Args:
        whole: All images as one group, as `grouped.judged` gives it.
        shown: The groups, likewise.
        metric: One of `METRICS`.
        names: What the groups are, as "countries": a constant of the caller.
        macro: Over the true countries; None for none.
    """
    columns = iter(st.columns(2 if macro is None else 3, gap="small"))
    with next(columns):
        _micro(whole, metric)
    if macro is not None:
        with next(columns):
            _macro(macro, metric)
    with next(columns):
        few = int((shown["n"] < theme.SMALL_N).sum())
        under = f"of {formats.count(len(shown))} {names}"
        help_text = "Groups whose own figures are not firm; drawn pale and dashed, never left out."
        label = f"Fewer than {theme.SMALL_N} images"
        metric_cards.figure(label, formats.count(few), "", under, help_text)


def _micro(whole: pd.DataFrame, metric: str) -> None:
    total = whole.iloc[0]
    title = METRICS[metric].title.capitalize()
    n, ceiling = formats.count(total["n"]), formats.share(total["ceiling"])
    under = f"n = {n}" if metric == MEDIAN else f"n = {n} · ceiling {ceiling}"
    label = title if metric == MEDIAN else f"{title}, micro"
    help_text = f"Over all images: each weighs the same. {_DEFINITIONS[metric]}"
    value = words(metric)(total["value"])
    metric_cards.figure(label, value, intervals(whole, metric)[0], under, help_text)


def _macro(macro: Macro, metric: str) -> None:
    title = METRICS[metric].title.capitalize()
    count, ceiling = formats.count(macro.num_countries), formats.share(macro.ceiling)
    under = f"mean of {count} true countries · ceiling {ceiling}"
    help_text = (
        "Mean over the true countries: each weighs the same, however few images it has. The same "
        "whatever the page groups by."
    )
    metric_cards.figure(f"{title}, macro", formats.share(macro.value), "", under, help_text)


def bars(shown: pd.DataFrame, metric: str, *, height: int | None = None) -> None:
    """Draw the first groups of a ranking with their bounds; few images pale and dashed.

    Args:
        shown: As `named` gives them, in order.
        metric: One of `METRICS`.
        height: Pixels to fill, unless the bars would be too thick; default: what they need.
    """
    top = shown.head(TOP)
    least, most = (_AXIS_PIXELS + row * len(top) for row in (_ROW_PIXELS, _MOST_ROW_PIXELS))
    title = METRICS[metric].title
    if metric == MEDIAN:
        layers = _median_bars(top)
    else:
        layers = share_bars.share_bars(share_bars.in_per_cent(top), "name", f"{title} (%)")
    vega.draw(
        layers,
        key="place_bars",
        alt_text=_bars_text(top, metric),
        height=least if height is None else min(height, most),
    )
    few = (top["n"] < theme.SMALL_N).any()
    look = "Hollow" if metric == MEDIAN else "Pale and dashed"
    pale = f" {look}: fewer than {theme.SMALL_N} images." if few else ""
    first = f"The first {TOP} of {formats.count(len(shown))}. " if len(shown) > TOP else ""
    how = "95 % of the median" if metric == MEDIAN else "Wilson 95 %"
    html.remark(f"{first}Whiskers: {how}.{pale}")


def _median_bars(top: pd.DataFrame) -> list[Spec]:
    """Points on a log axis: a bar has no zero to start from there."""
    ends = top[["value", "low", "high"]].clip(_NEAREST_KM, _FARTHEST_KM)
    rows = top[["name", "n"]].assign(
        value=ends["value"],
        low=ends["low"],
        high=ends["high"],
        label=[formats.kilometres(value) for value in top["value"]],
        interval=intervals(top, MEDIAN),
        n_label=[formats.count(n) for n in top["n"]],
        n_text=[f"n = {formats.count(n)}" for n in top["n"]],
    )
    y = vega.rows_axis("name")
    x = vega.quantity(
        "value",
        title="median distance (km, log scale)",
        scale={"type": "log", "domain": [_NEAREST_KM, _FARTHEST_KM], "nice": False},
        axis={"values": [1, 10, 100, 1000, 10_000], "format": ",d"},
    )
    few = f"datum.n < {theme.SMALL_N}"
    tip = vega.tooltip(
        ("name", "name"), ("label", "median"), ("interval", "95 % interval"), ("n_label", "n")
    )
    return [
        vega.layer(
            rows,
            "rule",
            mark={"strokeWidth": 1.5},
            x=vega.quantity("low"),
            x2={"field": "high"},
            y=y,
        ),
        *(
            vega.layer(
                rows,
                "point",
                mark={"filled": is_filled, "size": 60, "opacity": 1, "strokeWidth": 1.5},
                where=where,
                x=x,
                y=y,
                color=vega.role("right"),
                tooltip=tip,
            )
            for is_filled, where in ((True, f"!({few})"), (False, few))
        ),
        *share_bars.values_at_right(rows, y),
    ]


def _bars_text(top: pd.DataFrame, metric: str) -> str:
    text = words(metric)
    parts = [
        f"{name} {text(value)} of {formats.count(n)}"
        for name, value, n in zip(top["name"], top["value"], top["n"], strict=True)
    ]
    return f"{METRICS[metric].title.capitalize()}, in the order of the ranking: {', '.join(parts)}."


def table(
    shown: pd.DataFrame, metric: str, *, key: str, title: str, on_pick: Callable[[int], None]
) -> None:
    """Draw the groups as a table; a click on a row picks it.

    Args:
        shown: As `named` gives them, in order, at most `MOST_ROWS`.
        metric: One of `METRICS`.
        key: Unique on the page; see `picks.keyed`.
        title: What the groups are: a constant of the caller.
        on_pick: Called with the position of the row that is clicked.
    """
    few = np.where(shown["n"] < theme.SMALL_N, f"n < {theme.SMALL_N}", "")
    rows = pd.DataFrame(
        {
            "name": shown["name"],
            **_measured(shown, metric),
            "n": shown["n"],
            **({"few": few} if few.any() else {}),
            **({} if metric == MEDIAN else {"ceiling": 100 * shown["ceiling"]}),
            **({} if metric == MEDIAN else {"median": _kilometres(shown["median_km"])}),
            "mistake": [
                f"{formats.country(code)}, {formats.share(share)}" if code else ""
                for code, share in zip(shown["top_mistake"], shown["top_share"], strict=True)
            ],
            **({"inside": shown["inside"]} if (shown["inside"] != "").any() else {}),
        }
    )
    selection_events.table(
        rows,
        key=key,
        columns=_columns(metric, title),
        on_pick=lambda position: None if position is None else on_pick(position),
    )


def _measured(shown: pd.DataFrame, metric: str) -> dict[str, Any]:
    names = ("value", "low", "high")
    if metric == MEDIAN:
        return {name: _kilometres(shown[name]) for name in names}
    return {name: 100 * shown[name] for name in names}


def _kilometres(values: "pd.Series[float]") -> "pd.Series[float]":
    """What a column of numbers can hold, as precise as is shown: an infinite one is none."""
    finite = values.replace(math.inf, math.nan)
    return finite.round(1).where(finite < _WHOLE_FROM_KM, finite.round())


def _columns(metric: str, title: str) -> dict[str, Any]:
    number = st.column_config.NumberColumn
    measured, form = METRICS[metric].title, "%.1f"
    unit = "km" if metric == MEDIAN else "%"
    if metric == MEDIAN:
        form = "localized"
    bounds = "Ends of the 95 % interval" + ("." if metric == MEDIAN else " (Wilson).")
    return {
        "name": st.column_config.TextColumn(title),
        "inside": st.column_config.TextColumn("in"),
        "value": number(f"{measured} ({unit})", format=form),
        "low": number("low", format=form, help=bounds),
        "high": number("high", format=form, help=bounds),
        "n": number("n", format="localized"),
        "few": st.column_config.TextColumn("few", help="Too few images for a firm figure."),
        "ceiling": number("ceiling (%)", format="%.1f", help="What the candidates allow."),
        "median": number(
            "median (km)",
            format="localized",
            help="None: half of the images and more have no distance.",
        ),
        "mistake": st.column_config.TextColumn(
            "most frequent mistake", help="And its share of all images of the row."
        ),
    }
