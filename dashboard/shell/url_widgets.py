"""Draw widgets that show the state of the URL, and write it when they change."""

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

import streamlit as st

from dashboard.shell import url_state


def bound(
    widget: Callable[..., Any],
    label: str,
    options: Iterable[Any],
    *,
    key: str,
    value: Any,
    on_change: Callable[[Any], None],
    **settings: Any,
) -> None:
    """Draw a choice that shows the URL's value; `on_change` writes the next."""
    st.session_state[key] = value
    if isinstance(options, Mapping):
        labels = options
        settings["format_func"] = lambda each: labels.get(each, str(each))

    def write() -> None:
        on_change(st.session_state[key])

    widget(label, list(options), key=key, on_change=write, **settings)


def bound_flag(label: str, name: str, word: str) -> None:
    """Draw a checkbox that is set where the URL's parameter `name` is `word`."""
    key = f"own_{name}"
    st.session_state[key] = st.query_params.get(name) == word

    def write() -> None:
        url_state.change(**{name: word if st.session_state[key] else None})

    st.checkbox(label, key=key, on_change=write)


def own(
    widget: Callable[..., Any],
    label: str,
    name: str,
    options: Mapping[str, str],
    default: str,
    *,
    kept: str = "",
    **settings: Any,
) -> str:
    """Draw a choice between labels by word of the URL's parameter `name`; return the word.

    `kept` is a parameter that `url_state.change` would reset.
    """
    value = url_state.page_option(name, list(options), default)

    def write(chosen: str | None) -> None:
        others = {kept: st.query_params.get(kept)} if kept else {}
        url_state.change(**others, **{name: None if chosen in (None, default) else chosen})

    bound(widget, label, options, key=f"own_{name}", value=value, on_change=write, **settings)
    return value


segmented = partial(own, st.segmented_control, required=True)
select = partial(own, st.selectbox)
