"""The curves of trainings, those of several over one another in a colour for each."""

import math
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import numpy as np
import pandas as pd
import streamlit as st

from dashboard.charts import share_bars, vega
from dashboard.charts.vega import Spec
from dashboard.queries.trainings import HOLDOUT, Best, Curves
from dashboard.shell import formats, html

_SMALL_HEIGHT: Final = 210
_TITLES: Final = {"step": "optimizer steps", "epoch": "epochs"}
_CHOSEN: Final = "chosen"
_DOTTED: Final = (2, 3)


class Shown(NamedTuple):
    """One training in the charts.

    Attributes:
        label: Its number and name, as plain text; no two are equal.
        colour: Of its lines.
        curves: What is written of it.
        best: The checkpoint that was chosen, if any was yet.
    """

    label: str
    colour: str
    curves: Curves
    best: Best | None


class _Plane(NamedTuple):
    """What all charts of the page share.

    Attributes:
        shown: The trainings.
        axis: What the horizontal axis counts, "step" or "epoch".
    """

    shown: Sequence[Shown]
    axis: str

    def x(self) -> Spec:
        """The horizontal axis, of the column x."""
        settings: Spec = {"grid": False, "tickMinStep": 1, "format": ",d"}
        title = _TITLES[self.axis]
        scale = {"nice": False, "zero": True}
        return vega.quantity("x", title=title, scale=scale, axis=settings)

    def by_training(self) -> Spec:
        """The colours, of the column training."""
        labels, colours = ([getattr(each, of) for each in self.shown] for of in ("label", "colour"))
        return vega.name("training", scale={"domain": labels, "range": colours}, legend=None)


class _Curve(NamedTuple):
    """One small chart: a curve over steps, and how its axis is written."""

    name: str
    title: str
    unit: str
    remark: str
    axis: Spec
    from_zero: bool = True


_WHOLE: Final = {"format": ",~r"}
_SPEEDS: Final = (
    _Curve(
        "lr",
        "Learning rate",
        "learning rate",
        "AdamW's, after warm-up and decay.",
        {"labelExpr": "datum.value ? format(datum.value, '~e') : '0'"},
    ),
    _Curve(
        "images_per_s",
        "Images per second",
        "images/s",
        "Validations and checkpoints left out.",
        _WHOLE,
    ),
    _Curve(
        "memory_mib",
        "Memory",
        "peak so far (MiB)",
        "Of the process that trains, without those that decode; with CUDA, on the GPU.",
        _WHOLE,
    ),
)
_MORE: Final = (
    _Curve("grad_norm", "Gradient norm", "norm", "Before clipping; mean of the steps.", {}),
    _Curve(
        "logit_scale",
        "Logit scale",
        "logit scale",
        "What cosines are multiplied by before the softmax.",
        {},
        from_zero=False,
    ),
)


def draw(shown: Sequence[Shown], axis: str) -> None:
    """Draw the curves of trainings.

    Args:
        shown: At least one.
        axis: What the horizontal axis counts, "step" or "epoch".
    """
    plane = _Plane(shown, axis)
    left, right = st.columns(2, gap="medium")
    with left:
        st.header("Loss", anchor=False)
        _loss(plane)
    with right:
        st.header("Validation country accuracy", anchor=False)
        _accuracy(plane)
    _small(plane, _SPEEDS)
    with st.expander("More: gradient norm and logit scale", key="training_more"):
        _small(plane, _MORE)


def _small(plane: _Plane, curves: Sequence[_Curve]) -> None:
    for column, each in zip(st.columns(len(curves), gap="medium"), curves, strict=True):
        with column:
            st.header(each.title, anchor=False)
            _single(plane, each)


# One chart each


