"""Draw the buttons of the map: zoom in, zoom out, back to the first view, the whole world."""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Final

import streamlit as st

_HTML: Final = """<div class="buttons" role="group" aria-label="View of the map">
<button name="zoom-in" aria-label="Zoom in" title="Zoom in">+</button>
<button name="zoom-out" aria-label="Zoom out" title="Zoom out">−</button>
<button name="reset" aria-label="Reset the view" title="Reset the view">⟲</button>
<button name="world" aria-label="Show the world" title="Show the world"><svg viewBox="0 0 20 20">
<circle cx="10" cy="10" r="8"/><ellipse cx="10" cy="10" rx="3.5" ry="8"/><path d="M2 10h16"/>
</svg></button>
</div>"""


def draw(key: str, *, is_world: bool, on_world: Callable[[bool], None]) -> None:
    """Draw the buttons over the map in the container `map_canvas`.

    `on_world` gets whether to show the world from now on, in a click's callback.
    """

    def reset() -> None:
        st.session_state[_counter(key)] = times_reset(key) + 1

    with st.container(key="map_buttons"):
        _component()(
            key=f"{key}_buttons",
            data={"is_world": is_world},
            on_reset_change=reset,
            on_world_change=lambda: on_world(not is_world),
        )


def times_reset(key: str) -> int:
    """Count the resets: in the chart's key, each returns to the first view."""
    return int(st.session_state.get(_counter(key), 0))


def _counter(key: str) -> str:
    return f"{key}_resets"


@functools.cache
def _component() -> Callable[..., object]:
    css, js = (Path(__file__).with_suffix(f".{kind}").read_text("utf-8") for kind in ("css", "js"))
    return st.components.v2.component("streetclip_map_buttons", html=_HTML, css=css, js=js)
