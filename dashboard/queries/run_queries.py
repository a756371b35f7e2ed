"""Read runs, what the map draws of them, and jobs, with caches.

The key of an answer is what it depends on: the store's stamp for SQL, the run's random revision
for its columns. An answer that a job changed between the two readings is shown, but not kept.
"""

import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
import streamlit as st

from dashboard.queries.store_state import cached_by_stamp, kept_if, once, reader, stamp
from dashboard.shell.page_query import View
from streetclip import results, runtime, store
from streetclip.errors import StoreError, StreetClipError
from streetclip.results.filters import Selection

# What the answers depend on: the rest of a view must not make them be computed again. The columns
# and annotations are known by what was read of them, which may be newer than the view's keys.
BY_VIEW: dict[Any, Any] = {View: lambda view: repr((_of_columns(view), view.of_selection))}
WITH_BASELINE: dict[Any, Any] = {View: lambda view: repr((_of_both(view), view))}

_MOST_LIVE_JOBS = 500


def _of_columns(view: View) -> tuple[str, ...]:
    try:
        return table(view).revision, _annotated(view)[1]
    except StreetClipError:
        # Streamlit would wrap it here; the function whose key this is reads, and raises, the same.
        return (f"unread {time.time_ns()}",)


def _of_both(view: View) -> tuple[str, ...]:
    of_baseline = () if view.baseline_id is None else _of_columns(view.of_baseline())
    return *_of_columns(view), *of_baseline


# Runs


def list_runs(store_path: Path) -> list[dict[str, Any]]:
    """List all runs, newest first, as `store.list_runs` without correct predictions."""
    return _state(store_path)[0]


@cached_by_stamp(max_entries=4)
def runs_with_correct(store_path: Path) -> pd.DataFrame:
    """List all runs, newest first, as `store.list_runs`."""
    with reader(store_path) as opened:
        return store.list_runs(opened)


def annotations_key(store_path: Path) -> str:
    """Read a text that changes with each change of an annotation."""
    return _state(store_path)[1]


@once
@cached_by_stamp(max_entries=4)
def _state(store_path: Path) -> tuple[list[dict[str, Any]], str]:
    """Read what every page asks after each batch that a job writes, at once."""
    with reader(store_path) as opened, opened.snapshot():
        runs = store.list_runs(opened, with_correct=False)
        return records(runs), store.annotations_version(opened)


def records(rows: pd.DataFrame) -> list[dict[str, Any]]:
    """Turn rows into dictionaries by column, which are quicker to read one by one."""
    return [{str(name): each for name, each in row.items()} for row in rows.to_dict("records")]


def make_view(
    store_path: Path,
    run_id: int,
    baseline_id: int | None,
    selection: Selection,
    defaults: Selection,
) -> View:
    """Make the view of a page, with the keys of what it depends on."""
    known = {run["id"]: run for run in list_runs(store_path)}
    run: dict[str, Any] = {}
    for name, chosen in (("run", run_id), ("baseline", baseline_id)):
        if chosen is not None:
            run[f"{name}_uid"] = known[chosen]["uid"]
            run[f"{name}_key"] = known[chosen]["revision"]
    if selection.needs_annotations:
        run["annotations_key"] = annotations_key(store_path)
    return View(
        path=store_path,
        run_id=run_id,
        selection=selection,
        defaults=defaults,
        baseline_id=baseline_id,
        **run,
    )


@once
def details(view: View) -> dict[str, Any]:
    """Read what the run was made of, as `store.get_run`."""
    return kept_if(view.run_key, _run, *view.of_run, found=lambda run: run["revision"])


@st.cache_data(show_spinner=False, max_entries=16)
def _run(store_path: Path, run_id: int, run_uid: str, run_key: str) -> dict[str, Any]:  # noqa: ARG001
    with reader(store_path) as opened, opened.snapshot():
        store.run_revision(opened, run_id, run_uid)
        return store.get_run(opened, run_id)


# The columns of a run, and what is counted from them


@once
def table(view: View) -> results.RunTable:
    """Open the run's predictions as columns."""
    return kept_if(view.run_key, _table, *view.of_run, found=lambda run: run.revision)


@st.cache_resource(show_spinner=False, max_entries=3)
def _table(store_path: Path, run_id: int, run_uid: str, run_key: str) -> results.RunTable:
    run = _run(store_path, run_id, run_uid, run_key)
    dataset = _dataset(store_path, run["dataset_content"], int(run["dataset_id"]))
    return results.RunTable.open(store_path, run_id, dataset)


