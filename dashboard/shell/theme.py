"""Define colours, chart defaults and the style of our own HTML.

Colours that differ between themes are roles: `dashboard/.streamlit/config.toml` gives each theme
its `chartCategoricalColors` in the order of `ROLES`. Okabe & Ito, "Color Universal Design" (2008).
"""

import functools
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import altair as alt
import streamlit as st

CORRECT = "#0072B2"
WRONG = "#D55E00"

ROLES = ("correct", "wrong", "ink", "muted")

CONTINENT_COLOURS = MappingProxyType(
    {
        "Africa": "#E69F00",
        "Antarctica": "#999999",
        "Asia": "#CC79A7",
        "Europe": "#0072B2",
        "North America": "#009E73",
        "Oceania": "#D55E00",
        "South America": "#56B4E9",
    }
)
"""Okabe-Ito without black and yellow, which vanish on one of the backgrounds."""

SERIES = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
"""Lines of one chart, in this order: Okabe-Ito, likewise."""

SEQUENTIAL = (
    "#440154", "#482878", "#3e4989", "#31688e", "#26828e",
    "#1f9e89", "#35b779", "#6ece58", "#b5de2b", "#fde725",
)  # fmt: skip
"""viridis, low to high (van der Walt & Smith 2015)."""

FROM_ZERO = MappingProxyType(
    {
        "light": (
            "#ffffff", "#dde77f", "#a5db36", "#6ece58", "#35b779",
            "#1f9e89", "#26828e", "#31688e", "#3e4989", "#440154",
        ),
        "dark": (
            "#111418", "#3a1c5c", "#482878", "#3e4989", "#31688e",
            "#26828e", "#1f9e89", "#35b779", "#6ece58", "#fde725",
        ),
    }
)  # fmt: skip
"""viridis from the theme's background, which is 0, for a matrix that is mostly empty.

It is each theme's `chartSequentialColors`, Vega's range "heatmap".
"""

DIFFERENCE = (
    "#b35806", "#e08214", "#fdb863", "#fee0b6", "#f7f7f7",
    "#d8daeb", "#b2abd2", "#8073ac", "#542788",
)  # fmt: skip
"""PuOr, worse to better, its middle at 0 (ColorBrewer, Harrower & Brewer 2003)."""

APART = "#5b646e"
"""For what is off a sequential scale, as correct predictions among errors; under white text."""

SMALL_N = 30
"""Draw a share pale and dashed below this many images."""

PALE_OPACITY = 0.35
CHART_HEIGHT = 300
_LABEL_PIXELS = 12


def role_colour(name: str) -> alt.ExprRef:
    """Vega's expression for the colour of one of `ROLES`."""
    return alt.ExprRef(f"scale('color', '{name}')")


@alt.theme.register("streetclip", enable=True)
def altair_theme() -> alt.theme.ThemeConfig:
    """Style all charts, with darker axis labels; they need a scale of colours by `ROLES`."""
    muted: Any = role_colour("muted").to_dict(validate=False)
    axis = alt.theme.AxisConfigKwds(
        labelColor=muted,
        titleColor=muted,
        labelFontSize=_LABEL_PIXELS,
        titleFontSize=_LABEL_PIXELS,
        titleFontWeight="normal",
        labelPadding=5,
        titlePadding=8,
        gridOpacity=0.6,
        labelLimit=160,
    )
    config = alt.theme.ConfigKwds(
        view=alt.theme.ViewConfigKwds(stroke=None),
        text=alt.theme.MarkConfigKwds(fontSize=_LABEL_PIXELS),
        axis=axis,
    )
    return alt.theme.ThemeConfig(config=config)


NAME: Final = "StreetCLIP"

FAVICON = (
    "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'>"
    "<circle cx='8' cy='8' r='6' fill='none' stroke='#0072B2' stroke-width='2'/>"
    "<circle cx='8' cy='8' r='2' fill='#D55E00'/></svg>"
)
"""Drawn here: without one, Streamlit fetches the page's Material icon from a Google server."""

RAMPS = MappingProxyType({"sequential": SEQUENTIAL, "difference": DIFFERENCE})
"""Colours of a continuous scale, low to high; the class `sc-ramp-NAME` draws one."""

WIDEST_PIXELS = 10
"""Of a line in a legend; the class `sc-width-N` draws one of N pixels."""


def name_tab(*titles: str) -> None:
    """Name the browser's tab, and so the entry in its history."""
    st.set_page_config(page_title=" · ".join([*titles, NAME]))


def apply() -> None:
    """Put our stylesheet on the page; call it first in a view."""
    st.html(f"<style>\n{_style()}</style>")


@functools.cache
def _style() -> str:
    ramps = [
        f".sc-ramp-{name} {{ background: linear-gradient(to right, {', '.join(colours)}); }}\n"
        for name, colours in RAMPS.items()
    ]
    widths = [f".sc-width-{n} {{ height: {n}px; }}\n" for n in range(1, WIDEST_PIXELS + 1)]
    series = [
        f".sc-key-series-{position} {{ background: {colour}; height: 4px; }}\n"
        for position, colour in enumerate(SERIES)
    ]
    mixed = [f"light-dark({', '.join(pair)})" for pair in zip(*FROM_ZERO.values(), strict=True)]
    ramps.append(
        f".sc-ramp-zero {{ background: linear-gradient(to right, {', '.join(mixed)}); }}\n"
    )
    own = Path(__file__).with_suffix(".css").read_text("utf-8")
    return "".join([own, *ramps, *widths, *series])
