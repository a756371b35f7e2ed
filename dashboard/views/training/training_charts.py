"""The curves of trainings, those of several over one another in a colour for each."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

import altair as alt
import numpy as np
import pandas as pd
import streamlit as st

from dashboard.charts import channels, share_bars
from dashboard.charts.channels import role, tooltip
from dashboard.queries.trainings import HOLDOUT, Best, Curves
from dashboard.shell import formats, html

_SMALL_HEIGHT: Final = 210
_TITLES: Final = {"training": "training", "what": "curve", "value_label": "value", "at": "at"}
_COUNTED: Final = _TITLES | {"interval": "95 % interval", "n_label": "n"}


class Shown(NamedTuple):
    """One training in the charts; its label is plain text and unique."""

    label: str
    colour: str
    curves: Curves
    best: Best | None


class _Plane(NamedTuple):
    """What all charts share: the trainings, and "step" or "epoch" as axis."""

    shown: Sequence[Shown]
    axis: str

    def x(self) -> alt.X:
        """The horizontal axis, of the column x."""
        return alt.X(
            "x:Q",
            title={"step": "optimizer steps", "epoch": "epochs"}[self.axis],
            scale=alt.Scale(nice=False, zero=True),
            axis=alt.Axis(grid=False, tickMinStep=1, format=",d"),
        )

    def by_training(self, channel: type) -> Any:
        """A channel that colours by the column training."""
        labels, colours = ([getattr(each, of) for each in self.shown] for of in ("label", "colour"))
        scale = alt.Scale(domain=labels, range=colours)
        return channel("training:N", sort=None, scale=scale, legend=None)


class _Curve(NamedTuple):
    """One small chart: a curve over steps, and how its axis is written."""

    name: str
    title: str
    unit: str
    remark: str
    axis: alt.Axis = alt.Axis()
    from_zero: bool = True


_POWERS: Final = alt.Axis(labelExpr="datum.value ? format(datum.value, '~e') : '0'")
_WHOLE: Final = alt.Axis(format=",~r")
_MEMORY: Final = "Of the process that trains, without those that decode; with CUDA, on the GPU."
_SPEED: Final = "Without validations and checkpoints."
_SCALE: Final = "Factor of the cosines before the softmax."
_SPEEDS: Final = (
    _Curve("lr", "Learning rate", "learning rate", "AdamW's, after warm-up and decay.", _POWERS),
    _Curve("images_per_s", "Images per second", "images/s", _SPEED, _WHOLE),
    _Curve("memory_mib", "Memory", "peak so far (MiB)", _MEMORY, _WHOLE),
)
_MORE: Final = (
    _Curve("grad_norm", "Gradient norm", "norm", "Before clipping; mean of the steps."),
    _Curve("logit_scale", "Logit scale", "logit scale", _SCALE, from_zero=False),
)


def draw(shown: Sequence[Shown], axis: str) -> None:
    """Draw the curves of at least one training over `axis`, "step" or "epoch"."""
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


def _loss(plane: _Plane) -> None:
    training = _rows(plane, "loss", "training loss")
    validation = _rows(plane, "val_loss", "validation loss")
    if not _has_numbers(training, validation):
        return
    y = alt.Y("value:Q", title="loss", scale=alt.Scale(zero=False))
    opacity = 0.75 if len(plane.shown) == 1 else 0.5
    layers = [
        *_line(training, plane, y, strokeWidth=1.2, opacity=opacity),
        *_line(validation, plane, y, dots=True, strokeWidth=2.2),
        _latest(pd.concat([training, validation]), plane, y),
        *_chosen(plane),
    ]
    text = f"Loss by {plane.axis}. {_latest_text(training)} {_latest_text(validation)}"
    channels.show(layers, key="training_loss", alt_text=text)
    html.remark(
        "Thin: training loss, each point the mean of its steps. With points: validation loss, "
        f"after each epoch, in groups as large as a step contrasts.{_chosen_words(plane.shown)}"
    )


def _accuracy(plane: _Plane) -> None:
    rows = _accuracy_rows(plane)
    if not _has_numbers(rows):
        return
    held_out = _accuracy_rows(plane, HOLDOUT)
    y = alt.Y("value:Q", title="country accuracy (%)", scale=alt.Scale(zero=False))
    low = alt.Y("low:Q", title="country accuracy (%)", scale=alt.Scale(zero=False))
    layers = []
    for curve, look in (
        (rows, {"strokeWidth": 2.2}),
        (held_out, {"strokeWidth": 1.6, "strokeDash": [2, 3]}),
    ):
        if curve.empty:
            continue
        band = alt.Chart(curve.dropna(subset=["low"])).mark_area(opacity=0.16)
        layers += [
            band.encode(plane.x(), low, alt.Y2("high:Q"), plane.by_training(alt.Fill)),
            *_line(curve, plane, y, dots=True, texts=_COUNTED, **look),
            _latest(curve, plane, y, _COUNTED),
        ]
    ends = f"{_latest_text(rows)} {_latest_text(held_out)}".strip()
    text = f"Validation country accuracy by {plane.axis}. {ends}"
    channels.show([*layers, *_chosen(plane)], key="training_accuracy", alt_text=text)
    dotted = "" if held_out.empty else " Dotted: images of countries held out of training."
    html.remark(
        "Zero-shot, among the countries of both manifests, after each epoch; an unreadable image "
        f"is wrong. Band: Wilson 95 %.{dotted}{_chosen_words(plane.shown)}"
    )


def _small(plane: _Plane, curves: Sequence[_Curve]) -> None:
    for column, of in zip(st.columns(len(curves), gap="medium"), curves, strict=True):
        with column:
            st.header(of.title, anchor=False)
            rows = _rows(plane, of.name, of.title.lower())
            if not _has_numbers(rows):
                continue
            scale = alt.Scale(zero=of.from_zero)
            y = alt.Y("value:Q", title=of.unit, scale=scale, axis=of.axis)
            channels.show(
                [*_line(rows, plane, y, strokeWidth=1.5), _latest(rows, plane, y)],
                key=f"training_{of.name}",
                alt_text=f"{of.title} by {plane.axis}. {_latest_text(rows)}",
                height=_SMALL_HEIGHT,
            )
            html.remark(of.remark)


def _has_numbers(*frames: pd.DataFrame) -> bool:
    """Check whether any frame holds a number; draw a remark if none does."""
    if any(each["value"].notna().any() for each in frames):
        return True
    html.remark("No data yet.")
    return False


def _rows(plane: _Plane, name: str, what: str) -> pd.DataFrame:
    """Join one curve of all trainings, one row per point."""
    rows = _named(plane, what, [each.curves[name] for each in plane.shown])
    labels = [
        formats.NONE if math.isnan(value) else f"{value:.4g}".replace("-", formats.MINUS)
        for value in rows["value"].tolist()
    ]
    return rows.assign(value_label=labels)


def _accuracy_rows(plane: _Plane, prefix: str = "") -> pd.DataFrame:
    """Join validations: of all images, or of held-out countries where there are any."""
    names = {f"{prefix}{name}": name for name in ("accuracy", "low", "high", "n")}
    frames = [each.curves.epochs[["step", "epoch", *names]] for each in plane.shown]
    if prefix:
        frames = [each.dropna(subset=f"{prefix}accuracy") for each in frames]
    frames = [each.rename(columns=names | {f"{prefix}accuracy": "value"}) for each in frames]
    what = "accuracy on held-out countries" if prefix else "accuracy"
    rows = share_bars.in_per_cent(_named(plane, what, frames))
    return rows.rename(columns={"label": "value_label"})


def _named(plane: _Plane, what: str, frames: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Add each training's name, its place in words, and x."""
    labels = [each.label for each in plane.shown]
    rows = pd.concat(frames, ignore_index=True)
    places = zip(rows["step"].tolist(), rows["epoch"].tolist(), strict=True)
    return rows.assign(
        training=np.repeat(np.array(labels, dtype=object), [len(each) for each in frames]),
        what=what,
        at=[f"step {step:,} · epoch {epoch:.4g}" for step, epoch in places],
        x=rows[plane.axis],
    ).drop(columns=["step", "epoch"])


