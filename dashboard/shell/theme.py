"""Colours and chart defaults, in one place.

Colours that must differ between the light and the dark theme are roles: `.streamlit/config.toml`
gives each theme its `chartCategoricalColors` in the order of `ROLES`, so that the browser picks
them and a change of theme needs no rerun. Okabe & Ito, "Color Universal Design" (2008).
"""

from types import MappingProxyType
from typing import Any

import altair as alt
import streamlit as st

RIGHT = "#0072B2"
WRONG = "#D55E00"

ROLES = ("right", "wrong", "ink", "muted")

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
"""Lines laid over one another, in this order: Okabe-Ito, likewise."""

SEQUENTIAL = (
    "#440154",
    "#482878",
    "#3e4989",
    "#31688e",
    "#26828e",
    "#1f9e89",
    "#35b779",
    "#6ece58",
    "#b5de2b",
    "#fde725",
)
"""viridis, low to high (van der Walt & Smith 2015)."""

DIFFERENCE = (
    "#b35806",
    "#e08214",
    "#fdb863",
    "#fee0b6",
    "#f7f7f7",
    "#d8daeb",
    "#b2abd2",
    "#8073ac",
    "#542788",
)
"""PuOr, worse to better, its middle at 0 (ColorBrewer, Harrower & Brewer 2003)."""

APART = "#5b646e"
"""What stands beside a sequential scale, such as right answers among mistakes; under white text."""

SMALL_N = 30
"""Below this many images a share is drawn pale and dashed."""

PALE_OPACITY = 0.35
CHART_HEIGHT = 300
_LABEL_PIXELS = 12


def role_colour(name: str) -> alt.ExprRef:
    """Vega's expression for the colour of one of `ROLES`."""
    return alt.ExprRef(f"scale('color', '{name}')")


@alt.theme.register("streetclip", enable=True)
def altair_theme() -> alt.theme.ThemeConfig:
    """Style all charts; their axes need a scale of colours by `ROLES`.

    Streamlit's own grey of axis labels is too pale to read.
    """
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


_CSS = """
<style>
[class*="st-key-nav_"] [data-testid="stCaptionContainer"] { margin-bottom: 0; }
[class*="st-key-nav_"] [data-testid="stCaptionContainer"] p { margin: 0 0 0.15rem; }
.st-key-chips > [data-testid="stElementContainer"] { flex-grow: 0; }
.st-key-chips button { min-height: 1.9rem; padding: 0 0.5rem; }
.st-key-chips button p { font-size: 0.875rem; }
.stApp { font-variant-numeric: tabular-nums; }
.stMultiSelect [data-tag] {  /* Streamlit's white on the dark theme's blue is too pale */
  color: inherit; background: color-mix(in srgb, currentColor 12%, transparent);
}
.sc-remark, .sc-figure small, .sc-under, .sc-definitions dt {
  color: color-mix(in srgb, currentColor 72%, transparent);
}
.sc-line { font-size: 0.95rem; margin: 0; overflow-wrap: anywhere; }
.sc-chip {
  display: inline-block; border: 1px solid currentColor; border-radius: 3px;
  padding: 0 0.4em; margin: 0.1rem 0 0.1rem 0.5em; font-size: 0.8rem; white-space: nowrap;
}
.sc-remark { font-size: 0.85rem; margin: 0; }
.sc-figure { line-height: 1.3; }
.sc-value { font-size: 1.85rem; font-weight: 600; white-space: nowrap; }
.sc-value small { font-size: 0.95rem; font-weight: 400; margin-left: 0.35em; }
.sc-under { font-size: 0.85rem; }
.sc-delta { font-size: 0.85rem; }
.sc-delta strong { font-weight: 600; }
.sc-better { color: color-mix(in srgb, #0072B2 60%, currentColor); }
.sc-worse { color: color-mix(in srgb, #D55E00 60%, currentColor); }
.sc-unclear { color: color-mix(in srgb, currentColor 72%, transparent); }
.sc-notice {
  border-left: 3px solid #0072B2; padding: 0.45rem 0.8rem; overflow-wrap: anywhere;
  background: color-mix(in srgb, currentColor 5%, transparent);
}
.sc-notice.sc-alert { border-left-color: #D55E00; }
.sc-notice p { margin: 0.2rem 0 0; white-space: pre-wrap; }
[data-testid="stBaseButton-primary"]:not(:disabled),
[data-testid="stMultiSelectTagsContainer"] [data-tag] {
  background: #0072B2; border-color: #0072B2; color: #fff;
}
.sc-problem {
  margin: -0.5rem 0 0; font-size: 0.9rem; overflow-wrap: anywhere;
  color: color-mix(in srgb, #D55E00 60%, currentColor);
}
.sc-log {
  display: flex; flex-direction: column-reverse; max-height: 22rem; overflow: auto;
  border-radius: 3px; background: color-mix(in srgb, currentColor 5%, transparent);
}
.sc-log.sc-short { max-height: 8rem; }
.sc-log pre {
  margin: 0; padding: 0.5rem 0.8rem; font-size: 0.8rem; line-height: 1.45;
  white-space: pre-wrap; overflow-wrap: anywhere;
}
[class*="st-key-map_of_world"] { flex: none; height: clamp(200px, 55vw, 420px); }
.st-key-map_canvas { flex: none; height: clamp(320px, 62vh, 640px); }
.sc-legend {
  display: flex; flex-wrap: wrap; align-items: center; gap: 0.2rem 0.5rem; margin: 0;
  font-size: 0.85rem; color: color-mix(in srgb, currentColor 72%, transparent);
}
.sc-legend > span { white-space: nowrap; }
.sc-ramp, .sc-key { display: inline-block; height: 0.7rem; border-radius: 2px; }
.sc-ramp { width: 9rem; margin: 0 0.4em; }
.sc-key { width: 1.1rem; margin-right: 0.35em; }
.sc-key-none { background: color-mix(in srgb, currentColor 22%, transparent); }
.sc-key-apart { background: #5b646e; }
.sc-key-few { border: 1px dashed currentColor; }
.sc-key-truth { background: #0072B2; }
.sc-key-prediction { background: #D55E00; }
[class*="sc-width-"] { background: currentColor; border-radius: 0; vertical-align: middle; }
.sc-definitions {
  display: grid; grid-template-columns: minmax(7rem, 11rem) 1fr; gap: 0.15rem 1rem;
  margin: 0; padding: 0 !important; font-size: 0.9rem;
}
@media (max-width: 640px) {
  .sc-legend > span { white-space: normal; }
  .sc-ramp { width: 6rem; }
  .sc-definitions { grid-template-columns: 1fr; gap: 0; }
  .sc-definitions dt { margin-top: 0.4rem; }
}
.sc-definitions dd { margin: 0; overflow-wrap: anywhere; white-space: pre-wrap; }
</style>
"""


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


def apply() -> None:
    """Put the style of our own elements on the page; the first thing that a view does."""
    ramps = "".join(
        f".sc-ramp-{name} {{ background: linear-gradient(to right, {', '.join(colours)}); }}\n"
        for name, colours in RAMPS.items()
    )
    widths = "".join(
        f".sc-width-{pixels} {{ height: {pixels}px; }}\n" for pixels in range(1, WIDEST_PIXELS + 1)
    )
    series = "".join(
        f".sc-key-series-{position} {{ background: {colour}; height: 4px; }}\n"
        for position, colour in enumerate(SERIES)
    )
    st.html(_CSS.replace("</style>", f"{ramps}{widths}{series}</style>"))
