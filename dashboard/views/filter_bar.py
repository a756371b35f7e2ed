"""Draw the filters in the sidebar."""

from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import streamlit as st

from dashboard.queries import filter_values
from dashboard.queries.filter_values import NARROWER, Counts
from dashboard.shell import filter_urls, formats, html, url_state, url_widgets
from dashboard.shell.page_query import View
from dashboard.views import run_picker
from streetclip.geo import THRESHOLDS_KM
from streetclip.results import ATTRIBUTE
from streetclip.results.filter_words import OUTCOME_WORDS
from streetclip.store import STATUSES

_ANY = OUTCOME_WORDS[None]
_FARTHEST = float("inf")


class _Field(NamedTuple):
    """A filter of a view in the bar, with the number of images of each value that it offers."""

    view: View
    name: str
    label: str
    counts: Counts

    def words(self, value: str) -> str:
        """Name a value, with its number of images."""
        return f"{_words(self.name, value)} ({formats.count(self.counts.get(value, 0))})"


_FieldOf = Callable[[str, str], _Field]


def _words(name: str, value: str) -> str:
    if name in ("country", "predicted"):
        return formats.country(value)
    if name == "status":
        return formats.STATUS_LABELS[value]
    return formats.isolated(value) if value else "(blank)"


def bar(view: View, runs: Sequence[Mapping[str, Any]]) -> None:
    """Draw the choice of a run and every filter in the sidebar."""
    written = filter_urls.written(view.selection)
    set_filters = {name.removeprefix(filter_urls.NOT) for name in written}
    counts = filter_values.counts(view)

    def field(name: str, label: str) -> _Field:
        return _Field(view, name, label, counts.get(name, {}))

    with st.sidebar:
        offered = run_picker.offered(runs, view.run_id, view.baseline_id)
        run_picker.picker(offered, view.run_id)
        run_picker.baseline_picker(offered, view.run_id, view.baseline_id)
        run_picker.archived_switch(runs)
        _file_name(view)
        for title, names, draw in (
            ("Place", filter_urls.PLACES, _places),
            ("Outcome", filter_urls.OUTCOMES, _outcomes),
            ("Confidence and distance", filter_urls.RANGES, _ranges),
            ("Attributes", (filter_urls.ATTRIBUTE,), _attributes),
            ("Tags", (filter_urls.TAG, filter_urls.STATUS), _tags),
        ):
            is_set = not set_filters.isdisjoint(names)
            with st.expander(title, expanded=is_set or title in ("Place", "Outcome")):
                draw(view, field)


def _change(view: View, **changes: Any) -> None:
    url_state.change_filters(view.but(**changes).selection, view.defaults)


def _file_name(view: View) -> None:
    key = "filter_file_name"
    st.session_state[key] = view.selection.file_name
    st.text_input(
        "File name contains",
        key=key,
        placeholder=_ANY,
        icon=":material/search:",
        on_change=lambda: _change(view, file_name=st.session_state[key]),
    )


def _places(view: View, field: _FieldOf) -> None:
    chosen = view.selection
    places = filter_values.countries(view)
    _one(field("continent", "Continent"), sorted({continent for continent, _ in places}))
    inside = {code for continent, code in places if chosen.continent in (None, continent)}
    _several(field("country", "True country"), sorted(inside, key=formats.country))
    if chosen.only("country") is not None:
        regions, cities = filter_values.regions_and_cities(view)
        _one(field("region", "Region"), regions)
        _one(field("city", "City"), cities)
    predicted = sorted(filter_values.predicted_countries(view), key=formats.country)
    _several(field("predicted", "Predicted country"), predicted)


def _one(field: _Field, options: Sequence[str]) -> None:
    """Draw a choice of one value."""
    value = getattr(field.view.selection, field.name)
    # Another value clears the filters inside the former one.
    narrower = dict.fromkeys(NARROWER.get(field.name, ()))
    url_widgets.bound(
        st.selectbox,
        field.label,
        # A link may name a place that this run lacks.
        [*options, *([] if value is None or value in options else [value])],
        key=f"filter_{field.name}",
        value=value,
        format_func=field.words,
        on_change=lambda chosen: _change(field.view, **narrower, **{field.name: chosen}),
        index=None,  # can be cleared
        placeholder=_ANY,
    )


