"""Training: how a model is being trained, beside other trainings, and which checkpoint is kept."""

from functools import partial
from pathlib import Path
from typing import Any, Final

import pandas as pd
import streamlit as st

from dashboard.queries import trainings
from dashboard.queries.trainings import Curves, Training
from dashboard.shell import formats, html, links, theme, url_widgets
from dashboard.views import frame
from dashboard.views.jobs import mark_dead_jobs
from dashboard.views.training import training_charts
from dashboard.views.training import training_summary as parts
from dashboard.views.training.training_charts import Shown

_POLL_S: Final = 2.0
_AXES: Final = {"step": "Steps", "epoch": "Epochs"}


def render() -> None:
    """Draw the page."""
    frame.frame("Training", _body)


def _body(path: Path) -> None:
    mark_dead_jobs.heal(path)
    listed = trainings.listed(path)
    if not listed:
        _none_yet(path)
        return
    choice = trainings.choose(
        st.query_params.get_all(trainings.TRAINING), [each["id"] for each in listed]
    )
    if choice.problems:
        html.notice("A part of the link was left out", *choice.problems, css="sc-alert")
    left, right = st.columns([4, 1], gap="medium")
    with left:
        parts.picker(listed, choice.ids)
    with right:
        axis = url_widgets.segmented("Horizontal axis", "axis", _AXES, "step")
    live = _is_live(_chosen(path, choice.ids))
    figures = partial(_figures, path, choice.ids, axis, live)
    st.fragment(figures, run_every=_POLL_S if live else None)()
    _what_came_of_it(path, choice.ids)


def _chosen(path: Path, ids: tuple[int, ...]) -> list[Training]:
    by_id = {each["id"]: each for each in trainings.listed(path)}
    return [by_id[each] for each in ids if each in by_id]


def _is_live(shown: list[Training]) -> bool:
    return any(each["state"] == "running" for each in shown)


def _figures(path: Path, ids: tuple[int, ...], axis: str, was_live: bool) -> None:
    """Draw what changes while a training runs; once none does, the page is drawn a last time."""
    if was_live:
        mark_dead_jobs.heal(path)
    chosen = _chosen(path, ids)
    if was_live and not _is_live(chosen):
        st.rerun()
    curves = [trainings.curves(path, each) for each in chosen]
    shown = [
        Shown(parts.label(training), theme.SERIES[position], of, trainings.best(training))
        for position, (training, of) in enumerate(zip(chosen, curves, strict=True))
    ]
    _words(path, chosen, curves)
    if len(shown) == 1 and len(shown[0].curves.epochs):
        parts.headline(chosen[0], curves[0], _best_epoch(shown[0]))
    training_charts.draw(shown, axis)
    st.header("Chosen checkpoint", anchor=False)
    for training, each in zip(chosen, shown, strict=True):
        parts.chosen(training, each.best)
    st.header("Epochs", anchor=False)
    parts.epoch_table(chosen, [_marked(each) for each in shown])


def _words(path: Path, chosen: list[Training], curves: list[Curves]) -> None:
    if len(chosen) == 1:
        parts.heading(chosen[0], curves[0])
    else:
        parts.legend(chosen, curves)
    for training, of in zip(chosen, curves, strict=True):
        parts.progress(training, of, trainings.job(path, training))


def _best_epoch(shown: Shown) -> dict[str, Any]:
    """The epoch whose checkpoint is chosen; the last one before any is."""
    marked = _marked(shown)
    rows = marked[marked["is_best"]]
    row = (rows if len(rows) else marked).iloc[-1]
    return {str(name): value for name, value in row.items()}


def _marked(shown: Shown) -> pd.DataFrame:
    epochs, step = shown.curves.epochs, None if shown.best is None else shown.best.step
    return epochs.assign(is_best=epochs["step"] == step)


def _what_came_of_it(path: Path, ids: tuple[int, ...]) -> None:
    """Draw the links to runs and jobs, and what the trainings are made of."""
    for training in _chosen(path, ids):
        best = trainings.best(training)
        runs = [] if best is None else trainings.runs_of(path, best)
        with st.container(horizontal=True):
            for run in runs:
                name, number = formats.markdown(run["name"]), str(run["id"])
                links.link("", f"Run {number}: {name}", "monitoring", run=number)
            if trainings.job(path, training) is not None:
                number = str(training["job_id"])
                links.link("jobs", f"Job {number}", "work", job=number)
        is_alone = len(ids) == 1
        if is_alone and best is not None and not runs and training["state"] != "running":
            parts.how_to_evaluate(training, best)
        parts.details(training)


def _none_yet(path: Path) -> None:
    html.notice("No training yet", f"{path} holds none. This command makes one:")
    parts.how_to_start()
    links.link("jobs", "Or fill in the form on the Jobs page", "work", form="train")
