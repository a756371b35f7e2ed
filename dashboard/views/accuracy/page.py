"""Accuracy: figures by place, from continents to cities, and by attribute."""

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from dashboard.charts import choropleth, metric_cards, selection_events
from dashboard.queries import filter_values, group_ranking, run_queries
from dashboard.queries.group_ranking import MEDIAN, METRICS, RANKS
from dashboard.shell import formats, html, links, url_state, url_widgets
from dashboard.shell.page_query import View
from dashboard.views import frame
from dashboard.views.accuracy import group_bars
from streetclip.results import ATTRIBUTE, LEVELS
from streetclip.results.filters import Selection

_LEVELS: Mapping[str, str] = {
    "continent": "continents",
    "country": "countries",
    "region": "regions",
    "city": "cities",
    "predicted": "predicted countries",
}
_SINGULAR = {name: name for name in _LEVELS} | {"predicted": "predicted country"}
_RANK = "upper"  # worst first


def render() -> None:
    """Draw the page."""
    frame.show("Accuracy", _body)


def _body(view: View) -> None:
    _breadcrumb(view)
    if frame.is_empty(view):
        return
    by, metric, rank = _controls(view)
    # Values of an attribute are compared with one another, whichever of them is chosen.
    name, values = _attribute(view, by)
    counted = run_queries.groups(view if name is None else view.but(**{by: None}), by)
    groups = group_ranking.group_shares(counted, metric)
    ordered = group_ranking.ranked(groups, rank, metric)
    _headline(view, ordered, by, metric)
    if values:
        st.header("Against the rest", anchor=False)
        found = group_ranking.against_rest(counted, values, metric)
        metric_cards.against_rest(f"{name} = {' or '.join(values)}", metric, found)
    kept = group_ranking.with_worst(ordered, group_bars.MOST_ROWS, metric)
    shown = group_bars.named(kept)
    _charts(view, shown, by, metric)
    _table(view, shown, by, metric, rank)
    if len(ordered) > len(shown):
        first, total = formats.count(len(shown)), formats.count(len(ordered))
        html.remark(f"{first} of {total} in this order, the worst included; filter to see others.")
    html.remark(
        "Click a row to compare it with the rest; again to clear it."
        if name
        else "Click a row, or a country of the map, to drill down."
    )
    with st.container(horizontal=True, gap="medium"):
        links.link("failures", "Show the failures among these images", "photo_library")
        links.link("confusion", "What they are confused with", "grid_on")


def _attribute(view: View, by: str) -> tuple[str | None, list[str]]:
    """Find the attribute that the page groups by, and which of its values are chosen."""
    name = by.removeprefix(ATTRIBUTE) if by.startswith(ATTRIBUTE) else None
    return name, list(view.selection.of(by)) if name is not None else []


def _headline(view: View, ordered: pd.DataFrame, by: str, metric: str) -> None:
    countries = _countries(view, by)
    if metric == MEDIAN:
        total = run_queries.groups(view, "overall")
    else:
        total = group_ranking.totals(countries)
    whole = group_ranking.group_shares(total, metric)
    macro = group_ranking.macro(countries, metric)
    group_bars.headline(whole, ordered, metric, _LEVELS.get(by, "values"), macro)
    metric_cards.selection_remark(view.selection)


def _countries(view: View, by: str) -> pd.DataFrame:
    """Count by country, without the medians unless the page shows those of countries."""
    return (run_queries.groups if by == "country" else run_queries.counts)(view, "country")


def _charts(view: View, shown: pd.DataFrame, by: str, metric: str) -> None:
    """Draw the bars, of countries and continents next to a map."""
    if by not in ("continent", "country", "predicted") or (
        view.selection.only("country") is not None
    ):
        group_bars.bars(shown, metric)
        return
    left, right = st.columns([3, 2], gap="medium")
    with left:
        _map(view, by, metric)
    with right:
        group_bars.bars(shown, metric, height=choropleth.HEIGHT)