def _several(field: _Field, options: Sequence[str], key: str = "", nothing: str = _ANY) -> None:
    """Draw a choice of several values, and under it the switch that excludes them."""
    view, name, key = field.view, field.name, key or field.name
    included, excluded = view.selection.of(name), view.selection.excluded.of(name)
    chosen = list(dict.fromkeys((*included, *excluded)))
    is_not = bool(excluded) and not included

    def write(values: Sequence[str], left_out: Collection[str]) -> None:
        kept = [each for each in values if each not in left_out]
        others = view.selection.excluded.but(**{name: [v for v in values if v in left_out]})
        narrower = dict.fromkeys(NARROWER.get(name, ()))
        _change(view, **narrower, **{name: kept}, excluded=others)

    url_widgets.bound(
        st.multiselect,
        field.label,
        [*options, *(value for value in chosen if value not in options)],
        key=f"filter_{key}",
        value=chosen,
        format_func=lambda each: f"{'not ' if each in excluded else ''}{field.words(each)}",
        on_change=lambda values: write(values, values if is_not else excluded),
        placeholder=nothing,
    )
    if chosen:
        switch = f"filter_not_{key}"
        st.session_state[switch] = is_not
        st.checkbox(
            "Not these",
            key=switch,
            on_change=lambda: write(chosen, chosen if st.session_state[switch] else ()),
        )


def _outcomes(view: View, field: _FieldOf) -> None:
    values = filter_urls.OUTCOME_VALUES
    words = {url: OUTCOME_WORDS[value] for url, value in values.items()}
    for label, name in (("Country is", "country_correct"), ("City is", "city_correct")):
        is_correct, counts = getattr(view.selection, name), field(name, label).counts
        url_widgets.bound(
            st.segmented_control,
            label,
            words,
            key=f"filter_{name}",
            value=next(url for url, value in values.items() if value is is_correct),
            on_change=partial(_set_outcome, view, name),
            required=True,
        )
        correct, wrong = (formats.count(counts.get(value, 0)) for value in (True, False))
        html.remark(f"{correct} correct, {wrong} wrong")


def _set_outcome(view: View, name: str, chosen: str) -> None:
    _change(view, **{name: filter_urls.OUTCOME_VALUES.get(chosen)})


def _ranges(view: View, _: _FieldOf) -> None:
    low, high = view.selection.confidence
    key = "filter_confidence"
    # A link may name a confidence above 1.
    st.session_state[key] = tuple(
        100 * min(end, 1.0) for end in (low or 0.0, 1.0 if high is None else high)
    )

    def set_confidence() -> None:
        low, high = st.session_state[key]
        bounds = (None if low <= 0 else low / 100, None if high >= 100 else high / 100)  # noqa: PLR2004
        _change(view, confidence=bounds)

    st.slider("Confidence (%)", 0.0, 100.0, None, 1.0, "%.0f", key, on_change=set_confidence)
    low, high = view.selection.distance_km
    ends = (0.0 if low is None else low, _FARTHEST if high is None else high)
    distance_key = f"filter_distance_{ends}"  # the widget reads two ends from `value` only

    def set_distance() -> None:
        low, high = st.session_state[distance_key]
        bounds = (None if low <= 0 else low, None if high == _FARTHEST else high)
        _change(view, distance_km=bounds)

    st.select_slider(
        "Distance (km)",
        sorted({0.0, _FARTHEST, *map(float, THRESHOLDS_KM.values()), *ends}),
        value=ends,
        format_func=formats.kilometre_number,
        key=distance_key,
        on_change=set_distance,
    )


def _attributes(view: View, field: _FieldOf) -> None:
    names = filter_values.attribute_names(view)
    if not names:
        html.remark("The images of this test file have no column to filter by.")
    for position, (column, options) in enumerate(names.items()):
        of_column = field(f"{ATTRIBUTE}{column}", formats.markdown(column))
        _several(of_column, options, f"attribute_{position}")


def _tags(view: View, field: _FieldOf) -> None:
    known = filter_values.tags(view.path)
    _several(field("tags", "Any of the tags"), known, nothing=_ANY if known else "no tags yet")
    _one(field("status", "Triage status"), STATUSES)
