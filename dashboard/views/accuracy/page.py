"""Accuracy: figures by place, from continents to cities, and by attribute."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import streamlit as st

from dashboard.charts import choropleth, metric_cards, selection_events
from dashboard.queries import group_ranking, run_queries
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
    groups = group_ranking.group_shares(run_queries.groups(view, by), metric)
    ordered = group_ranking.ranked(groups, rank, metric)
    whole = group_ranking.group_shares(run_queries.groups(view, "overall"), metric)
    macro = group_ranking.macro(run_queries.groups(view, "country"), metric)
    group_bars.headline(whole, ordered, metric, _LEVELS.get(by, "values"), macro)
    metric_cards.selection_remark(view.selection)
    shown = group_bars.named(ordered.head(group_bars.MOST_ROWS))
    if by not in ("continent", "country", "predicted") or view.selection.country is not None:
        group_bars.bars(shown, metric)
    else:
        left, right = st.columns([3, 2], gap="medium")
        with left:
            _map(view, "predicted" if by == "predicted" else "country", metric)
        with right:
            group_bars.bars(shown, metric, height=choropleth.HEIGHT)
    group_bars.table(
        shown,
        metric,
        key=selection_events.keyed("places", view.selection, by, metric, rank),
        title=_SINGULAR.get(by, "value"),
        on_pick=lambda position: _pick(view, by, shown.iloc[position].to_dict()),
    )
    if len(ordered) > len(shown):
        first, total = formats.count(len(shown)), formats.count(len(ordered))
        html.remark(f"The first {first} of {total} in this order; filter to see the others.")
    html.remark("Click a row, or a country of the map, to drill down.")
    with st.container(horizontal=True, gap="medium"):
        links.link("failures", "Show the failures among these images", "photo_library")
        links.link("confusion", "What they are confused with", "grid_on")


def _breadcrumb(view: View) -> None:
    """Draw clickable steps from the world to the chosen place."""
    chosen = {level: getattr(view.selection, level) for level in LEVELS}
    if chosen["country"] is not None and chosen["continent"] is None:
        known = run_queries.countries(view)
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
                on_click=lambda above=above: _go(view, replace(view.selection, **above)),
            )
        html.draw(html.tag("strong", steps[-1][0]), width="content")


def _go(view: View, selection: Selection) -> None:
    """Filter by a place in a click's callback, with its default groups."""
    url_state.change_filters(selection, view.defaults)
    url_state.change(by=None)


def _controls(view: View) -> tuple[str, str, str]:
    attributes = {
        f"{ATTRIBUTE}{name}": f"attribute {formats.isolated(name)}"
        for name in run_queries.attribute_names(view)
    }
    titles = {name: metric.title for name, metric in METRICS.items()}
    chosen, level = view.selection, "country"
    if chosen.region is not None or chosen.city is not None:
        level = "city"
    elif chosen.country is not None:
        level = "region" if len(run_queries.regions_and_cities(view)[0]) > 1 else "city"
    left, middle, right = st.columns(3, gap="small")
    with left:
        by = url_widgets.select("Group by", "by", {**_LEVELS, **attributes}, level)
    with middle:
        metric = url_widgets.select("Figure", "metric", titles, "country")
    with right:
        rank = url_widgets.select("Order", "rank", RANKS, _RANK)
    return by, metric, rank


def _map(view: View, by: str, metric: str) -> None:
    groups = run_queries.groups(view, "predicted" if by == "predicted" else "country_code")
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


def _pick(view: View, by: str, row: Mapping[Any, Any]) -> None:
    """Filter by a group."""
    changes: dict[str, Any]
    if by.startswith(ATTRIBUTE):
        name = by.removeprefix(ATTRIBUTE)
        others = tuple(pair for pair in view.selection.attributes if pair[0] != name)
        changes = {"attributes": (*others, (name, row["attribute"]))}
    elif by == "predicted":
        changes = {"predicted": row["predicted"]}
    else:
        changes = {level: row.get(level) for level in LEVELS}
    _go(view, view.but(**changes).selection)
