"""Read what a run's dataset holds, and what it shares with the store's others, with caches."""

from dataclasses import replace
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import pandas as pd
import streamlit as st

from dashboard.queries.run_queries import BY_VIEW, details, list_runs, mask, table
from dashboard.queries.store_state import once, reader
from dashboard.shell.page_query import View
from streetclip import results, store
from streetclip.data.place_split import are_near
from streetclip.results.filters import Selection

NEAR_KM: Final = 1.0
"""Images of two datasets that are this near may show one street."""

_MOST_OTHERS: Final = 30


class Misplaced(NamedTuple):
    """Images outside their country: how many of each kind, and what is wrong with the first."""

    kinds: dict[str, int]
    examples: dict[int, str]


def misplaced(view: View, most_listed: int) -> Misplaced:
    """Find images whose coordinates contradict their country, as `results.misplaced`."""
    found = _misplaced(replace(view, selection=Selection()))
    found = found[mask(view)[found["row"].to_numpy(np.intp)]]
    first = found.head(most_listed)
    image_ids = table(view).image_ids[first["row"].to_numpy(np.intp)]
    kinds = {str(kind): int(n) for kind, n in found["kind"].value_counts().items()}
    return Misplaced(kinds, dict(zip(image_ids.tolist(), first["text"], strict=True)))


@st.cache_resource(show_spinner=False, max_entries=4, hash_funcs=BY_VIEW)
def _misplaced(view: View) -> pd.DataFrame:
    return results.misplaced(table(view))


@st.cache_data(show_spinner=False, max_entries=32, hash_funcs=BY_VIEW)
def num_on_one_point(view: View) -> int:
    """Count images that share one point with all of their place."""
    return results.num_on_one_point(table(view), mask(view))


@once
@st.cache_data(show_spinner=False, max_entries=32, hash_funcs=BY_VIEW)
def places(view: View) -> pd.DataFrame:
    """Count images by true place, as `results.place_counts`."""
    return results.place_counts(table(view), mask(view))


def unnamed_places(view: View) -> pd.DataFrame:
    """List true places that no candidate names, most images first.

    Columns: country, region, city, n, country_reachable.
    """
    known = places(view).assign(unnamed=lambda rows: rows["n"] - rows["city_reachable"])
    found = known[(known["unnamed"] > 0) & (known["city"] != "")]
    found = found.assign(n=found["unnamed"])[
        ["country", "region", "city", "n", "country_reachable"]
    ]
    order = ["n", "country", "region", "city"]
    return found.sort_values(order, ascending=[False, True, True, True], ignore_index=True)


class Other(NamedTuple):
    """Another dataset of the store, and its run with most predictions."""

    dataset_id: int
    name: str
    num_images: int
    num_shared: int
    run: tuple[int, str]
    """Id and uid."""


def others(view: View) -> list[Other]:
    """List the other datasets that have runs, those that share most images first."""
    own = details(view)["dataset_id"]
    runs: dict[int, dict[str, Any]] = {}
    for run in list_runs(view.path):
        known = runs.setdefault(run["dataset_id"], run)
        if run["num_done"] > known["num_done"]:
            runs[run["dataset_id"]] = run
    runs.pop(own, None)
    found = []
    for dataset_id, run in [*runs.items()][:_MOST_OTHERS]:
        num_shared = _num_shared(
            view.path, own, table(view).dataset.content, dataset_id, run["uid"]
        )
        of_run = int(run["id"]), str(run["uid"])
        found.append(Other(dataset_id, run["dataset"], run["num_images"], num_shared, of_run))
    return sorted(found, key=lambda other: (-other.num_shared, other.name))


@st.cache_data(show_spinner=False, max_entries=256)
def _num_shared(store_path: Path, own: int, content: str, dataset_id: int, run_uid: str) -> int:  # noqa: ARG001 -- parts of the key
    with reader(store_path) as opened, opened.snapshot():
        a, b = (store.dataset_columns(opened, each).image_ids for each in (own, dataset_id))
    return len(np.intersect1d(a, b, assume_unique=True))


class Near(NamedTuple):
    """Images at most `NEAR_KM` from one of another dataset, and how many are in both."""

    image_ids: list[int]
    num_shared: int


@st.cache_data(show_spinner=False, max_entries=16, hash_funcs=BY_VIEW)
def near(view: View, other: Other) -> Near:
    """Find the images near another dataset's, by ascending id."""
    names = ("true_latitude_deg", "true_longitude_deg")
    with reader(view.path) as opened, opened.snapshot():
        run_id, uid = other.run
        store.run_revision(opened, run_id, uid)
        ids = store.dataset_columns(opened, other.dataset_id).image_ids
        columns = store.run_columns(opened, run_id, names, ids)
    run = table(view)
    rows = np.flatnonzero(run.with_prediction(mask(view)))
    latitude_deg, longitude_deg = (each[rows].astype(np.float64) for each in run.load(*names))
    theirs = tuple(columns[name].astype(np.float64) for name in names)
    is_near = are_near((latitude_deg, longitude_deg), (theirs[0], theirs[1]), NEAR_KM)
    image_ids = run.image_ids[rows[is_near]]
    return Near(image_ids.tolist(), int(np.isin(image_ids, ids).sum()))
