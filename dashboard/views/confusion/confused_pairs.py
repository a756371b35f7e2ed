"""Draw confused pairs as tables, one-sided pairs, and near and far mistakes."""

from typing import Any

import altair as alt
import pandas as pd

from dashboard.charts import channels, selection_events, share_bars, tables
from dashboard.charts.channels import WHOLE_X, WHOLE_Y, role, tooltip
from dashboard.shell import formats, html
from dashboard.views.confusion.confusion_heatmap import Matrix, Pick, Style
from streetclip.results import OTHER

_BAR_HEIGHT = 90
_LIST_HEIGHT, _LIST_ROWS = 203, 5  # so that the images below are seen
_LETTER_PIXELS = 6.8
_NEARNESS_COLOURS = {
    "neighbour": ("#fdb863", "#1b1f24"),
    "same continent": ("#e08214", "#1b1f24"),
    "other continent": ("#b35806", "#ffffff"),
}
"""Colours of fill and text, darker for farther mistakes (PuOr's orange)."""


def cells(
    matrix: Matrix,
    style: Style,
    *,
    key: str,
    on_pick: Pick,
    most: int | None = None,
) -> None:
    """Draw the cells of a matrix, most frequent mistakes first.

    `most` limits to so many mistakes, in a lower list if one is chosen; without it, correct
    predictions come last. `on_pick` gets the true and the predicted class of a clicked row.
    """
    is_correct = matrix.cells["true"] == matrix.cells["predicted"]
    shown = matrix.cells.assign(is_correct=is_correct)
    shown = shown.sort_values(["is_correct", "n"], ascending=[True, False], kind="stable")
    if most is not None:
        is_own = (shown["true"] != OTHER) & (shown["predicted"] != OTHER)
        shown = shown[is_own & ~shown["is_correct"]].head(most)
    pairs = list(zip(shown["true"], shown["predicted"], strict=True))
    if not pairs:
        html.remark("There is no mistake among these images.")
        return

    def pick(pair: tuple[str, str] | None) -> None:
        cell = style.chosen if pair is None else pair
        if OTHER not in cell:
            on_pick(*cell)

    columns = {
        "true": tables.text(f"true {style.unit}", width=86),
        "predicted": tables.text("predicted", width=86),
        "n": tables.whole(width=32),
        # One column, so that the interval is seen on a phone, too.
        "share": tables.text("of true (%), 95 %", width=118, alignment="right"),
    }
    if most is None:
        columns["mean_km"] = tables.whole("mean km")
    is_short = most is not None and style.chosen != (None, None) and len(pairs) > _LIST_ROWS
    bounds = share_bars.intervals(shown, "low", "high")
    shares = [
        f"{100 * value:.1f} ({each})" for value, each in zip(shown["value"], bounds, strict=True)
    ]
    tables.show(
        shown.assign(
            true=shown["true"].map(matrix.name),
            predicted=shown["predicted"].map(matrix.name),
            share=shares,
        ),
        columns,
        key=selection_events.keyed(key, *style.chosen),
        values=pairs,
        chosen=style.chosen,
        height=_LIST_HEIGHT if is_short else "auto",
        on_pick=pick,
    )


def asymmetric(
    pairs: pd.DataFrame, chosen: tuple[str | None, str | None], *, on_pick: Pick
) -> None:
    """Draw one-sided pairs of countries; `pairs`: `results.asymmetric_pairs`, not empty."""
    columns = {
        "country": tables.country("country A"),
        "other": tables.country("country B"),
        "taken": tables.whole("A → B"),
        "n": tables.whole("n of A"),
        "share": tables.per_cent("of A (%)"),
        "other_taken": tables.whole("B → A"),
        "other_n": tables.whole("n of B"),
        "other_share": tables.per_cent("of B (%)"),
        "difference": tables.per_cent("difference (pp)", form="%+.1f"),
        "interval": tables.interval(write=formats.points_interval),
    }
    tables.show(
        pairs,
        columns,
        key=selection_events.keyed("asymmetric_pairs", *chosen),
        values=list(zip(pairs["country"], pairs["other"], strict=True)),
        chosen=chosen,
        on_pick=lambda pair: on_pick(*(chosen if pair is None else pair)),
    )


