"""The Training page: curves of one or several trainings, their checkpoints, epochs and details."""

from functools import partial
from pathlib import Path
from typing import Final

import streamlit as st

from dashboard.queries import trainings
from dashboard.queries.trainings import MOST_SHOWN, TRAINING, Training
from dashboard.shell import formats, html, links, theme, url_state, url_widgets
from dashboard.views import frame
from dashboard.views.jobs import launcher
from dashboard.views.jobs.allowed_paths import job_options
from dashboard.views.training import training_charts
from dashboard.views.training import training_summary as summary
from dashboard.views.training.training_charts import Shown
from streetclip.store import explained

_POLL_S: Final = 2.0
_AXES: Final = {"step": "Steps", "epoch": "Epochs"}
_COMMAND: Final = (
    "python main.py --mode train --train_csv data/train.csv --val_csv data/val.csv "
    "--image_dir data/images --output_dir outputs/training"
)


def render() -> None:
    """Draw the page."""
    frame.frame("Training", _body)


def _body(path: Path) -> None:
    launcher.mark_dead_jobs(path)
    listed = trainings.listed(path)
    if not listed:
        html.notice("No training yet", f"{path} has no training. Start one:")
        st.code(_COMMAND, language=None, wrap_lines=True)
        links.link("jobs", "Or fill in the form on the Jobs page", "work", form="train")
        return
    wanted = st.query_params.get_all(TRAINING)
    ids, problems = trainings.choose(wanted, [each["id"] for each in listed])
    if problems:
        html.notice("A part of the link was left out", *problems, css="sc-alert")
    left, right = st.columns([4, 1], gap="medium")
    with left:
        _picker(listed, ids)
    with right:
        axis = url_widgets.segmented("Horizontal axis", "axis", _AXES, "step")
    is_live = _is_live(_chosen(path, ids))

    def figures() -> None:
        with explained(path):
            _figures(path, ids, axis, is_live)

    st.fragment(partial(frame.guarded, figures), run_every=_POLL_S if is_live else None)()
    for training in _chosen(path, ids):
        _links(path, training, is_alone=len(ids) == 1, may_start=job_options(path).may_start)
        summary.details(training)


def _picker(listed: list[Training], ids: tuple[int, ...]) -> None:
    labels = {each["id"]: f"{summary.label(each)} · {each['state']}" for each in listed}
    url_widgets.bound(
        st.multiselect,
        "Trainings",
        labels,
        key="training_picker",
        value=list(ids),
        on_change=lambda chosen: url_state.change(**{TRAINING: [str(each) for each in chosen]}),
        max_selections=MOST_SHOWN,
        help=f"Up to {MOST_SHOWN}, in the same charts.",
    )


def _chosen(path: Path, ids: tuple[int, ...]) -> list[Training]:
    by_id = {each["id"]: each for each in trainings.listed(path)}
    return [by_id[each] for each in ids if each in by_id]


def _is_live(shown: list[Training]) -> bool:
    return any(each["state"] == "running" for each in shown)


def _figures(path: Path, ids: tuple[int, ...], axis: str, was_live: bool) -> None:
    """Draw what changes while a training runs; rerun the page at its end."""
    if was_live:
        launcher.mark_dead_jobs(path)
    chosen = _chosen(path, ids)
    if was_live and not _is_live(chosen):
        st.rerun()
    curves = [trainings.curves(path, each) for each in chosen]
    shown = [
        Shown(summary.label(training), theme.SERIES[position], of, trainings.best(training))
        for position, (training, of) in enumerate(zip(chosen, curves, strict=True))
    ]
    if len(chosen) == 1:
        summary.heading(chosen[0], curves[0])
    else:
        summary.legend(chosen, curves)
    for training, of in zip(chosen, curves, strict=True):
        summary.progress(training, of, trainings.job(path, training))
    pairs = [(each.curves.epochs, each.best.step if each.best else None) for each in shown]
    epochs = [rows.assign(is_best=rows["step"] == best_step) for rows, best_step in pairs]
    if len(shown) == 1 and len(epochs[0]):
        # Before a checkpoint is chosen, the last epoch is used.
        rows = epochs[0][epochs[0]["is_best"]]
        row = (rows if len(rows) else epochs[0]).iloc[-1]
        summary.headline(chosen[0], curves[0], {str(name): each for name, each in row.items()})
    training_charts.draw(shown, axis)
    st.header("Chosen checkpoint", anchor=False)
    for training, each in zip(chosen, shown, strict=True):
        summary.chosen(training, each.best)
    st.header("Epochs", anchor=False)
    summary.epoch_table(chosen, epochs)


def _links(path: Path, training: Training, *, is_alone: bool, may_start: bool) -> None:
    """Draw links to a training's job and runs, and how to evaluate it."""
    best = trainings.best(training)
    runs = [] if best is None else trainings.runs_of(path, best)
    with st.container(horizontal=True):
        for run_id, name in runs:
            label = f"Run {run_id}: {formats.markdown(name)}"
            links.link("", label, "monitoring", run=str(run_id))
        if trainings.job(path, training) is not None:
            number = str(training["job_id"])
            links.link("jobs", f"Job {number}", "work", job=number)
    if best is None or training["state"] == "running":
        return
    if may_start:
        number = str(training["id"])
        words = f"Evaluate training {formats.count(training['id'])}"
        if st.button(words, key=f"evaluate_{number}", type="primary"):
            links.go("jobs", url_state.shared_parameters(form="evaluate", trained=number))
    if is_alone and not runs:
        summary.how_to_evaluate(training, best)
