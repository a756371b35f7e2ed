"""Draw widgets that show the state of the URL, and write it when they change."""

from collections.abc import Callable, Iterable, Mapping
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
    widget(
        label,
        list(options),
        key=key,
        on_change=lambda: on_change(st.session_state[key]),
        **settings,
    )


def segmented(label: str, name: str, options: Mapping[str, str], default: str) -> str:
    """Draw a choice between labels by word of the URL's parameter `name`; return the word."""
    return _own(st.segmented_control, label, name, options, default, required=True)


def select(label: str, name: str, options: Mapping[str, str], default: str) -> str:
    """Draw a list to choose from, as `segmented`."""
    return _own(st.selectbox, label, name, options, default)


def _own(
    widget: Callable[..., Any],
    label: str,
    name: str,
    options: Mapping[str, str],
    default: str,
    **settings: Any,
) -> str:
    value = url_state.page_option(name, list(options), default)
    bound(
        widget,
        label,
        options,
        key=f"own_{name}",
        value=value,
        on_change=lambda chosen: url_state.change(
            **{name: None if chosen in (None, default) else chosen}
        ),
        **settings,
    )
    return value
