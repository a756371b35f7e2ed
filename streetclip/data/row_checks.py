"""Find bad or doubtful manifest rows, in whole columns of a chunk.

A cell such as "NA" or "nan" marks a missing value. It is read as blank, with a warning, unless it
is the name of a place:

* `NA` as country is Namibia if the continent is Africa, the city or the coordinates lie in
  Namibia, or every other place cell of the row is blank.
* A city stays if GeoNames has a city spelled exactly so in the country ("Nan" in Thailand). For a
  spelling that programs write ("None" in Italy), the row also needs a region or coordinates.
* A region stays if it is spelled like a city of the country that is no program's spelling, as
  provinces are named after their capital ("Nan").
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any, NamedTuple

import numpy as np

from streetclip import gazetteer
from streetclip.data.columns import CAPTION_COLUMNS, COORDINATES, Columns
from streetclip.data.coordinates import (
    FAR_KM,
    SWAPPED,
    MisplacedFinder,
    Points,
    km_to_country,
    parse_coordinates,
)
from streetclip.data.csv_text import BadRow, Rows, has_quote_after_space
from streetclip.data.decoding import all_plain, canonical_name, name_problem
from streetclip.data.encodings import repair_mojibake
from streetclip.errors import shown

CONTRADICTION = "the continent contradicts the country; the country's own is used"
MISSING = "values such as NA, nan or None are read as missing"
MOJIBAKE = "text was decoded in another encoding than its own; it is used as it is"

_QUOTE_ADVICE = "Remove spaces between a comma and a quote."

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
Problems = dict[int, list[str]]
"""Why rows of a chunk are bad, by index; good rows are absent."""
Warnings = list[tuple[int, str, str]]
"""Doubts about good rows: index in the chunk, kind to follow "12 rows:", finding and action."""


def name_hashes(names: Sequence[str]) -> Iterator[int]:
    """Hash names, equal for the same file; valid in this process only."""
    if all_plain(names):
        return map(hash, names)
    return (hash(canonical_name(name)) for name in names)


class _Country(NamedTuple):
    """Hold the country that a cell names; blank if unknown."""

    code: str = ""
    continent: str = ""
    label: str = ""


@dataclass
class RowChecker:
    """Check one manifest's rows in order; `repeated` has hashes of repeated names."""

    columns: Columns
    repeated: set[int]
    check_captions: bool = True
    _first_lines: dict[str, int] = field(default_factory=dict)
    _misplaced: MisplacedFinder = field(default_factory=MisplacedFinder)

    def check(self, rows: Rows, lines: Sequence[int]) -> tuple[dict[str, Any], Problems, Warnings]:
        """Check a chunk; return its columns, bad rows included, problems and warnings."""
        width = len(self.columns.header)
        misshapen = {
            i: [wrong_length(row, width)] for i, row in enumerate(rows) if len(row) != width
        }
        if misshapen:
            rows = [[""] * width if i in misshapen else row for i, row in enumerate(rows)]
        # One column at a time: `zip(*rows)` takes several times as long.
        cells = {name: list(map(itemgetter(i), rows)) for name, i in self.columns.position.items()}
        problems: Problems = defaultdict(list)
        read: dict[str, Any] = {"image_filename": cells["image_filename"]}
        self._check_names(cells["image_filename"], lines, problems)
        _check_quotes(cells, problems)
        missing_countries, warnings = blank_missing_values(cells)
        warnings += _mojibake_warnings(cells)
        for name in ("city", "region"):
            read[name] = list(map(str.strip, cells[name]))
        countries = _countries(cells["country"], missing_countries, problems)
        read["country"] = [country.label for country in countries]
        read["continent"] = _continents(cells["continent"], countries, problems, warnings)
        read["country_code"] = [country.code for country in countries]
        read |= self._coordinates(cells, read["country_code"], problems, warnings)
        if self.check_captions and "caption" in cells:
            _check_captions(cells["caption"], problems)
        for name in CAPTION_COLUMNS:
            if name in cells:
                read[name] = cells[name]
        for column, name in self.columns.attribute_names.items():
            read[name] = cells[column]
        read["line"] = np.array(lines, np.int64)
        return read, problems | misshapen, warnings

    def _check_names(self, names: Sequence[str], lines: Sequence[int], problems: Problems) -> None:
        plain = all_plain(names)
        if plain and not self.repeated:
            return
        for i, name in enumerate(names):
            problem = None if plain else name_problem(name)
            if problem:
                quoted = f"{shown(name)} " if name.strip() else ""
                problems[i].append(f"image_filename {quoted}{problem}.")
            elif self.repeated and hash(canonical := canonical_name(name)) in self.repeated:
                first = self._first_lines.setdefault(canonical, lines[i])
                if first != lines[i]:
                    problems[i].append(
                        f"image_filename {shown(name)} repeats line {first}; expected each image "
                        "once. Remove one of the rows."
                    )

    def _coordinates(
        self, cells: Cells, codes: Sequence[str], problems: Problems, warnings: Warnings
    ) -> dict[str, Any]:
        if COORDINATES[0] not in cells:
            unknown = np.full(len(codes), np.nan)
            return {"latitude_deg": unknown, "longitude_deg": unknown.copy()}
        latitude_deg, longitude_deg, bad = parse_coordinates(*(cells[c] for c in COORDINATES))
        for i, problem in bad:
            problems[i].append(problem)
        for row, kind, text in self._misplaced.find(Points(latitude_deg, longitude_deg, codes)):
            if kind == SWAPPED:
                problems[row].append(text)
            else:
                warnings.append((row, kind, text))
        return {"latitude_deg": latitude_deg, "longitude_deg": longitude_deg}


