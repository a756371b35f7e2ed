"""Draw widgets that show the state of the URL, and write it when they change."""

from collections import Counter
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
    words = settings.get("format_func", str)
    if not isinstance(options, Mapping):
        options = {each: words(each) for each in options}
    labels = _distinct(options)
    # The browser answers with labels, perhaps with those of before the last run of the page.
    drawn = f"{key}_labels"
    before = st.session_state.get(drawn, {})
    st.session_state[drawn] = {text: each for each, text in labels.items()}

    def option(sent: Any) -> Any:
        return sent if sent in labels else before.get(sent, sent)

    def write() -> None:
        sent = st.session_state[key]
        on_change([option(each) for each in sent] if isinstance(sent, list) else option(sent))

    settings["format_func"] = lambda each: labels.get(each, str(each))
    widget(label, list(labels), key=key, on_change=write, **settings)


def _distinct(labels: Mapping[Any, str]) -> dict[Any, str]:
    """Number the labels of options that look the same, as of long texts that are cut."""
    found: dict[Any, str] = {}
    times: Counter[str] = Counter()
    for option, text in labels.items():
        times[text] += 1
        found[option] = f"{text} #{times[text]}" if times[text] > 1 else text
    return found


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
