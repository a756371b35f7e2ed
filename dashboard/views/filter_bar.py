"""Draw the filters in the sidebar and the chips of set filters."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import streamlit as st

from dashboard.queries import run_queries
from dashboard.shell import filter_urls, formats, html, url_state, url_widgets
from dashboard.shell.page_query import View
from dashboard.views import run_picker
from streetclip.geo import THRESHOLDS_KM
from streetclip.results.filters import Selection
from streetclip.store import STATUSES

_ANY = "any"
_FARTHEST = float("inf")
_OUTCOME_WORDS = {None: _ANY, True: "correct", False: "wrong"}
_CHIPS = {
    "continent": "{}",
    "country": "true country {}",
    "region": "region {}",
    "city": "city {}",
    "predicted": "predicted {}",
    "status": "status {}",
    "country_correct": "{} country",
    "city_correct": "{} city",
}
_NARROWER = {
    "continent": ("country", "region", "city"),
    "country": ("region", "city"),
    "region": ("city",),
}


def bar(view: View, runs: Sequence[Mapping[str, Any]]) -> None:
    """Draw the choice of a run and every filter in the sidebar."""
    set_filters = filter_urls.written(view.selection)
    with st.sidebar:
        run_picker.picker(runs, view.run_id)
        run_picker.baseline_picker(runs, view.run_id, view.baseline_id)
        for title, names, draw in (
            ("Place", filter_urls.PLACES, _places),
            ("Outcome", filter_urls.OUTCOMES, _outcomes),
            ("Confidence and distance", filter_urls.RANGES, _ranges),
            ("Attributes", (filter_urls.ATTRIBUTE,), _attributes),
            ("Tags", (filter_urls.TAG, filter_urls.STATUS), _tags),
        ):
            is_set = any(name in set_filters for name in names)
            with st.expander(title, expanded=is_set or title in ("Place", "Outcome")):
                draw(view)


def _change(view: View, **changes: Any) -> None:
    url_state.change_filters(view.but(**changes).selection, view.defaults)


def _places(view: View) -> None:
    chosen = view.selection
    places = run_queries.countries(view)
    _select(view, "Continent", "continent", sorted({continent for continent, _ in places}))
    inside = [code for continent, code in places if chosen.continent in (None, continent)]
    by_name = sorted(inside, key=formats.country)
    _select(view, "True country", "country", by_name, formats.country)
    if chosen.country is not None:
        regions, cities = run_queries.regions_and_cities(view)
        _select(view, "Region", "region", regions)
        _select(view, "City", "city", cities)
    predicted = sorted(run_queries.predicted_countries(view), key=formats.country)
    _select(view, "Predicted country", "predicted", predicted, formats.country)


def _select(
    view: View,
    label: str,
    name: str,
    options: Sequence[str],
    words: Callable[[str], str] = formats.isolated,
) -> None:
    value = getattr(view.selection, name)
    url_widgets.bound(
        st.selectbox,
        label,
        # A link may name a place that this run lacks.
        [*options, *([] if value is None or value in options else [value])],
        key=f"filter_{name}",
        value=value,
        format_func=lambda each: words(each) or "(blank)",
        # Clear the filters inside the former value.
        on_change=lambda chosen: _change(
            view, **dict.fromkeys(_NARROWER.get(name, ())), **{name: chosen}
        ),
        index=None,  # can be cleared
        placeholder=_ANY,
    )


def _outcomes(view: View) -> None:
    values = filter_urls.OUTCOME_VALUES
    words = {url: _OUTCOME_WORDS[value] for url, value in values.items()}
    for label, name in (("Country is", "country_correct"), ("City is", "city_correct")):
        is_correct = getattr(view.selection, name)
        url_widgets.bound(
            st.segmented_control,
            label,
            words,
            key=f"filter_{name}",
            value=next(url for url, value in values.items() if value is is_correct),
            on_change=partial(_set_outcome, view, name),
            required=True,
        )


def _set_outcome(view: View, name: str, chosen: str) -> None:
    _change(view, **{name: filter_urls.OUTCOME_VALUES.get(chosen)})


def _ranges(view: View) -> None:
    low, high = view.selection.confidence
    key = "filter_confidence"
    st.session_state[key] = (100 * (low or 0.0), 100 * (1.0 if high is None else min(high, 1.0)))

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


def _attributes(view: View) -> None:
    names = run_queries.attribute_names(view)
    if not names:
        html.remark("The images of this test file have no column to filter by.")
    for position, (column, options) in enumerate(names.items()):

        def change(values: list[str], column: str = column) -> None:
            others = [pair for pair in view.selection.attributes if pair[0] != column]
            _change(view, attributes=(*others, *((column, value) for value in values)))

        chosen = [value for name, value in view.selection.attributes if name == column]
        label = formats.markdown(column)
        _multiselect(f"filter_attribute_{position}", label, options, chosen, change)


def _tags(view: View) -> None:
    _multiselect(
        "filter_tags",
        "Any of the tags",
        run_queries.tags(view.path),
        view.selection.tags,
        lambda tags: _change(view, tags=tuple(tags)),
    )
    _select(view, "Triage status", "status", STATUSES, formats.STATUS_LABELS.__getitem__)


def _multiselect(
    key: str,
    label: str,
    options: Sequence[str],
    chosen: Sequence[str],
    on_change: Callable[[list[str]], None],
) -> None:
    known = [*options, *(value for value in chosen if value not in options)]
    url_widgets.bound(
        st.multiselect,
        label,
        known,
        key=key,
        value=list(chosen),
        format_func=lambda each: formats.isolated(each) if each else "(blank)",
        on_change=on_change,
        placeholder=_ANY if known else "no tags yet",
    )


def chips(view: View, num_selected: int) -> None:
    """Draw chips of set filters and the number of matching images."""
    parts = _set_parts(view.selection)
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
                on_click=partial(_change, view, **without),
            )
        clear = partial(url_state.change_filters, Selection(), view.defaults)
        st.button("Clear all", key="chip_clear", type="tertiary", on_click=clear)


def _set_parts(chosen: Selection) -> list[tuple[str, dict[str, Any]]]:
    """Describe each set filter, with the changes that remove it."""
    parts: list[tuple[str, dict[str, Any]]] = [
        (words.format(formats.plain(_value_text(name, value), 40) or "(blank)"), {name: None})
        for name, words in _CHIPS.items()
        if (value := getattr(chosen, name)) is not None
    ]
    for title, name, scale, unit in (
        ("confidence", "confidence", 100, "%"),
        ("distance", "distance_km", 1, "km"),
    ):
        bounds = getattr(chosen, name)
        if bounds != (None, None):
            parts.append((f"{title} {_range(bounds, scale, unit)}", {name: (None, None)}))
    for pair in chosen.attributes:
        others = tuple(each for each in chosen.attributes if each != pair)
        name, value = (formats.plain(text, 40) for text in pair)
        parts.append((f"{name}: {value or '(blank)'}", {"attributes": others}))
    for tag in chosen.tags:
        rest = tuple(each for each in chosen.tags if each != tag)
        parts.append((f"tag {formats.plain(tag, 40)}", {"tags": rest}))
    return parts


def _value_text(name: str, value: Any) -> str:
    if name in ("country", "predicted"):
        return formats.country(value)
    if name == "status":
        return formats.STATUS_LABELS[value].lower()
    return _OUTCOME_WORDS[value] if isinstance(value, bool) else str(value)


def _range(bounds: tuple[float | None, float | None], scale: float, unit: str) -> str:
    low, high = (None if end is None else f"{scale * end:,.6g}" for end in bounds)
    if low is None:
        return f"at most {high} {unit}"
    return f"from {low} {unit}" if high is None else f"{low}–{high} {unit}"
