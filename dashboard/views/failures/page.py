"""Images: a gallery of the filtered images, and one image in full."""

from typing import Final

import streamlit as st

from dashboard.images import exports, gallery_view, image_detail, image_queries, triage
from dashboard.images.image_queries import Image, Place
from dashboard.queries import run_queries
from dashboard.shell import formats, html, url_state
from dashboard.shell.page_query import View
from dashboard.views import frame
from streetclip.results.filters import Selection

DEFAULTS: Final = Selection(country_correct=False)
"""Filters of the page where the URL names no outcome."""

_MOST_COUNTRIES: Final = 12


def render() -> None:
    """Draw the page."""
    frame.show("Images", _body, defaults=DEFAULTS)


def _body(view: View) -> None:
    with st.sidebar:
        triage.name_field()
    order = gallery_view.chosen_order()
    image_id = url_state.page_id(gallery_view.IMAGE)
    if image_id is not None:
        _one(view, order, image_id)
    elif frame.is_empty(view):  # perhaps by what was done last, which can be undone
        nothing = image_queries.page(view, order, 1)
        gallery_view.page_of(view, nothing, order, key="gallery")
    else:
        _all(view, order)


def _all(view: View, order: str) -> None:
    shown = image_queries.page(view, order, url_state.page_number(gallery_view.PAGE))
    if view.selection.country_correct is False:
        html.remark("Only images with a wrong country. Choose “any” under Outcome to see all.")
    _countries(view)
    with st.container(horizontal=True, vertical_alignment="bottom", key="gallery_bar"):
        gallery_view.order_choice(view)
        gallery_view.size_choice()
        _pager(shown, "above")
        exports.button(view, order)
    exports.limit_remark(view)
    gallery_view.page_of(view, shown, order, key="gallery")
    if shown.num_pages > 1:
        with st.container(horizontal=True, vertical_alignment="center"):
            _pager(shown, "below")


def _countries(view: View) -> None:
    """Draw buttons that filter by true, then by predicted country."""
    is_first = view.selection.only("country") is None
    by, name = ("true_country", "country") if is_first else ("pred_country", "predicted")
    if view.selection.only(name) is not None:
        return
    counts = run_queries.pairs(view).groupby(by)["n"].sum()
    counts = counts.sort_values(ascending=False, kind="stable")
    with st.container(horizontal=True, gap="xsmall", vertical_alignment="center"):
        st.text("By true country" if is_first else "Predicted as", width="content")
        for code, n in counts.head(_MOST_COUNTRIES).items():
            st.button(
                f"{formats.markdown(formats.country(str(code)))} {formats.count(n)}",
                key=f"narrow_{name}_{code}",
                type="tertiary",
                on_click=url_state.change_filters,
                args=(view.but(**{name: code}).selection, view.defaults),
            )
        if len(counts) > _MOST_COUNTRIES:
            rest = formats.count(len(counts) - _MOST_COUNTRIES)
            st.text(f"and {rest} more", width="content")


def _pager(shown: image_queries.Page, where: str) -> None:
    """Draw buttons to the other pages; `where` makes their keys unique."""
    before = (shown.number - 1) * shown.size
    ends = f"{formats.count(before + 1)}–{formats.count(before + len(shown.image_ids))}"
    for words, icon, number in (
        ("First", "first_page", 1),
        ("Previous", "chevron_left", shown.number - 1),
        ("Next", "chevron_right", shown.number + 1),
        ("Last", "last_page", shown.num_pages),
    ):
        if words == "Next":
            st.text(f"{ends} of {formats.count(shown.total)}", width="content")
        st.button(
            words,
            key=f"{words.lower()}_{where}",
            icon=f":material/{icon}:",
            disabled=not 1 <= number <= shown.num_pages or number == shown.number,
            on_click=gallery_view.turn_to,
            args=(number,),
        )


def _one(view: View, order: str, image_id: int) -> None:
    if not image_queries.is_in_dataset(view, image_id):
        html.notice(
            "No such image",
            f"The link asks for image {image_id}, which the dataset of run {view.run_id} does not "
            "hold. Choose another run in the sidebar, or go back.",
            css="sc-alert",
        )
        _way_back(view, Place())
        return
    image, in_runs = image_queries.one(view, image_id)
    place = image_queries.place(view, order, image_id)
    _way_back(view, place)

    def act(action: triage.Action) -> str:
        if action.kind != triage.OPEN:
            return image_queries.note(view, action).words
        url_state.change(**{gallery_view.IMAGE: str(action.image_id)})
        return ""

    left, right = st.columns([3, 2], gap="medium")
    with left:
        image_detail.picture(image)
    with right:
        image_detail.verdict(image.fields)
        triage.controls(
            image.subject,
            key="triage",
            on_action=act,
            previous=gallery_view.neighbour(gallery_view.PATH, place.previous),
            following=gallery_view.neighbour(gallery_view.PATH, place.following),
        )
    _more(view, image)
    st.header("The same image in every run", anchor=False)

    def show_run(run_id: int) -> None:
        url_state.change(**{url_state.RUN: str(run_id), gallery_view.IMAGE: str(image_id)})

    image_detail.in_runs(in_runs, view.run_id, key="image_runs", on_pick=show_run)


def _way_back(view: View, place: Place) -> None:
    total = formats.count(run_queries.num_selected(view))
    number, words = 1, "not among the images that the filters leave"
    if place.rank is not None:
        number = -(-place.rank // image_queries.PAGE_SIZE)
        words = f"image {formats.count(place.rank)} of {total}"
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button(
            f"All {total} images",
            key="back",
            icon=":material/arrow_back:",
            on_click=gallery_view.turn_to,
            args=(number,),
        )
        html.draw(html.tag("p", words, css="sc-line"))


def _more(view: View, image: Image) -> None:
    left, right = st.columns(2, gap="medium")
    with left:
        image_detail.countries(image.fields)
        st.header("Attributes", anchor=False)
        image_detail.attributes(image.fields)
    with right:
        image_detail.cities(image.fields)
        st.header("Where", anchor=False)
        image_detail.where(image.fields)
        st.header("Prompts", anchor=False)
        image_detail.prompts(run_queries.details(view)["prompts"])
