"""Natural Earth's countries as shapes by ISO 3166 code.

Natural Earth draws overseas departments with their state, and some areas without a code. Here each
code that the gazetteer knows is one shape, as far as Natural Earth draws it at all.
"""

import functools
from collections.abc import Iterator, Mapping
from types import MappingProxyType

from streetclip.gazetteer.countries import countries
from streetclip.gazetteer.geonames import read_geonames
from streetclip.gazetteer.topojson import Polygon, Shape, Topology, unwrapped

# Drawn by Natural Earth without an ISO number. Somaliland and Northern Cyprus have no code of
# their own; the Siachen Glacier belongs to none.
_WITHOUT_NUMBER = {
    "Kosovo": "XK",
    "Somaliland": "SO",
    "N. Cyprus": "CY",
    "Siachen Glacier": "",
    "Indian Ocean Ter.": "CC",
}

_Box = tuple[float, float, float, float]  # west, south, east, north in degrees
# Drawn with a state, but with a code of their own: where the parts lie.
_PARTS: Mapping[str, tuple[tuple[str, _Box], ...]] = MappingProxyType(
    {
        "CC": (("CX", (105, -11, 106, -10)),),
        "FR": (
            ("GF", (-55, 2, -51, 6)),
            ("GP", (-62, 15.8, -60.9, 16.6)),
            ("MQ", (-61.3, 14.3, -60.7, 15)),
            ("RE", (55, -21.5, 56, -20.8)),
            ("YT", (45, -13.1, 45.4, -12.6)),
        ),
        "NL": (("BQ", (-69, 12, -68, 12.5)), ("BQ", (-63.5, 17.4, -62.8, 17.8))),
        "NO": (("SJ", (-10, 70, -7, 72)), ("SJ", (10, 74, 34, 81))),
        "NZ": (("TK", (-173, -9.5, -171, -8.4)),),
    }
)


def shapes_by_code(topology: Topology) -> tuple[Shape, ...]:
    """Make one shape for each ISO code, with the properties code and name.

    Args:
        topology: Natural Earth's countries, with the properties id (ISO 3166-1 numeric) and name.

    Returns:
        By code in alphabetical order; the code is "" for what belongs to no country.

    Raises:
        LookupError: A shape has neither a known number nor a known name.
    """
    polygons: dict[str, list[Polygon]] = {}
    names = {code: country.name for code, country in countries().items()}
    for shape in topology.shapes:
        code = _code(shape)
        names.setdefault(code, shape.properties["name"])
        for polygon in shape.polygons:
            polygons.setdefault(_part_code(topology, code, polygon), []).append(polygon)
    return tuple(
        Shape({"code": code, "name": names[code]}, tuple(polygons[code]))
        for code in sorted(polygons)
    )


def _code(shape: Shape) -> str:
    if "id" not in shape.properties:
        return _WITHOUT_NUMBER[shape.properties["name"]]
    return _codes_by_number()[int(shape.properties["id"])]


@functools.cache
def _codes_by_number() -> dict[int, str]:
    rows = read_geonames("countries.json").items()
    return {int(row["isonumeric"]): code for code, row in rows if code in countries()}


def _part_code(topology: Topology, code: str, polygon: Polygon) -> str:
    return next(_parts_with(topology, code, polygon), code)


def _parts_with(topology: Topology, code: str, polygon: Polygon) -> Iterator[str]:
    for part, (west, south, east, north) in _PARTS.get(code, ()):
        points = unwrapped(topology.ring_degrees(polygon[0]))
        (low_x, low_y), (high_x, high_y) = points.min(axis=0), points.max(axis=0)
        if west <= low_x and high_x <= east and south <= low_y and high_y <= north:
            yield part
