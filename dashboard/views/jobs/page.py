"""Draw the Jobs page: live jobs, a form, the history, or one job."""

from functools import partial
from pathlib import Path
from typing import Any, Final

import streamlit as st

from dashboard.charts import selection_events, tables
from dashboard.queries import run_queries, trainings
from dashboard.shell import formats, html, links, url_state, url_widgets
from dashboard.views import frame
from dashboard.views.jobs import (
    allowed_paths,
    form_defaults,
    form_fields,
    job_actions,
    job_cards,
    job_form,
    job_log,
    job_queue,
    launcher,
)
from dashboard.views.jobs.allowed_paths import JobOptions, job_options
from dashboard.views.jobs.form_defaults import Prefill
from streetclip.errors import StoreError
from streetclip.runtime import JOB_STATES

_PER_PAGE: Final = 25
_MOST_PAGES: Final = 400


def render() -> None:
    """Draw the page."""
    frame.frame("Jobs", _body)


def _body(path: Path) -> None:
    options = job_options(path)
    launcher.mark_dead_jobs(path)
    job_actions.problem_of_last_click()
    job = _linked(path, "job")
    if job is not None:
        _job(path, job, options)
        return
    job_queue.watch(path, options, partial(job_queue.draw, path, options))
    if options.may_start:
        _form(path, options)
    else:
        allowed_paths.refusal("No jobs from here")
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
        key="own_form",
        value=kind,
        on_change=lambda chosen: url_state.change(form=chosen, **form_defaults.NO_ORIGIN),
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
    training_id = url_state.page_id("trained")
    for training in () if training_id is None else trainings.listed(path):
        best = trainings.best(training) if training["id"] == training_id else None
        if best is not None:
            job = trainings.job(path, training)
            return "evaluate", form_defaults.trained(training, best.path, job, options.roots)
    kind = url_state.page_option("form", list(form_fields.FORMS), next(iter(form_fields.FORMS)))
    return kind, form_defaults.fresh(kind, options.roots, url_state.parameters())


def _history(path: Path) -> None:
    st.header("History", anchor=False)
    kinds = {"any": "any"} | {each: job_cards.kind_words(each) for each in sorted(launcher.KINDS)}
    states = {each: each for each in ("any", *JOB_STATES)}
    with st.container(horizontal=True):
        kind = url_widgets.select("Kind", "kind", kinds, "any")
        state = url_widgets.select("State", "state", states, "any")
    of_kind, in_state = (() if each == "any" else (each,) for each in (kind, state))
    number = min(url_state.page_number("page"), _MOST_PAGES)
    found = run_queries.jobs(path, of_kind, in_state, number * _PER_PAGE + 1)
    shown = found[(number - 1) * _PER_PAGE : number * _PER_PAGE]
    if shown:
        ids = [str(job["id"]) for job in shown]
        rows = job_cards.table(shown)
        wide, widest = tables.text("name", width="medium"), tables.text("error", width="large")
        tables.show(
            rows,
            tables.columns_of(rows, name=wide, error=widest),
            key=selection_events.keyed("jobs", ids[0], len(ids)),
            values=ids,
            on_pick=lambda job: None if job is None else url_state.change(job=job),
        )
    elif of_kind or in_state or number > 1:
        html.remark("No job matches.")
    else:
        html.remark("No job yet: start one above or in a shell.")
    _pager(number, has_more=len(found) > number * _PER_PAGE)


def _pager(number: int, *, has_more: bool) -> None:
    if number == 1 and not has_more:
        return
    ways = (("Newer", number - 1, number > 1), ("Older", number + 1, has_more))
    with st.container(horizontal=True, gap="small"):
        for words, to, exists in ways:
            st.button(
                words,
                key=f"job_{words.lower()}",
                disabled=not exists,
                on_click=lambda to=to: url_state.change(page=str(to) if to > 1 else None),
            )


# One job


def _job(path: Path, job: dict[str, Any], options: JobOptions) -> None:
    """Draw one job; what changes is refreshed while it is queued or running."""
    back, icon = partial(url_state.change, job=None), ":material/arrow_back:"
    st.button("All jobs", key="job_all", icon=icon, type="tertiary", on_click=back)
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
    run_ids, training_ids = run_queries.work_of_job(path, job["id"])
    for run in run_ids:
        links.link("", f"Run {run} on Overview", "monitoring", run=str(run))
    for training in training_ids:
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
    job_actions.queue_here(job, options)
    live = run_queries.live_jobs(path)
    ids = [each["id"] for each in live if each["runs_here"] or each["state"] == "running"]
    if job["state"] == "queued" and job["runs_here"] and job_id in ids:  # not behind hundreds
        ahead = ids.index(job_id)
        words = f"{formats.count(ahead)} jobs ahead." if ahead > 1 else "1 job ahead."
        html.remark(words if ahead else "Next in queue.")
    job_cards.progress(job)
    job_actions.cancel(path, job, options)
    st.header("Log", anchor=False)
    job_log.draw(path, job)
