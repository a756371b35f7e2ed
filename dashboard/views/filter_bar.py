"""The filter bar in the sidebar, the same on every page, and the chips of what is set.

The URL is the truth: each widget is set from it before it is drawn, and writes it when changed.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pandas as pd
import streamlit as st

from dashboard.queries import runs
from dashboard.shell import filter_urls, formats, html, url_state
from dashboard.shell.page_query import View
from dashboard.views import run_picker
from streetclip.geo import THRESHOLDS_KM
from streetclip.results.filters import Selection
from streetclip.store import STATUSES

_ANY = "any"
_FARTHEST = float("inf")
_OUTCOMES = {filter_urls.ANY: "any", filter_urls.RIGHT: "right", filter_urls.WRONG: "wrong"}


def bar(view: View, table: pd.DataFrame) -> None:
    """Draw every filter in the sidebar.

    Args:
        view: What the page shows.
        table: The runs, newest first.
    """
    with st.sidebar:
        run_picker.picker(table, view.run_id)
        run_picker.baseline_picker(table, view.run_id, view.baseline_id)
        set_filters = filter_urls.written(view.selection)
        _group("Place", filter_urls.PLACES, set_filters, lambda: _places(view), is_open=True)
        _group("Outcome", filter_urls.OUTCOMES, set_filters, lambda: _outcomes(view), is_open=True)
        _group("Confidence and distance", filter_urls.RANGES, set_filters, lambda: _ranges(view))
        _group("Attributes", (filter_urls.ATTRIBUTE,), set_filters, lambda: _attributes(view))
        _group("Tags", (filter_urls.TAG, filter_urls.STATUS), set_filters, lambda: _tags(view))


def _group(
    title: str,
    names: Sequence[str],
    set_filters: Mapping[str, Sequence[str]],
    draw: Callable[[], None],
    *,
    is_open: bool = False,
) -> None:
    is_set = any(name in set_filters for name in names)
    with st.expander(title, expanded=is_open or is_set):
        draw()


def _places(view: View) -> None:
    chosen = view.selection
    places = runs.countries(view)
    _select(view, "Continent", "continent", sorted(places["continent"].unique()))
    of_continent = places
    if chosen.continent is not None:
        of_continent = places[places["continent"] == chosen.continent]
    _select(view, "True country", "country", by_name(of_continent["country"]), _country)
    if chosen.country is not None:
        regions, cities = runs.regions_and_cities(view)
        _select(view, "Region", "region", regions)
        _select(view, "City", "city", cities)
    predicted = runs.predicted_countries(view)
    _select(view, "Predicted country", "predicted", by_name(predicted), _country)


def by_name(codes: "pd.Series[Any] | Sequence[str]") -> list[str]:
    """Country codes in the order of the countries' names."""
    return sorted(codes, key=formats.country)


def _country(code: str) -> str:
    return formats.country(code)


def _select(
    view: View,
    label: str,
    name: str,
    options: Sequence[str],
    words: Callable[[str], str] = formats.isolated,
) -> None:
    value = getattr(view.selection, name)
    known = list(options)
    if value is not None and value not in options:
        known.append(value)  # a link may name a place that this run has not
    key = f"filter_{name}"
    st.session_state[key] = value
    st.selectbox(
        label,
        known,
        format_func=lambda each: words(each) or "(blank)",
        key=key,
        index=None,  # can be cleared
        placeholder=_ANY,
        on_change=lambda: _narrow(view, name, st.session_state[key]),
    )


def _narrow(view: View, name: str, value: object) -> None:
    """Set one filter; those that only make sense inside its former value go."""
    below: dict[str, dict[str, Any]] = {
        "continent": {"country": None, "region": None, "city": None},
        "country": {"region": None, "city": None},
        "region": {"city": None},
    }
    changes: dict[str, Any] = {name: value} | below.get(name, {})
    changed = replace(view.selection, **changes)
    url_state.change_filters(changed, view.defaults)


def _outcomes(view: View) -> None:
    for label, name in (("Country is", "country_right"), ("City is", "city_right")):
        right = getattr(view.selection, name)
        key = f"filter_{name}"
        st.session_state[key] = filter_urls.ANY if right is None else _outcome_word(right)
        st.segmented_control(
            label,
            list(_OUTCOMES),
            format_func=lambda each: _OUTCOMES.get(each, str(each)),
            key=key,
            required=True,
            on_change=lambda name=name, key=key: _set_outcome(view, name, st.session_state[key]),
        )


def _outcome_word(right: bool) -> str:
    return filter_urls.RIGHT if right else filter_urls.WRONG


def _set_outcome(view: View, name: str, word: str | None) -> None:
    values = {filter_urls.RIGHT: True, filter_urls.WRONG: False}
    changed: dict[str, Any] = {name: values.get(word or filter_urls.ANY)}
    url_state.change_filters(replace(view.selection, **changed), view.defaults)


def _ranges(view: View) -> None:
    low, high = view.selection.confidence
    key = "filter_confidence"
    st.session_state[key] = (100 * (low or 0.0), 100 * (1.0 if high is None else min(high, 1.0)))
    st.slider(
        "Confidence (%)",
        0.0,
        100.0,
        step=1.0,
        format="%.0f",
        key=key,
        on_change=lambda: _set_confidence(view, *st.session_state[key]),
    )
    _distance(view)


def _set_confidence(view: View, low: float, high: float) -> None:
    bounds = (None if low <= 0 else low / 100, None if high >= 100 else high / 100)  # noqa: PLR2004
    url_state.change_filters(replace(view.selection, confidence=bounds), view.defaults)


