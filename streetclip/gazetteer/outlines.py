"""Country outlines for maps: Natural Earth's, by ISO 3166 code, from the repository itself.

`jobs/build_outlines.py` writes the file. Natural Earth is in the public domain.
"""

import functools
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from streetclip.errors import ResourceError, shown
from streetclip.gazetteer.simplification import ring_km2
from streetclip.gazetteer.topojson import Degrees, Polygon, Topology, read_topology, unwrapped

OBJECT_NAME = "countries"
"""The TopoJSON object that holds the shapes; Vega calls it the feature."""

_FILE = Path(__file__).parents[2] / "data" / "reference" / "countries.json"
_EDGE_DEG = 180.0
_NORTHERNMOST_DEG = 85.05
"""Where the square Web Mercator map ends."""
_DECIMALS = 2  # about 1 km

# Too small for Natural Earth 1:50m: the capital (GeoNames).
_UNDRAWN_CENTRES: Mapping[str, tuple[float, float]] = MappingProxyType(
    {"GI": (36.145, -5.353), "TV": (-8.524, 179.194)}
)


@functools.cache
def outline_topojson() -> str:
    """The outlines as the text of a TopoJSON file, with the properties code and name.

    A Vega specification takes a text far faster than a list.

    Raises:
        ResourceError: The file is missing or damaged.
    """
    try:
        return _FILE.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise _damaged(str(error)) from error


@functools.cache
def outline_features() -> tuple[Mapping[str, Any], ...]:
    """The outlines as GeoJSON features for a flat map, with the properties code and name.

    Rings end at the antimeridian and at ±85.05° of latitude, where a Web Mercator map ends.

    Raises:
        ResourceError: The file is missing or damaged.
    """
    topology = _topology()
    return tuple(
        {
            "type": "Feature",
            "properties": dict(shape.properties),
            "geometry": {
                "type": "MultiPolygon",
                "coordinates": [
                    [_rounded(ring) for ring in piece]
                    for polygon in shape.polygons
                    for piece in _pieces(topology, polygon)
                ],
            },
        }
        for shape in topology.shapes
    )


@functools.cache
def outline_borders() -> tuple[list[list[float]], ...]:
    """Coasts and borders as lines on a flat map, each drawn once: [longitude, latitude] points.

    They end where `outline_features` end.

    Raises:
        ResourceError: The file is missing or damaged.
    """
    topology = _topology()
    lines = (unwrapped(topology.degrees(arc)) for arc in topology.arcs)
    return tuple(_rounded(part) for line in lines for part in _within_edges(line))


def country_centre(code: str) -> tuple[float, float] | None:
    """Latitude and longitude of the middle of a country's largest part; None where unknown.

    Args:
        code: ISO 3166-1 alpha-2.

    Raises:
        ResourceError: The file is missing or damaged.

    Examples:
        >>> country_centre("FR")
        (46.6, 2.4)
        >>> country_centre("??") is None
        True
    """
    return _centres().get(code, _UNDRAWN_CENTRES.get(code))


def country_km2(code: str) -> float:
    """Area of a country's outline, 0 where it has none.

    Args:
        code: ISO 3166-1 alpha-2.

    Raises:
        ResourceError: The file is missing or damaged.

    Examples:
        >>> round(country_km2("FR"), -5)
        500000.0
    """
    return _areas().get(code, 0.0)


@functools.cache
def _topology() -> Topology:
    try:
        return read_topology(json.loads(outline_topojson()), OBJECT_NAME)
    except (LookupError, TypeError, ValueError) as error:
        raise _damaged(repr(error)) from error


def _damaged(found: str) -> ResourceError:
    msg = (
        f"{_FILE}: the country outlines cannot be read ({shown(found)}); they belong to the "
        "repository. Bring them back: git checkout -- data/reference/countries.json"
    )
    return ResourceError(msg)


