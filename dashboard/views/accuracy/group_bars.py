"""Draw ranked groups of images: headline figures, bars and table."""

import math
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import altair as alt
import numpy as np
import pandas as pd

from dashboard.charts import channels, metric_cards, share_bars, tables
from dashboard.charts.channels import role, row_names, share_tooltip
from dashboard.queries.group_ranking import MEDIAN, METRICS, NUM_WORST, Macro, with_worst
from dashboard.shell import formats, html, theme
from streetclip.results import LEVELS

MOST_ROWS = 1000
"""Most rows of the table."""

_TOP = 20  # bars

_ROW_PIXELS, _MOST_ROW_PIXELS, _AXIS_PIXELS = 18, 44, 60
_WHOLE_FROM_KM = 10  # as `formats.kilometres`
_NEAREST_KM, _FARTHEST_KM = 1.0, 20_000.0
_DEFINITIONS = {
    "country": "The predicted country is the true one. Interval: Wilson 95 %.",
    "city": "The predicted country and city are both correct. Interval: Wilson 95 %.",
    "given": "The city is correct, of the images whose country is correct. Interval: Wilson 95 %.",
    MEDIAN: "Half of the images are at most this far off. Interval: 95 %, from order statistics.",
}

_MACRO_HELP = f"{metric_cards.MACRO.capitalize()}. The same whatever the page groups by."
_FEW_HELP = "Groups whose own figures are not firm; drawn pale and dashed, never left out."


def named(shown: pd.DataFrame) -> pd.DataFrame:
    """Add name (distinct) and inside (the place around or "").

    `shown`: of `group_ranking.group_shares`.
    """
    keys = [each for each in (*LEVELS, "predicted", "attribute") if each in shown]
    texts = [_key_text(keys[-1], value) for value in shown[keys[-1]]]
    around = [each for each in keys[-2::-1] if len(shown[each].unique()) > 1]
    places = zip(*([_key_text(each, text) for text in shown[each]] for each in around), strict=True)
    inside = [", ".join(place) for place in places] if around else [""] * len(shown)
    return shown.assign(name=_distinct(texts, inside), inside=inside)


def _key_text(key: str, value: str) -> str:
    if key in ("country", "predicted"):
        return formats.country(value)
    return formats.plain(value, 60) or "(blank)"


def _distinct(texts: Sequence[str], inside: Sequence[str]) -> list[str]:
    """Distinguish equal names by the place around them, else by a number."""
    seen = Counter(texts)
    used: Counter[str] = Counter()
    names = []
    for text, place in zip(texts, inside, strict=True):
        name = f"{text}, {place}" if seen[text] > 1 and place else text
        used[name] += 1
        names.append(name if used[name] == 1 else f"{name} ({used[name]})")
    return names


def words(metric: str) -> Callable[[float | None], str]:
    """Choose the format of a metric's values."""
    return formats.kilometres if metric == MEDIAN else formats.share


def intervals(shown: pd.DataFrame, metric: str) -> list[str]:
    """Write the intervals of a metric, of `group_ranking.group_shares`."""
    if metric != MEDIAN:
        return share_bars.intervals(shown, "low", "high")
    return [
        formats.NONE
        if math.isnan(low)
        else f"{formats.kilometre_number(low)}–{formats.kilometre_number(high)}"
        for low, high in zip(shown["low"], shown["high"], strict=True)
    ]


def headline(
    whole: pd.DataFrame, shown: pd.DataFrame, metric: str, names: str, macro: Macro | None
) -> None:
    """Draw the micro and macro figures and the number of small groups.

    `whole`: all images as one group, `shown`: the groups, both of `group_ranking.group_shares`;
    `names`: such as "countries", trusted.
    """
    title, total = METRICS[metric].title.capitalize(), whole.iloc[0]
    n, ceiling = formats.count(total["n"]), formats.share(total["ceiling"])
    value, interval = words(metric)(total["value"]), intervals(whole, metric)[0]
    help_text = f"Over all images: each weighs the same. {_DEFINITIONS[metric]}"
    cards = [(f"{title}, micro", value, interval, f"n = {n} · ceiling {ceiling}", help_text)]
    if metric == MEDIAN:
        cards = [(title, value, interval, f"n = {n}", help_text)]
    if macro is not None:
        count, ceiling = formats.count(macro.num_countries), formats.share(macro.ceiling)
        under = f"mean of {count} true countries · ceiling {ceiling}"
        cards.append((f"{title}, macro", formats.share(macro.value), "", under, _MACRO_HELP))
    few = formats.count(int((shown["n"] < theme.SMALL_N).sum()))
    under = f"of {formats.count(len(shown))} {names}"
    cards.append((f"Fewer than {theme.SMALL_N} images", few, "", under, _FEW_HELP))
    metric_cards.figures(*cards)


