"""Running and queued jobs, refreshed while there are any."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Final

import streamlit as st

from dashboard.queries import run_queries
from dashboard.shell import html, url_state
from dashboard.views.jobs import job_actions, job_cards, job_log, launcher
from dashboard.views.jobs.allowed_paths import JobOptions
from streetclip.errors import StreetClipError
from streetclip.store import explained

_POLL_S: Final = 2.0


def watch(path: Path, options: JobOptions, draw: Callable[[], None]) -> None:
    """Draw a part every two seconds while jobs run; rerun the page on changes."""

    def states() -> list[tuple[Any, ...]]:
        return [(job["id"], job["state"], job["attempt"]) for job in run_queries.live_jobs(path)]

    seen = states()

    @st.fragment(run_every=_POLL_S if seen else None)
    def part() -> None:
        try:
            with explained(path):
                launcher.mark_dead_jobs(path)
                if states() != seen:
                    st.rerun()
                problem = launcher.ensure_runner(path, options)
                job_actions.problem_of_last_click()
                draw()
        except StreetClipError as error:
            problem = str(error)
        if problem:
            html.notice("Queue stopped", problem, css="sc-alert", role="alert")

    part()


def draw(path: Path, options: JobOptions) -> None:
    """Draw the running jobs, then the queued ones."""
    live = run_queries.live_jobs(path)
    queued = [job for job in live if job["state"] == "queued"]
    st.header("Now", anchor=False)
    if not live:
        html.remark("No jobs running or queued.")
    for job in live:
        if job["state"] == "running":
            with st.container(border=True, key=f"job_now_{job['id']}"):
                job_cards.heading(job)
                job_cards.progress(job)
                with st.container(horizontal=True, gap="small"):
                    job_actions.cancel(path, job, options)
                    _open_button(job)
                job_log.draw(path, job, is_short=True)
    if queued:
        st.header("Queue", anchor=False)
        for job in queued:
            with st.container(horizontal=True, vertical_alignment="center", gap="small"):
                job_cards.heading(job)
                job_actions.queue_here(job, options)
                job_actions.cancel(path, job, options)
                _open_button(job)


def _open_button(job: dict[str, Any]) -> None:
    number, text = str(job["id"]), "Settings, command and log"
    show = partial(url_state.change, job=number)
    st.button("Open", key=f"job_open_{number}", help=text, on_click=show)