@functools.cache
def _areas() -> Mapping[str, float]:
    topology = _topology()
    return {
        shape.properties["code"]: sum(_polygon_km2(topology, each) for each in shape.polygons)
        for shape in topology.shapes
    }


@functools.cache
def _centres() -> Mapping[str, tuple[float, float]]:
    topology = _topology()
    centres = {}
    for shape in topology.shapes:
        largest = max(shape.polygons, key=lambda each: _polygon_km2(topology, each))
        centres[shape.properties["code"]] = _centre(unwrapped(topology.ring_degrees(largest[0])))
    return centres


def _polygon_km2(topology: Topology, polygon: Polygon) -> float:
    return sum(ring_km2(topology.ring_degrees(ring)) for ring in polygon)


def _centre(line: Degrees) -> tuple[float, float]:
    """Centroid of a ring as if degrees were a plane; good enough to stand inside a country."""
    x, y = (line - line[0]).T
    crosses = x[:-1] * y[1:] - x[1:] * y[:-1]
    area = crosses.sum() / 2
    longitude = float(((x[:-1] + x[1:]) * crosses).sum() / (6 * area) + line[0, 0])
    latitude = float(((y[:-1] + y[1:]) * crosses).sum() / (6 * area) + line[0, 1])
    return round(latitude, 1), round((longitude + _EDGE_DEG) % (2 * _EDGE_DEG) - _EDGE_DEG, 1)


def _pieces(topology: Topology, polygon: Polygon) -> Iterator[list[Degrees]]:
    """A polygon cut where it crosses the antimeridian."""
    outer, *holes = (_closed_line(topology.ring_degrees(ring)) for ring in polygon)
    if np.abs(outer[:, 0]).max() <= _EDGE_DEG:
        yield [outer, *holes]
        return
    for turns in (-1, 0, 1):
        piece = _between(outer - [2 * _EDGE_DEG * turns, 0.0])
        if len(piece):
            yield [piece]  # no country has a hole where it crosses


def _closed_line(points: Degrees) -> Degrees:
    """A ring whose longitudes go on past ±180°; one around a pole is closed along it."""
    line = unwrapped(points)
    first, last = line[0], line[-1]
    if abs(last[0] - first[0]) > _EDGE_DEG:
        pole = np.copysign(90.0, line[:, 1].mean())
        line = np.vstack([line, [[last[0], pole], [first[0], pole], first]])
    return line


def _within_edges(line: Degrees) -> Iterator[Degrees]:
    """A line cut where it crosses the antimeridian, each part on its side of the map."""
    if np.abs(line[:, 0]).max() <= _EDGE_DEG:
        yield line
        return
    turns = np.floor((line[:, 0] + _EDGE_DEG) / (2 * _EDGE_DEG))
    cuts = np.flatnonzero(np.diff(turns)) + 1
    for part, turn in zip(np.split(line, cuts), turns[[0, *cuts]], strict=True):
        if len(part) > 1:
            yield part - [2 * _EDGE_DEG * turn, 0.0]


def _between(line: Degrees) -> Degrees:
    """The part of a ring between the meridians ±180° (Sutherland & Hodgman 1974)."""
    for edge, sign in ((-_EDGE_DEG, 1.0), (_EDGE_DEG, -1.0)):
        inside = sign * (line[:, 0] - edge) >= 0
        points: list[Any] = []
        for i in range(len(line) - 1):
            if inside[i] != inside[i + 1]:
                share = (edge - line[i, 0]) / (line[i + 1, 0] - line[i, 0])
                points.append([edge, line[i, 1] + share * (line[i + 1, 1] - line[i, 1])])
            if inside[i + 1]:
                points.append(line[i + 1])
        if not points:
            return np.empty((0, 2))
        line = np.array([*points, points[0]])
    return line


def _rounded(line: Degrees) -> list[list[float]]:
    top = _NORTHERNMOST_DEG
    flat = np.column_stack([line[:, 0], line[:, 1].clip(-top, top)]).round(_DECIMALS)
    points: list[list[float]] = flat.tolist()
    return points
