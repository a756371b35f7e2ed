"""Triage queue: the open images of a selection, one at a time."""

from typing import Final

import streamlit as st

from dashboard import formats, images, loaders, navigation, page, state
from dashboard.components import album, controls, detail, markup, triage
from dashboard.thumbnails import DETAIL_SIDE, thumbnail
from dashboard.view import View
from streetclip import analysis
from streetclip.analysis.selection import Selection
from streetclip.errors import StreetClipError

PATH: Final = "triage"
DEFAULTS: Final = Selection(country_right=False)

_TRAIL: Final = "triage_trail"
_PROBLEM: Final = "triage_problem"


def render() -> None:
    """Draw the page."""
    page.show("Triage queue", _body, defaults=DEFAULTS)


def _body(view: View) -> None:
    if page.is_empty(view):
        return
    order = state.own(album.SORT, list(analysis.ORDERS), album.DEFAULT_ORDER)
    queue = _queue(view)
    image_id = _present(queue, order)
    left, right = st.columns([3, 2], gap="medium", vertical_alignment="bottom")
    with left:
        _progress(view)
    with right:
        controls.select("Order", album.SORT, album.order_words(view), album.DEFAULT_ORDER)
    if image_id is None:
        _all_judged(view)
    else:
        _one(view, queue, order, image_id)


def _all_judged(view: View) -> None:
    markup.notice(
        "All judged",
        "No image of this selection is open any more. Take another selection in the sidebar, or "
        "filter by triage status to see what was judged.",
    )
    if problem := st.session_state.pop(_PROBLEM, ""):
        markup.notice("Not undone", problem, css="sc-alert", role="alert")
    st.button("Undo the last change", on_click=_undo, args=(view,))


def _queue(view: View) -> View:
    """The images to go through: the open ones, unless the filters ask for another status."""
    if view.selection.status is not None:
        return view
    return images.with_status(view, images.OPEN_STATUS)


def _present(queue: View, order: str) -> int | None:
    """The image that the URL names; without one, the first of the queue, which it then names."""
    wanted = state.own_id(album.IMAGE)
    if wanted is not None and images.is_in_dataset(queue, wanted):
        return wanted
    if album.IMAGE in st.query_params:
        markup.notice("No such image", "The link names an image that this run does not hold.")
    first = images.page(queue, order, 1, 1).image_ids
    if not first:
        return None
    st.query_params[album.IMAGE] = str(first[0])
    return first[0]


def _progress(view: View) -> None:
    everything = images.without_status(view)
    total = loaders.num_selected(everything)
    num_open = loaders.num_selected(images.with_status(everything, images.OPEN_STATUS))
    judged = total - num_open
    words = f"{formats.progress(judged, total)} judged"
    st.progress(judged / total if total else 1.0, text=words)


def _one(view: View, queue: View, order: str, image_id: int) -> None:
    found = images.one(view, image_id)
    place = _place(queue, order, image_id)
    left, right = st.columns([3, 2], gap="medium")
    with left:
        detail.picture(thumbnail(found.file, DETAIL_SIDE), found.fields)
    with right:
        triage.controls(
            album.subject(found, image_id),
            key="queue",
            on_action=lambda action: _act(view, place, action),
            previous=album.neighbour(PATH, place.previous),
            following=album.neighbour(PATH, place.following),
        )
        detail.verdict(found.fields)
        navigation.link(
            album.PATH,
            "Everything about this image",
            icon="info",
            **album.parameters(view, image=str(image_id)),
        )
    left, right = st.columns(2, gap="medium")
    with left:
        detail.countries(found.fields)
    with right:
        detail.cities(found.fields)


def _place(queue: View, order: str, image_id: int) -> images.Place:
    """Where the image stands in the queue; after one that is judged comes the first open one."""
    place = images.place(queue, order, image_id)
    if place.rank is not None:
        return place
    first = images.page(queue, order, 1, 1).image_ids
    return images.Place(following=first[0] if first else None)


def _act(view: View, place: images.Place, action: triage.Action) -> str:
    """Do what an action says; an image that was judged makes room for the next one."""
    if action.kind == triage.OPEN:
        _go_to(action.image_id)
        return ""
    trail = st.session_state.setdefault(_TRAIL, [])
    noted = images.note(view, action)
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
        _act(view, images.Place(), triage.Action(triage.UNDO, 0, ""))
    except StreetClipError as error:
        st.session_state[_PROBLEM] = str(error)


def _go_to(image_id: int | None) -> None:
    state.change(**{album.IMAGE: None if image_id is None else str(image_id)})
