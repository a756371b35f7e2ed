"""Every cached read of the store: the only door from the views to the library.

A cached answer is keyed by what it depends on: the store's stamp for what SQL reads, the random
revision of the run for what its columns say. So what a job has just written, and a store that was
overwritten, is seen at the next rerun, and nothing is read twice in between. A job may write
between the reading of a key and of the answer: such an answer is shown, but not kept.
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
from dashboard.queries.store_state import Stamp, kept_if, reader, revision_of, stamp
from dashboard.queries.store_state import run_reader  # noqa: F401 -- for `dashboard.images`
from dashboard.shell.page_query import View
from streetclip import results, runtime, store
from streetclip.errors import StoreError, StreetClipError
from streetclip.results.filters import Selection

# What the answers depend on: the rest of a view must not make them be counted anew. The columns
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


def runs(store_path: Path) -> pd.DataFrame:
    """All runs, newest first, as `store.list_runs` gives them."""
    return _runs(store_path, stamp(store_path))


@st.cache_data(show_spinner=False, max_entries=4)
def _runs(store_path: Path, seen: Stamp) -> pd.DataFrame:  # noqa: ARG001 -- a part of the key
    with reader(store_path) as opened:
        return store.list_runs(opened)


def view(
    store_path: Path,
    run_id: int,
    baseline_id: int | None,
    selection: Selection,
    defaults: Selection,
) -> View:
    """What a page shows, with the keys of what it depends on."""
    keys = runs(store_path).set_index("id")[["uid", "revision"]]
    run_uid, run_key = keys.loc[run_id]
    baseline_uid, baseline_key = ("", "") if baseline_id is None else keys.loc[baseline_id]
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


def annotations_key(store_path: Path) -> str:
    """Another text after each change of an annotation."""
    return _annotations_version(store_path, stamp(store_path))


@st.cache_data(show_spinner=False, max_entries=4)
def _annotations_version(store_path: Path, seen: Stamp) -> str:  # noqa: ARG001 -- a part of the key
    with reader(store_path) as opened:
        return store.annotations_version(opened)


def details(view: View) -> dict[str, Any]:
    """What the run was made of, as `store.get_run` gives it."""
    return _details(view.path, stamp(view.path), view.run_id)


@st.cache_data(show_spinner=False, max_entries=16)
def _details(store_path: Path, seen: Stamp, run_id: int) -> dict[str, Any]:  # noqa: ARG001
    with reader(store_path) as opened:
        return store.get_run(opened, run_id)


@st.cache_data(show_spinner=False, max_entries=32, hash_funcs=BY_VIEW)
def report(view: View) -> Report:
    """The figures of the images that the filters leave of the run."""
    opened, chosen, counted = table(view), mask(view), groups(view, "country")
    return report_of(
        results.run_figures(opened, chosen, counted),
        counted,
        results.distance_counts(opened, chosen),
    )


# The columns of a run, and what is counted from them


def table(view: View) -> results.RunTable:
    """The run's predictions as columns."""
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
    """What the runs over one dataset share: in memory once, however many of them are open."""
    opened = results.DatasetTable.open(store_path, dataset_id)
    if opened.content != content:
        msg = f"{store_path}: was replaced while it was being read. Reload the page."
        raise StoreError(msg)
    return opened


@st.cache_resource(show_spinner=False, max_entries=4, hash_funcs=BY_VIEW)
def mask(view: View) -> npt.NDArray[np.bool_]:
    """Which images of the run's dataset the filters leave, in the order of the table."""
    chosen = results.select(table(view), view.selection, _annotated(view)[0])
    chosen.flags.writeable = False
    return chosen


def _annotated(view: View) -> tuple[results.AnnotatedIds, str]:
    """The images that have the tags and the status that the filters ask for."""
    chosen = view.selection
    if not chosen.tags and chosen.status is None:
        return results.AnnotatedIds(), ""
    key = (view.path, view.annotations_key, chosen.tags, chosen.status is not None)
    found: tuple[results.AnnotatedIds, str]
    found = kept_if(view.annotations_key, _annotated_ids, *key, found=revision_of)
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
    """How many images of the run the filters leave."""
    if view.is_whole_run:
        return int(details(view)["num_done"])
    return int(np.count_nonzero(mask(view)))


@st.cache_data(show_spinner=False, max_entries=64, hash_funcs=BY_VIEW)
def groups(view: View, by: str) -> pd.DataFrame:
    """Counters, median and most frequent mistake by group, as `results.group_accuracy`."""
    return results.group_accuracy(table(view), mask(view), by)


