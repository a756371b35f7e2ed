"""Draw the breadcrumb of places, such as World / Europe / France."""

from dataclasses import replace
from typing import Any

import streamlit as st

from dashboard.queries import group_ranking, run_queries
from dashboard.shell import formats, html, url_state
from dashboard.shell.page_query import View
from streetclip.results.filters import Selection


def draw(view: View) -> None:
    """Draw clickable steps from the world to the chosen place."""
    chosen = {level: getattr(view.selection, level) for level in group_ranking.LEVELS}
    if chosen["country"] is not None and chosen["continent"] is None:
        known = run_queries.countries(view)
        found = known.loc[known["country"] == chosen["country"], "continent"]
        chosen["continent"] = str(found.iloc[0]) if len(found) == 1 else None
    place: dict[str, Any] = dict.fromkeys(group_ranking.LEVELS)
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
                on_click=lambda above=above: go(view, replace(view.selection, **above)),
            )
        html.draw(html.tag("strong", steps[-1][0]), width="content")


def go(view: View, selection: Selection) -> None:
    """Filter by a place in a click's callback, with its default groups."""
    url_state.change_filters(selection, view.defaults)
    url_state.change(by=None)