def _loss(plane: _Plane) -> None:
    y = {"title": "loss", "scale": {"zero": False}}
    training = _rows(plane, "loss", "training loss")
    validation = _rows(plane, "val_loss", "validation loss")
    if not _has_numbers(training, validation):
        return
    layers = [
        *_line(training, plane, y, strokeWidth=1.2, opacity=0.75 if len(plane.shown) == 1 else 0.5),
        *_line(validation, plane, y, strokeWidth=2.2, dots=True),
        *_latest(pd.concat([training, validation]), plane, y),
        *_chosen(plane),
    ]
    text = f"Loss by {plane.axis}. {_latest_text(training)} {_latest_text(validation)}"
    vega.draw(layers, key="training_loss", alt_text=text)
    html.remark(
        "Thin: training loss, each point the mean of its steps. With points: validation loss, "
        f"after each epoch, in groups as large as a step contrasts.{_chosen_words(plane.shown)}"
    )


def _accuracy(plane: _Plane) -> None:
    y = {"title": "country right (%)", "scale": {"zero": False}}
    rows = _accuracy_rows(plane)
    if not _has_numbers(rows):
        return
    held_out = _accuracy_rows(plane, HOLDOUT)
    layers = [
        _band(rows, plane, y),
        *_line(rows, plane, y, strokeWidth=2.2, dots=True, more=_COUNTED),
        *_latest(rows, plane, y, more=_COUNTED),
        *([] if held_out.empty else _held_out(held_out, plane, y)),
        *_chosen(plane),
    ]
    ends = f"{_latest_text(rows)} {_latest_text(held_out)}".strip()
    text = f"Validation country accuracy by {plane.axis}. {ends}"
    vega.draw(layers, key="training_accuracy", alt_text=text)
    dotted = "" if held_out.empty else " Dotted: images of countries held out of training."
    html.remark(
        "Zero-shot, among the countries of both manifests, after each epoch; an unreadable image "
        f"is wrong. Band: Wilson 95 %.{dotted}{_chosen_words(plane.shown)}"
    )


def _held_out(rows: pd.DataFrame, plane: _Plane, y: dict[str, Any]) -> list[Spec]:
    return [
        _band(rows, plane, y),
        *_line(rows, plane, y, strokeWidth=1.6, strokeDash=_DOTTED, dots=True, more=_COUNTED),
        *_latest(rows, plane, y, more=_COUNTED),
    ]


def _band(rows: pd.DataFrame, plane: _Plane, y: dict[str, Any]) -> Spec:
    """The interval around a line."""
    return vega.layer(
        rows,
        "area",
        where="isValid(datum.low)",
        mark={"opacity": 0.16},
        x=plane.x(),
        y=vega.quantity("low", **y),
        y2={"field": "high"},
        fill=plane.by_training(),
        color=None,
    )


def _single(plane: _Plane, of: _Curve) -> None:
    rows = _rows(plane, of.name, of.title.lower())
    if not _has_numbers(rows):
        return
    y = {"title": of.unit, "scale": {"zero": of.from_zero}, "axis": of.axis}
    layers = [*_line(rows, plane, y, strokeWidth=1.5), *_latest(rows, plane, y)]
    text = f"{of.title} by {plane.axis}. {_latest_text(rows)}"
    vega.draw(layers, key=f"training_{of.name}", alt_text=text, height=_SMALL_HEIGHT)
    html.remark(of.remark)


def _has_numbers(*frames: pd.DataFrame) -> bool:
    """Whether any frame holds a number; if none does, that is said."""
    if any(each["value"].notna().any() for each in frames):
        return True
    html.remark("Nothing is recorded of it so far.")
    return False


# Rows: one for each point, of all trainings

_COUNTED: Final = (("interval", "95 % interval"), ("n_label", "n"))


def _rows(plane: _Plane, name: str, what: str) -> pd.DataFrame:
    frames = [each.curves[name] for each in plane.shown]
    rows = _named(plane, what, frames)
    return rows.assign(value_label=[_number(value) for value in rows["value"].tolist()])


def _accuracy_rows(plane: _Plane, prefix: str = "") -> pd.DataFrame:
    """The validations, all images or, without those that have none, of held-out countries."""
    names = {f"{prefix}{name}": name for name in ("accuracy", "low", "high", "n")}
    frames = [each.curves.epochs[["step", "epoch", *names]] for each in plane.shown]
    if prefix:
        frames = [each.dropna(subset=f"{prefix}accuracy") for each in frames]
    frames = [each.rename(columns=names | {f"{prefix}accuracy": "value"}) for each in frames]
    what = "accuracy on held-out countries" if prefix else "accuracy"
    rows = share_bars.in_per_cent(_named(plane, what, frames))
    return rows.rename(columns={"label": "value_label"})


