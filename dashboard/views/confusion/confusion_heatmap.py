"""Draw a clickable confusion matrix: true classes as rows, predicted as columns."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import altair as alt
import pandas as pd

from dashboard.charts import channels, legends, selection_events, share_bars
from dashboard.charts.channels import WHOLE_X, WHOLE_Y, role, tooltip
from dashboard.shell import formats, theme
from streetclip.metrics.intervals import wilson_interval
from streetclip.results import OTHER, ConfusionMatrix

NORMS: Final = {"row": "share of true", "column": "share of predicted", "count": "count"}
"""Meanings of a cell's colour, by the URL's word."""

Pick = Callable[[str | None, str | None], None]
"""Gets the true and the predicted class of what is clicked."""

_PHONE_PIXELS = 700
_MOST_PHONE_LABELS = 24  # side by side
_LABEL_PIXELS = 110
_AXIS_PIXELS = 130  # of the labels above the matrix
_CELL_PIXELS = ((12, 36), (24, 25), (34, 20), (10**9, 16))  # at most so many rows: pixels of one
_MOST_TEXT_PIXELS = 6.4  # of a digit in a cell
_DARKEST = 0.2  # luminance up to which white is read better than black


@dataclass(frozen=True, kw_only=True)
class Matrix:
    """Non-empty cells of a confusion matrix, with its classes in order.

    `cells`: true, predicted, n, row_n, column_n (images of row and column), mean_km (NaN where
    unknown), value, low, high (share of the row, Wilson 95 %); `names`: of classes, where not the
    label; `short`: where there is little room; `groups`: class → continent.
    """

    cells: pd.DataFrame
    rows: Sequence[str]
    columns: Sequence[str]
    names: Mapping[str, str]
    short: Mapping[str, str]
    groups: Mapping[str, str]

    def name(self, label: str) -> str:
        """Name a class."""
        return self.names.get(label, label)

    @classmethod
    def of(
        cls, confusion: ConfusionMatrix, groups: Mapping[str, str], *, is_square: bool = True
    ) -> "Matrix":
        """Arrange counted images, `OTHER` and no prediction last.

        `groups`: ISO code → continent; `is_square`: add columns of classes never predicted.
        """
        cells = confusion.cells.astype({"true": object, "predicted": object})  # quicker to read
        true, predicted = set(cells["true"]), set(cells["predicted"])
        labels = [label for label in dict.fromkeys(confusion.labels) if label != OTHER]
        rest = [label for label in (OTHER, "") if label in predicted]
        listed = {label: formats.country(label) for label in labels if label in groups}
        kept = true | predicted if is_square else predicted
        low, high = wilson_interval(cells["n"], cells["row_n"])
        return cls(
            cells=cells.assign(
                mean_km=cells["distance_km_sum"] / cells["num_distances"],
                value=cells["n"] / cells["row_n"],
                low=low,
                high=high,
            ),
            rows=[label for label in (*labels, OTHER) if label in true],
            columns=[label for label in labels if label in kept] + rest,
            names={"": formats.country("")} | listed,
            short={"": "none", OTHER: "other"} | {label: label for label in listed},
            groups=groups,
        )


@dataclass(frozen=True, kw_only=True)
class Style:
    """Look: one of `NORMS`; outlined row and column; "country" or "continent"."""

    norm: str
    is_diagonal_coloured: bool
    chosen: tuple[str | None, str | None]
    unit: str


def draw(matrix: Matrix, style: Style, *, key: str, on_pick: Pick) -> None:
    """Draw a matrix and its legend; `on_pick` gets two classes."""
    cells = _texts(matrix, style)
    on_scale = cells.loc[~cells["apart"] & (cells["predicted"] != ""), "shown"]
    least = 1.0 if style.norm == "count" else 0.1
    highest = max(least, float(on_scale.max())) if len(on_scale) else 1.0
    chart_key = selection_events.keyed(key, *style.chosen)
    pairs = set(zip(cells["true"], cells["predicted"], strict=True))

    def pick() -> None:
        clicked = selection_events.clicked_mark(chart_key)
        cell = (clicked.get("true"), clicked.get("predicted"))
        if cell in pairs and OTHER not in cell:
            on_pick(*cell)

    pixels = next(pixels for most, pixels in _CELL_PIXELS if len(matrix.rows) <= most)
    channels.show(
        _layers(matrix, cells, style, highest),
        key=chart_key,
        alt_text=_alt_text(matrix),
        height=_AXIS_PIXELS + pixels * len(matrix.rows),
        on_select=pick,
    )
    _legend(matrix, style, highest)


def _texts(matrix: Matrix, style: Style) -> pd.DataFrame:
    """Add colours and texts to the cells."""
    cells = matrix.cells
    is_correct = cells["true"] == cells["predicted"]
    is_rolled = (cells["true"] == OTHER) | (cells["predicted"] == OTHER)
    of_column = cells["n"] / cells["column_n"]
    by_norm = {"row": 100 * cells["value"], "column": 100 * of_column, "count": cells["n"]}
    shown = by_norm[style.norm].astype("float64")
    text = (shown + 0.5).astype("int64").astype(str).replace("0", "")
    rows = pd.DataFrame(
        {
            "true": cells["true"],
            "predicted": cells["predicted"],
            "shown": shown,
            "apart": is_rolled | (is_correct & (not style.is_diagonal_coloured)),
            "correct": is_correct,
            "text": shown.map(_count_text) if style.norm == "count" else text,
            "true_name": cells["true"].map(matrix.name),
            "predicted_name": cells["predicted"].map(matrix.name),
            "n_label": cells["n"].map(formats.count) + " of " + cells["row_n"].map(formats.count),
            "label": cells["value"].map(formats.share),
            "interval": share_bars.intervals(cells, "low", "high"),
            "column_label": of_column.map(formats.share),
            "km_label": cells["mean_km"].map(formats.kilometres),
        }
    )
    taken = rows["true_name"] + " taken for " + rows["predicted_name"]
    return rows.assign(words=taken + ": " + rows["n_label"] + ", " + rows["label"])


def _count_text(n: float) -> str:
    for limit, unit in ((1_000_000, "M"), (1_000, "k")):
        if n >= limit:
            return f"{n / limit:.0f}{unit}" if n >= 10 * limit else f"{n / limit:.1f}{unit}"
    return f"{n:.0f}"


def _layers(matrix: Matrix, cells: pd.DataFrame, style: Style, highest: float) -> list[alt.Chart]:
    """Layer frame, cells, borders of continents, texts and the chosen outline."""
    axes: Any = (
        channel(
            f"{field}:N",
            sort=None,
            title=f"{field} {style.unit}",
            scale=alt.Scale(domain=list(labels), paddingInner=0.06, paddingOuter=0),
            axis=_axis(matrix, labels, **place),
        )
        for channel, field, labels, place in (
            (alt.X, "predicted", matrix.columns, {"orient": "top", "labelAngle": -90}),
            (alt.Y, "true", matrix.rows, {}),
        )
    )
    x, y = axes
    frame = alt.Chart(pd.DataFrame({"frame": [0]})).mark_rect(
        aria=False, filled=False, strokeWidth=0.5, opacity=0.6
    )
    return [
        frame.encode(role("muted"), **WHOLE_X, **WHOLE_Y),
        _cells(cells, style, highest, x, y),
        *_borders(matrix, x, y),
        _cell_texts(cells, x, y),
        *_outline(matrix, style, x, y),
    ]


def _axis(matrix: Matrix, labels: Sequence[str], **place: Any) -> alt.Axis:
    """Label classes, on a phone in short and fewer."""
    every = 2 if place and len(labels) > _MOST_PHONE_LABELS else 1
    long = {label: matrix.name(label) for label in labels}
    short = {label: matrix.short.get(label, matrix.name(label)) for label in labels[::every]}
    skipped = dict.fromkeys(labels, "")
    return alt.Axis(
        labelExpr=f"windowSize()[0] < {_PHONE_PIXELS} ? {json.dumps(skipped | short)}[datum.value]"
        f" : {json.dumps(long)}[datum.value]",
        labelLimit=_LABEL_PIXELS,
        labelOverlap=False,
        labelFlush=False,
        ticks=False,
        domain=False,
        grid=False,
        **place,
    )


def _cells(cells: pd.DataFrame, style: Style, highest: float, x: alt.X, y: alt.Y) -> alt.Chart:
    scale = alt.Scale(domain=[0.0, highest], range="heatmap", clamp=True)
    if style.norm == "count":
        scale.type = "symlog"
    texts = {
        "true_name": f"true {style.unit}",
        "predicted_name": f"predicted {style.unit}",
        "n_label": "n",
        "label": "share of true",
        "interval": "95 % interval",
        "column_label": "share of predicted",
        "km_label": "mean distance",
    }
    grey = channels.when("datum.apart", theme.APART)
    edge = channels.when("datum.correct && !datum.apart", theme.APART)
    rect = alt.Chart(cells).mark_rect(cursor="pointer", strokeWidth=1.5)
    return rect.add_params(selection_events.mark("true", "predicted")).encode(
        x,
        y,
        alt.Fill("shown:Q", scale=scale, legend=None, condition=grey),
        alt.StrokeValue(None, condition=edge),
        alt.Description("words:N"),
        tooltip=tooltip(**texts),
    )


def _cell_texts(cells: pd.DataFrame, x: alt.X, y: alt.Y) -> alt.Chart:
    fits = f"bandwidth('x') >= {_MOST_TEXT_PIXELS} * length(datum.text) + 3 && bandwidth('y') >= 12"
    readable = f"luminance(scale('fill', datum.shown)) > {_DARKEST} ? '#000000' : '#ffffff'"
    white = channels.when("datum.apart", "#ffffff")
    text = alt.Chart(cells).mark_text(fontSize=11, baseline="middle")
    fill = alt.FillValue(alt.ExprRef(readable), condition=white)
    return text.encode(x, y, channels.text_if(fits, "text"), fill)


def _borders(matrix: Matrix, x: alt.X, y: alt.Y) -> list[alt.Chart]:
    """Draw lines between continents."""
    layers = []
    for field, labels, axis in (("true", matrix.rows, y), ("predicted", matrix.columns, x)):
        rows = pd.DataFrame({field: _first_of_groups(labels, matrix.groups)})
        at: Any = axis.copy(deep=False)
        at.bandPosition = 0
        line = alt.Chart(rows).mark_rule(strokeWidth=1, opacity=0.6)
        layers.append(line.encode(at, role("muted")))
    return layers


def _first_of_groups(labels: Sequence[str], groups: Mapping[str, str]) -> list[str]:
    """List the labels where groups begin, if none is split."""
    of = [groups.get(label, label) for label in labels]
    changes = [i for i in range(1, len(of)) if of[i] != of[i - 1]]
    is_in_order = len(changes) + 1 == len(set(of))
    return [labels[i] for i in changes] if is_in_order and len(changes) + 1 < len(of) else []


def _outline(matrix: Matrix, style: Style, x: alt.X, y: alt.Y) -> list[alt.Chart]:
    """Outline the chosen cell, row or column."""
    true, predicted = style.chosen
    is_shown = true in (None, *matrix.rows) and predicted in (None, *matrix.columns)
    if style.chosen == (None, None) or not is_shown:
        return []
    rows = pd.DataFrame({"true": [true], "predicted": [predicted]})
    places: dict[str, Any] = WHOLE_Y if true is None else {"y": y}
    places = places | (WHOLE_X if predicted is None else {"x": x})
    rect = alt.Chart(rows).mark_rect(filled=False, strokeWidth=3, opacity=1)
    return [rect.encode(role("wrong"), **places)]


def _legend(matrix: Matrix, style: Style, highest: float) -> None:
    if style.norm == "count":
        title, words = "images (log scale)", (formats.count(0), formats.count(highest))
    else:
        title = f"{NORMS[style.norm]} {style.unit}"
        words = (formats.share(0.0), formats.share(highest / 100))
    parts = [legends.ramp(title, "zero", *words)]
    apart = [] if style.is_diagonal_coloured else ["correct predictions"]
    apart += [OTHER] if OTHER in (*matrix.rows, *matrix.columns) else []
    if apart:
        parts.append(legends.key("sc-key-apart", " and ".join(apart)))
    legends.draw(parts)


def _alt_text(matrix: Matrix) -> str:
    wrong = matrix.cells[matrix.cells["true"] != matrix.cells["predicted"]]
    most = wrong.sort_values("n", ascending=False, kind="stable").head(3)
    parts = [
        f"{matrix.name(true)} taken for {matrix.name(predicted)} {formats.count(n)} times"
        for true, predicted, n in zip(most["true"], most["predicted"], most["n"], strict=True)
    ]
    size = f"{len(matrix.rows)} true by {len(matrix.columns)} predicted"
    return f"Confusion matrix, {size}. Most frequent mistakes: {'; '.join(parts) or 'none'}."
