"""Draw a chip for each value of a set filter, which removes it."""

from functools import partial

import streamlit as st

from dashboard.shell import formats, html, url_state
from dashboard.shell.page_query import View
from streetclip.results.filter_words import set_parts
from streetclip.results.filters import Selection


def chips(view: View, num_selected: int) -> None:
    """Draw chips of set filters and the number of matching images."""
    parts = set_parts(view.selection)
    if not parts:
        return
    with st.container(horizontal=True, gap="xsmall", vertical_alignment="center", key="chips"):
        html.draw(html.tag("p", f"{formats.count(num_selected)} images match", css="sc-line"))
        for position, (words, rest) in enumerate(parts):
            st.button(
                formats.markdown(words),
                key=f"chip_{position}",
                icon=":material/close:",
                icon_position="right",
                help="Remove this filter",
                on_click=partial(url_state.change_filters, rest, view.defaults),
            )
        clear = partial(url_state.change_filters, Selection(), view.defaults)
        st.button("Clear all", key="chip_clear", type="tertiary", on_click=clear)
