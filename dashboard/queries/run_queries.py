"""Read runs and jobs with caches: the only way from the views to the library.

The key of an answer is what it depends on: the store's stamp for SQL, the run's random revision
for its columns. An answer that a job changed between the two readings is shown, but not kept.
"""

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import streamlit as st

from dashboard.queries.report import Against, Report, against_of, report_of
from dashboard.queries.store_state import cached_by_stamp, kept_if, reader, stamp
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
    if view.baseline_id is None:
        return _of_columns(view)
    return *_of_columns(view), *_of_columns(view.of_baseline())


# Runs


@cached_by_stamp(max_entries=4)
def list_runs(store_path: Path) -> pd.DataFrame:
    """List all runs, newest first, as `store.list_runs`."""
    with reader(store_path) as opened:
        return store.list_runs(opened)


def make_view(
    store_path: Path,
    run_id: int,
    baseline_id: int | None,
    selection: Selection,
    defaults: Selection,
) -> View:
    """Make the view of a page, with the keys of what it depends on."""
    keys: Any = list_runs(store_path).set_index("id")[["uid", "revision"]].loc
    run_uid, run_key = keys[run_id]
    baseline_uid, baseline_key = ("", "") if baseline_id is None else keys[baseline_id]
    depends = bool(selection.tags) or selection.status is not None
    return View(
        path=store_path,
        run_id=run_id,
        run_uid=run_uid,
        run_key=run_key,
        selection=selection,
        defaults=defaults,
        baseline_id=baseline_id,
        baseline_uid=baseline_uid,
        baseline_key=baseline_key,
        annotations_key=annotations_key(store_path) if depends else "",
    )


@cached_by_stamp(max_entries=4)
def annotations_key(store_path: Path) -> str:
    """Read a text that changes with each change of an annotation."""
    with reader(store_path) as opened:
        return store.annotations_version(opened)


def details(view: View) -> dict[str, Any]:
    """Read what the run was made of, as `store.get_run`."""
    return _run(view.path, view.run_id)


@cached_by_stamp(max_entries=16)
def _run(store_path: Path, run_id: int) -> dict[str, Any]:
    with reader(store_path) as opened:
        return store.get_run(opened, run_id)


@st.cache_data(show_spinner=False, max_entries=32, hash_funcs=BY_VIEW)
def report(view: View) -> Report:
    """Compute the figures of the selected images."""
    opened, chosen, counted = table(view), mask(view), groups(view, "country")
    return report_of(
        results.run_figures(opened, chosen, counted),
        counted,
        results.distance_counts(opened, chosen),
    )


# The columns of a run, and what is counted from them


def table(view: View) -> results.RunTable:
    """Open the run's predictions as columns."""
    key = (view.path, view.run_id, view.run_uid, view.run_key)
    found: results.RunTable = kept_if(view.run_key, _table, *key, found=lambda of: of.revision)
    return found


@st.cache_resource(show_spinner=False, max_entries=3)
def _table(store_path: Path, run_id: int, run_uid: str, run_key: str) -> results.RunTable:  # noqa: ARG001
    with reader(store_path) as opened, opened.snapshot():
        store.run_revision(opened, run_id, run_uid)
        run = store.get_run(opened, run_id)
    dataset = _dataset(store_path, run["dataset_content"], int(run["dataset_id"]))
    return results.RunTable.open(store_path, run_id, dataset)


@st.cache_resource(show_spinner=False, max_entries=2)
def _dataset(store_path: Path, content: str, dataset_id: int) -> results.DatasetTable:
    opened = results.DatasetTable.open(store_path, dataset_id)
    if opened.content != content:
        msg = f"{store_path}: was replaced while it was being read. Reload the page."
        raise StoreError(msg)
    return opened


@st.cache_resource(show_spinner=False, max_entries=4, hash_funcs=BY_VIEW)
def mask(view: View) -> npt.NDArray[np.bool_]:
    """Mask the images of the run's dataset that the filters leave, in the table's order."""
    chosen = results.select(table(view), view.selection, _annotated(view)[0])
    chosen.flags.writeable = False
    return chosen


def _annotated(view: View) -> tuple[results.AnnotatedIds, str]:
    """Find the images with the tags and status of the filters, and the annotations' version."""
    chosen = view.selection
    if not chosen.tags and chosen.status is None:
        return results.AnnotatedIds(), ""
    key = (view.path, view.annotations_key, chosen.tags, chosen.status is not None)
    found: tuple[results.AnnotatedIds, str] = kept_if(
        view.annotations_key, _annotated_ids, *key, found=lambda answer: answer[1]
    )
    return found


