"""Draw legends of colours and sizes as text next to a map."""

from collections.abc import Sequence

from dashboard.shell import html, theme


def ramp(title: str, scale: str, low: str, high: str) -> html.Html:
    """Show a continuous scale of `theme.RAMPS`, or "zero", with its title and both ends."""
    colours = html.tag("span", css=f"sc-ramp sc-ramp-{scale}")
    return html.tag("span", f"{title}: {low}", colours, high)


def key(css: str, words: str) -> html.Html:
    """Show one colour with its meaning; `css`: a class `sc-key-…`."""
    return html.tag("span", html.tag("span", css=f"sc-key {css}"), words)


def few_key() -> html.Html:
    """Show the mark of a place with few images."""
    return key("sc-key-few", f"fewer than {theme.SMALL_N} images, pale")


def draw(parts: Sequence[html.Html]) -> None:
    """Draw a legend's parts in a line that wraps."""
    html.draw(html.tag("p", *parts, css="sc-legend"))
