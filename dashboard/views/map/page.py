"""Map: true and predicted places of images, as arcs, points, hexagons or flows."""

from collections.abc import Mapping
from functools import partial

import streamlit as st

from dashboard.charts import deck_map, legends, selection_events
from dashboard.images import gallery_view
from dashboard.queries import run_queries
from dashboard.queries.run_queries import ARCS, AUTO, FLOWS, HEXAGONS, POINTS
from dashboard.shell import html, url_state, url_widgets
from dashboard.shell.page_query import View
from dashboard.views import frame
from dashboard.views.map import click_handlers, country_flows, map_layers
from dashboard.views.map.map_layers import (
    ACCURACY,
    CONFIDENCE,
    COUNT,
    DISTANCE,
    ENDS,
    MEDIAN,
    Drawn,
)
from streetclip.results.filters import Selection

_FORMS = {each: each.capitalize() for each in (AUTO, ARCS, POINTS, HEXAGONS, FLOWS)}
_COLOURS = {ENDS: "True/predicted", DISTANCE: "Distance", CONFIDENCE: "Confidence"}
_OF_HEXAGONS = {MEDIAN: "Median error", ACCURACY: "Accuracy", COUNT: "Images"}
_EXTENT, _WORLD = "extent", "world"
_PLACES = {"true": "True place", "predicted": "Predicted place"}
_ORDER = "farthest"
_ALL_OUTCOMES = "Accuracy is of correct and wrong images: the filters of the outcome do not apply."


def render() -> None:
    """Draw the page."""
    frame.show("Map", _body, defaults=Selection(country_correct=False))


def _body(view: View) -> None:
    if frame.is_empty(view):
        return
    total = run_queries.num_error_arcs(view)
    form, colour, where = choices = _choices(total)
    is_accuracy = form == HEXAGONS and colour == ACCURACY
    # Of wrong images alone, every accuracy is 0.
    counted = view.but(country_correct=None, city_correct=None) if is_accuracy else view
    drawn = _drawn(counted, form, colour, where)
    routes = run_queries.routes(view)
    words = country_flows.words(
        form,
        is_by_scale=url_state.page_option("layer", [*_FORMS], AUTO) == AUTO,
        num_marks=drawn.num_marks,
        num_drawn=drawn.num_images,
        num_selected=run_queries.num_selected(counted),
        num_placed=drawn.num_images if form == HEXAGONS else total,  # they need one place only
        num_pairs=len(routes),
    )
    html.remark(words if counted == view else f"{words} {_ALL_OUTCOMES}")
    image_id = url_state.page_id(gallery_view.IMAGE)
    image = None if image_id is None else run_queries.error_arc(view, image_id)
    above = [] if image is None or image.empty else map_layers.picked(image)
    left, right = st.columns([5, 3], gap="medium")
    with left:
        is_world = url_state.page_option(_EXTENT, [_WORLD], "") == _WORLD
        shown = view.run_id, view.selection, *choices, click_handlers.times_unpicked()
        deck_map.draw(
            [*drawn.layers, *above],
            fitted=None if is_world else drawn.fitted,
            key=selection_events.keyed("map", *shown),
            alt_text=country_flows.alt_text(routes),
            on_pick=partial(click_handlers.pick, view),
            on_world=_set_extent,
        )
        legends.draw(drawn.legend)
        key = selection_events.keyed("map_table", view.selection)
        country_flows.table(routes, key=key, on_pick=partial(click_handlers.pair, view))
    with right:
        _panel(view, counted, None if image is None else image_id, form, where)


def _set_extent(is_world: bool) -> None:
    clicked = {
        name: st.query_params.get(name) for name in (gallery_view.IMAGE, click_handlers.CELL)
    }
    url_state.change(**clicked, **{_EXTENT: _WORLD if is_world else None})


def _choices(total: int) -> tuple[str, str, str]:
    """Draw the choices; return form, colour and place to draw."""
    with st.container(horizontal=True, gap="medium", vertical_alignment="bottom"):
        form = run_queries.form_of(url_widgets.segmented("Draw as", "layer", _FORMS, AUTO), total)
        is_line = form in (ARCS, FLOWS)
        shown: Mapping[str, str] = _OF_HEXAGONS
        if form != HEXAGONS:
            shown = _COLOURS if is_line else {k: v for k, v in _COLOURS.items() if k != ENDS}
        colour = url_widgets.segmented("Colour by", "colour", shown, next(iter(shown)))
        where = "true" if is_line else url_widgets.segmented("Draw at", "at", _PLACES, "true")
    return form, colour, where


def _drawn(view: View, form: str, colour: str, where: str) -> Drawn:
    if form == FLOWS:
        return map_layers.flows(run_queries.flows(view), colour)
    if form == HEXAGONS:
        return map_layers.hexagons(run_queries.hexagons(view, where).rows, colour)
    rows = run_queries.error_arcs(view, form)
    return map_layers.arcs(rows, colour) if form == ARCS else map_layers.points(rows, colour, where)


def _panel(view: View, counted: View, image_id: int | None, form: str, where: str) -> None:
    """Draw the images of the clicked mark, else the largest errors; `counted`: of hexagons."""
    cell = url_state.page_id(click_handlers.CELL)
    if image_id is not None:
        st.header("The image", anchor=False)
        gallery_view.few(view, [image_id], 1, key="map_image", order=_ORDER)
        click_handlers.way_back()
    elif form == HEXAGONS and cell is not None:
        st.header("In the hexagon", anchor=False)
        size_deg = run_queries.hexagons(counted, where).size_deg
        found = run_queries.in_hexagon(counted, where, cell, size_deg, gallery_view.PREVIEW_SIZE)
        gallery_view.few(counted, *found, key="map_cell", order=_ORDER, words="largest error first")
        click_handlers.way_back()
    else:
        st.header("Largest error", anchor=False)
        gallery_view.preview(view, key="map_images", order=_ORDER)