@st.cache_resource(show_spinner=False, max_entries=8)
def _annotated_ids(
    store_path: Path,
    annotations: str,  # noqa: ARG001 -- a part of the key
    tags: tuple[str, ...],
    with_status: bool,
) -> tuple[results.AnnotatedIds, str]:
    statuses = [each for each in store.STATUSES if with_status and each != "open"]
    with reader(store_path) as opened, opened.snapshot():
        found = results.AnnotatedIds(
            by_tag={tag: store.tagged_image_ids(opened, tag) for tag in tags},
            by_status={each: store.status_image_ids(opened, each) for each in statuses},
        )
        return found, store.annotations_version(opened)


def num_selected(view: View) -> int:
    """Count the images that the filters leave."""
    if view.is_whole_run:
        return int(details(view)["num_done"])
    return int(np.count_nonzero(mask(view)))


@st.cache_data(show_spinner=False, max_entries=64, hash_funcs=BY_VIEW)
def groups(view: View, by: str) -> pd.DataFrame:
    """Count by group, with median and most frequent mistake, as `results.group_counts`."""
    return results.group_counts(table(view), mask(view), by)


@st.cache_data(show_spinner=False, max_entries=32, hash_funcs=BY_VIEW)
def pairs(view: View) -> pd.DataFrame:
    """Count by true and predicted country, as `results.country_pairs`."""
    return results.country_pairs(table(view), mask(view))


@st.cache_data(show_spinner=False, max_entries=16, hash_funcs=WITH_BASELINE)
def against(view: View) -> Against:
    """Compare the run with its baseline over the selected images that both have."""
    run, baseline, chosen = table(view), table(view.of_baseline()), mask(view)
    theirs = results.common_masks(run, baseline, chosen)[1]
    return against_of(
        num_selected(view),
        {
            "city": results.compare(run, baseline, chosen, "city"),
            "hierarchical": results.compare_hierarchical(run, baseline, chosen),
            "geoscore": results.compare_geoscore(run, baseline, chosen),
        },
        results.median_distance(baseline, theirs),
        {
            by: results.compare_by(run, baseline, chosen, "country", by)
            for by in ("country_code", "continent")
        },
        results.distance_counts(baseline, theirs),
    )


# What the filter bar offers


def countries(view: View) -> pd.DataFrame:
    """List the true countries of the run, as `groups` counts them."""
    return groups(replace(view, selection=Selection()), "country")


def predicted_countries(view: View) -> list[str]:
    """List the ISO codes that the run predicts; "" where it predicts nothing."""
    return list(groups(replace(view, selection=Selection()), "predicted")["predicted"])


def regions_and_cities(view: View) -> tuple[list[str], list[str]]:
    """List the regions of the chosen true country, and the cities of the chosen place."""
    places = table(view).places
    places = places[places["country"] == view.selection.country]
    regions = sorted(places["region"].unique())
    if view.selection.region is not None:
        places = places[places["region"] == view.selection.region]
    return regions, sorted(places["city"].unique())


def attribute_names(view: View) -> dict[str, tuple[str, ...]]:
    """List the attributes that can be filtered by, with their values."""
    return _attribute_names(view.path, int(details(view)["dataset_id"]))


@cached_by_stamp(max_entries=16)
def _attribute_names(store_path: Path, dataset_id: int) -> dict[str, tuple[str, ...]]:
    with reader(store_path) as opened:
        return store.attribute_names(opened, dataset_id)


@cached_by_stamp(max_entries=4)
def tags(store_path: Path) -> list[str]:
    """List every tag in use."""
    with reader(store_path) as opened:
        return list(store.tag_counts(opened)["tag"])


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
    return [{str(name): each for name, each in row.items()} for row in found.to_dict("records")]


@cached_by_stamp(max_entries=16)
def job(store_path: Path, job_id: int) -> dict[str, Any]:
    """Read one job, as `runtime.get_job`."""
    with reader(store_path) as opened:
        return runtime.get_job(opened, job_id)


def work_of_job(store_path: Path, job_id: int) -> tuple[list[int], list[int]]:
    """List the ids of a job's runs and trainings, oldest first."""
    with reader(store_path) as opened, opened.snapshot():
        return runtime.runs_of_job(opened, job_id), runtime.trainings_of_job(opened, job_id)