def _distance(view: View) -> None:
    low, high = view.selection.distance_km
    ends = (0.0 if low is None else low, _FARTHEST if high is None else high)
    options = sorted({0.0, _FARTHEST, *map(float, THRESHOLDS_KM.values()), *ends})
    key = f"filter_distance_{ends}"  # the widget sees two ends only in `value`, not in its state
    st.select_slider(
        "Distance (km)",
        options,
        value=ends,
        format_func=formats.kilometre_number,
        key=key,
        on_change=lambda: _set_distance(view, *st.session_state[key]),
    )


def _set_distance(view: View, low: float, high: float) -> None:
    bounds = (None if low <= 0 else low, None if high == _FARTHEST else high)
    url_state.change_filters(replace(view.selection, distance_km=bounds), view.defaults)


def _attributes(view: View) -> None:
    names = runs.attribute_names(view)
    if not names:
        html.remark("The images of this test file have no column to filter by.")
    for position, (column, values) in enumerate(names.items()):
        chosen = [value for name, value in view.selection.attributes if name == column]
        known = [*values, *(value for value in chosen if value not in values)]
        key = f"filter_attribute_{position}"
        st.session_state[key] = chosen
        st.multiselect(
            formats.markdown(column),
            known,
            format_func=lambda each: formats.isolated(each) if each else "(blank)",
            key=key,
            placeholder=_ANY,
            on_change=lambda column=column, key=key: _set_attribute(
                view, column, st.session_state[key]
            ),
        )


def _set_attribute(view: View, column: str, values: Sequence[str]) -> None:
    others = [pair for pair in view.selection.attributes if pair[0] != column]
    pairs = (*others, *((column, value) for value in values))
    url_state.change_filters(replace(view.selection, attributes=pairs), view.defaults)


def _tags(view: View) -> None:
    tags = runs.tags(view)
    known = [*tags, *(tag for tag in view.selection.tags if tag not in tags)]
    key = "filter_tags"
    st.session_state[key] = list(view.selection.tags)
    st.multiselect(
        "Any of the tags",
        known,
        format_func=formats.isolated,
        key=key,
        placeholder=_ANY if known else "no image is tagged yet",
        on_change=lambda: url_state.change_filters(
            replace(view.selection, tags=tuple(st.session_state[key])), view.defaults
        ),
    )
    _select(view, "Triage status", "status", STATUSES)


def chips(view: View, num_selected: int) -> None:
    """Draw the filters that are set, each with a way to remove it, and how many images they leave.

    Args:
        view: What the page shows.
        num_selected: Images that match.
    """
    parts = list(_set_parts(view.selection))
    if not parts:
        return
    with st.container(horizontal=True, gap="xsmall", vertical_alignment="center", key="chips"):
        html.draw(html.tag("p", f"{formats.count(num_selected)} images match", css="sc-line"))
        for position, (words, without) in enumerate(parts):
            st.button(
                formats.markdown(words),
                key=f"chip_{position}",
                icon=":material/close:",
                icon_position="right",
                help="Remove this filter",
                on_click=lambda without=without: url_state.change_filters(without, view.defaults),
            )
        st.button(
            "Clear all",
            key="chip_clear",
            type="tertiary",
            on_click=lambda: url_state.change_filters(Selection(), view.defaults),
        )


def _set_parts(selection: Selection) -> list[tuple[str, Selection]]:
    """Each filter that is set, in words, with the selection that is without it."""
    parts: list[tuple[str, dict[str, Any]]] = []
    for name, words in (
        ("continent", "{}"),
        ("country", "true country {}"),
        ("region", "region {}"),
        ("city", "city {}"),
        ("predicted", "predicted {}"),
        ("status", "status {}"),
    ):
        value = getattr(selection, name)
        if value is not None:
            text = formats.country(value) if name in ("country", "predicted") else value
            parts.append((words.format(formats.plain(text, 40) or "(blank)"), {name: None}))
    for name in ("country", "city"):
        right = getattr(selection, f"{name}_right")
        if right is not None:
            parts.append((f"{_outcome_word(right)} {name}", {f"{name}_right": None}))
    if selection.confidence != (None, None):
        parts.append((f"confidence {_range(selection.confidence, 100, '%')}", _NO_CONFIDENCE))
    if selection.distance_km != (None, None):
        parts.append((f"distance {_range(selection.distance_km, 1, 'km')}", _NO_DISTANCE))
    for pair in selection.attributes:
        rest = tuple(each for each in selection.attributes if each != pair)
        name, value = (formats.plain(text, 40) for text in pair)
        parts.append((f"{name}: {value or '(blank)'}", {"attributes": rest}))
    for tag in selection.tags:
        rest_of_tags = tuple(each for each in selection.tags if each != tag)
        parts.append((f"tag {formats.plain(tag, 40)}", {"tags": rest_of_tags}))
    return [(words, replace(selection, **changes)) for words, changes in parts]


_NO_CONFIDENCE: dict[str, Any] = {"confidence": (None, None)}
_NO_DISTANCE: dict[str, Any] = {"distance_km": (None, None)}


def _range(bounds: tuple[float | None, float | None], scale: float, unit: str) -> str:
    low, high = (None if end is None else f"{scale * end:,.6g}" for end in bounds)
    if low is None:
        return f"at most {high} {unit}"
    return f"from {low} {unit}" if high is None else f"{low}–{high} {unit}"
