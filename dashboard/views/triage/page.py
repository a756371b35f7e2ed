"""Triage queue: the open images of a selection, one at a time."""

from typing import Final

import streamlit as st

from dashboard.images import gallery_view, image_detail, image_queries, triage
from dashboard.images.thumbnails import DETAIL_SIDE, thumbnail
from dashboard.queries import runs
from dashboard.shell import formats, html, links, url_state, url_widgets
from dashboard.shell.page_query import View
from dashboard.views import frame
from streetclip import results
from streetclip.errors import StreetClipError
from streetclip.results.filters import Selection

PATH: Final = "triage"
DEFAULTS: Final = Selection(country_right=False)

_TRAIL: Final = "triage_trail"
_PROBLEM: Final = "triage_problem"


def render() -> None:
    """Draw the page."""
    frame.show("Triage queue", _body, defaults=DEFAULTS)


def _body(view: View) -> None:
    if frame.is_empty(view):
        return
    order = url_state.own(gallery_view.SORT, list(results.ORDERS), gallery_view.DEFAULT_ORDER)
    queue = _queue(view)
    image_id = _present(queue, order)
    left, right = st.columns([3, 2], gap="medium", vertical_alignment="bottom")
    with left:
        _progress(view)
    with right:
        url_widgets.select(
            "Order", gallery_view.SORT, gallery_view.order_words(view), gallery_view.DEFAULT_ORDER
        )
    if image_id is None:
        _all_judged(view)
    else:
        _one(view, queue, order, image_id)


def _all_judged(view: View) -> None:
    html.notice(
        "All judged",
        "No image of this selection is open any more. Take another selection in the sidebar, or "
        "filter by triage status to see what was judged.",
    )
    if problem := st.session_state.pop(_PROBLEM, ""):
        html.notice("Not undone", problem, css="sc-alert", role="alert")
    st.button("Undo the last change", on_click=_undo, args=(view,))


def _queue(view: View) -> View:
    """The images to go through: the open ones, unless the filters ask for another status."""
    if view.selection.status is not None:
        return view
    return image_queries.with_status(view, image_queries.OPEN_STATUS)


def _present(queue: View, order: str) -> int | None:
    """The image that the URL names; without one, the first of the queue, which it then names."""
    wanted = url_state.own_id(gallery_view.IMAGE)
    if wanted is not None and image_queries.is_in_dataset(queue, wanted):
        return wanted
    if gallery_view.IMAGE in st.query_params:
        html.notice("No such image", "The link names an image that this run does not hold.")
    first = image_queries.page(queue, order, 1, 1).image_ids
    if not first:
        return None
    st.query_params[gallery_view.IMAGE] = str(first[0])
    return first[0]


def _progress(view: View) -> None:
    everything = image_queries.without_status(view)
    total = runs.num_selected(everything)
    num_open = runs.num_selected(image_queries.with_status(everything, image_queries.OPEN_STATUS))
    judged = total - num_open
    words = f"{formats.progress(judged, total)} judged"
    st.progress(judged / total if total else 1.0, text=words)


def _one(view: View, queue: View, order: str, image_id: int) -> None:
    found = image_queries.one(view, image_id)
    place = _place(queue, order, image_id)
    left, right = st.columns([3, 2], gap="medium")
    with left:
        image_detail.picture(thumbnail(found.file, DETAIL_SIDE), found.fields)
    with right:
        triage.controls(
            gallery_view.subject(found, image_id),
            key="queue",
            on_action=lambda action: _act(view, place, action),
            previous=gallery_view.neighbour(PATH, place.previous),
            following=gallery_view.neighbour(PATH, place.following),
        )
        image_detail.verdict(found.fields)
        links.link(
            gallery_view.PATH,
            "Everything about this image",
            icon="info",
            **gallery_view.parameters(view, image=str(image_id)),
        )
    left, right = st.columns(2, gap="medium")
    with left:
        image_detail.countries(found.fields)
    with right:
        image_detail.cities(found.fields)


def _place(queue: View, order: str, image_id: int) -> image_queries.Place:
    """Where the image stands in the queue; after one that is judged comes the first open one."""
    place = image_queries.place(queue, order, image_id)
    if place.rank is not None:
        return place
    first = image_queries.page(queue, order, 1, 1).image_ids
    return image_queries.Place(following=first[0] if first else None)


def _act(view: View, place: image_queries.Place, action: triage.Action) -> str:
    """Do what an action says; an image that was judged makes room for the next one."""
    if action.kind == triage.OPEN:
        _go_to(action.image_id)
        return ""
    trail = st.session_state.setdefault(_TRAIL, [])
    noted = image_queries.note(view, action)
    if not noted.changed:
        return noted.words
    if action.kind == triage.UNDO:
        _go_to(trail.pop() if trail else action.image_id or None)
        return noted.words
    trail.append(action.image_id)
    if action.kind == triage.STATUS and place.rank is not None:
        _go_to(place.following or place.previous)
    return noted.words


def _undo(view: View) -> None:
    try:
        _act(view, image_queries.Place(), triage.Action(triage.UNDO, 0, ""))
    except StreetClipError as error:
        st.session_state[_PROBLEM] = str(error)


def _go_to(image_id: int | None) -> None:
    url_state.change(**{gallery_view.IMAGE: None if image_id is None else str(image_id)})
