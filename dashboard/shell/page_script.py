"""Run the script of every page: rows clickable as a whole, scroll position kept."""

import functools
from collections.abc import Callable
from pathlib import Path

import streamlit as st


def apply() -> None:
    """Put the script on the page; call it once in a view."""
    unseen(Path(__file__).with_suffix(".js"))(key="page_script")


@functools.cache
def unseen(script: Path) -> Callable[..., object]:
    """Register a script as a component without anything to see."""
    js = script.read_text("utf-8")
    return st.components.v2.component(f"streetclip_{script.stem}", html="<span></span>", js=js)
