"""Accuracy: where is a run good, where is it bad, from continents down to cities?"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pandas as pd
import streamlit as st

from dashboard import formats, grouped, loaders, page, state
from dashboard.components import breadcrumb, controls, figures, markup, picks, places, world
from dashboard.grouped import ATTRIBUTE, METRICS, RANKS
from dashboard.view import View

_LEVELS: Mapping[str, str] = {
    "continent": "continents",
    "country": "countries",
    "region": "regions",
    "city": "cities",
    "predicted": "predicted countries",
}
_SINGULAR: Mapping[str, str] = {
    "continent": "continent",
    "country": "country",
    "region": "region",
    "city": "city",
    "predicted": "predicted country",
}
_RANK = "lower"


def render() -> None:
    """Draw the page."""
    page.show("Accuracy", _body)


def _body(view: View) -> None:
    breadcrumb.draw(view)
    if page.is_empty(view):
        return
    by, metric, rank = _controls(view)
    ordered = grouped.ranked(grouped.judged(loaders.groups(view, by), metric), rank, metric)
    whole = grouped.judged(loaders.groups(view, "overall"), metric)
    macro = grouped.macro(loaders.groups(view, "country"), metric)
    places.headline(whole, ordered, metric, _LEVELS.get(by, "values"), macro)
    figures.selection_remark(view.selection)
    shown = places.named(ordered.head(places.MOST_ROWS))
    _charts(view, shown, by, metric)
    _table(view, shown, len(ordered), by, metric)
    _links()


def _controls(view: View) -> tuple[str, str, str]:
    attributes = {
        f"{ATTRIBUTE}{name}": f"attribute {formats.isolated(name)}"
        for name in loaders.attribute_names(view)
    }
    titles = {name: metric.title for name, metric in METRICS.items()}
    columns = st.columns(3, gap="small")
    with columns[0]:
        by = controls.select("Group by", "by", {**_LEVELS, **attributes}, _default_level(view))
    with columns[1]:
        metric = controls.select("Figure", "metric", titles, "country")
    with columns[2]:
        rank = controls.select("Order", "rank", RANKS, _RANK)
    return by, metric, rank


def _default_level(view: View) -> str:
    chosen = view.selection
    if chosen.region is not None or chosen.city is not None:
        return "city"
    if chosen.country is not None:
        return "region" if len(loaders.regions_and_cities(view)[0]) > 1 else "city"
    return "country"


def _charts(view: View, shown: pd.DataFrame, by: str, metric: str) -> None:
    if by not in ("continent", "country", "predicted") or view.selection.country is not None:
        places.bars(shown, metric)
        return
    left, right = st.columns([3, 2], gap="medium")
    with left:
        _map(view, "predicted" if by == "predicted" else "country", metric)
    with right:
        places.bars(shown, metric, height=world.HEIGHT)


def _map(view: View, by: str, metric: str) -> None:
    groups = loaders.groups(view, "predicted" if by == "predicted" else "country_code")
    shown = grouped.judged(groups.rename(columns={"predicted": "country"}), metric)
    words, ends = places.words(metric), places.map_ends(shown, metric)
    shown = shown.assign(label=[words(each) for each in shown["value"]])
    world.choropleth(
        shown.assign(interval=places.intervals(shown, metric)),
        key=picks.keyed("world", view.selection, by, metric),
        title=METRICS[metric].title,
        domain=ends,
        words=words,
        on_select=lambda code: _pick(view, by, {by: code}),
    )


def _table(view: View, shown: pd.DataFrame, total: int, by: str, metric: str) -> None:
    places.table(
        shown,
        metric,
        key=picks.keyed("places", view.selection, by, metric, state.own("rank", [*RANKS], _RANK)),
        title=_SINGULAR.get(by, "value"),
        on_pick=lambda position: _pick(view, by, shown.iloc[position].to_dict()),
    )
    if total > len(shown):
        first, whole = formats.count(len(shown)), formats.count(total)
        markup.remark(f"The first {first} of {whole} in this order; filter to see the others.")
    markup.remark("A click on a row, or on a country of the map, goes down to it.")


def _pick(view: View, by: str, row: Mapping[Any, Any]) -> None:
    """Go down to a group: filter by it."""
    if by.startswith(ATTRIBUTE):
        name = by.removeprefix(ATTRIBUTE)
        others = tuple(pair for pair in view.selection.attributes if pair[0] != name)
        breadcrumb.go(view, replace(view.selection, attributes=(*others, (name, row["attribute"]))))
    elif by == "predicted":
        breadcrumb.go(view, replace(view.selection, predicted=row["predicted"]))
    else:
        keys = [level for level in grouped.LEVELS if level in row]
        place: dict[str, Any] = dict.fromkeys(grouped.LEVELS) | {
            level: row[level] for level in keys
        }
        breadcrumb.go(view, replace(view.selection, **place))


def _links() -> None:
    from dashboard import navigation

    with st.container(horizontal=True, gap="medium"):
        navigation.link("failures", "Show the failures among these images", "photo_library")
        navigation.link("confusion", "What they are confused with", "grid_on")