@st.cache_data(show_spinner=False, max_entries=32, hash_funcs=BY_VIEW)
def pairs(view: View) -> pd.DataFrame:
    """Counters by true and predicted country, as `results.country_pairs`."""
    return results.country_pairs(table(view), mask(view))


# What the filter bar offers


def countries(view: View) -> pd.DataFrame:
    """The true countries of the run: continent and country (ISO code)."""
    return groups(replace(view, selection=Selection()), "country")[["continent", "country"]]


def predicted_countries(view: View) -> list[str]:
    """ISO codes of the countries that the run predicts; "" where it predicts nothing."""
    return list(groups(replace(view, selection=Selection()), "predicted")["predicted"])


def regions_and_cities(view: View) -> tuple[list[str], list[str]]:
    """Regions of the chosen true country, and cities of the chosen region or country."""
    places = table(view).places
    chosen = view.selection
    places = places[places["country"] == chosen.country]
    regions = sorted(places["region"].unique())
    if chosen.region is not None:
        places = places[places["region"] == chosen.region]
    return regions, sorted(places["city"].unique())


def attribute_names(view: View) -> dict[str, tuple[str, ...]]:
    """The attributes that can be filtered by, with their values."""
    return _attribute_names(view.path, stamp(view.path), int(details(view)["dataset_id"]))


@st.cache_data(show_spinner=False, max_entries=16)
def _attribute_names(
    store_path: Path,
    seen: Stamp,  # noqa: ARG001 -- a part of the key
    dataset_id: int,
) -> dict[str, tuple[str, ...]]:
    with reader(store_path) as opened:
        return store.attribute_names(opened, dataset_id)


def tags(view: View) -> list[str]:
    """Every tag in use."""
    return _tags(view.path, stamp(view.path))


@st.cache_data(show_spinner=False, max_entries=4)
def _tags(store_path: Path, seen: Stamp) -> list[str]:  # noqa: ARG001 -- a part of the key
    with reader(store_path) as opened:
        return list(store.tag_counts(opened)["tag"])


# Overview: beside the baseline


@st.cache_data(show_spinner=False, max_entries=16, hash_funcs=WITH_BASELINE)
def against(view: View) -> Against:
    """The run beside its baseline, over the images of the view that both have.

    Raises:
        ValueError: There is no baseline.
    """
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


# Jobs


def has_store(store_path: Path) -> bool:
    """Whether a store is there to be read; the first job makes one."""
    return stamp(store_path)[0][0] > 0


def live_jobs(store_path: Path) -> list[dict[str, Any]]:
    """The jobs that are queued or running, in the order in which they were queued."""
    found = jobs(store_path, (), ("queued", "running"), _MOST_LIVE_JOBS)
    return sorted(found, key=_turn)


def _turn(job: dict[str, Any]) -> tuple[bool, str, int]:
    is_queued = job["state"] == "queued"
    return is_queued, str(job["updated_at" if is_queued else "started_at"]), job["id"]


def jobs(
    store_path: Path, kinds: tuple[str, ...], states: tuple[str, ...], limit: int
) -> list[dict[str, Any]]:
    """Jobs, newest first, as `store.list_jobs`; none where there is no store yet."""
    return _jobs(store_path, stamp(store_path), kinds, states, limit)


@st.cache_data(show_spinner=False, max_entries=16)
def _jobs(
    store_path: Path,
    seen: Stamp,  # noqa: ARG001 -- a part of the key
    kinds: tuple[str, ...],
    states: tuple[str, ...],
    limit: int,
) -> list[dict[str, Any]]:
    if not has_store(store_path):
        return []
    with reader(store_path) as opened:
        found = runtime.list_jobs(opened, kinds=kinds, states=states, limit=limit)
    return [{str(name): each for name, each in row.items()} for row in found.to_dict("records")]


def job(store_path: Path, job_id: int) -> dict[str, Any]:
    """One job, as `store.get_job`.

    Raises:
        StoreError: There is no such job, or no store.
    """
    return _job(store_path, stamp(store_path), job_id)


@st.cache_data(show_spinner=False, max_entries=16)
def _job(store_path: Path, seen: Stamp, job_id: int) -> dict[str, Any]:  # noqa: ARG001
    with reader(store_path) as opened:
        return runtime.get_job(opened, job_id)


def work_of_job(store_path: Path, job_id: int) -> tuple[list[int], list[int]]:
    """Ids of the runs and of the trainings that a job made or went on with, oldest first."""
    with reader(store_path) as opened, opened.snapshot():
        return runtime.runs_of_job(opened, job_id), runtime.trainings_of_job(opened, job_id)
