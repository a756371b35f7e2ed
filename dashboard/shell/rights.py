"""State what a visitor may do: look, annotate, run jobs.

The server decides it once for each connection (`dashboard.access`) and hands it to the pages as a
header, which it removes from what browsers send.
"""

import enum

import streamlit as st

from dashboard.shell import url_state
from streetclip.store import is_writable

HEADER = "x-streetclip-right"


class Right(enum.IntEnum):
    """What a visitor may do; each right includes those before."""

    LOOK = 0
    ANNOTATE = 1
    RUN_JOBS = 2


def right_of_visitor() -> Right:
    """Return the visitor's right; the lowest once the connection that had one is closed."""
    return Right(int(st.context.headers.get(HEADER, Right.LOOK)))


def may_annotate() -> bool:
    """Check whether the visitor may tag and judge images."""
    return right_of_visitor() >= Right.ANNOTATE


def is_store_read_only() -> bool:
    """Check whether the store exists and nobody may write it here."""
    path = url_state.store_path()
    return path.exists() and not is_writable(path)


def may_run_jobs() -> bool:
    """Check whether the visitor may start, stop and delete jobs."""
    return right_of_visitor() >= Right.RUN_JOBS
