"""What runs and what waits: drawn again every two seconds, as long as anything does."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import streamlit as st

from dashboard.queries import runs
from dashboard.shell import html, url_state
from dashboard.views.jobs import job_actions, job_cards, job_log, launcher, mark_dead_jobs
from dashboard.views.jobs.allowed_paths import JobOptions
from streetclip.errors import StreetClipError

_POLL_S: Final = 2.0


def watch(path: Path, options: JobOptions, draw: Callable[[], None]) -> None:
    """Draw what changes while jobs run; look again every two seconds as long as any does.

    When one begins or ends, the whole page is drawn again.

    Args:
        path: The store.
        options: Whether a runner may be started for what is queued.
        draw: Draws the part.
    """
    seen = _standing(path)

    @st.fragment(run_every=_POLL_S if seen else None)
    def part() -> None:
        try:
            mark_dead_jobs.heal(path)
            if _standing(path) != seen:
                st.rerun()
            problem = launcher.see_to_runner(path, options)
            job_actions.said()
            draw()
        except StreetClipError as error:
            problem = str(error)
        if problem:
            html.notice("The queue", problem, css="sc-alert", role="alert")

    part()


def _standing(path: Path) -> list[tuple[Any, ...]]:
    """What the page beside the live part depends on."""
    return [(job["id"], job["state"], job["attempt"]) for job in runs.live_jobs(path)]


def now(path: Path, options: JobOptions) -> None:
    """Draw the jobs that run, then those that wait.

    Args:
        path: The store.
        options: Whether they may be cancelled here.
    """
    live = runs.live_jobs(path)
    queued = [job for job in live if job["state"] == "queued"]
    st.header("Now", anchor=False)
    if not live:
        html.remark("Nothing runs, and nothing is queued.")
    for job in live:
        if job["state"] == "running":
            with st.container(border=True, key=f"job_now_{job['id']}"):
                _running(path, job, options)
    if queued:
        st.header("Queue", anchor=False)
        for job in queued:
            with st.container(horizontal=True, vertical_alignment="center", gap="small"):
                job_cards.heading(job)
                job_actions.cancel(path, job, options)
                _open_button(job)


def _running(path: Path, job: dict[str, Any], options: JobOptions) -> None:
    job_cards.heading(job)
    job_cards.progress(job)
    with st.container(horizontal=True, gap="small"):
        job_actions.cancel(path, job, options)
        _open_button(job)
    job_log.draw(path, job, is_short=True)


def _open_button(job: dict[str, Any]) -> None:
    number = str(job["id"])
    st.button(
        "Open",
        key=f"job_open_{number}",
        help="Its settings, its command and the whole end of its log",
        on_click=lambda: url_state.change(job=number),
    )