def _table(view: View, shown: pd.DataFrame, by: str, metric: str, rank: str) -> None:
    name, values = _attribute(view, by)
    is_listed = len(values) == 1 and values[0] in set(shown["attribute"])

    def pick(position: int | None) -> None:
        row = {} if position is None else shown.iloc[position].to_dict()
        if name is not None:
            _compare(view, by, row.get("attribute"))
        elif row:
            _pick(view, by, row)

    group_bars.table(
        shown,
        metric,
        key=selection_events.keyed("places", view.selection, by, metric, rank),
        title=_SINGULAR.get(by, "value"),
        chosen=list(shown["attribute"]).index(values[0]) if is_listed else None,
        on_pick=pick,
    )


def _breadcrumb(view: View) -> None:
    """Draw clickable steps from the world to the chosen place."""
    chosen = {level: getattr(view.selection, level) for level in LEVELS}
    chosen["country"] = view.selection.only("country")
    if chosen["country"] is not None and chosen["continent"] is None:
        known = filter_values.countries(view)
        found = [continent for continent, code in known if code == chosen["country"]]
        chosen["continent"] = found[0] if len(found) == 1 else None
    place: dict[str, Any] = dict.fromkeys(LEVELS)
    steps = [("World", dict(place))]
    for level, value in chosen.items():
        if value is not None:
            place[level] = value
            text = formats.country(value) if level == "country" else formats.plain(value, 40)
            steps.append((text or "(blank)", dict(place)))
    with st.container(horizontal=True, gap="xsmall", vertical_alignment="center", key="crumbs"):
        for position, (text, above) in enumerate(steps[:-1]):
            st.button(
                f"{formats.markdown(text)} /",
                key=f"crumb_{position}",
                type="tertiary",
                on_click=partial(_go, view, view.but(**above).selection),
            )
        html.draw(html.tag("strong", steps[-1][0]), width="content")


def _go(view: View, selection: Selection) -> None:
    """Filter by a place in a click's callback, with its default groups."""
    url_state.change_filters(selection, view.defaults, by=None)


def _controls(view: View) -> tuple[str, str, str]:
    attributes = {
        f"{ATTRIBUTE}{name}": f"attribute {formats.isolated(name)}"
        for name in filter_values.attribute_names(view)
    }
    titles = {name: metric.title for name, metric in METRICS.items()}
    chosen, level = view.selection, "country"
    if chosen.region is not None or chosen.city is not None:
        level = "city"
    elif chosen.only("country") is not None:
        level = "region" if len(filter_values.regions_and_cities(view)[0]) > 1 else "city"
    left, middle, right = st.columns(3, gap="small")
    with left:
        by = url_widgets.select("Group by", "by", {**_LEVELS, **attributes}, level)
    with middle:
        metric = url_widgets.select("Figure", "metric", titles, "country")
    with right:
        rank = url_widgets.select("Order", "rank", RANKS, _RANK)
    return by, metric, rank


def _map(view: View, by: str, metric: str) -> None:
    if by == "predicted":
        groups = run_queries.groups(view, by)
    elif metric == MEDIAN:
        groups = run_queries.groups(view, "country_code")
    else:
        groups = group_ranking.totals(_countries(view, by), "country")
    by = "predicted" if by == "predicted" else "country"
    shown = group_ranking.group_shares(groups.rename(columns={"predicted": "country"}), metric)
    words, domain = group_bars.words(metric), None
    if metric == MEDIAN:
        finite = shown.loc[np.isfinite(shown["value"]), "value"]
        domain = (0.0, float(max([1.0, *finite])))
    choropleth.choropleth(
        shown.assign(label=shown["value"].map(words), interval=group_bars.intervals(shown, metric)),
        key=selection_events.keyed("world", view.selection, by, metric),
        title=METRICS[metric].title,
        domain=domain,
        words=words,
        on_select=lambda code: _pick(view, by, {by: code}),
    )


def _compare(view: View, by: str, value: str | None) -> None:
    """Filter by a value of an attribute, None for all, and stay at the attribute."""
    url_state.change_filters(view.but(**{by: value}).selection, view.defaults)


def _pick(view: View, by: str, row: Mapping[Any, Any]) -> None:
    """Filter by a group."""
    levels = ("predicted",) if by == "predicted" else LEVELS
    changes = {level: row.get(level) for level in levels}
    _go(view, view.but(**changes).selection)
