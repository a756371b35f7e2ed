"""Draw charts; make encoding channels."""

import functools
from collections.abc import Callable, Sequence
from typing import Any, Final

import altair as alt
import pandas as pd
import streamlit as st

from dashboard.charts.chart_json import specification
from dashboard.shell import theme

_ROLES: Final = alt.Scale(domain=list(theme.ROLES), range="category")
FEW: Final = f"datum.n < {theme.SMALL_N}"
"""Vega's expression for rows of fewer than `theme.SMALL_N` images."""

WHOLE_X: Final[dict[str, Any]] = {"x": alt.XValue(0), "x2": alt.X2Value("width")}
WHOLE_Y: Final[dict[str, Any]] = {"y": alt.YValue(0), "y2": alt.Y2Value("height")}
"""Channels of a mark from one edge of the chart to the other."""


def show(
    layers: Sequence[alt.Chart],
    *,
    key: str,
    alt_text: str,
    height: int = theme.CHART_HEIGHT,
    fill: bool = False,
    on_select: Callable[[], None] | None = None,
    **properties: Any,
) -> None:
    """Draw layers, the lowest first, as one chart.

    A mark without a column in its encoding, or that Vega's filter may empty, needs `aria=False`:
    it has no words. `height` is in pixels, axes
    included; with `fill` the chart fills its container.
    """
    st.vega_lite_chart(
        specification([_role_scale(), *layers], height=height, description=alt_text, **properties),
        width="stretch",
        height="stretch" if fill else "content",
        key=key,
        on_select=on_select or "ignore",
    )


@functools.cache
def _role_scale() -> alt.Chart:
    """Make an invisible mark that adds the scale of roles."""
    roles = alt.Chart(alt.InlineData([{"role": theme.ROLES[0]}]))
    return roles.mark_point(size=0, opacity=0, aria=False).encode(by_role("role"))


def role(name: str) -> alt.ColorValue:
    """Colour a mark by one of `theme.ROLES`, which follow the theme."""
    return alt.ColorValue(theme.role_colour(name))


def stroke(name: str) -> alt.StrokeValue:
    """Colour the outline of a mark by one of `theme.ROLES`."""
    return alt.StrokeValue(theme.role_colour(name))


def by_role(field: str) -> alt.Color:
    """Colour marks by the role that a column names."""
    return alt.Color(f"{field}:N", scale=_ROLES, legend=None)


def row_names(field: str) -> alt.Y:
    """Label one row per text of a column, in order."""
    axis = alt.Axis(labelOverlap=False, labelFlush=False)
    return alt.Y(f"{field}:N", sort=None, title=None, axis=axis)


def pale(otherwise: float = 1) -> alt.OpacityValue:
    """Make marks of fewer than `theme.SMALL_N` images pale."""
    return alt.OpacityValue(otherwise, condition=when(FEW, theme.PALE_OPACITY))


def few_remark(n: "pd.Series[int]", look: str = "Pale") -> str:
    """Explain the look of marks of few images, if there are any."""
    return f" {look}: fewer than {theme.SMALL_N} images." if (n < theme.SMALL_N).any() else ""


def when(test: str, value: Any) -> Any:
    """Set a channel's value where Vega's expression holds."""
    return alt.ConditionalPredicateValueDefnumber(test=test, value=value)


def text_if(test: str, field: str) -> alt.TextValue:
    """Write the texts of a column where Vega's expression holds."""
    condition = alt.ConditionalPredicateStringFieldDef(test=test, field=field, type="nominal")
    return alt.TextValue("", condition=condition)


def share_tooltip(title: str, **before: str) -> list[alt.Tooltip]:
    """Make a tooltip of a share, as of `share_bars.in_per_cent`, with interval and n."""
    return tooltip(**before, label=title, interval="95 % interval", n_label="n")


def tooltip(**titles: str) -> list[alt.Tooltip]:
    """Make a tooltip of columns of texts, each with its title."""
    return [alt.Tooltip(f"{field}:N", title=title) for field, title in titles.items()]
