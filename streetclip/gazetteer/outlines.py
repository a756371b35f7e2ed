"""Read country outlines for maps, by ISO 3166-1 alpha-2 code.

Natural Earth's, public domain, as TopoJSON: rings are chains of arcs, so that neighbours share a
border. An arc is a list of steps on a grid; ring `[3, ~5]` is arc 3 forward, then arc 5 backward.
Every function raises a `ResourceError` if the file is missing or damaged; docs/gazetteer.md
states how it was made.
"""

import functools
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from streetclip.errors import ResourceError, shown
from streetclip.geo import EARTH_RADIUS_KM, MAP_MIDDLE_DEG, equal_earth

OBJECT_NAME = "countries"
"""The TopoJSON object that holds the shapes; Vega calls it the feature."""

ANTARCTIC_TREATY_DEG = -60.0
"""All land and ice south of it is AQ (ISO 3166); the outline lacks ice shelves and the Pole."""

Degrees = npt.NDArray[np.float64]
"""Points of a line, [n, (longitude, latitude)]."""

_FILE = Path(__file__).parents[2] / "data" / "reference" / "countries.json"
_EDGE_DEG = 180.0
_NORTHERNMOST_DEG = 85.05  # of `outline_rings`
_DECIMALS = 2  # of degrees: about 1 km

# Too small for Natural Earth 1:50m: the capital (GeoNames).
_UNDRAWN_CENTRES: Mapping[str, tuple[float, float]] = MappingProxyType(
    {"GI": (36.145, -5.353), "TV": (-8.524, 179.194)}
)


class _Shape(NamedTuple):
    """A country's names and polygons: each an outer ring, then holes."""

    properties: Mapping[str, str]
    polygons: list[list[Degrees]]


@functools.cache
def outline_topojson() -> str:
    """Read the TopoJSON text of the outlines, fastest for Vega."""
    try:
        return _FILE.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise _damaged(str(error)) from error


@functools.cache
def outline_polygons() -> Mapping[str, list[list[Degrees]]]:
    """Make polygons by country code: outer ring, then holes, [points, (longitude, latitude)].

    They end at the antimeridian.
    """
    return {
        str(shape.properties["code"]): [
            piece for polygon in shape.polygons for piece in _cut_polygon(polygon, 0.0)
        ]
        for shape in _decoded()[1]
    }


@functools.cache
def outline_rings() -> Mapping[str, list[Degrees]]:
    """Make closed rings by country code, each [points, (longitude, latitude)].

    They end at the antimeridian and at ±85.05° of latitude.
    """
    top = _NORTHERNMOST_DEG
    return {
        code: [
            np.column_stack([ring[:, 0], ring[:, 1].clip(-top, top)]).round(_DECIMALS)
            for polygon in polygons
            for ring in polygon
        ]
        for code, polygons in outline_polygons().items()
    }


@functools.cache
def outline_features() -> tuple[Mapping[str, Any], ...]:
    """Make GeoJSON features on the map of `geo.equal_earth`, with code and name.

    Rings end at the map's edges.
    """
    features = []
    for shape in _decoded()[1]:
        pieces = [
            piece for polygon in shape.polygons for piece in _cut_polygon(polygon, MAP_MIDDLE_DEG)
        ]
        coordinates = [[_projected(ring) for ring in piece] for piece in pieces]
        geometry = {"type": "MultiPolygon", "coordinates": coordinates}
        features.append(
            {"type": "Feature", "properties": dict(shape.properties), "geometry": geometry}
        )
    return tuple(features)


@functools.cache
def outline_borders() -> tuple[list[list[float]], ...]:
    """Make lines of coasts and borders, each drawn once: [x, y] points of `outline_features`."""
    return tuple(
        _projected(part) for arc in _decoded()[0] for part in _cut_line(_moved(arc, MAP_MIDDLE_DEG))
    )


@functools.cache
def world_edge() -> list[list[float]]:
    """Make the closed line around the map of `outline_features`: [x, y] points."""
    latitude = np.linspace(-90.0, 90.0, 91)
    sides = [np.column_stack([np.full(91, sign * _EDGE_DEG), sign * latitude]) for sign in (1, -1)]
    line = np.vstack(sides)
    return _projected(np.vstack([line, line[:1]]))


def country_centre(code: str) -> tuple[float, float] | None:
    """Return the middle (latitude, longitude) of a country's largest part, if known."""
    _, centre = _sizes().get(code, (0.0, _UNDRAWN_CENTRES.get(code)))
    return centre


def country_km2(code: str) -> float:
    """Return the area of a country's outline, 0 where it has none."""
    return _sizes().get(code, (0.0, None))[0]


@functools.cache
def _decoded() -> tuple[list[Degrees], list[_Shape]]:
    """Decode the arcs, and the shapes made of them."""
    try:
        content = json.loads(outline_topojson())
        scale, translate = (np.array(content["transform"][key]) for key in ("scale", "translate"))
        arcs: list[Degrees] = [
            np.cumsum(np.array(steps, dtype=np.int64), axis=0) * scale + translate
            for steps in content["arcs"]
        ]
        shapes = [
            _Shape(
                shape["properties"],
                [[_joined(arcs, ring) for ring in polygon] for polygon in shape["arcs"]],
            )
            for shape in content["objects"][OBJECT_NAME]["geometries"]
        ]
    except (LookupError, TypeError, ValueError) as error:
        raise _damaged(repr(error)) from error
    return arcs, shapes


