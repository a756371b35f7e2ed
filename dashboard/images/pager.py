"""Ways through many images: to another page, or to those of one country."""

from typing import Final

import streamlit as st

from dashboard.images import gallery_view, image_queries
from dashboard.queries import runs
from dashboard.shell import formats, url_state
from dashboard.shell.page_query import View

_MOST_COUNTRIES: Final = 12


def countries(view: View) -> None:
    """Draw what the images are of, as ways to narrow them: by true country, then by predicted.

    Args:
        view: What the page shows.
    """
    by = "true_country" if view.selection.country is None else "pred_country"
    name = "country" if by == "true_country" else "predicted"
    if getattr(view.selection, name) is not None:
        return
    counts = runs.pairs(view).groupby(by)["n"].sum().sort_values(ascending=False, kind="stable")
    with st.container(horizontal=True, gap="xsmall", vertical_alignment="center"):
        words = "By true country" if name == "country" else "Taken for"
        st.text(words, width="content")
        for code, n in counts.head(_MOST_COUNTRIES).items():
            st.button(
                f"{formats.markdown(formats.country(str(code)))} {formats.count(n)}",
                key=f"narrow_{name}_{code}",
                type="tertiary",
                on_click=lambda code=code: url_state.change_filters(
                    view.but(**{name: code}).selection, view.defaults
                ),
            )
        if len(counts) > _MOST_COUNTRIES:
            rest = formats.count(len(counts) - _MOST_COUNTRIES)
            st.text(f"and {rest} more", width="content")


def pager(shown: image_queries.Page, where: str) -> None:
    """Draw the ways to the other pages, and where one is.

    Args:
        shown: The present page.
        where: Tells two pagers of one page apart.
    """
    last = shown.first + len(shown.image_ids) - 1
    of = f"{formats.count(shown.first)}–{formats.count(last)} of {formats.count(shown.total)}"
    for words, icon, number in (
        ("First", "first_page", 1),
        ("Previous", "chevron_left", shown.number - 1),
        ("Next", "chevron_right", shown.number + 1),
        ("Last", "last_page", shown.num_pages),
    ):
        if words == "Next":
            st.text(of, width="content")
        st.button(
            words,
            key=f"{words.lower()}_{where}",
            icon=f":material/{icon}:",
            disabled=not 1 <= number <= shown.num_pages or number == shown.number,
            on_click=lambda number=number: gallery_view.turn_to(number),
        )
