"""Check a manifest's header, and suggest names for missing columns."""

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from streetclip.data.csv_text import RowSource
from streetclip.errors import ManifestError, shown

REQUIRED = ("image_filename", "city", "region", "country", "continent")
COORDINATES = ("latitude", "longitude")
CAPTION_COLUMNS = ("caption", "template")
SOURCE_COLUMNS = ("country_source", "region_source", "city_source", "coordinates_source")
"""Attributes that end the header of an imported dataset."""

DERIVED = ("country_code", "latitude_deg", "longitude_deg", "line")
"""Columns of a read manifest that no CSV column becomes as it is."""

_KNOWN = {*REQUIRED, *COORDINATES, *CAPTION_COLUMNS}
_SHOWN_COLUMNS = 30
SAME_MEANING: Mapping[str, tuple[str, ...]] = {
    "image_filename": (
        "filename", "file", "image", "imgid", "imageid", "imagefile", "imagename", "imagepath",
        "path", "filepath", "name", "id", "photo",
    ),
    "city": ("town", "place", "municipality", "locality"),
    "region": ("state", "province", "admin1", "adminregion", "subregion", "stateprovince"),
    "country": ("countryname", "countrycode", "nation", "iso2", "iso3"),
    "continent": ("continentname", "continentcode"),
    "latitude": ("lat", "latitudedeg", "gpslatitude", "y"),
    "longitude": ("lon", "lng", "long", "longitudedeg", "gpslongitude", "x"),
}  # fmt: skip


@dataclass(frozen=True)
class Columns:
    """Describe a manifest's header."""

    header: tuple[str, ...]
    position: dict[str, int]
    attribute_names: dict[str, str]  # by column; " (csv)" is added where a name is taken
    warnings: tuple[str, ...]  # of what is allowed, but probably not meant


def read_columns(file: RowSource) -> Columns:
    """Check a manifest's header; a `ManifestError` names missing, blank or repeated columns."""
    header, where = file.header, f"{file.path}:{file.header_line}"
    missing = [name for name in REQUIRED if name not in header]
    if missing:
        msg = f"{where}: {_missing_columns(missing, header)}"
        raise ManifestError(msg)
    _check_names(header, where)
    found = [name for name in COORDINATES if name in header]
    if len(found) == 1:
        (absent,) = {*COORDINATES} - {*found}
        msg = (
            f"{where}: column {found[0]} without column {absent}; expected both or neither."
            f"{_renamings([absent], header)}"
        )
        raise ManifestError(msg)
    warnings = []
    near = [_near_miss(name, header) for name in COORDINATES]
    if not found and None not in near:
        warnings.append(
            f"{where}: without columns latitude and longitude, distances are measured to cities. "
            f"To use the image's own coordinates, rename {shown(near[0])} to latitude and "
            f"{shown(near[1])} to longitude."
        )
    position = {name: i for i, name in enumerate(header)}
    return Columns(tuple(header), position, _attribute_names(header), tuple(warnings))


def describe_columns(header: Sequence[str]) -> str:
    """List the columns found, and the separator if it is not a comma."""
    found = ", ".join(shown(name) for name in header[:_SHOWN_COLUMNS])
    found += ", …" * (len(header) > _SHOWN_COLUMNS)
    separator = next((s for s in ";\t|" if len(header) == 1 and s in header[0]), None)
    hint = f". Columns seem to be separated by {shown(separator)}; expected ','" * bool(separator)
    return found + hint


def _missing_columns(missing: list[str], header: list[str]) -> str:
    return (
        f"required column{'s' * (len(missing) > 1)} {', '.join(missing)} "
        f"{'are' if len(missing) > 1 else 'is'} missing; found {describe_columns(header)}."
        f"{_renamings(missing, header)} The header must name image_filename, city, region, country "
        "and continent, exactly so; cells of city, region and continent may be blank."
    )


def _check_names(header: list[str], where: str) -> None:
    blank = next((i for i, name in enumerate(header, start=1) if not name.strip()), None)
    if blank is not None:
        msg = (
            f"{where}: column {blank} has no name. Name it or remove it; pandas leaves its "
            "index out with `to_csv(…, index=False)`."
        )
        raise ManifestError(msg)
    repeated = [name for name in dict.fromkeys(header) if header.count(name) > 1]
    if repeated:
        names = ", ".join(map(shown, repeated))
        msg = f"{where}: {names} names more than one column; expected different names. Rename one."
        raise ManifestError(msg)


def _attribute_names(header: list[str]) -> dict[str, str]:
    taken = {*header, *DERIVED}
    names = {}
    for column in header:
        if column in _KNOWN:
            continue
        name = column
        while name in taken and (name in DERIVED or name != column):
            name += " (csv)"
        names[column] = name
        taken.add(name)
    return names


def _renamings(missing: Sequence[str], header: list[str]) -> str:
    near = [(name, _near_miss(name, header)) for name in missing]
    parts = [f"{shown(found)} to {name}" for name, found in near if found is not None]
    return f" Rename {', '.join(parts)}?" if parts else ""


def _near_miss(name: str, header: list[str]) -> str | None:
    """Find the unknown column that is probably meant."""
    by_key = {column_key(column): column for column in reversed(header) if column not in _KNOWN}
    for key in (column_key(name), *SAME_MEANING[name]):
        if key in by_key:
            return by_key[key]
    close = difflib.get_close_matches(column_key(name), list(by_key), n=1, cutoff=0.8)
    return by_key[close[0]] if close else None


def column_key(column: str) -> str:
    """Reduce a column's name to its letters and digits."""
    return re.sub(r"[\W_]+", "", column.casefold())
