"""Legends of colours and sizes, drawn next to a map in the page's own text."""

from collections.abc import Sequence

from dashboard.shell import html, theme


def ramp(title: str, scale: str, low: str, high: str) -> html.Html:
    """A continuous scale of `theme.RAMPS` with what it means and the words at its two ends."""
    return html.tag(
        "span",
        f"{title}: {low}",
        html.tag("span", css=f"sc-ramp sc-ramp-{scale}"),
        high,
    )


def key(css: str, words: str) -> html.Html:
    """One colour with its meaning; `css` is a class `sc-key-…` of the theme."""
    return html.tag("span", html.tag("span", css=f"sc-key {css}"), words)


def few_key() -> html.Html:
    """The mark of a place with too few images for a share to mean much."""
    return key("sc-key-few", f"fewer than {theme.SMALL_N} images, pale")


def draw(parts: Sequence[html.Html]) -> None:
    """Draw a legend's parts in a line that wraps on a phone."""
    html.draw(html.tag("p", *parts, css="sc-legend"))