def _line(
    rows: pd.DataFrame,
    plane: _Plane,
    y: alt.Y,
    *,
    dots: bool = False,
    texts: Mapping[str, str] = _TITLES,
    **look: Any,
) -> list[alt.Chart]:
    """Draw a line for each training; the pointer finds its points, drawn or not."""
    point = alt.Chart(rows).mark_point(filled=True, size=36, opacity=1 if dots else 0)
    fill, stroke = plane.by_training(alt.Fill), plane.by_training(alt.Stroke)
    return [
        alt.Chart(rows).mark_line(**look).encode(plane.x(), y, stroke),
        point.encode(plane.x(), y, fill, tooltip=tooltip(**texts)),
    ]


def _latest(
    rows: pd.DataFrame, plane: _Plane, y: alt.Y, texts: Mapping[str, str] = _TITLES
) -> alt.Chart:
    """Draw a dot where each line ends; it also shows a line of one point."""
    dot = alt.Chart(_ends(rows)).mark_point(filled=True, size=30, opacity=1)
    return dot.encode(plane.x(), y, role("ink"), tooltip=tooltip(**texts))


def _ends(rows: pd.DataFrame) -> pd.DataFrame:
    known = rows[rows["value"].notna()]
    return known.drop_duplicates(["training", "what"], keep="last").reset_index(drop=True)


def _chosen(plane: _Plane) -> list[alt.Chart]:
    """Draw a rule where the chosen checkpoint of each training was written."""
    found = [(each.label, each.best) for each in plane.shown if each.best is not None]
    rows = pd.DataFrame(
        {
            "x": [best.step if plane.axis == "step" else best.epoch for _, best in found],
            "training": [label for label, _ in found],
            "what": "chosen",
        }
    )
    rule = alt.Chart(rows).mark_rule(strokeDash=[5, 4], strokeWidth=1.5)
    word = alt.Chart(rows.head(1)).mark_text(baseline="bottom", align="right")
    texts = tooltip(training="training", what="checkpoint")
    layers = [rule.encode(plane.x(), plane.by_training(alt.Stroke), tooltip=texts)]
    if len(plane.shown) == 1:
        layers.append(word.encode(plane.x(), alt.YValue(-4), role("muted"), alt.Text("what:N")))
    return layers


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
