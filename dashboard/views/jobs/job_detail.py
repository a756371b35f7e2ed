"""One job in full: how it stands, what can be done, its log, settings, commands and record."""

from functools import partial
from pathlib import Path
from typing import Any

import streamlit as st

from dashboard.queries import runs
from dashboard.shell import formats, html, links, url_state
from dashboard.views.jobs import job_actions, job_cards, job_log, job_queue
from dashboard.views.jobs.allowed_paths import JobOptions


def draw(path: Path, job: dict[str, Any], options: JobOptions) -> None:
    """Draw a job; while it is queued or running, what changes is drawn again by itself.

    Args:
        path: The store.
        job: Its record, as `loaders.job`.
        options: What may be done to it here.
    """
    st.button(
        "All jobs",
        key="job_all",
        icon=":material/arrow_back:",
        type="tertiary",
        on_click=lambda: url_state.change(job=None),
    )
    if job["state"] in {"queued", "running"}:
        job_queue.watch(path, options, partial(_one_live, path, job["id"], options))
    else:
        _ended(path, job, options)
    _links(path, job)
    st.header("Settings", anchor=False)
    job_cards.parameters(job)
    st.header("In a shell", anchor=False)
    job_actions.commands(job, options)
    st.header("Record", anchor=False)
    job_cards.facts(job)


def _one_live(path: Path, job_id: int, options: JobOptions) -> None:
    job = runs.job(path, job_id)
    job_cards.heading(job)
    if job["state"] == "queued":
        before = [each["id"] for each in runs.live_jobs(path)].index(job_id)
        html.remark(f"{formats.count(before)} before it.")
    job_cards.progress(job)
    job_actions.cancel(path, job, options)
    st.header("Log", anchor=False)
    job_log.draw(path, job)


def _ended(path: Path, job: dict[str, Any], options: JobOptions) -> None:
    job_cards.heading(job)
    job_cards.progress(job)
    job_cards.error(job)
    job_actions.after_the_end(path, job, options)
    job_cards.outputs(job)
    st.header("Log", anchor=False)
    job_log.draw(path, job)


def _links(path: Path, job: dict[str, Any]) -> None:
    run_ids, trainings = runs.work_of_job(path, job["id"])
    for run in run_ids:
        links.link("", f"Run {run} on Overview", "monitoring", run=str(run))
    for training in trainings:
        links.link("training", f"Training {training}", "show_chart", training=str(training))