def _named(plane: _Plane, what: str, frames: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """The rows of all trainings, each with its training, its place in words, and x."""
    labels = [each.label for each in plane.shown]
    rows = pd.concat(frames, ignore_index=True)
    places = zip(rows["step"].tolist(), rows["epoch"].tolist(), strict=True)
    return rows.assign(
        training=np.repeat(np.array(labels, dtype=object), [len(each) for each in frames]),
        what=what,
        at=[f"step {step:,} · epoch {epoch:.4g}" for step, epoch in places],
        x=rows[plane.axis],
    ).drop(columns=["step", "epoch"])


def _number(value: float) -> str:
    return formats.NONE if math.isnan(value) else f"{value:.4g}".replace("-", formats.MINUS)


# Layers


def _texts(*more: tuple[str, str]) -> list[Spec]:
    return vega.tooltip(
        ("training", "training"), ("what", "curve"), ("value_label", "value"), ("at", "at"), *more
    )


def _line(
    rows: pd.DataFrame,
    plane: _Plane,
    y: dict[str, Any],
    *,
    dots: bool = False,
    more: tuple[tuple[str, str], ...] = (),
    **mark: Any,
) -> list[Spec]:
    """A line for each training, `mark` its looks; pointed at are its points, drawn or not."""
    x, value, colour = plane.x(), vega.quantity("value", **y), plane.by_training()
    point = {"filled": True, "size": 36, "opacity": 1 if dots else 0}
    return [
        vega.layer(rows, "line", mark=mark, x=x, y=value, stroke=colour, color=None),
        vega.layer(
            rows, "point", mark=point, x=x, y=value, fill=colour, color=None, tooltip=_texts(*more)
        ),
    ]


def _latest(
    rows: pd.DataFrame, plane: _Plane, y: dict[str, Any], more: tuple[tuple[str, str], ...] = ()
) -> list[Spec]:
    """A dot where each line ends for now, which also shows a line of one point."""
    ends = _ends(rows)
    return [
        vega.layer(
            ends,
            "point",
            mark={"filled": True, "size": 30, "opacity": 1},
            x=plane.x(),
            y=vega.quantity("value", **y),
            tooltip=_texts(*more),
        )
    ]


def _ends(rows: pd.DataFrame) -> pd.DataFrame:
    known = rows[rows["value"].notna()]
    return known.drop_duplicates(["training", "what"], keep="last").reset_index(drop=True)


def _chosen(plane: _Plane) -> list[Spec]:
    """A rule where the chosen checkpoint of each training was written."""
    found = [(each.label, each.best) for each in plane.shown if each.best is not None]
    rows = pd.DataFrame(
        {
            "x": [best.step if plane.axis == "step" else best.epoch for _, best in found],
            "training": [label for label, _ in found],
            "what": _CHOSEN,
        }
    )
    rule = vega.layer(
        rows,
        "rule",
        mark={"strokeDash": [5, 4], "strokeWidth": 1.5},
        x=plane.x(),
        stroke=plane.by_training(),
        color=None,
        tooltip=vega.tooltip(("training", "training"), ("what", "checkpoint")),
    )
    word = vega.layer(
        rows.head(1),
        "text",
        mark={"baseline": "bottom", "align": "right"},
        x=plane.x(),
        y={"value": -4},
        text=vega.words("what"),
        color=vega.role("muted"),
    )
    return [rule, word] if len(plane.shown) == 1 else [rule]


def _chosen_words(shown: Sequence[Shown]) -> str:
    num_chosen = sum(each.best is not None for each in shown)
    if not num_chosen:
        return ""
    return " Dashed: the chosen checkpoint" + ("s." if num_chosen > 1 else ".")


def _latest_text(rows: pd.DataFrame) -> str:
    return " ".join(
        f"{each['training']}: {each['what']} {each['value_label']} at {each['at']}."
        for each in _ends(rows).to_dict("records")
    )
