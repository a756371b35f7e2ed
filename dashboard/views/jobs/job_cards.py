"""Jobs as text: heading, progress, error, outputs, record, and a table of many."""

import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import pandas as pd
import streamlit as st

from dashboard.shell import formats, html
from dashboard.views.jobs import form_fields

Job = Mapping[str, Any]

_MOST_NUMBERS: Final = 12
_MOST_OUTPUTS: Final = 50


def kind_words(kind: str) -> str:
    """Name a kind of job, as "Generate captions"."""
    words = form_fields.FORMS.get(kind, formats.plain(kind, 40).replace("_", " "))
    return words[:1].upper() + words[1:]


def state_words(job: Job) -> str:
    """Name the state of a job; "starting…" or "stopping…" in between."""
    if job["state"] == "queued" and not job["runs_here"]:
        return "queued elsewhere, not run here"
    if job["state"] != "running":
        return str(job["state"])
    if job["cancel_requested_at"] is not None:
        return "stopping…"
    return "starting…" if job["heartbeat_at"] is None else "running"


def heading(job: Job) -> None:
    """Draw a job's name and state in a line that screen readers announce."""
    name = formats.isolated(job["name"], 80) if job["name"] else ""
    title = " · ".join(filter(None, (f"Job {job['id']}", kind_words(job["kind"]), name)))
    parts = [state_words(job)]
    if job["attempt"] > 1:
        parts.append(f"attempt {job['attempt']}")
    if job["started_at"] is not None:
        parts.append(f"started {formats.moment(job['started_at'])}")
    if job["state"] == "running":
        parts.append(f"process {job['pid']} on {formats.isolated(job['host'], 40)}")
    elif job["ended_at"] is not None and job["started_at"] is not None:
        parts.append(f"took {formats.duration(_seconds(job))}")
    line = html.tag("strong", title), " · ", " · ".join(parts)
    html.draw(html.tag("p", *line, css="sc-line", role="status"))


def _seconds(job: Job) -> float | None:
    began, ended = _time(job["started_at"]), _time(job["ended_at"])
    if job["state"] == "running":
        ended = datetime.now(UTC)
    return None if began is None or ended is None else max(0.0, (ended - began).total_seconds())


def _time(text: object) -> datetime | None:
    try:
        found = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found


def progress(job: Job) -> None:
    """Draw a bar with done, total, rate and time left, and its numbers."""
    done, total, rate = job["done"], job["total"], job["rate"]
    if job["state"] == "queued":
        return
    if total <= 0:
        if job["state"] == "running":
            html.remark("Preparing…")
        return
    task = formats.plain(job["task"], 60)
    text = f"{task}: " if task else ""
    text += f"{formats.progress(done, total)} {formats.units(job['unit'])}"
    if job["state"] == "running" and rate and rate > 0 and total >= done:
        left = formats.duration((total - done) / rate)
        text += f" · {formats.rate(rate, job['unit'])} · {left} left"
    st.progress(min(1.0, max(0.0, done / total)), formats.markdown(text, 200))
    numbers = job["numbers"] if isinstance(job["numbers"], dict) else {}
    parts = [_number(name, value) for name, value in list(numbers.items())[:_MOST_NUMBERS]]
    if parts:
        html.remark(" · ".join(parts))


def _number(name: str, value: object) -> str:
    is_known = isinstance(value, int | float) and abs(value) <= sys.float_info.max
    shown = f"{value:.4g}".replace("-", formats.MINUS) if is_known else formats.NONE
    return f"{formats.plain(name, 40)} {shown}"


def error(job: Job) -> None:
    """Draw why a job ended early, if it did."""
    if job["error"]:
        title = {"failed": "Failed", "interrupted": "Interrupted"}.get(job["state"], "Ended early")
        text = formats.plain(job["error"], formats.LONGEST)
        html.notice(title, text, css="sc-alert", role="alert")


def outputs(job: Job) -> None:
    """Draw which files a job has written."""
    shown = list(job["outputs"][:_MOST_OUTPUTS])
    num_more = len(job["outputs"]) - len(shown)
    if num_more > 0:
        shown.append(f"and {formats.count(num_more)} more")
    html.definitions(
        ("Output folder", job["output_dir"]),
        ("Written", shown or "No files recorded yet."),
    )


def facts(job: Job) -> None:
    """Draw the record of a job: its times, attempts and process."""
    process = None
    if job["host"] is not None and not pd.isna(job["pid"]):
        process = f"{job['pid']} on {job['host']}"
    html.definitions(
        ("Queued", formats.moment(job["created_at"])),
        ("Started", formats.moment(job["started_at"])),
        ("Last heartbeat", formats.moment(job["heartbeat_at"])),
        ("Ended", formats.moment(job["ended_at"])),
        ("Attempts", formats.count(job["attempt"])),
        ("Process", process),
        ("Working folder", job["cwd"]),
    )


def table(jobs: Sequence[Job]) -> pd.DataFrame:
    """Make a table of jobs, one row each."""
    return pd.DataFrame(
        {
            "job": [job["id"] for job in jobs],
            "kind": [kind_words(job["kind"]) for job in jobs],
            "name": [formats.plain(job["name"], 80) for job in jobs],
            "state": [state_words(job) for job in jobs],
            "attempt": [job["attempt"] for job in jobs],
            "started": [formats.moment(job["started_at"]) for job in jobs],
            "duration": [formats.duration(_seconds(job)) for job in jobs],
            "error": [formats.plain(job["error"] or "", 300) for job in jobs],
        }
    )
