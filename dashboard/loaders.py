"""Every cached read of the store: the only door from the views to the library.

A cached answer is keyed by what it depends on: the store's stamp for what SQL reads, the key of
the run (how much of it is written) for what its columns say. So what a job has just written is
seen at the next rerun, and nothing is read twice in between.
"""

import os
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import streamlit as st

from dashboard.report import Against, Report, against_of, report_of
from dashboard.view import View
from streetclip import analysis, store
from streetclip.analysis.dataset import BUSY_S
from streetclip.analysis.selection import Selection
from streetclip.store import Store, open_store

Stamp = tuple[tuple[int, int], ...]
# What the answers depend on: the rest of a view must not make them be counted anew.
BY_RUN: dict[Any, Any] = {View: lambda view: repr(view.of_run)}
BY_VIEW: dict[Any, Any] = {View: lambda view: repr(view.of_selection)}
WITH_BASELINE: dict[Any, Any] = {View: repr}

_MOST_LIVE_JOBS = 500


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


def file_number(path: Path) -> int:
    """Tells a store from another one that was put in its place."""
    try:
        return path.stat().st_ino
    except OSError:  # opening it says what is wrong
        return 0


def reader(path: Path) -> Store:
    """Open the store for reading, without waiting long for a writer.

    Raises:
        StoreError: The store is missing, newer, or not a store.
        ResourceError: The disk fails, or a job keeps the store locked.
    """
    return open_store(path, read_only=True, busy_timeout_s=BUSY_S)


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
    keys = {
        int(run["id"]): f"{run['created_at']} {run['num_done']} {run['state']}"
        for run in runs(store_path)[["id", "created_at", "num_done", "state"]].to_dict("records")
    }
    depends = bool(selection.tags) or selection.status is not None
    return View(
        path=store_path,
        run_id=run_id,
        run_key=keys[run_id],
        selection=selection,
        defaults=defaults,
        baseline_id=baseline_id,
        baseline_key="" if baseline_id is None else keys[baseline_id],
        annotations_key=_annotations_version(store_path, stamp(store_path)) if depends else "",
    )


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
    opened, chosen = table(view), mask(view)
    return report_of(
        groups(view, "country"),
        analysis.distance_counts(opened, chosen),
        analysis.median_distance(opened, chosen),
        analysis.mean_geoscore(opened, chosen),
    )


# The columns of a run, and what is counted from them


def table(view: View) -> analysis.RunTable:
    """The run's predictions as columns."""
    return _table(view.path, view.run_id, view.run_key)


@st.cache_resource(show_spinner=False, max_entries=3)
def _table(store_path: Path, run_id: int, run_key: str) -> analysis.RunTable:  # noqa: ARG001
    dataset_id = int(_details(store_path, stamp(store_path), run_id)["dataset_id"])
    dataset = _dataset(store_path, file_number(store_path), dataset_id)
    return analysis.RunTable.open(store_path, run_id, dataset)


@st.cache_resource(show_spinner=False, max_entries=2)
def _dataset(store_path: Path, number: int, dataset_id: int) -> analysis.DatasetTable:  # noqa: ARG001
    """What the runs over one dataset share: in memory once, however many of them are open."""
    return analysis.DatasetTable.open(store_path, dataset_id)


@st.cache_resource(show_spinner=False, max_entries=4, hash_funcs=BY_VIEW)
def mask(view: View) -> npt.NDArray[np.bool_]:
    """Which images of the run's dataset the filters leave, in the order of the table."""
    chosen = analysis.select(table(view), view.selection, _annotated(view))
    chosen.flags.writeable = False
    return chosen


def _annotated(view: View) -> analysis.AnnotatedIds:
    """The images that have the tags and the status that the filters ask for."""
    chosen = view.selection
    if not chosen.tags and chosen.status is None:
        return analysis.AnnotatedIds()
    statuses = [each for each in store.STATUSES if chosen.status is not None]
    with reader(view.path) as opened, opened.snapshot():
        return analysis.AnnotatedIds(
            by_tag={tag: store.tagged_image_ids(opened, tag) for tag in chosen.tags},
            by_status={
                each: store.status_image_ids(opened, each) for each in statuses if each != "open"
            },
        )


@st.cache_data(show_spinner=False, max_entries=64, hash_funcs=BY_VIEW)
def num_selected(view: View) -> int:
    """How many images of the run the filters leave."""
    if view.is_whole_run:
        return int(details(view)["num_done"])
    return int(np.count_nonzero(mask(view)))


@st.cache_data(show_spinner=False, max_entries=64, hash_funcs=BY_VIEW)
def groups(view: View, by: str) -> pd.DataFrame:
    """Counters, median and most frequent mistake by group, as `analysis.group_accuracy`."""
    return analysis.group_accuracy(table(view), mask(view), by)


@st.cache_data(show_spinner=False, max_entries=32, hash_funcs=BY_VIEW)
def pairs(view: View) -> pd.DataFrame:
    """Counters by true and predicted country, as `analysis.country_pairs`."""
    return analysis.country_pairs(table(view), mask(view))


# What the filter bar offers


@st.cache_data(show_spinner=False, max_entries=16, hash_funcs=BY_RUN)
def countries(view: View) -> pd.DataFrame:
    """The true countries of the run: continent, country (ISO code) and counters."""
    with reader(view.path) as opened:
        return store.place_accuracy(opened, view.run_id, "country")


@st.cache_data(show_spinner=False, max_entries=16, hash_funcs=BY_RUN)
def predicted_countries(view: View) -> list[str]:
    """ISO codes of the countries that the run predicts; "" where it predicts nothing."""
    with reader(view.path) as opened:
        return sorted(store.country_pairs(opened, view.run_id)["pred_country"].unique())


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
    theirs = _of_baseline(run, baseline, chosen)
    return against_of(
        num_selected(view),
        {
            "city": analysis.compare(run, baseline, chosen, "city"),
            "hierarchical": analysis.compare_hierarchical(run, baseline, chosen),
            "geoscore": analysis.compare_geoscore(run, baseline, chosen),
        },
        analysis.median_distance(baseline, theirs),
        {
            by: analysis.compare_by(run, baseline, chosen, "country", by)
            for by in ("country_code", "continent")
        },
        analysis.distance_counts(baseline, theirs),
    )


def _of_baseline(
    run: analysis.RunTable, baseline: analysis.RunTable, chosen: npt.NDArray[np.bool_]
) -> npt.NDArray[np.bool_]:
    """Which images of the baseline's dataset are chosen ones that the run has judged."""
    judged = run.judged(chosen)
    positions = analysis.align(run, baseline)
    if positions is None:
        return judged
    theirs = np.zeros(baseline.num_images, dtype=np.bool_)
    theirs[positions[judged & (positions >= 0)]] = True
    return theirs


# Jobs


def has_store(store_path: Path) -> bool:
    """Whether a store is there to be read; the first job makes one."""
    return _file_stamp(store_path)[1] > 0


def log_folder(store_path: Path) -> Path:
    """Where the logs of a store's jobs lie."""
    path = Path(os.path.realpath(store_path))
    return path.with_name(f"{path.stem}-logs")


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
        found = store.list_jobs(opened, kinds=kinds, states=states, limit=limit)
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
        return store.get_job(opened, job_id)


def work_of_job(store_path: Path, job_id: int) -> tuple[list[int], list[int]]:
    """Ids of the runs and of the trainings that a job made or went on with, oldest first."""
    with reader(store_path) as opened, opened.snapshot():
        return store.runs_of_job(opened, job_id), store.trainings_of_job(opened, job_id)