def _joined(arcs: list[Degrees], ring: list[int]) -> Degrees:
    """Join a ring's arcs; all but the first repeat the point before."""
    lines = [arcs[index] if index >= 0 else arcs[~index][::-1] for index in ring]
    return np.vstack([lines[0], *(line[1:] for line in lines[1:])])


def _damaged(found: str) -> ResourceError:
    msg = (
        f"{_FILE}: cannot read the country outlines ({shown(found)}); they belong to the "
        "repository. Restore them: git checkout -- data/reference/countries.json"
    )
    return ResourceError(msg)


@functools.cache
def _sizes() -> Mapping[str, tuple[float, tuple[float, float] | None]]:
    """Measure each country and find the centre of its largest polygon."""
    sizes = {}
    for shape in _decoded()[1]:
        areas = [sum(map(_ring_km2, polygon)) for polygon in shape.polygons]
        largest = shape.polygons[int(np.argmax(areas))]
        sizes[shape.properties["code"]] = float(sum(areas)), _centre(largest[0])
    return sizes


def _ring_km2(ring: Degrees) -> float:
    """Measure a ring's signed area on the sphere, positive clockwise (d3-geo).

    The cylindrical equal-area projection (Lambert 1772) keeps areas; a ring around a pole is
    closed along it.
    """
    line = _unwrapped(ring)
    x = np.radians(line[:, 0])
    y = np.sin(np.radians(line[:, 1]))
    turn = x[-1] - x[0]
    pole = np.sign(y.mean())
    across = float(np.sum((x[1:] - x[:-1]) * (y[1:] + y[:-1])) / 2 - turn * pole)
    return across * EARTH_RADIUS_KM**2


def _centre(ring: Degrees) -> tuple[float, float]:
    """Compute the centroid of a ring in plane degrees."""
    line = _unwrapped(ring)
    x, y = (line - line[0]).T
    crosses = x[:-1] * y[1:] - x[1:] * y[:-1]
    area = crosses.sum() / 2
    longitude = float(((x[:-1] + x[1:]) * crosses).sum() / (6 * area) + line[0, 0])
    latitude = float(((y[:-1] + y[1:]) * crosses).sum() / (6 * area) + line[0, 1])
    return round(latitude, 1), round((longitude + _EDGE_DEG) % (2 * _EDGE_DEG) - _EDGE_DEG, 1)


def _unwrapped(line: Degrees) -> Degrees:
    """Continue longitudes beyond ±180° across the antimeridian."""
    if np.abs(np.diff(line[:, 0])).max(initial=0.0) <= _EDGE_DEG:
        return line
    return np.column_stack([np.unwrap(line[:, 0], period=2 * _EDGE_DEG), line[:, 1]])


def _cut_polygon(polygon: list[Degrees], middle_deg: float) -> Iterator[list[Degrees]]:
    """Move a polygon to degrees east of a meridian; cut it where it crosses an edge."""
    outer, *holes = (_closed_line(ring, middle_deg) for ring in polygon)
    if np.abs(outer[:, 0]).max() <= _EDGE_DEG:
        yield [outer, *holes]
        return
    for turns in (-1, 0, 1):
        piece = _between_edges(outer - [2 * _EDGE_DEG * turns, 0.0])
        if len(piece):
            yield [piece]  # no country has a hole where it crosses


def _moved(line: Degrees, middle_deg: float) -> Degrees:
    """Convert longitudes to degrees east of a meridian, continued beyond ±180°."""
    return _unwrapped(line) - [middle_deg, 0.0]


def _closed_line(ring: Degrees, middle_deg: float) -> Degrees:
    """Move a ring to degrees east of a meridian; close one around a pole along the pole."""
    line = _moved(ring, middle_deg)
    first, last = line[0], line[-1]
    if abs(last[0] - first[0]) > _EDGE_DEG:
        pole = np.copysign(90.0, line[:, 1].mean())
        line = np.vstack([line, [[last[0], pole], [first[0], pole], first]])
    return line


def _between_edges(line: Degrees) -> Degrees:
    """Clip a ring to the map's edges at ±180° (Sutherland & Hodgman 1974)."""
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


def _cut_line(line: Degrees) -> Iterator[Degrees]:
    """Cut a line at the map's edges, parts on their side."""
    if np.abs(line[:, 0]).max() <= _EDGE_DEG:
        yield line
        return
    turns = np.floor((line[:, 0] + _EDGE_DEG) / (2 * _EDGE_DEG))
    cuts = np.flatnonzero(np.diff(turns)) + 1
    for part, turn in zip(np.split(line, cuts), turns[[0, *cuts]], strict=True):
        if len(part) > 1:
            yield part - [2 * _EDGE_DEG * turn, 0.0]


def _projected(line: Degrees) -> list[list[float]]:
    """Project a line of the map's degrees, rounded."""
    x, y = equal_earth(line[:, 1], line[:, 0])
    points: list[list[float]] = np.column_stack([x, y]).round(_DECIMALS).tolist()
    return points