def wrong_length(row: list[str], expected: int) -> str:
    """Describe a row with more or fewer cells than the header."""
    if isinstance(row, BadRow):
        return row.problem
    problem = f"has {len(row)} cell{'s' * (len(row) != 1)}; expected {expected}, as in the header."
    if has_quote_after_space(row):
        return f"{problem} {_QUOTE_ADVICE}"
    if len(row) > expected:
        return f"{problem} Put quotes around a cell with a comma in it."
    return problem


def _check_quotes(cells: Cells, problems: Problems) -> None:
    for name in ("city", "region", "country", "continent"):
        if '"' not in "".join(cells[name]):
            continue
        for i, text in enumerate(cells[name]):
            if has_quote_after_space([text]):
                problems[i].append(f"{name} starts with a space and a quote. {_QUOTE_ADVICE}")


def is_marker(text: str) -> bool:
    """Return whether a cell is spelled like a missing value."""
    return text.strip() in _MARKERS


def blank_missing_values(cells: Cells) -> tuple[dict[int, str], Warnings]:
    """Blank the markers in a chunk's place columns; copy changed columns.

    Returns the countries that were blanked, by row, and warnings of rows with another marker.
    """
    names = [name for name in ("country", *_PLACE_COLUMNS) if name in cells]
    rows = set()
    for name in names:
        if not _MARKERS.isdisjoint(map(str.strip, cells[name])):
            cells[name] = list(cells[name])
            rows |= {row for row, text in enumerate(cells[name]) if is_marker(text)}
    missing_countries: dict[int, str] = {}
    warnings: Warnings = []
    for row in sorted(rows):
        place = {name: cells[name][row].strip() for name in names}
        if is_marker(place["country"]) and not _is_namibia(place):
            missing_countries[row] = place["country"]
            cells["country"][row] = ""
        blanked = [name for name in names[1:] if _is_missing(name, place)]
        for name in blanked:
            cells[name][row] = ""
        if blanked and not _is_north_america(blanked, place):
            warnings.append((row, MISSING, _describe_blanked(blanked, place)))
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
    point = _point(place)
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
    point = _point(place)
    if point is None:
        return False
    km = km_to_country(np.array([point[0]]), np.array([point[1]]), _NAMIBIA)
    return bool(km[0] <= FAR_KM)


def _point(place: Mapping[str, str]) -> tuple[float, float] | None:
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


