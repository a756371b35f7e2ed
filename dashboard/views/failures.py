"""Failures: the images behind a figure, and one image with everything that is known of it."""

from typing import Final

import streamlit as st

from dashboard import export, formats, images, loaders, page, state
from dashboard.components import album, controls, detail, markup, paging, triage
from dashboard.thumbnails import DETAIL_SIDE, thumbnail
from dashboard.view import View
from streetclip import analysis
from streetclip.analysis.selection import Selection

DEFAULTS: Final = Selection(country_right=False)
"""The page shows what went wrong, unless the URL says otherwise."""


def render() -> None:
    """Draw the page."""
    page.show("Failures", _body, defaults=DEFAULTS)


def _body(view: View) -> None:
    order = state.own(album.SORT, list(analysis.ORDERS), album.DEFAULT_ORDER)
    image_id = state.own_id(album.IMAGE)
    if image_id is not None:
        _one(view, order, image_id)
    elif not page.is_empty(view):
        _all(view, order)


def _all(view: View, order: str) -> None:
    shown = images.page(view, order, state.own_number(album.PAGE))
    paging.countries(view)
    with st.container(horizontal=True, vertical_alignment="bottom", key="gallery_bar"):
        controls.select("Order", album.SORT, album.order_words(view), album.DEFAULT_ORDER)
        paging.pager(shown, "above")
        export.button(view, order)
    export.limit_remark(view)
    album.page_of(view, shown, order, key="gallery")
    if shown.num_pages > 1:
        with st.container(horizontal=True, vertical_alignment="center"):
            paging.pager(shown, "below")


def _one(view: View, order: str, image_id: int) -> None:
    if not images.is_in_dataset(view, image_id):
        _no_such_image(view, image_id)
        return
    found = images.one(view, image_id)
    place = images.place(view, order, image_id)
    _way_back(view, place)
    left, right = st.columns([3, 2], gap="medium")
    with left:
        detail.picture(thumbnail(found.file, DETAIL_SIDE), found.fields)
    with right:
        detail.verdict(found.fields)
        triage.controls(
            album.subject(found, image_id),
            key="triage",
            on_action=lambda action: _act(view, action),
            previous=album.neighbour(album.PATH, place.previous),
            following=album.neighbour(album.PATH, place.following),
        )
    _more(view, found, image_id)


def _no_such_image(view: View, image_id: int) -> None:
    markup.notice(
        "No such image",
        f"The link asks for image {image_id}, which the dataset of run {view.run_id} does not "
        "hold. Choose another run in the sidebar, or go back.",
        css="sc-alert",
    )
    _way_back(view, images.Place())


def _more(view: View, found: images.One, image_id: int) -> None:
    left, right = st.columns(2, gap="medium")
    with left:
        detail.countries(found.fields)
        st.header("Attributes", anchor=False)
        detail.attributes(found.fields)
    with right:
        detail.cities(found.fields)
        st.header("Where", anchor=False)
        detail.where(found.fields)
        st.header("Prompts", anchor=False)
        detail.prompts(loaders.details(view)["prompts"])
    st.header("The same image in every run", anchor=False)
    detail.in_runs(
        found.in_runs,
        view.run_id,
        key="image_runs",
        on_pick=lambda run_id: state.change(**{state.RUN: str(run_id), album.IMAGE: str(image_id)}),
    )


def _way_back(view: View, place: images.Place) -> None:
    total = loaders.num_selected(view)
    number = 1 if place.rank is None else -(-place.rank // images.PAGE_SIZE)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button(
            f"All {formats.count(total)} images",
            key="back",
            icon=":material/arrow_back:",
            on_click=lambda: album.turn_to(number),
        )
        words = (
            "not among the images that the filters leave"
            if place.rank is None
            else f"image {formats.count(place.rank)} of {formats.count(total)}"
        )
        markup.draw(markup.tag("p", words, css="sc-line"))


def _act(view: View, action: triage.Action) -> str:
    if action.kind == triage.OPEN:
        state.change(**{album.IMAGE: str(action.image_id)})
        return ""
    return images.note(view, action).words
