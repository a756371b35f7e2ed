"""List the values that the filter bar offers, and count the images of each."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import streamlit as st

from dashboard.queries import run_queries
from dashboard.queries.run_queries import (
    BY_VIEW,
    annotated_ids,
    annotations_key,
    mask,
    table,
)
from dashboard.queries.store_state import kept_if, once, reader
from dashboard.shell.page_query import View
from streetclip import results, store
from streetclip.results import ATTRIBUTE
from streetclip.results.filters import Selection

Counts = Mapping[Any, int]

NARROWER: Final[Mapping[str, tuple[str, ...]]] = {
    "continent": ("country", "region", "city"),
    "country": ("region", "city"),
    "region": ("city",),
}
"""By filter, the filters inside its value: another value clears them."""


def countries(view: View) -> tuple[tuple[str, str], ...]:
    """List the continent and ISO code of the true countries of the run."""
    return _countries(replace(view, selection=Selection()))[0]


def predicted_countries(view: View) -> tuple[str, ...]:
    """List the ISO codes that the run predicts; "" where it predicts nothing."""
    return _countries(replace(view, selection=Selection()))[1]


@once
@st.cache_resource(show_spinner=False, max_entries=8, hash_funcs=BY_VIEW)
def _countries(view: View) -> tuple[tuple[tuple[str, str], ...], tuple[str, ...]]:
    true, predicted = run_queries.counts(view, "country"), run_queries.counts(view, "predicted")
    pairs_of_true = zip(true["continent"], true["country"], strict=True)
    return tuple(pairs_of_true), tuple(predicted["predicted"])


def regions_and_cities(view: View) -> tuple[list[str], list[str]]:
    """List the regions of the one chosen true country, and the cities of the chosen place."""
    places = table(view).places
    places = places[places["country"] == view.selection.only("country")]
    regions = sorted(places["region"].unique())
    if view.selection.region is not None:
        places = places[places["region"] == view.selection.region]
    return regions, sorted(places["city"].unique())


def attribute_names(view: View) -> Mapping[str, tuple[str, ...]]:
    """List the attributes that can be filtered by, with their values."""
    return table(view).dataset.attributes


def tags(store_path: Path) -> list[str]:
    """List every tag in use."""
    key = annotations_key(store_path)
    return kept_if(key, _tags, store_path, key, found=lambda answer: answer[1])[0]


@st.cache_data(show_spinner=False, max_entries=4)
def _tags(store_path: Path, annotations: str) -> tuple[list[str], str]:  # noqa: ARG001
    with reader(store_path) as opened, opened.snapshot():
        return list(store.tag_counts(opened)["tag"]), store.annotations_version(opened)


# Numbers of images


def counts(view: View) -> dict[str, Counts]:
    """Count, for each value of a filter, the images that the other filters leave.

    By filter: continent, country, predicted, country_correct, city_correct, tags, status and each
    attribute as `results.ATTRIBUTE` and its name; region and city where one country is chosen.
    """
    names = ["continent", "country", "predicted", "country_correct", "city_correct"]
    names += [f"{ATTRIBUTE}{name}" for name in attribute_names(view)]
    if view.selection.only("country") is not None:
        names += ["region", "city"]
    others = {name: without(view, name) for name in names}
    found: dict[str, Counts] = {}
    for other in set(others.values()):
        found |= _counts(other, tuple(name for name in names if others[name] == other))
    return found | {name: _annotated_counts(view, name) for name in ("tags", "status")}


def without(view: View, name: str) -> View:
    """Drop a filter, and those inside its value that another value clears."""
    narrower = dict.fromkeys(NARROWER.get(name, ()))
    return replace(view, selection=view.selection.without(name).but(**narrower))


@st.cache_data(show_spinner=False, max_entries=128, hash_funcs=BY_VIEW)
def _counts(view: View, names: Sequence[str]) -> Mapping[str, Counts]:
    return results.value_counts(table(view), mask(view), names)


def _annotated_counts(view: View, name: str) -> Counts:
    """Count the images of each tag or status, which may change without the view."""
    key = annotations_key(view.path)
    annotated, _ = annotated_ids(view.path, key, tuple(tags(view.path)), with_status=True)
    other = without(view, name)
    by_value = annotated.by_tag if name == "tags" else annotated.by_status
    run, left = table(view), mask(other)
    found = {value: results.num_among(run, left, ids) for value, ids in by_value.items()}
    if name == "status":
        found["open"] = int(np.count_nonzero(left)) - sum(found.values())
    return found