def bars(shown: pd.DataFrame, metric: str, *, height: int | None = None) -> None:
    """Draw the first groups of a ranking and the worst, with intervals.

    `shown`: of `named`, in order; `height`: pixels to fill, unless bars get too thick.
    """
    top = with_worst(shown, _TOP, metric)
    least, most = (_AXIS_PIXELS + row * len(top) for row in (_ROW_PIXELS, _MOST_ROW_PIXELS))
    title = METRICS[metric].title
    if metric == MEDIAN:
        layers = _median_bars(top)
        few_look, interval = "Hollow", "95 % of the median"
    else:
        layers = share_bars.share_bars(share_bars.in_per_cent(top), "name", f"{title} (%)")
        few_look, interval = "Pale and dashed", "Wilson 95 %"
    channels.show(
        layers,
        key="place_bars",
        alt_text=f"{title.capitalize()}, in the order of the ranking: "
        f"{share_bars.listed(top, 'name', words(metric))}.",
        height=least if height is None else min(height, most),
    )
    first = ""
    if len(shown) > _TOP:
        first = f"{_TOP} of {formats.count(len(shown))} in order, the {NUM_WORST} worst included. "
    few = channels.few_remark(top["n"], few_look)
    html.remark(f"{first}Whiskers: {interval}.{few}")


def _median_bars(top: pd.DataFrame) -> list[alt.Chart]:
    """Draw points instead of bars, as a log axis has no zero."""
    numbers = top["n"].map(formats.count)
    rows = top[["name", "n"]].assign(
        **top[["value", "low", "high"]].clip(_NEAREST_KM, _FARTHEST_KM),
        label=top["value"].map(formats.kilometres),
        interval=intervals(top, MEDIAN),
        n_label=numbers,
        n_text="n = " + numbers,
    )
    y = row_names("name")
    x = alt.X(
        "value:Q",
        title="median distance (km, log scale)",
        scale=alt.Scale(type="log", domain=[_NEAREST_KM, _FARTHEST_KM], nice=False),
        axis=alt.Axis(values=[1, 10, 100, 1000, 10_000], format=",d"),
    )
    whisker = alt.Chart(rows).mark_rule(strokeWidth=1.5)
    layers = [whisker.encode(alt.X("low:Q"), alt.X2("high:Q"), y, role("ink"))]
    texts = share_tooltip("median", name="name")
    is_few = rows["n"] < theme.SMALL_N
    for is_filled, shown in ((True, rows[~is_few]), (False, rows[is_few])):
        point = alt.Chart(shown).mark_point(filled=is_filled, size=60, opacity=1, strokeWidth=1.5)
        layers.append(point.encode(x, y, role("correct"), tooltip=texts))
    return [*layers, *share_bars.values_at_right(rows, y)]


def table(
    shown: pd.DataFrame,
    metric: str,
    *,
    key: str,
    title: str,
    chosen: int | None = None,
    on_pick: Callable[[int | None], None],
) -> None:
    """Draw groups of `named` as a table; `on_pick` gets a position, None for the chosen one."""
    is_median = metric == MEDIAN
    bounds = "Bounds of the 95 % interval" + ("." if is_median else " (Wilson).")
    number = _kilometres if is_median else tables.per_cent
    columns = {
        "name": tables.text(title),
        "value": number(f"{METRICS[metric].title} ({'km' if is_median else '%'})"),
        "low": number("low", help=bounds),
        "high": number("high", help=bounds),
        "n": tables.whole(),
    }
    is_few = shown["n"] < theme.SMALL_N
    if is_few.any():
        columns["few"] = tables.text("few", help="Too few images for a firm figure.")
    if not is_median:
        no_median = "None: half of the images and more have no distance."
        columns["ceiling"] = tables.per_cent("ceiling (%)", help="What the candidates allow.")
        columns["median_km"] = _kilometres("median (km)", help=no_median)
    mistake_help = "And its share of all images of the row."
    columns["mistake"] = tables.text("most frequent mistake", help=mistake_help)
    if (shown["inside"] != "").any():
        columns["inside"] = tables.text("in")
    mistakes = zip(shown["top_mistake"], shown["top_share"], strict=True)
    rows = shown.assign(
        few=np.where(is_few, f"n < {theme.SMALL_N}", ""),
        mistake=[f"{formats.country(c)}, {formats.share(p)}" if c else "" for c, p in mistakes],
    )
    tables.show(
        rows,
        columns,
        key=key,
        values=range(len(rows)),
        chosen=chosen,
        on_pick=on_pick,
    )


def _kilometres(title: str, **options: Any) -> tables.Column:
    """Make a column of kilometres rounded as shown; infinite ones are empty."""

    def made(rows: pd.DataFrame, name: str) -> "pd.Series[float]":
        finite = rows[name].replace(math.inf, math.nan)
        return finite.round(1).where(finite < _WHOLE_FROM_KM, finite.round())

    return tables.whole(title, **options)._replace(made=made)
