"""Jobs: what runs, what waits, a form to start one, what has been, and one of them in full."""

from functools import partial
from pathlib import Path
from typing import Any, Final

import streamlit as st

from dashboard.queries import runs
from dashboard.shell import formats, html, url_state
from dashboard.views import frame
from dashboard.views.jobs import (
    form_defaults,
    form_fields,
    job_actions,
    job_cards,
    job_detail,
    job_form,
    job_history,
    job_queue,
    mark_dead_jobs,
)
from dashboard.views.jobs.allowed_paths import JobOptions, job_options
from dashboard.views.jobs.form_defaults import Prefill
from streetclip.errors import StoreError

PATH: Final = "jobs"
JOB, FORM, AGAIN, AFTER = "job", "form", "again", "after"


def render() -> None:
    """Draw the page."""
    frame.frame("Jobs", _body)


def _body(path: Path) -> None:
    options = job_options(path)
    mark_dead_jobs.heal(path)
    job_actions.said()
    job = _linked(path, JOB)
    if job is not None:
        job_detail.draw(path, job, options)
    else:
        job_queue.watch(path, options, partial(job_queue.now, path, options))
        if options.may_start:
            _form(path, options)
        else:
            html.notice("Only to look at", "This dashboard was started with --no_jobs.")
        job_history.draw(path)


def _linked(path: Path, name: str) -> dict[str, Any] | None:
    """The job that a parameter of the URL names; if it names none, that is said."""
    wanted = st.query_params.get(name)
    if wanted is None:
        return None
    job_id = url_state.own_id(name)
    try:
        if job_id is not None and runs.has_store(path):
            return runs.job(path, job_id)
        problem = f"{name} is {formats.plain(wanted, 40)}; expected the number of a job."
    except StoreError as error:
        problem = str(error)
    html.notice("A part of the link was left out", problem, css="sc-alert")
    return None


def _form(path: Path, options: JobOptions) -> None:
    st.header("Start a job", anchor=False)
    kind, prefill = _prefill(path, options)
    key = "own_form"
    st.session_state[key] = kind
    st.segmented_control(
        "What to do",
        list(form_fields.FORMS),
        format_func=job_cards.kind_words,
        key=key,
        required=True,
        on_change=lambda: url_state.change(
            **{FORM: st.session_state[key], AGAIN: None, AFTER: None}
        ),
    )
    job_form.draw(path, kind, options, prefill)


def _prefill(path: Path, options: JobOptions) -> tuple[str, Prefill]:
    """Which form, and what it begins with: an earlier job that the URL names wins."""
    again = _linked(path, AGAIN)
    if again is not None and again["kind"] in form_fields.FORMS:
        return again["kind"], form_defaults.again(again, options.roots)
    after = _linked(path, AFTER)
    following = None if after is None else form_defaults.next_kind(after)
    if after is not None and following is not None:
        return following, form_defaults.after(after, options.roots)
    kind = url_state.own(FORM, list(form_fields.FORMS), next(iter(form_fields.FORMS)))
    return kind, form_defaults.fresh(kind, options.roots)
