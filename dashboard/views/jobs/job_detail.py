"""One job in full: state, actions, log, settings, commands and record."""

from functools import partial
from pathlib import Path
from typing import Any

import streamlit as st

from dashboard.queries import run_queries
from dashboard.shell import formats, html, links, url_state
from dashboard.views.jobs import job_actions, job_cards, job_log, job_queue
from dashboard.views.jobs.allowed_paths import JobOptions


def draw(path: Path, job: dict[str, Any], options: JobOptions) -> None:
    """Draw a job; what changes is refreshed while it is queued or running."""
    st.button(
        "All jobs",
        key="job_all",
        icon=":material/arrow_back:",
        type="tertiary",
        on_click=lambda: url_state.change(job=None),
    )
    if job["state"] in {"queued", "running"}:
        job_queue.watch(path, options, partial(_live, path, job["id"], options))
    else:
        job_cards.heading(job)
        job_cards.progress(job)
        job_cards.error(job)
        job_actions.after_the_end(path, job, options)
        job_cards.outputs(job)
        st.header("Log", anchor=False)
        job_log.draw(path, job)
    run_ids, trainings = run_queries.work_of_job(path, job["id"])
    for run in run_ids:
        links.link("", f"Run {run} on Overview", "monitoring", run=str(run))
    for training in trainings:
        links.link("training", f"Training {training}", "show_chart", training=str(training))
    st.header("Settings", anchor=False)
    st.code(formats.json_text(job["parameters"]), language=None, wrap_lines=True)
    st.header("In a shell", anchor=False)
    job_actions.commands(job, options)
    st.header("Record", anchor=False)
    job_cards.facts(job)


def _live(path: Path, job_id: int, options: JobOptions) -> None:
    job = run_queries.job(path, job_id)
    job_cards.heading(job)
    if job["state"] == "queued":
        num_before = [each["id"] for each in run_queries.live_jobs(path)].index(job_id)
        before = f"{formats.count(num_before)} jobs ahead." if num_before > 1 else "1 job ahead."
        html.remark(before if num_before else "Next in queue.")
    job_cards.progress(job)
    job_actions.cancel(path, job, options)
    st.header("Log", anchor=False)
    job_log.draw(path, job)
