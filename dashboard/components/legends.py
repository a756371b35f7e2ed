"""Legends of colours and sizes, drawn beside a map in the page's own text."""

from collections.abc import Sequence

from dashboard import theme
from dashboard.components import markup


def ramp(title: str, scale: str, low: str, high: str) -> markup.Html:
    """A continuous scale with what its ends stand for.

    Args:
        title: What the colour says, with its unit.
        scale: One of `theme.RAMPS`.
        low: Words at the left end.
        high: Words at the right end.
    """
    return markup.tag(
        "span",
        f"{title}: {low}",
        markup.tag("span", css=f"sc-ramp sc-ramp-{scale}"),
        high,
    )


def key(css: str, words: str) -> markup.Html:
    """One colour with what it stands for; `css` is a class `sc-key-…` of the theme."""
    return markup.tag("span", markup.tag("span", css=f"sc-key {css}"), words)


def few_key() -> markup.Html:
    """The mark of a place with too few images for a share to mean much."""
    return key("sc-key-few", f"fewer than {theme.SMALL_N} images, pale")


def draw(parts: Sequence[markup.Html]) -> None:
    """Draw a legend's parts in a line that wraps on a phone."""
    markup.draw(markup.tag("p", *parts, css="sc-legend"))