@st.cache_resource(show_spinner=False, max_entries=2)
def _dataset(store_path: Path, content: str, dataset_id: int) -> results.DatasetTable:
    opened = results.DatasetTable.open(store_path, dataset_id)
    if opened.content != content:
        msg = f"{store_path}: was replaced while it was being read. Reload the page."
        raise StoreError(msg)
    return opened


@once
@st.cache_resource(show_spinner=False, max_entries=12, hash_funcs=BY_VIEW)
def mask(view: View) -> npt.NDArray[np.bool_]:
    """Mask the images of the run's dataset that the filters leave, in the table's order."""
    chosen = results.select(table(view), view.selection, _annotated(view)[0])
    chosen.flags.writeable = False
    return chosen


@once
def _annotated(view: View) -> tuple[results.AnnotatedIds, str]:
    """Find the images with the tags and status of the filters, and the annotations' version."""
    chosen = view.selection
    if not chosen.needs_annotations:
        return results.AnnotatedIds(), ""
    key = (view.path, view.annotations_key, chosen.all_tags)
    return annotated_ids(*key, chosen.status is not None)


def annotated_ids(
    store_path: Path, annotations: str, tags: tuple[str, ...], with_status: bool
) -> tuple[results.AnnotatedIds, str]:
    """Find the images with some tags, with each status if asked, and the annotations' version."""
    key = (store_path, annotations, tags, with_status)
    return kept_if(annotations, _annotated_ids, *key, found=lambda answer: answer[1])


@st.cache_resource(show_spinner=False, max_entries=8)
def _annotated_ids(
    store_path: Path,
    annotations: str,  # noqa: ARG001 -- a part of the key
    tags: tuple[str, ...],
    with_status: bool,
) -> tuple[results.AnnotatedIds, str]:
    with reader(store_path) as opened, opened.snapshot():
        found = results.annotated_ids(opened, tags, with_status=with_status)
        return found, store.annotations_version(opened)


def num_selected(view: View) -> int:
    """Count the images that the filters leave."""
    if view.is_whole_run:
        return int(details(view)["num_done"])
    return int(np.count_nonzero(mask(view)))


@once
@st.cache_data(show_spinner=False, max_entries=64, hash_funcs=BY_VIEW)
def groups(view: View, by: str) -> pd.DataFrame:
    """Count by group, with median and most frequent mistake, as `results.group_counts`."""
    return results.group_counts(table(view), mask(view), by)


@once
@st.cache_data(show_spinner=False, max_entries=32, hash_funcs=BY_VIEW)
def pairs(view: View) -> pd.DataFrame:
    """Count by true and predicted country, as `results.country_pairs`."""
    return results.country_pairs(table(view), mask(view))


# What the map draws

AUTO, ARCS, POINTS, HEXAGONS, FLOWS = "auto", "arcs", "points", "hexagons", "flows"
LIMITS: Final[Mapping[str, int]] = {ARCS: 2_000, POINTS: 10_000}
"""The most images that are drawn one by one."""

_MOST_FLOWS: Final = 300
_WIDEST_DEG, _FINER_DEG = 4.0, ((80.0, 1.0), (25.0, 0.3))


class Hexagons(NamedTuple):
    """Images as `results.hexagon_counts`, and the width of the hexagons in degrees."""

    rows: pd.DataFrame
    size_deg: float


def form_of(wanted: str, total: int) -> str:
    """Choose arcs, points or flows by number of images, unless the URL does.

    Examples:
        >>> form_of("auto", 2000), form_of("auto", 2001), form_of("auto", 10_001)
        ('arcs', 'points', 'flows')
    """
    if wanted != AUTO:
        return wanted
    return next((layer for layer, most in LIMITS.items() if total <= most), FLOWS)


@once
@st.cache_data(show_spinner=False, max_entries=64, hash_funcs=BY_VIEW)
def num_error_arcs(view: View) -> int:
    """Count the images whose true and predicted place have coordinates."""
    return results.num_error_arcs(table(view), mask(view))


@st.cache_data(show_spinner=False, max_entries=16, hash_funcs=BY_VIEW)
def error_arcs(view: View, layer: str) -> pd.DataFrame:
    """List the images that a layer draws one by one, as `results.error_arcs`."""
    return results.error_arcs(table(view), mask(view), LIMITS[layer])


