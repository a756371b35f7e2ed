"""Map: where images were placed wrongly."""

from functools import partial

import streamlit as st

from dashboard import loaders, mapping, page, state
from dashboard.components import (
    album,
    controls,
    deck,
    legends,
    map_layers,
    map_picks,
    markup,
    picks,
    routes,
)
from dashboard.components.map_layers import Drawn
from dashboard.mapping import ARCS, AUTO, FLOWS, HEXAGONS, POINTS
from dashboard.view import View
from streetclip.analysis.selection import Selection

_FORMS = {
    AUTO: "By scale",
    ARCS: "Arcs",
    POINTS: "Points",
    HEXAGONS: "Hexagons",
    FLOWS: "Flows",
}
_COLOURS = {
    map_layers.ENDS: "Ends",
    map_layers.DISTANCE: "Distance",
    map_layers.CONFIDENCE: "Confidence",
}
_PLACES = {"true": "True place", "predicted": "Predicted place"}
_ORDER = "farthest"


def render() -> None:
    """Draw the page."""
    page.show("Map", _body, defaults=Selection(country_right=False))


def _body(view: View) -> None:
    if page.is_empty(view):
        return
    total = mapping.num_ends(view)
    form, colour, where = _choices(total)
    drawn = _drawn(view, form, colour, where)
    markup.remark(_words(view, form, total, drawn))
    left, right = st.columns([5, 3], gap="medium")
    with left:
        _map(view, drawn, (form, colour, where))
        _table(view)
    with right:
        _panel(view, form, where)


def _choices(total: int) -> tuple[str, str, str]:
    """What the URL says of form, colour and place; the form as it is drawn."""
    with st.container(horizontal=True, gap="medium", vertical_alignment="bottom"):
        form = mapping.form_of(controls.segmented("Draw as", "layer", _FORMS, AUTO), total)
        is_line = form in (ARCS, FLOWS)
        shown = _COLOURS if is_line else {k: v for k, v in _COLOURS.items() if k != map_layers.ENDS}
        colour = controls.segmented("Colour by", "colour", shown, next(iter(shown)))
        where = "true" if is_line else controls.segmented("Draw at", "at", _PLACES, "true")
    return form, colour, where


def _drawn(view: View, form: str, colour: str, where: str) -> Drawn:
    if form == FLOWS:
        return map_layers.flows(mapping.flows(view), colour)
    if form == HEXAGONS:
        found = mapping.hexagons(view, where, map_layers.MEASURES[colour])
        return map_layers.hexagons(found.rows, colour)
    rows = mapping.ends(view, form)
    return map_layers.arcs(rows, colour) if form == ARCS else map_layers.points(rows, colour, where)


def _words(view: View, form: str, total: int, drawn: Drawn) -> str:
    return routes.words(
        routes.Shown(
            form=form,
            is_by_scale=state.own("layer", [*_FORMS], AUTO) == AUTO,
            num_selected=loaders.num_selected(view),
            num_placed=drawn.num_in if form == HEXAGONS else total,  # they need one place only
            num_marks=drawn.num_marks,
            num_in=drawn.num_in,
            num_pairs=len(mapping.routes(view)),
        )
    )


def _map(view: View, drawn: Drawn, choices: tuple[str, str, str]) -> None:
    image_id = state.own_id(album.IMAGE)
    row = None if image_id is None else mapping.one_end(view, image_id)
    above = [] if row is None or row.empty else map_layers.picked(row)
    deck.draw(
        [*drawn.layers, *above],
        fitted=drawn.fitted,
        key=picks.keyed("map", view.run_id, view.selection, *choices, map_picks.times_unpicked()),
        alt_text=routes.alt_text(mapping.routes(view)),
        on_pick=partial(map_picks.pick, view),
    )
    legends.draw(drawn.legend)


def _table(view: View) -> None:
    key = picks.keyed("map_table", view.selection)
    routes.table(mapping.routes(view), key=key, on_pick=partial(map_picks.pair, view))


def _panel(view: View, form: str, where: str) -> None:
    """The images of what is clicked, else those that are farthest off."""
    image_id, cell = state.own_id(album.IMAGE), state.own_id(map_picks.CELL)
    if image_id is not None and mapping.one_end(view, image_id) is not None:
        st.header("The image", anchor=False)
        album.few(view, [image_id], 1, key="map_image", order=_ORDER)
        map_picks.way_back()
    elif form == HEXAGONS and cell is not None:
        st.header("In the hexagon", anchor=False)
        ids, total = mapping.in_hexagon(view, where, cell, album.PREVIEW_SIZE)
        album.few(view, ids, total, key="map_cell", order=_ORDER, words="farthest off first")
        map_picks.way_back()
    else:
        st.header("Farthest off", anchor=False)
        album.preview(view, key="map_images", order=_ORDER)