def nearness(mistakes: pd.DataFrame, against_chance: dict[str, Any] | None) -> None:
    """Draw the shares of mistakes by nearness.

    `mistakes`: `results.mistakes_by_nearness`, not empty; `against_chance`:
    `metrics.neighbours.neighbour_confusion`, None where chance is unknown.
    """
    html.draw(html.tag("p", _chance_text(mistakes, against_chance), css="sc-line"))
    stops = (100 * mistakes["share"]).cumsum()
    fills, inks = zip(*(_NEARNESS_COLOURS[name] for name in mistakes["nearness"]), strict=True)
    rows = pd.DataFrame(
        {
            "name": mistakes["nearness"],
            "start": stops - 100 * mistakes["share"],
            "stop": stops,
            "middle": stops - 50 * mistakes["share"],
            "share": mistakes["share"].map(formats.share),
            "count": mistakes["n"].map(formats.count),
            "interval": share_bars.intervals(mistakes, "low", "high"),
            "fill": fills,
            "ink": inks,
        }
    )
    parts = zip(rows["name"], rows["share"], rows["count"], strict=True)
    words = ", ".join(f"{name} {share} ({count})" for name, share, count in parts)
    channels.show(
        _segments(rows),
        key="nearness",
        alt_text=f"Mistakes by what the true country is taken for: {words}.",
        height=_BAR_HEIGHT,
    )
    columns = {
        "nearness": tables.text("taken for"),
        "n": tables.whole(),
        "share": tables.per_cent("of mistakes (%)"),
        "interval": tables.interval(),
        "mean_km": tables.whole("mean km"),
    }
    tables.show(mistakes, columns, key="nearness_table")


def _chance_text(mistakes: pd.DataFrame, found: dict[str, Any] | None) -> str:
    is_near = mistakes["nearness"] == "neighbour"
    share, errors = mistakes.loc[is_near, "share"].sum(), mistakes["n"].sum()
    start = (
        f"{formats.share(share)} of {formats.count(errors)} mistakes go to a country that borders "
        "on the true one."
    )
    if found is None:
        return (
            f"{start} How many would by chance is unknown, as this run does not record which "
            "countries it could predict; evaluate again to see it."
        )
    if found["ratio"] is None:
        return f"{start} Chance would send none there."
    ratio, low, high = (f"{found[name]:.1f}" for name in ("ratio", "low", "high"))
    expected = formats.share(found["expected_share"])
    there = f"it is {ratio} times ({low}–{high}) as often as by chance."
    return f"{start} Chance would send {expected} there: {there}"


def _segments(rows: pd.DataFrame) -> list[alt.Chart]:
    """Draw one bar in labelled segments, with an outline."""
    scale = alt.Scale(domain=[0, 100], nice=False)
    axis = alt.Axis(values=share_bars.SHARE_TICKS, grid=False)
    segment = alt.Chart(rows).mark_rect(stroke=None)
    frame = alt.Chart(rows.head(1)).mark_rect(aria=False, filled=False, strokeWidth=0.5)
    layers = [
        segment.encode(
            alt.X("start:Q", title="share of mistakes (%)", scale=scale, axis=axis),
            alt.X2("stop:Q"),
            alt.Fill("fill:N", scale=None),
            tooltip=tooltip(name="taken for", count="n", share="share", interval="95 % interval"),
            **WHOLE_Y,
        ),
        frame.encode(role("muted"), **WHOLE_X, **WHOLE_Y),
    ]
    for field, line in (("name", -8), ("share", 8)):
        letters = f"{_LETTER_PIXELS} * length(datum.{field})"
        text = alt.Chart(rows).mark_text(baseline="middle", dy=line)
        layers.append(
            text.encode(
                alt.X("middle:Q", scale=scale),
                alt.YValue(alt.ExprRef("height / 2")),
                channels.text_if(f"(datum.stop - datum.start) / 100 * width > {letters}", field),
                alt.Fill("ink:N", scale=None),
            )
        )
    return layers