def _describe_blanked(blanked: list[str], place: Mapping[str, str]) -> str:
    values = ", ".join(f"{name} {shown(place[name])}" for name in blanked)
    hint = ""
    if "city" in blanked and _city_named(place["city"], place["country"]) is not None:
        hint = f" Fill in its region if the city named {place['city']} is meant."
    return f"{values} {'is' if len(blanked) == 1 else 'are'} read as missing.{hint}"


def _countries(texts: list[str], missing: dict[int, str], problems: Problems) -> list[_Country]:
    known = {text: _country(text) for text in set(texts)}
    found = [known[text] for text in texts]
    if _Country() in known.values():
        for i, country in enumerate(found):
            if not country.code:
                problems[i].append(_unknown_country(missing.get(i, texts[i])))
    return found


def _country(text: str) -> _Country:
    country = gazetteer.find_country(text) if text.strip() else None
    if country is None:
        return _Country()
    return _Country(country.code, country.continent, gazetteer.country_label(text, country))


def _unknown_country(text: str) -> str:
    if not text.strip():
        return "country is blank; expected a country's name or ISO code."
    if is_marker(text):
        hint = " Write Namibia if that is meant." if text.strip().upper() == "NA" else ""
        return (
            f"country is {shown(text)}, which is read as missing; expected a country's name or ISO "
            f"code.{hint}"
        )
    repaired = repair_mojibake(text)
    if repaired is not None:
        return (
            f"country {shown(text)} is {shown(repaired)}, decoded in another encoding than UTF-8. "
            "Export the file again as UTF-8."
        )
    nearest = gazetteer.suggest_countries(text)
    hint = f" Did you mean {' or '.join(nearest)}?" if nearest else ""
    return f"country {shown(text)} is unknown; expected a country's name or ISO code.{hint}"


def _continents(
    texts: list[str], countries: list[_Country], problems: Problems, warnings: Warnings
) -> list[str]:
    """Find the continents, the country's own where blank, unknown or contradicted."""
    known = {text: gazetteer.find_continent(text) for text in set(texts) if text.strip()}
    own = [country.continent for country in countries]
    continents = [known.get(text) or default for text, default in zip(texts, own, strict=True)]
    if continents == own and None not in known.values():
        return own
    for i, (text, country) in enumerate(zip(texts, countries, strict=True)):
        if text.strip() and known[text] is None:
            problems[i].append(
                f"continent is {shown(text)}; expected one of {', '.join(gazetteer.CONTINENTS)}, "
                "or blank to take the country's."
            )
        elif (
            continents[i] != country.continent
            and country.code
            and not gazetteer.is_on_continent(country.code, text)
        ):
            continents[i] = country.continent
            own_one = f"{country.label} is in {country.continent}, which is used"
            warnings.append((i, CONTRADICTION, f"continent is {shown(text)}, but {own_one}."))
    return continents


def _mojibake_warnings(cells: Cells) -> Warnings:
    findings: dict[int, list[str]] = defaultdict(list)
    for name in ("city", "region", "caption"):
        texts = cells.get(name, [])
        if "".join(texts).isascii():
            continue
        doubts = {text: _text_doubt(text) for text in set(texts)}
        for i, text in enumerate(texts):
            if doubts[text]:
                findings[i].append(f"{name} is {shown(text)}, {doubts[text]}")
    return [(i, MOJIBAKE, " Also: ".join(found)) for i, found in findings.items()]


def _text_doubt(text: str) -> str:
    if "\ufffd" in text:
        return "in which a character was lost (U+FFFD). Export the file again as UTF-8."
    repaired = repair_mojibake(text)
    if repaired is None:
        return ""
    return f"which reads {shown(repaired)} when decoded as UTF-8. Export the file again as UTF-8."


def _check_captions(captions: Sequence[str], problems: Problems) -> None:
    doubtful = {caption for caption in set(captions) if not caption.strip() or is_marker(caption)}
    if doubtful:
        for i, caption in enumerate(captions):
            if caption in doubtful:
                found = f"{shown(caption)}, read as missing" if caption.strip() else "blank"
                problems[i].append(
                    f"caption is {found}; expected text. Fill it, or remove the column to have "
                    "captions made."
                )
