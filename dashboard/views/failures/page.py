"""Failures: the images behind a figure, and one image with everything that is known of it."""

from typing import Final

import streamlit as st

from dashboard.images import csv_export, gallery_view, image_detail, image_queries, pager, triage
from dashboard.images.thumbnails import DETAIL_SIDE, thumbnail
from dashboard.queries import runs
from dashboard.shell import formats, html, url_state, url_widgets
from dashboard.shell.page_query import View
from dashboard.views import frame
from streetclip import results
from streetclip.results.filters import Selection

DEFAULTS: Final = Selection(country_right=False)
"""The page shows what went wrong, unless the URL says otherwise."""


def render() -> None:
    """Draw the page."""
    frame.show("Failures", _body, defaults=DEFAULTS)


def _body(view: View) -> None:
    order = url_state.own(gallery_view.SORT, list(results.ORDERS), gallery_view.DEFAULT_ORDER)
    image_id = url_state.own_id(gallery_view.IMAGE)
    if image_id is not None:
        _one(view, order, image_id)
    elif not frame.is_empty(view):
        _all(view, order)


def _all(view: View, order: str) -> None:
    shown = image_queries.page(view, order, url_state.own_number(gallery_view.PAGE))
    pager.countries(view)
    with st.container(horizontal=True, vertical_alignment="bottom", key="gallery_bar"):
        url_widgets.select(
            "Order", gallery_view.SORT, gallery_view.order_words(view), gallery_view.DEFAULT_ORDER
        )
        pager.pager(shown, "above")
        csv_export.button(view, order)
    csv_export.limit_remark(view)
    gallery_view.page_of(view, shown, order, key="gallery")
    if shown.num_pages > 1:
        with st.container(horizontal=True, vertical_alignment="center"):
            pager.pager(shown, "below")


def _one(view: View, order: str, image_id: int) -> None:
    if not image_queries.is_in_dataset(view, image_id):
        _no_such_image(view, image_id)
        return
    found = image_queries.one(view, image_id)
    place = image_queries.place(view, order, image_id)
    _way_back(view, place)
    left, right = st.columns([3, 2], gap="medium")
    with left:
        image_detail.picture(thumbnail(found.file, DETAIL_SIDE), found.fields)
    with right:
        image_detail.verdict(found.fields)
        triage.controls(
            gallery_view.subject(found, image_id),
            key="triage",
            on_action=lambda action: _act(view, action),
            previous=gallery_view.neighbour(gallery_view.PATH, place.previous),
            following=gallery_view.neighbour(gallery_view.PATH, place.following),
        )
    _more(view, found, image_id)


def _no_such_image(view: View, image_id: int) -> None:
    html.notice(
        "No such image",
        f"The link asks for image {image_id}, which the dataset of run {view.run_id} does not "
        "hold. Choose another run in the sidebar, or go back.",
        css="sc-alert",
    )
    _way_back(view, image_queries.Place())


def _more(view: View, found: image_queries.One, image_id: int) -> None:
    left, right = st.columns(2, gap="medium")
    with left:
        image_detail.countries(found.fields)
        st.header("Attributes", anchor=False)
        image_detail.attributes(found.fields)
    with right:
        image_detail.cities(found.fields)
        st.header("Where", anchor=False)
        image_detail.where(found.fields)
        st.header("Prompts", anchor=False)
        image_detail.prompts(runs.details(view)["prompts"])
    st.header("The same image in every run", anchor=False)
    image_detail.in_runs(
        found.in_runs,
        view.run_id,
        key="image_runs",
        on_pick=lambda run_id: url_state.change(
            **{url_state.RUN: str(run_id), gallery_view.IMAGE: str(image_id)}
        ),
    )


def _way_back(view: View, place: image_queries.Place) -> None:
    total = runs.num_selected(view)
    number = 1 if place.rank is None else -(-place.rank // image_queries.PAGE_SIZE)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button(
            f"All {formats.count(total)} images",
            key="back",
            icon=":material/arrow_back:",
            on_click=lambda: gallery_view.turn_to(number),
        )
        words = (
            "not among the images that the filters leave"
            if place.rank is None
            else f"image {formats.count(place.rank)} of {formats.count(total)}"
        )
        html.draw(html.tag("p", words, css="sc-line"))


def _act(view: View, action: triage.Action) -> str:
    if action.kind == triage.OPEN:
        url_state.change(**{gallery_view.IMAGE: str(action.image_id)})
        return ""
    return image_queries.note(view, action).words
