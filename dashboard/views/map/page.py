"""Map: true and predicted places of images."""

from functools import partial

import streamlit as st

from dashboard.charts import deck_map, legends, selection_events
from dashboard.images import gallery_view
from dashboard.queries import map_data, run_queries
from dashboard.queries.map_data import ARCS, AUTO, FLOWS, HEXAGONS, POINTS
from dashboard.shell import html, url_state, url_widgets
from dashboard.shell.page_query import View
from dashboard.views import frame
from dashboard.views.map import click_handlers, country_flows, layers
from dashboard.views.map.layers import Drawn
from streetclip.results.filters import Selection

_FORMS = {
    AUTO: "Auto",
    ARCS: "Arcs",
    POINTS: "Points",
    HEXAGONS: "Hexagons",
    FLOWS: "Flows",
}
_COLOURS = {
    layers.ENDS: "True/predicted",
    layers.DISTANCE: "Distance",
    layers.CONFIDENCE: "Confidence",
}
_PLACES = {"true": "True place", "predicted": "Predicted place"}
_ORDER = "farthest"


def render() -> None:
    """Draw the page."""
    frame.show("Map", _body, defaults=Selection(country_correct=False))


def _body(view: View) -> None:
    if frame.is_empty(view):
        return
    total = map_data.num_error_arcs(view)
    form, colour, where = _choices(total)
    drawn = _drawn(view, form, colour, where)
    routes = map_data.routes(view)
    words = country_flows.words(
        drawn,
        form,
        is_by_scale=url_state.page_option("layer", [*_FORMS], AUTO) == AUTO,
        num_selected=run_queries.num_selected(view),
        num_placed=drawn.num_in if form == HEXAGONS else total,  # they need one place only
        num_pairs=len(routes),
    )
    html.remark(words)
    left, right = st.columns([5, 3], gap="medium")
    with left:
        _map(view, drawn, (form, colour, where), country_flows.alt_text(routes))
        key = selection_events.keyed("map_table", view.selection)
        country_flows.table(routes, key=key, on_pick=partial(click_handlers.pair, view))
    with right:
        _panel(view, form, where)


def _choices(total: int) -> tuple[str, str, str]:
    """Draw the choices; return form, colour and place to draw."""
    with st.container(horizontal=True, gap="medium", vertical_alignment="bottom"):
        form = map_data.form_of(url_widgets.segmented("Draw as", "layer", _FORMS, AUTO), total)
        is_line = form in (ARCS, FLOWS)
        shown = _COLOURS if is_line else {k: v for k, v in _COLOURS.items() if k != layers.ENDS}
        colour = url_widgets.segmented("Colour by", "colour", shown, next(iter(shown)))
        where = "true" if is_line else url_widgets.segmented("Draw at", "at", _PLACES, "true")
    return form, colour, where


def _drawn(view: View, form: str, colour: str, where: str) -> Drawn:
    if form == FLOWS:
        return layers.flows(map_data.flows(view), colour)
    if form == HEXAGONS:
        found = map_data.hexagons(view, where, layers.MEASURES[colour])
        return layers.hexagons(found.rows, colour)
    rows = map_data.error_arcs(view, form)
    return layers.arcs(rows, colour) if form == ARCS else layers.points(rows, colour, where)


def _map(view: View, drawn: Drawn, choices: tuple[str, str, str], alt_text: str) -> None:
    image_id = url_state.page_id(gallery_view.IMAGE)
    row = None if image_id is None else map_data.error_arc(view, image_id)
    above = [] if row is None or row.empty else layers.picked(row)
    deck_map.draw(
        [*drawn.layers, *above],
        fitted=drawn.fitted,
        key=selection_events.keyed(
            "map", view.run_id, view.selection, *choices, click_handlers.times_unpicked()
        ),
        alt_text=alt_text,
        on_pick=partial(click_handlers.pick, view),
    )
    legends.draw(drawn.legend)


def _panel(view: View, form: str, where: str) -> None:
    """Draw the images of the clicked mark, else the largest errors."""
    image_id, cell = url_state.page_id(gallery_view.IMAGE), url_state.page_id(click_handlers.CELL)
    if image_id is not None and map_data.error_arc(view, image_id) is not None:
        st.header("The image", anchor=False)
        gallery_view.few(view, [image_id], 1, key="map_image", order=_ORDER)
        click_handlers.way_back()
    elif form == HEXAGONS and cell is not None:
        st.header("In the hexagon", anchor=False)
        ids, total = map_data.in_hexagon(view, where, cell, gallery_view.PREVIEW_SIZE)
        gallery_view.few(
            view, ids, total, key="map_cell", order=_ORDER, words="largest error first"
        )
        click_handlers.way_back()
    else:
        st.header("Largest error", anchor=False)
        gallery_view.preview(view, key="map_images", order=_ORDER)
