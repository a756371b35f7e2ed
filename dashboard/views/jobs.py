"""Jobs: what runs, what waits, a form to start one, what has been, and one of them in full."""

from functools import partial
from pathlib import Path
from typing import Any, Final

import streamlit as st

from dashboard import formats, job_chain, job_settings, jobs_health, loaders, page, state
from dashboard.components import (
    job_actions,
    job_cards,
    job_detail,
    job_form,
    job_history,
    job_live,
    markup,
)
from dashboard.job_chain import Prefill
from dashboard.roots import JobOptions, job_options
from streetclip.errors import StoreError

PATH: Final = "jobs"
JOB, FORM, AGAIN, AFTER = "job", "form", "again", "after"


def render() -> None:
    """Draw the page."""
    page.frame("Jobs", _body)


def _body(path: Path) -> None:
    options = job_options(path)
    jobs_health.heal(path)
    job_actions.said()
    job = _linked(path, JOB)
    if job is not None:
        job_detail.draw(path, job, options)
    else:
        job_live.watch(path, options, partial(job_live.now, path, options))
        if options.may_start:
            _form(path, options)
        else:
            markup.notice("Only to look at", "This dashboard was started with --no_jobs.")
        job_history.draw(path)


def _linked(path: Path, name: str) -> dict[str, Any] | None:
    """The job that a parameter of the URL names; if it names none, that is said."""
    wanted = st.query_params.get(name)
    if wanted is None:
        return None
    job_id = state.own_id(name)
    try:
        if job_id is not None and loaders.has_store(path):
            return loaders.job(path, job_id)
        problem = f"{name} is {formats.plain(wanted, 40)}; expected the number of a job."
    except StoreError as error:
        problem = str(error)
    markup.notice("A part of the link was left out", problem, css="sc-alert")
    return None


def _form(path: Path, options: JobOptions) -> None:
    st.header("Start a job", anchor=False)
    kind, prefill = _prefill(path, options)
    key = "own_form"
    st.session_state[key] = kind
    st.segmented_control(
        "What to do",
        list(job_settings.FORMS),
        format_func=job_cards.kind_words,
        key=key,
        required=True,
        on_change=lambda: state.change(**{FORM: st.session_state[key], AGAIN: None, AFTER: None}),
    )
    job_form.draw(path, kind, options, prefill)


def _prefill(path: Path, options: JobOptions) -> tuple[str, Prefill]:
    """Which form, and what it begins with: an earlier job that the URL names wins."""
    again = _linked(path, AGAIN)
    if again is not None and again["kind"] in job_settings.FORMS:
        return again["kind"], job_chain.again(again, options.roots)
    after = _linked(path, AFTER)
    following = None if after is None else job_chain.next_kind(after)
    if after is not None and following is not None:
        return following, job_chain.after(after, options.roots)
    kind = state.own(FORM, list(job_settings.FORMS), next(iter(job_settings.FORMS)))
    return kind, job_chain.fresh(kind, options.roots)
