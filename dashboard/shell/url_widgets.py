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
    words: Callable[[Any], str],
    on_change: Callable[[Any], None],
    **settings: Any,
) -> None:
    """Draw a choice that always shows a value of the URL.

    Args:
        widget: As `st.selectbox`.
        label: Markdown.
        options: To choose from.
        key: Unique on the page.
        value: What is chosen now.
        words: Names an option.
        on_change: Called with what is chosen next; writes the URL.
        settings: Of the widget.
    """
    st.session_state[key] = value
    widget(
        label,
        list(options),
        format_func=words,
        key=key,
        on_change=lambda: on_change(st.session_state[key]),
        **settings,
    )


def segmented(label: str, name: str, options: Mapping[str, str], default: str) -> str:
    """Draw a choice between a few options, and return the one that the URL names.

    Args:
        label: A constant of the caller.
        name: The parameter.
        options: What to show by the URL's word; constants of the caller.
        default: What holds where the URL names no known option.
    """
    return _own(st.segmented_control, label, name, options, default, required=True)


def select(label: str, name: str, options: Mapping[str, str], default: str) -> str:
    """Draw a list to choose from, and return the option that the URL names; as `segmented`."""
    return _own(st.selectbox, label, name, options, default)


def _own(
    widget: Callable[..., Any],
    label: str,
    name: str,
    options: Mapping[str, str],
    default: str,
    **settings: Any,
) -> str:
    value = url_state.own(name, list(options), default)
    bound(
        widget,
        label,
        options,
        key=f"own_{name}",
        value=value,
        words=lambda each: options.get(each, str(each)),
        on_change=lambda chosen: url_state.change(
            **{name: None if chosen in (None, default) else chosen}
        ),
        **settings,
    )
    return value
