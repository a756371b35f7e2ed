"""Draw the buttons that act on a job, and its shell commands."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import streamlit as st

from dashboard.queries import run_queries
from dashboard.shell import html, url_state
from dashboard.views.jobs import form_defaults, form_fields, launcher
from dashboard.views.jobs.allowed_paths import JobOptions
from dashboard.views.jobs.job_cards import Job
from streetclip.config import RunQueueConfig
from streetclip.errors import StoreError, StreetClipError

_NEXT_LABELS: Final = {
    "make_demo": "Train on these images",
    "generate_captions": "Train on these captions",
    "train": "Evaluate this model",
}
_PROBLEM: Final = "job_action_problem"


def problem_of_last_click() -> None:
    """Draw why the last click failed, once."""
    problem = st.session_state.pop(_PROBLEM, "")
    if problem:
        html.notice("Not done", problem, css="sc-alert", role="alert")


def cancel(store_path: Path, job: Job, options: JobOptions) -> None:
    """Draw the button that cancels a queued or running job."""
    if not options.may_start or job["state"] not in {"queued", "running"}:
        return
    help_text = "The job has not started; nothing is lost."
    if job["state"] == "running":
        minutes = 2 * RunQueueConfig().grace_s / 60
        help_text = (
            "The job finishes its step, saves, and can be resumed. If it is still running after "
            f"{minutes:.0f} minutes, it is killed."
        )
    st.button(
        "Cancel",
        key=f"job_cancel_{job['id']}",
        disabled=job["cancel_requested_at"] is not None,
        help=help_text,
        on_click=lambda: _try(launcher.cancel, store_path, job, options),
    )


def after_the_end(store_path: Path, job: Job, options: JobOptions) -> None:
    """Draw what can follow a job that has ended: the next job, resume, run again."""
    if not options.may_start:
        return
    problem = ""
    if job["state"] in launcher.RESUMABLE:
        try:
            launcher.check_resumable(store_path, job, options)
        except StreetClipError as error:
            problem = str(error)
    with st.container(horizontal=True, gap="small"):
        following = form_defaults.next_kind(job)
        if following is not None:
            label = _NEXT_LABELS[job["kind"]]
            _form_button(label, "job_next", "primary", form=following, after=str(job["id"]))
        if job["state"] in launcher.RESUMABLE:
            st.button(
                "Resume",
                key="job_resume",
                type="primary",
                disabled=bool(problem),
                help="Continue where it stopped",
                on_click=lambda: _try(launcher.resume, store_path, job, options),
            )
        if job["kind"] in form_fields.FORMS:
            _again_button("Run again with changes", "job_again", job)
    if problem:
        html.notice("Cannot be resumed from here", problem, css="sc-alert")


def queue_here(job: Job, options: JobOptions) -> None:
    """Draw the button that queues a job from elsewhere with the form."""
    is_foreign = job["state"] == "queued" and not job["runs_here"]
    if is_foreign and options.may_start and job["kind"] in form_fields.FORMS:
        _again_button("Queue here with the form", f"job_here_{job['id']}", job)


def _again_button(label: str, key: str, job: Job) -> None:
    _form_button(label, key, "secondary", form=job["kind"], again=str(job["id"]))


def _form_button(label: str, key: str, kind: Any, **changes: str) -> None:
    leave: dict[str, Any] = {"job": None, **form_defaults.NO_ORIGIN}
    st.button(label, key=key, type=kind, on_click=lambda: url_state.change(**(leave | changes)))


def _try(
    act: Callable[[Path, int, JobOptions], None], store_path: Path, job: Job, options: JobOptions
) -> None:
    """Act on a job if the store was not replaced; keep the problem."""
    try:
        if run_queries.job(store_path, int(job["id"]))["created_at"] != job["created_at"]:
            msg = f"{store_path}: was replaced; its job {job['id']} is another. Reload the page."
            raise StoreError(msg)
        act(store_path, int(job["id"]), options)
    except StreetClipError as error:
        st.session_state[_PROBLEM] = str(error)


def commands(job: Job, options: JobOptions) -> None:
    """Draw the shell commands that resume a job and that started it."""
    if job["kind"] not in launcher.KINDS:
        return
    if job["state"] in launcher.RESUMABLE:
        html.remark("Resume it in a shell, under the same number:")
        command = launcher.shell_command(job, options.roots.base, launcher.arguments_to_resume(job))
        st.code(command, language=None, wrap_lines=True)
    html.remark("Started with:")
    st.code(launcher.shell_command(job, options.roots.base), language=None, wrap_lines=True)
