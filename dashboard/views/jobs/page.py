"""Draw the Jobs page: live jobs, a form, the history, or one job."""

from functools import partial
from pathlib import Path
from typing import Any, Final

import streamlit as st

from dashboard.charts import selection_events
from dashboard.queries import run_queries
from dashboard.shell import formats, html, url_state, url_widgets
from dashboard.views import frame
from dashboard.views.jobs import (
    form_defaults,
    form_fields,
    job_actions,
    job_cards,
    job_detail,
    job_form,
    job_queue,
    launcher,
)
from dashboard.views.jobs.allowed_paths import JobOptions, job_options
from dashboard.views.jobs.form_defaults import Prefill
from dashboard.views.jobs.mark_dead_jobs import mark_dead_jobs
from streetclip.errors import StoreError
from streetclip.runtime import JOB_STATES

_PER_PAGE: Final = 25
_MOST_PAGES: Final = 400
_FORM: Final = "own_form"


def render() -> None:
    """Draw the page."""
    frame.frame("Jobs", _body)


def _body(path: Path) -> None:
    options = job_options(path)
    mark_dead_jobs(path)
    job_actions.problem_of_last_click()
    job = _linked(path, "job")
    if job is not None:
        job_detail.draw(path, job, options)
        return
    job_queue.watch(path, options, partial(job_queue.draw, path, options))
    if options.may_start:
        _form(path, options)
    else:
        html.notice("Read-only", "This dashboard was started with --no_jobs.")
    _history(path)


def _linked(path: Path, name: str) -> dict[str, Any] | None:
    wanted = st.query_params.get(name)
    if wanted is None:
        return None
    job_id = url_state.page_id(name)
    try:
        if job_id is not None and run_queries.has_store(path):
            return run_queries.job(path, job_id)
        problem = f"{name} is {formats.plain(wanted, 40)}; expected the number of a job."
    except StoreError as error:
        problem = str(error)
    html.notice("A part of the link was left out", problem, css="sc-alert")
    return None


def _form(path: Path, options: JobOptions) -> None:
    st.header("Start a job", anchor=False)
    kind, prefill = _prefill(path, options)
    url_widgets.bound(
        st.segmented_control,
        "What to do",
        form_fields.FORMS,
        key=_FORM,
        value=kind,
        on_change=lambda chosen: url_state.change(form=chosen, again=None, after=None),
        required=True,
    )
    job_form.draw(path, kind, options, prefill)


def _prefill(path: Path, options: JobOptions) -> tuple[str, Prefill]:
    again = _linked(path, "again")
    if again is not None and again["kind"] in form_fields.FORMS:
        return again["kind"], form_defaults.again(again, options.roots)
    after = _linked(path, "after")
    following = None if after is None else form_defaults.next_kind(after)
    if after is not None and following is not None:
        return following, form_defaults.after(after, options.roots)
    kind = url_state.page_option("form", list(form_fields.FORMS), next(iter(form_fields.FORMS)))
    return kind, form_defaults.fresh(kind, options.roots)


def _history(path: Path) -> None:
    st.header("History", anchor=False)
    kinds = {"any": "any"} | {each: job_cards.kind_words(each) for each in sorted(launcher.KINDS)}
    states = {each: each for each in ("any", *JOB_STATES)}
    with st.container(horizontal=True):
        kind = url_widgets.select("Kind", "kind", kinds, "any")
        state = url_widgets.select("State", "state", states, "any")
    of_kind = () if kind == "any" else (kind,)
    in_state = () if state == "any" else (state,)
    number = min(url_state.page_number("page"), _MOST_PAGES)
    found = run_queries.jobs(path, of_kind, in_state, number * _PER_PAGE + 1)
    shown = found[(number - 1) * _PER_PAGE : number * _PER_PAGE]
    if shown:
        ids = [str(job["id"]) for job in shown]
        selection_events.table(
            job_cards.table(shown),
            key=selection_events.keyed("jobs", ids[0], len(ids)),
            columns={
                "name": st.column_config.TextColumn(width="medium"),
                "error": st.column_config.TextColumn(width="large"),
            },
            on_pick=lambda row: None if row is None else url_state.change(job=ids[row]),
        )
    elif of_kind or in_state or number > 1:
        html.remark("No job matches.")
    else:
        html.remark("No job yet: start one above or in a shell.")
    _pager(number, has_more=len(found) > number * _PER_PAGE)


def _pager(number: int, *, has_more: bool) -> None:
    if number == 1 and not has_more:
        return
    with st.container(horizontal=True, gap="small"):
        for words, to, exists in (
            ("Newer", number - 1, number > 1),
            ("Older", number + 1, has_more),
        ):
            st.button(
                words,
                key=f"job_{words.lower()}",
                disabled=not exists,
                on_click=lambda to=to: url_state.change(page=str(to) if to > 1 else None),
            )
