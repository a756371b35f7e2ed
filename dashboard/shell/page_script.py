"""Run the script of every page: rows clickable as a whole, scroll position kept."""

import functools
from collections.abc import Callable
from pathlib import Path

import streamlit as st


def apply() -> None:
    """Put the script on the page; call it once in a view."""
    _component()(key="page_script")


@functools.cache
def _component() -> Callable[..., object]:
    """Register the script as a component without anything to see."""
    script = Path(__file__).with_suffix(".js").read_text("utf-8")
    return st.components.v2.component("streetclip_page", html="<span></span>", js=script)
