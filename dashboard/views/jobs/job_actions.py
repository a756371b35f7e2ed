"""What can be done to a job: cancel it, resume it, run it again, go on with what it made."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import streamlit as st

from dashboard.queries import runs
from dashboard.shell import html, url_state
from dashboard.views.jobs import form_defaults, form_fields, launcher
from dashboard.views.jobs.allowed_paths import JobOptions
from dashboard.views.jobs.job_cards import Job
from streetclip.config import RunQueueConfig
from streetclip.errors import StoreError, StreetClipError

_PROBLEM: Final = "job_action_problem"


def said() -> None:
    """Draw what went wrong with the last click, once."""
    problem = st.session_state.pop(_PROBLEM, "")
    if problem:
        html.notice("Not done", problem, css="sc-alert", role="alert")


def cancel(store_path: Path, job: Job, options: JobOptions) -> None:
    """Draw the button that asks a job to end."""
    if not options.may_start or job["state"] not in {"queued", "running"}:
        return
    is_asked = job["cancel_requested_at"] is not None
    st.button(
        "Cancel",
        key=f"job_cancel_{job['id']}",
        disabled=is_asked,
        help=_cancel_help(job),
        on_click=lambda: _try(launcher.cancel, store_path, job, options),
    )


def _cancel_help(job: Job) -> str:
    if job["state"] == "queued":
        return "It has not begun; nothing is lost."
    minutes = 2 * RunQueueConfig().grace_s / 60
    return (
        "It finishes its step, saves, and can be resumed. If it does not end by itself, it is "
        f"ended by force after {minutes:.0f} minutes."
    )


def after_the_end(store_path: Path, job: Job, options: JobOptions) -> None:
    """Draw the ways on from a job that has ended: resume, run again, what comes next."""
    if not options.may_start:
        return
    problem = _resume_problem(job, options)
    with st.container(horizontal=True, gap="small"):
        following = form_defaults.next_kind(job)
        if following is not None:
            _go(
                "Train on these captions" if following == "train" else "Evaluate this model",
                "job_next",
                "primary",
                form=following,
                after=str(job["id"]),
            )
        if job["state"] in launcher.RESUMABLE:
            st.button(
                "Resume",
                key="job_resume",
                type="primary",
                disabled=bool(problem),
                help="Go on where it stopped",
                on_click=lambda: _try(launcher.resume, store_path, job, options),
            )
        if job["kind"] in form_fields.FORMS:
            _go(
                "Run again with changes",
                "job_again",
                "secondary",
                form=job["kind"],
                again=str(job["id"]),
            )
    if problem:
        html.notice("Cannot be resumed from here", problem, css="sc-alert")


def commands(job: Job, options: JobOptions) -> None:
    """Draw the exact commands that do the same in a shell, and that resume it."""
    if job["kind"] not in launcher.KINDS:
        return
    if job["state"] in launcher.RESUMABLE:
        html.remark("Resumes it in a shell, under this number:")
        _command(launcher.shell_command(job, options.roots.base, launcher.arguments_to_resume(job)))
    html.remark("What it was started with:")
    _command(launcher.shell_command(job, options.roots.base))


def _command(text: str) -> None:
    st.code(text, language=None, wrap_lines=True)


def _resume_problem(job: Job, options: JobOptions) -> str:
    if job["state"] not in launcher.RESUMABLE:
        return ""
    try:
        launcher.check_resumable(job, options)
    except StreetClipError as error:
        return str(error)
    return ""


def _go(label: str, key: str, kind: Any, **changes: str) -> None:
    """A button that leads to a form of this page."""
    leave: dict[str, Any] = {"job": None, "again": None, "after": None}
    st.button(label, key=key, type=kind, on_click=lambda: url_state.change(**(leave | changes)))


def _try(
    act: Callable[[Path, int, JobOptions], None], store_path: Path, job: Job, options: JobOptions
) -> None:
    """Act on a job, if it still is the one that was shown; remember what went wrong."""
    try:
        if runs.job(store_path, int(job["id"]))["created_at"] != job["created_at"]:
            msg = f"{store_path}: was replaced; its job {job['id']} is another. Reload the page."
            raise StoreError(msg)
        act(store_path, int(job["id"]), options)
    except StreetClipError as error:
        st.session_state[_PROBLEM] = str(error)
