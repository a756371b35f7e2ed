"""Triage: the unreviewed images of the filters, one at a time."""

from typing import Final

import streamlit as st

from dashboard.images import gallery_view, image_detail, image_queries, triage
from dashboard.images.image_queries import OPEN_STATUS, Place
from dashboard.queries import run_queries
from dashboard.shell import formats, html, links, url_state
from dashboard.shell.page_query import View
from dashboard.views import frame
from streetclip.errors import StreetClipError
from streetclip.results.filters import Selection

_PATH: Final = "triage"
_DEFAULTS: Final = Selection(country_correct=False)

_TRAIL: Final = "triage_trail"
_PROBLEM: Final = "triage_problem"


def render() -> None:
    """Draw the page."""
    frame.show("Triage", _body, defaults=_DEFAULTS)


def _body(view: View) -> None:
    if frame.is_empty(view):
        return
    order = gallery_view.chosen_order()
    # Queue the unreviewed images, unless the filters name a status.
    is_set = view.selection.status is not None
    queue = view if is_set else image_queries.with_status(view, OPEN_STATUS)
    image_id = _present(queue, order)
    left, right = st.columns([3, 2], gap="medium", vertical_alignment="bottom")
    with left:
        everything = view.but(status=None)
        total = run_queries.num_selected(everything)
        done = total - run_queries.num_selected(image_queries.with_status(everything, OPEN_STATUS))
        words = f"{formats.progress(done, total)} reviewed"
        st.progress(done / total if total else 1.0, text=words)
    with right:
        gallery_view.order_choice(view)
    if image_id is not None:
        _one(view, queue, order, image_id)
        return
    html.notice(
        "All reviewed",
        "No unreviewed image is left in this selection. Choose another in the sidebar, or filter "
        "by triage status to see what was reviewed.",
    )
    if problem := st.session_state.pop(_PROBLEM, ""):
        html.notice("Not undone", problem, css="sc-alert", role="alert")

    def undo() -> None:
        try:
            _act(view, Place(), triage.Action(triage.UNDO, 0, ""))
        except StreetClipError as error:
            st.session_state[_PROBLEM] = str(error)

    st.button("Undo the last change", on_click=undo)


def _present(queue: View, order: str) -> int | None:
    """Take the image of the URL, else the first of the queue."""
    wanted = url_state.page_id(gallery_view.IMAGE)
    if wanted is not None and image_queries.is_in_dataset(queue, wanted):
        return wanted
    if gallery_view.IMAGE in st.query_params:
        html.notice("No such image", "The link names an image that this run does not hold.")
    first = _first(queue, order)
    if first is not None:
        st.query_params[gallery_view.IMAGE] = str(first)
    return first


def _first(queue: View, order: str) -> int | None:
    return next(iter(image_queries.page(queue, order, 1, 1).image_ids), None)


def _one(view: View, queue: View, order: str, image_id: int) -> None:
    image, _ = image_queries.one(view, image_id)
    place = image_queries.place(queue, order, image_id)
    if place.rank is None:  # reviewed already
        place = Place(following=_first(queue, order))
    left, right = st.columns([3, 2], gap="medium")
    with left:
        image_detail.picture(image)
    with right:
        triage.controls(
            image.subject,
            key="queue",
            on_action=lambda action: _act(view, place, action),
            previous=gallery_view.neighbour(_PATH, place.previous),
            following=gallery_view.neighbour(_PATH, place.following),
        )
        image_detail.verdict(image.fields)
        links.link(
            gallery_view.PATH,
            "Everything about this image",
            icon="info",
            **gallery_view.parameters(view, image=str(image_id)),
        )
    left, right = st.columns(2, gap="medium")
    with left:
        image_detail.countries(image.fields)
    with right:
        image_detail.cities(image.fields)


def _act(view: View, place: Place, action: triage.Action) -> str:
    """Apply an action; after a review, go to the next image."""
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


def _go_to(image_id: int | None) -> None:
    url_state.change(**{gallery_view.IMAGE: None if image_id is None else str(image_id)})
