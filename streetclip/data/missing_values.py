"""Blank cells such as "NA" and "nan" that mark missing values.

A marker is read as blank, with a warning, unless it is the name of a place:

* `NA` as country is Namibia if the continent is Africa, the city or the coordinates lie in
  Namibia, or every other place cell of the row is blank.
* A city stays if GeoNames has a city spelled exactly so in the country ("Nan" in Thailand). For a
  spelling that programs write ("None" in Italy), the row also needs a region or coordinates.
* A region stays if it is spelled like a city of the country that is no program's spelling, as
  provinces are named after their capital ("Nan").
"""

from collections.abc import Mapping

import numpy as np

from streetclip import gazetteer
from streetclip.data.columns import COORDINATES
from streetclip.data.coordinates import FAR_KM, km_to_country
from streetclip.data.row_warnings import RowWarning
from streetclip.errors import shown

KIND = "values such as NA, nan or None are read as missing"

_WRITTEN_BY_PROGRAMS = frozenset(
    {
        "NA", "N/A", "n/a", "N.A.", "n.a.", "#N/A", "#NA", "<NA>", "NaN", "nan", "NaT", "None",
        "NULL", "null", "(null)", "\\N", "-", "--", "–", "—", "?", "undefined",
    }
)  # fmt: skip
_MARKERS = _WRITTEN_BY_PROGRAMS | {
    "na", "Na", "N/a", "Nan", "NAN", "nat", "NAT", "none", "NONE", "Null", "unknown", "Unknown",
    "UNKNOWN", "Undefined",
}  # fmt: skip
_PLACE_COLUMNS = ("city", "region", "continent", *COORDINATES)
_NAMIBIA = "NA"
_NEAR_DEG = 0.5

Cells = dict[str, list[str]]


def is_marker(text: str) -> bool:
    """Return whether a cell is spelled like a missing value."""
    return text.strip() in _MARKERS


def blank_missing_values(cells: Cells) -> tuple[dict[int, str], list[RowWarning]]:
    """Blank the markers in a chunk's place columns; copy changed columns.

    Returns:
        The countries that were blanked, by row, and a warning for each row with another marker.
    """
    names = [name for name in ("country", *_PLACE_COLUMNS) if name in cells]
    rows = set()
    for name in names:
        if not _MARKERS.isdisjoint(map(str.strip, cells[name])):
            cells[name] = list(cells[name])
            rows |= {row for row, text in enumerate(cells[name]) if is_marker(text)}
    missing_countries: dict[int, str] = {}
    warnings = []
    for row in sorted(rows):
        place = {name: cells[name][row].strip() for name in names}
        if is_marker(place["country"]) and not _is_namibia(place):
            missing_countries[row] = place["country"]
            cells["country"][row] = ""
        blanked = [name for name in names[1:] if _is_missing(name, place)]
        for name in blanked:
            cells[name][row] = ""
        if blanked and not _is_north_america(blanked, place):
            warnings.append(RowWarning(row, KIND, _describe(blanked, place)))
    return missing_countries, warnings


def _is_missing(name: str, place: Mapping[str, str]) -> bool:
    text = place[name]
    if not is_marker(text) or name not in {"city", "region"}:
        return is_marker(text)
    city = _city_named(text, place["country"])
    if city is None or text not in _WRITTEN_BY_PROGRAMS:
        return city is None
    if name == "region":
        return True
    if place["region"] and not is_marker(place["region"]):
        return False
    point = _coordinates(place)
    return point is None or not (
        abs(point[0] - city.latitude_deg) < _NEAR_DEG
        and abs(point[1] - city.longitude_deg) < _NEAR_DEG
    )


def _city_named(text: str, country: str) -> gazetteer.City | None:
    """Find the city of a country that is spelled exactly so."""
    if not (text.isalpha() and text.istitle()):
        return None  # no city is; looking it up would read GeoNames' long list
    found = gazetteer.find_country(country) if country else None
    city = gazetteer.find_city(found.code, text) if found else None
    return city if city is not None and city.name == text else None


def _is_namibia(place: Mapping[str, str]) -> bool:
    if place["country"].casefold() != _NAMIBIA.casefold():
        return False
    if not any(place.get(name) for name in _PLACE_COLUMNS):
        return True
    if gazetteer.find_continent(place["continent"]) == "Africa":
        return True
    city = place["city"]
    if city and not is_marker(city) and gazetteer.find_city(_NAMIBIA, city) is not None:
        return True
    point = _coordinates(place)
    if point is None:
        return False
    km = km_to_country(np.array([point[0]]), np.array([point[1]]), _NAMIBIA)
    return bool(km[0] <= FAR_KM)


def _coordinates(place: Mapping[str, str]) -> tuple[float, float] | None:
    try:
        return float(place[COORDINATES[0]]), float(place[COORDINATES[1]])
    except (KeyError, ValueError):
        return None


def _is_north_america(blanked: list[str], place: Mapping[str, str]) -> bool:
    """Return whether a row's only marker is its continent's GeoNames code."""
    if blanked != ["continent"] or place["continent"] != "NA":
        return False
    country = gazetteer.find_country(place["country"])
    return country is not None and country.continent == "North America"


def _describe(blanked: list[str], place: Mapping[str, str]) -> str:
    values = ", ".join(f"{name} {shown(place[name])}" for name in blanked)
    hint = ""
    if "city" in blanked and _city_named(place["city"], place["country"]) is not None:
        hint = f" Fill in its region if the city named {place['city']} is meant."
    return f"{values} {'is' if len(blanked) == 1 else 'are'} read as missing.{hint}"
