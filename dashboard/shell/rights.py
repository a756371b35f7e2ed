"""State what a visitor may do: look, annotate, run jobs.

The server decides it once for each connection (`dashboard.access`) and hands it to the pages as a
header, which it removes from what browsers send.
"""

import enum

import streamlit as st

HEADER = "x-streetclip-right"


class Right(enum.IntEnum):
    """What a visitor may do; each right includes those before."""

    LOOK = 0
    ANNOTATE = 1
    RUN_JOBS = 2


def right_of_visitor() -> Right:
    """Return the visitor's right; the highest where no server stands between (tests)."""
    text = st.context.headers.get(HEADER)
    return Right.RUN_JOBS if text is None else Right(int(text))


def may_annotate() -> bool:
    """Check whether the visitor may tag and judge images."""
    return right_of_visitor() >= Right.ANNOTATE


def may_run_jobs() -> bool:
    """Check whether the visitor may start, stop and delete jobs."""
    return right_of_visitor() >= Right.RUN_JOBS