def error_arc(view: View, image_id: int) -> pd.DataFrame | None:
    """Read one image as `error_arcs`: no row without a place; None without a prediction."""
    run = table(view)
    chosen = (run.image_ids == image_id) & run.done
    return results.error_arcs(run, chosen, 1) if chosen.any() else None


@st.cache_data(show_spinner=False, max_entries=16, hash_funcs=BY_VIEW)
def flows(view: View) -> pd.DataFrame:
    """List the most frequent pairs of countries as `results.flows`."""
    return results.flows(table(view), mask(view), _MOST_FLOWS)


@st.cache_data(show_spinner=False, max_entries=16, hash_funcs=BY_VIEW)
def routes(view: View) -> pd.DataFrame:
    """List every pair of different countries as `results.frequent_mistakes`."""
    return results.frequent_mistakes(pairs(view))


@st.cache_data(show_spinner=False, max_entries=16, hash_funcs=BY_VIEW)
def hexagons(view: View, where: str) -> Hexagons:
    """Gather images into hexagons by place ("true" or "predicted"), finer where they are close."""
    gathered = partial(results.hexagon_counts, table(view), mask(view), where=where)
    size_deg = _WIDEST_DEG
    found = gathered(size_deg=size_deg)
    reach_deg = _reach_deg(found)
    finer = [size for narrower_than, size in _FINER_DEG if reach_deg < narrower_than]
    if finer:
        size_deg = finer[-1]
        found = gathered(size_deg=size_deg)
    return Hexagons(found, size_deg)


def _reach_deg(found: pd.DataFrame) -> float:
    """Measure the extent without the farthest twentieth of the images."""
    if found.empty:
        return _WIDEST_DEG
    reach = 0.0
    for axis in ("x", "y"):
        ordered = found.sort_values(axis)
        share = ordered["n"].cumsum() / ordered["n"].sum()
        inner = ordered.loc[(share > 0.025) & (share <= 0.975), axis]  # noqa: PLR2004
        reach = max(reach, float(np.ptp(inner)) if len(inner) else 0.0)
    return reach


@st.cache_data(show_spinner=False, max_entries=64, hash_funcs=BY_VIEW)
def in_hexagon(
    view: View, where: str, cell: int, size_deg: float, size: int
) -> tuple[tuple[int, ...], int]:
    """List the images of one of `hexagons` with the largest errors, and count all."""
    run = table(view)
    inside = results.images_in_hexagon(run, mask(view), cell, where=where, size_deg=size_deg)
    image_ids, total = results.page_of(run, inside, "farthest", 0, size)
    return tuple(image_ids.tolist()), total


# Jobs


def has_store(store_path: Path) -> bool:
    """Check whether the store exists; the first job makes one."""
    return stamp(store_path)[0][0] > 0


def live_jobs(store_path: Path) -> list[dict[str, Any]]:
    """List the running jobs, then the queued ones in the order of the queue."""

    def turn(job: dict[str, Any]) -> tuple[bool, str, int]:
        is_queued = job["state"] == "queued"
        return is_queued, str(job["updated_at" if is_queued else "started_at"]), job["id"]

    return sorted(jobs(store_path, (), ("queued", "running"), _MOST_LIVE_JOBS), key=turn)


@cached_by_stamp(max_entries=16)
def jobs(
    store_path: Path, kinds: tuple[str, ...], states: tuple[str, ...], limit: int
) -> list[dict[str, Any]]:
    """List jobs, newest first, as `runtime.list_jobs`; none where there is no store yet."""
    if not has_store(store_path):
        return []
    with reader(store_path) as opened:
        found = runtime.list_jobs(opened, kinds=kinds, states=states, limit=limit)
    return records(found)


@cached_by_stamp(max_entries=16)
def job(store_path: Path, job_id: int) -> dict[str, Any]:
    """Read one job, as `runtime.get_job`."""
    with reader(store_path) as opened:
        return runtime.get_job(opened, job_id)


def work_of_job(store_path: Path, job_id: int) -> tuple[list[int], list[int]]:
    """List the ids of a job's runs and trainings, oldest first."""
    with reader(store_path) as opened, opened.snapshot():
        return runtime.runs_of_job(opened, job_id), runtime.trainings_of_job(opened, job_id)
