"""Cells such as "NA" and "nan" that programs write where a value is missing.

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
from streetclip.data.row_warnings import RowWarning
from streetclip.errors import shown

KIND = "values such as NA, nan or None are read as missing"

_WRITTEN_BY_PROGRAMS = frozenset(
    {
        "NA", "N/A", "n/a", "N.A.", "n.a.", "#N/A", "#NA", "<NA>", "NaN", "nan", "NaT", "None",
        "NULL", "null", "(null)", "\\N", "-", "--", "–", "—", "?", "undefined",
    }
)  # fmt: skip
_OTHER_SPELLINGS = frozenset(
    {
        "na", "Na", "N/a", "Nan", "NAN", "nat", "NAT", "none", "NONE", "Null", "unknown", "Unknown",
        "UNKNOWN", "Undefined",
    }
)  # fmt: skip
_MARKERS = _WRITTEN_BY_PROGRAMS | _OTHER_SPELLINGS
_PLACE_COLUMNS = ("city", "region", "continent", *COORDINATES)
_NAMIBIA = "NA"
_NEAR_DEG = 0.5

Cells = dict[str, list[str]]


def is_marker(text: str) -> bool:
    """Tell whether a cell is spelled like a missing value.

    Examples:
        >>> is_marker(" nan "), is_marker("Nantes")
        (True, False)
    """
    return text.strip() in _MARKERS


def blank_missing_values(cells: Cells) -> tuple[dict[int, str], list[RowWarning]]:
    """Blank the markers in the place columns of a chunk.

    Args:
        cells: Columns of the chunk; those with markers are replaced by copies.

    Returns:
        The countries that were blanked, by row, and a warning for each row with another marker.
    """
    names = [name for name in ("country", *_PLACE_COLUMNS) if name in cells]
    rows = sorted({row for name in names for row in _marked_rows(cells[name])})
    if not rows:
        return {}, []
    for name in names:
        cells[name] = list(cells[name])
    missing_countries: dict[int, str] = {}
    warnings = []
    for row in rows:
        place = {name: cells[name][row].strip() for name in names}
        if is_marker(place["country"]) and not _is_namibia(place):
            missing_countries[row] = place["country"]
            cells["country"][row] = ""
        blanked = [name for name in names[1:] if _is_missing(name, place)]
        for name in blanked:
            cells[name][row] = ""
        if blanked and not _says_north_america(blanked, place):
            warnings.append(RowWarning(row, KIND, _describe(blanked, place)))
    return missing_countries, warnings


def _marked_rows(texts: list[str]) -> list[int]:
    if _MARKERS.isdisjoint(texts) and _MARKERS.isdisjoint(map(str.strip, texts)):
        return []
    return [row for row, text in enumerate(texts) if is_marker(text)]


def _is_missing(name: str, place: Mapping[str, str]) -> bool:
    text = place[name]
    if not is_marker(text):
        return False
    if name == "city":
        return not _is_city(text, place)
    if name == "region":
        return text in _WRITTEN_BY_PROGRAMS or _city_named(text, place["country"]) is None
    return True


def _is_city(text: str, place: Mapping[str, str]) -> bool:
    city = _city_named(text, place["country"])
    if city is None:
        return False
    if text not in _WRITTEN_BY_PROGRAMS:
        return True
    has_region = bool(place["region"]) and not is_marker(place["region"])
    return has_region or _is_near(place, city)


def _city_named(text: str, country: str) -> gazetteer.City | None:
    """Find the city of a country that is spelled exactly so."""
    if not (text.isalpha() and text.istitle()):
        return None  # no city is; looking it up would read GeoNames' long list
    found = gazetteer.find_country(country) if country else None
    city = gazetteer.find_city(found.code, text) if found else None
    return city if city is not None and city.name == text else None


def _is_near(place: Mapping[str, str], city: gazetteer.City) -> bool:
    point = _coordinates(place)
    return point is not None and (
        abs(point[0] - city.latitude_deg) < _NEAR_DEG
        and abs(point[1] - city.longitude_deg) < _NEAR_DEG
    )


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
    return _is_in_namibia(_coordinates(place))


def _is_in_namibia(point: tuple[float, float] | None) -> bool:
    if point is None:
        return False
    latitude_deg, longitude_deg = (np.array([degrees]) for degrees in point)
    km = gazetteer.km_to_country(latitude_deg, longitude_deg, _NAMIBIA)
    return bool(km[0] <= gazetteer.FAR_KM)


def _coordinates(place: Mapping[str, str]) -> tuple[float, float] | None:
    try:
        return float(place[COORDINATES[0]]), float(place[COORDINATES[1]])
    except (KeyError, ValueError):
        return None


def _says_north_america(blanked: list[str], place: Mapping[str, str]) -> bool:
    """Tell whether the one marker of a row is GeoNames' code of its country's continent."""
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
