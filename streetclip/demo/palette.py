"""Look up the colours of materials; mix and shade colours."""

import functools
from typing import Any

from streetclip.demo.cues import Colour, read_toml


@functools.cache
def material(kind: str, name: str) -> Any:
    """Look up a material by table and name: a tuple of colours, factors or strokes.

    Examples:
        >>> material("grounds", "meadow")
        ((116, 160, 72), (98, 142, 62))
    """
    return _tuples(materials()[kind][name])


@functools.cache
def materials() -> dict[str, Any]:
    """Read all materials, by kind and name."""
    return read_toml("materials.toml")


def _tuples(value: Any) -> Any:
    return tuple(map(_tuples, value)) if isinstance(value, list) else value


def mix(first: Colour, second: Colour, share: float) -> Colour:
    """Mix two colours: share 0 is the first, 1 the second.

    Examples:
        >>> mix((0, 0, 0), (200, 100, 50), 0.5)
        (100, 50, 25)
    """
    keep = 1.0 - share
    return (
        int(first[0] * keep + second[0] * share),
        int(first[1] * keep + second[1] * share),
        int(first[2] * keep + second[2] * share),
    )


def shade(colour: Colour, factor: float) -> Colour:
    """Darken (below 1) or lighten (above 1) a colour.

    Examples:
        >>> shade((100, 200, 40), 0.5), shade((100, 200, 40), 2.0)
        ((50, 100, 20), (200, 255, 80))
    """
    red, green, blue = colour
    return (
        min(255, int(red * factor)),
        min(255, int(green * factor)),
        min(255, int(blue * factor)),
    )
