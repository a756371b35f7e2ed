"""Read what countries, cities and materials look like; mix and shade colours."""

import functools
import importlib.resources
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Colour = tuple[int, int, int]
"""Red, green and blue, 0 to 255."""


@dataclass(frozen=True)
class Line:
    """Paint on the road: "dashed", "solid" or "double"."""

    colour: Colour
    pattern: str


@dataclass(frozen=True)
class Plate:
    """A registration plate; bands on the left and right are None where there are none."""

    shape: str
    background: Colour
    text: Colour
    band: Colour | None = None
    right_band: Colour | None = None


@dataclass(frozen=True)
class WarningSign:
    """A road sign that warns: "triangle" or "diamond", its fill and its border."""

    shape: str
    fill: Colour
    border: Colour


@dataclass(frozen=True)
class CityCues:
    """One city: its name as the gazetteer spells it, and how its streets look."""

    name: str
    region: str
    walls: str
    skyline: str
    light: str


@dataclass(frozen=True)
class CountryCues:
    """One country: its cues and its cities; countries.toml describes each field."""

    code: str
    cluster: str
    driving_side: str
    centre_line: Line
    edge_line: Line
    plate: Plate
    warning: WarningSign
    direction: Colour
    bollard: tuple[Colour, ...]
    pole: str
    trees: tuple[str, ...]
    ground: str
    terrain: str
    roof: str
    script: str
    climate: str
    cities: tuple[CityCues, ...]


@functools.cache
def drawn_countries() -> tuple[CountryCues, ...]:
    """List the countries of the drawn world by ISO code.

    Examples:
        >>> len(drawn_countries()), {len(country.cities) for country in drawn_countries()}
        (40, {3})
    """
    tables = read_toml("countries.toml")
    countries = [
        _country(code, cluster | own, tables["colours"])
        for cluster in tables["clusters"]
        for code, own in cluster["countries"].items()
    ]
    return tuple(sorted(countries, key=lambda country: country.code))


@functools.cache
def read_toml(name: str) -> dict[str, Any]:
    """Read one of the drawn world's tables."""
    path = importlib.resources.files("streetclip.demo") / name
    return tomllib.loads(path.read_text(encoding="utf-8"))


def _country(code: str, cues: dict[str, Any], colours: Mapping[str, list[int]]) -> CountryCues:
    def coloured(value: Any) -> Any:
        """Replace names of colours by the colours, and lists by tuples."""
        if isinstance(value, dict):
            return {key: coloured(each) for key, each in value.items()}
        if isinstance(value, list):
            return tuple(coloured(each) for each in value)
        return tuple(colours[value]) if value in colours else value

    cities = tuple(CityCues(**city) for city in cues["cities"])
    values = coloured({key: cues[key] for key in cues.keys() - {"name", "countries", "cities"}})
    for key in ("centre_line", "edge_line"):
        values[key] = Line(**values[key])
    values["plate"] = Plate(**values["plate"])
    values["warning"] = WarningSign(**values["warning"])
    return CountryCues(code=code, cluster=cues["name"], cities=cities, **values)


@functools.cache
def material(kind: str, name: str) -> Any:
    """Look up a material by table and name: a tuple of colours, factors or strokes.

    Examples:
        >>> material("grounds", "meadow")
        ((116, 160, 72), (98, 142, 62))
    """
    return _tuples(read_toml("materials.toml")[kind][name])


def _tuples(value: Any) -> Any:
    return tuple(map(_tuples, value)) if isinstance(value, list) else value


def mix(first: Colour, second: Colour, share: float) -> Colour:
    """Mix two colours: share 0 is the first, 1 the second.

    Examples:
        >>> mix((0, 0, 0), (200, 100, 50), 0.5)
        (100, 50, 25)
    """
    keep = 1.0 - share
    red, green, blue = (int(a * keep + b * share) for a, b in zip(first, second, strict=True))
    return red, green, blue


def shade(colour: Colour, factor: float) -> Colour:
    """Darken (below 1) or lighten (above 1) a colour.

    Examples:
        >>> shade((100, 200, 40), 0.5), shade((100, 200, 40), 2.0)
        ((50, 100, 20), (200, 255, 80))
    """
    red, green, blue = (min(255, int(each * factor)) for each in colour)
    return red, green, blue
