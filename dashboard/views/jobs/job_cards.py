"""Jobs in words and figures: how one stands, how far it is, what it was, and many in a table."""

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import pandas as pd
import streamlit as st

from dashboard.shell import formats, html
from dashboard.views.jobs import form_fields

Job = Mapping[str, Any]

_LONGEST: Final = 1000  # characters of a text that are shown in full
_MOST_NUMBERS: Final = 12
_MOST_OUTPUTS: Final = 50


def kind_words(kind: str) -> str:
    """What a job does, as "Generate captions".

    Examples:
        >>> kind_words("train"), kind_words("build_outlines")
        ('Train', 'Build outlines')
    """
    words = form_fields.FORMS.get(kind, formats.plain(kind, 40).replace("_", " "))
    return words[:1].upper() + words[1:]


def title(job: Job) -> str:
    """A job in a few words, as "Job 3 · Train · demo"; holds untrusted text."""
    name = formats.isolated(job["name"], 80) if job["name"] else ""
    return " · ".join(filter(None, (f"Job {job['id']}", kind_words(job["kind"]), name)))


def state_words(job: Job) -> str:
    """How a job stands: its state, but for one that has yet to begin or is asked to end.

    Examples:
        >>> asked = {"state": "running", "cancel_requested_at": "2026-01-01", "heartbeat_at": "…"}
        >>> state_words(asked)
        'stopping…'
    """
    if job["state"] != "running":
        return str(job["state"])
    if job["cancel_requested_at"] is not None:
        return "stopping…"
    return "starting…" if job["heartbeat_at"] is None else "running"


def heading(job: Job) -> None:
    """Draw which job it is and how it stands, in a line that a screen reader is told of."""
    parts = [state_words(job)]
    if job["attempt"] > 1:
        parts.append(f"attempt {job['attempt']}")
    if job["started_at"] is not None:
        parts.append(f"started {formats.moment(job['started_at'])}")
    if job["state"] == "running":
        parts.append(f"process {job['pid']} on {formats.isolated(job['host'], 40)}")
    elif job["ended_at"] is not None and job["started_at"] is not None:
        parts.append(f"took {formats.duration(seconds(job))}")
    name = html.tag("strong", title(job))
    html.draw(html.tag("p", name, " · ", " · ".join(parts), css="sc-line", role="status"))


def seconds(job: Job) -> float | None:
    """How long the latest attempt has run, or ran; None if it has not begun."""
    began, ended = _time(job["started_at"]), _time(job["ended_at"])
    if began is None:
        return None
    if job["state"] == "running":
        ended = datetime.now(UTC)
    return None if ended is None else max(0.0, (ended - began).total_seconds())


def _time(text: object) -> datetime | None:
    try:
        found = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found


def seconds_left(job: Job) -> float | None:
    """How long the task will still take at the present rate; None where that is unknown."""
    if not job["rate"] or not job["rate"] > 0 or job["total"] < job["done"]:
        return None
    return float((job["total"] - job["done"]) / job["rate"])


def progress(job: Job) -> None:
    """Draw how far a job is: a bar with done, total, rate and time left, and its numbers."""
    if job["state"] == "queued":
        return
    if job["total"] <= 0:
        if job["state"] == "running":
            html.remark("It prepares: no progress has been reported yet.")
        return
    parts = [f"{formats.progress(job['done'], job['total'])} {formats.units(job['unit'])}"]
    if job["state"] == "running":
        left = seconds_left(job)
        if left is not None:
            parts.append(formats.rate(job["rate"], job["unit"]))
            parts.append(f"{formats.duration(left)} left")
    task = formats.plain(job["task"], 60)
    text = f"{task}: {' · '.join(parts)}" if task else " · ".join(parts)
    st.progress(min(1.0, max(0.0, job["done"] / job["total"])), formats.markdown(text, 200))
    numbers = " · ".join(_number(name, each) for name, each in _first_numbers(job["numbers"]))
    if numbers:
        html.remark(numbers)


def _first_numbers(numbers: object) -> list[tuple[str, Any]]:
    return list(numbers.items())[:_MOST_NUMBERS] if isinstance(numbers, dict) else []


def _number(name: str, value: object) -> str:
    known = isinstance(value, int | float) and math.isfinite(value)
    shown = f"{value:.4g}".replace("-", formats.MINUS) if known else formats.NONE
    return f"{formats.plain(name, 40)} {shown}"


def error(job: Job) -> None:
    """Draw why a job ended early, if it did."""
    if job["error"]:
        words = {"failed": "It failed", "interrupted": "It was interrupted"}
        html.notice(
            words.get(job["state"], "It ended early"),
            formats.plain(job["error"], _LONGEST),
            css="sc-alert",
            role="alert",
        )


def outputs(job: Job) -> None:
    """Draw what a job has written."""
    paths = [formats.plain(path, 400) for path in job["outputs"]]
    folder = formats.plain(job["output_dir"], 400)
    shown = paths[:_MOST_OUTPUTS]
    if len(paths) > _MOST_OUTPUTS:
        shown.append(f"and {formats.count(len(paths) - _MOST_OUTPUTS)} more")
    html.definitions(
        [
            ("Output folder", folder or formats.NONE),
            ("Written", "\n".join(shown) or "nothing is recorded yet"),
        ]
    )


def facts(job: Job) -> None:
    """Draw when, where and how often a job ran."""
    html.definitions(
        [
            ("Queued", formats.moment(job["created_at"])),
            ("Started", formats.moment(job["started_at"])),
            ("Last sign of life", formats.moment(job["heartbeat_at"])),
            ("Ended", formats.moment(job["ended_at"])),
            ("Attempts", formats.count(job["attempt"])),
            ("Process", _process(job)),
            ("Working folder", formats.plain(job["cwd"], 400)),
        ]
    )


def _process(job: Job) -> str:
    if job["host"] is None or pd.isna(job["pid"]):
        return formats.NONE
    return f"{job['pid']} on {formats.plain(job['host'], 80)}"


def parameters(job: Job) -> None:
    """Draw a job's settings as JSON, to be copied."""
    st.code(formats.json_text(job["parameters"]), language=None, wrap_lines=True)


def table(jobs: Sequence[Job]) -> pd.DataFrame:
    """Jobs as the rows of a table, in their order."""
    return pd.DataFrame(
        {
            "job": [job["id"] for job in jobs],
            "kind": [kind_words(job["kind"]) for job in jobs],
            "name": [formats.plain(job["name"], 80) for job in jobs],
            "state": [state_words(job) for job in jobs],
            "attempt": [job["attempt"] for job in jobs],
            "started": [formats.moment(job["started_at"]) for job in jobs],
            "duration": [formats.duration(seconds(job)) for job in jobs],
            "error": [formats.plain(job["error"] or "", 300) for job in jobs],
        }
    )
