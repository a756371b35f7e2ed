"""Every cached read of the store: the only door from the views to the library.

A cached answer is keyed by the store's path and its stamp, so that what a job has just written is
seen at the next rerun, and nothing is read twice in between.
"""

from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st

from dashboard.report import Report, report_of_metrics, report_of_totals
from streetclip.store import (
    distance_curve,
    get_run,
    list_runs,
    open_store,
    place_accuracy,
    run_totals,
)

Stamp = tuple[tuple[int, int], ...]
_BUSY_S = 5.0  # a page must not hang where a job would wait


def stamp(store_path: Path) -> Stamp:
    """Size and time of the store and its write-ahead log: changes whenever a job commits.

    Examples:
        >>> stamp(Path("no such file"))
        ((0, 0), (0, 0))
    """
    return _file_stamp(store_path), _file_stamp(store_path.with_name(f"{store_path.name}-wal"))


def _file_stamp(path: Path) -> tuple[int, int]:
    try:
        status = path.stat()
    except OSError:  # opening it says what is wrong
        return 0, 0
    return status.st_mtime_ns, status.st_size


def runs(store_path: Path) -> pd.DataFrame:
    """All runs, newest first, as `store.list_runs` gives them.

    Raises:
        StoreError: The store is missing, newer, or not a store.
        ResourceError: The disk fails, or a job keeps the store locked.
    """
    return _runs(store_path, stamp(store_path))


@st.cache_data(show_spinner=False, max_entries=4)
def _runs(store_path: Path, seen: Stamp) -> pd.DataFrame:  # noqa: ARG001 -- a part of the key
    with open_store(store_path, read_only=True, busy_timeout_s=_BUSY_S) as store:
        return list_runs(store)


def run(store_path: Path, run_id: int) -> tuple[dict[str, Any], Report]:
    """One run with what it was made of, and its figures.

    Raises:
        StoreError: The run or the store is gone.
        ResourceError: The disk fails, or a job keeps the store locked.
    """
    return _run(store_path, stamp(store_path), run_id)


@st.cache_data(show_spinner=False, max_entries=16)
def _run(
    store_path: Path,
    seen: Stamp,  # noqa: ARG001 -- a part of the key
    run_id: int,
) -> tuple[dict[str, Any], Report]:
    with open_store(store_path, read_only=True, busy_timeout_s=_BUSY_S) as store, store.snapshot():
        details = get_run(store, run_id)
        continents = place_accuracy(store, run_id, "continent")
        curve = distance_curve(store, run_id)
        if details["metrics"] is not None:
            return details, report_of_metrics(details["metrics"], continents, curve)
        countries = place_accuracy(store, run_id, "country")
        return details, report_of_totals(run_totals(store, run_id), countries, continents, curve)
