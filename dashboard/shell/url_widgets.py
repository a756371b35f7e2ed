"""Widgets that belong to one parameter of the URL: they show it, and a change writes it."""

from collections.abc import Callable, Mapping
from typing import Any

import streamlit as st

from dashboard.shell import url_state


def segmented(label: str, name: str, options: Mapping[str, str], default: str) -> str:
    """Draw a choice between a few options, and give the one that the URL names.

    Args:
        label: A constant of the caller.
        name: The parameter.
        options: By the URL's word, what to show; constants of the caller.
        default: What holds where the URL says nothing, or nothing known.
    """
    return _choice(st.segmented_control, label, name, options, default, required=True)


def select(label: str, name: str, options: Mapping[str, str], default: str) -> str:
    """Draw a list to choose from, and give the option that the URL names; as `segmented`."""
    return _choice(st.selectbox, label, name, options, default)


def _choice(
    widget: Callable[..., Any],
    label: str,
    name: str,
    options: Mapping[str, str],
    default: str,
    **settings: Any,
) -> str:
    value = url_state.own(name, list(options), default)
    key = f"own_{name}"
    st.session_state[key] = value
    widget(
        label,
        list(options),
        format_func=lambda each: options.get(each, str(each)),
        key=key,
        on_change=lambda: _write(name, key, default),
        **settings,
    )
    return value


def _write(name: str, key: str, default: str) -> None:
    chosen = st.session_state[key]
    url_state.change(**{name: None if chosen in (None, default) else chosen})
