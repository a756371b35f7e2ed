"""The columns of a manifest: which there must be, which may be, and how a wrong header is told."""

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass

from streetclip.data.csv_text import CsvFile, header_hint
from streetclip.errors import ManifestError, shown

REQUIRED = ("image_filename", "city", "region", "country", "continent")
COORDINATES = ("latitude", "longitude")
CAPTION_COLUMNS = ("caption", "template")

# Columns of a read manifest that no CSV column becomes as it is.
DERIVED = ("country_code", "latitude_deg", "longitude_deg", "line")

_SHOWN_COLUMNS = 30

_SAME_MEANING = {
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
    """Where a manifest's columns are.

    Attributes:
        header: All column names, in the order of the file.
        position: Position of each.
        attributes: Names of the columns that are kept as attributes of the images.
        warnings: What is allowed but probably not meant.
    """

    header: tuple[str, ...]
    position: dict[str, int]
    attributes: tuple[str, ...]
    warnings: tuple[str, ...]

    @property
    def has_coordinates(self) -> bool:
        """Whether there are latitude and longitude."""
        return COORDINATES[0] in self.position

    def attribute_names(self) -> dict[str, str]:
        """For each attribute's column the name it gets when read.

        It is the same, unless that is taken: then " (csv)" is added.
        """
        taken = {*self.header, *DERIVED}
        names = {}
        for column in self.attributes:
            name = column
            while name in taken and (name in DERIVED or name != column):
                name += " (csv)"
            names[column] = name
            taken.add(name)
        return names


def read_columns(file: CsvFile) -> Columns:
    """Check the header of an open manifest.

    Raises:
        ManifestError: A required column is missing, a name stands twice or is blank, or there is
            one coordinate without the other.
    """
    header, where = file.header, f"{file.path}:{file.header_line}"
    _check_missing(header, where)
    _check_names(header, where)
    _check_coordinates(header, where)
    known = {*REQUIRED, *COORDINATES, *CAPTION_COLUMNS}
    return Columns(
        header=tuple(header),
        position={name: i for i, name in enumerate(header)},
        attributes=tuple(name for name in header if name not in known),
        warnings=tuple(_unused_coordinates(header, where)),
    )


def _check_missing(header: list[str], where: str) -> None:
    missing = [name for name in REQUIRED if name not in header]
    if not missing:
        return
    found = ", ".join(shown(name) for name in header[:_SHOWN_COLUMNS])
    found += ", …" * (len(header) > _SHOWN_COLUMNS)
    plural = len(missing) > 1
    msg = (
        f"{where}: column{'s' * plural} {', '.join(missing)} {'are' if plural else 'is'} missing; "
        f"found {found}.{header_hint(header)}{_renamings(missing, header)} "
        "The header must name image_filename, city, region, country and continent, exactly so; "
        "cells of city, region and continent may be blank."
    )
    raise ManifestError(msg)


def _check_names(header: list[str], where: str) -> None:
    for position, name in enumerate(header, start=1):
        if not name.strip():
            msg = (
                f"{where}: column {position} has no name. Name it or remove it; pandas leaves its "
                "index out with `to_csv(…, index=False)`."
            )
            raise ManifestError(msg)
    twice = [name for name in dict.fromkeys(header) if header.count(name) > 1]
    if twice:
        names = ", ".join(shown(name) for name in twice)
        msg = f"{where}: {names} names more than one column; expected different names. Rename one."
        raise ManifestError(msg)


def _check_coordinates(header: list[str], where: str) -> None:
    there = [name for name in COORDINATES if name in header]
    if len(there) == 1:
        absent = next(name for name in COORDINATES if name not in there)
        msg = (
            f"{where}: there is a column {there[0]} but none {absent}; expected both or neither."
            f"{_renamings([absent], header)}"
        )
        raise ManifestError(msg)


def _unused_coordinates(header: list[str], where: str) -> list[str]:
    if COORDINATES[0] in header:
        return []
    near = {name: _near_miss(name, header) for name in COORDINATES}
    if None in near.values():
        return []
    renamings = " and ".join(f"{shown(found)} to {name}" for name, found in near.items())
    return [
        (
            f"{where}: without columns latitude and longitude, distances are measured to cities. "
            f"To use the image's own coordinates, rename {renamings}."
        )
    ]


def _renamings(missing: Sequence[str], header: list[str]) -> str:
    near = [(name, _near_miss(name, header)) for name in missing]
    parts = [f"{shown(found)} to {name}" for name, found in near if found is not None]
    return f" Rename {', '.join(parts)}?" if parts else ""


def _near_miss(name: str, header: list[str]) -> str | None:
    """The column that is probably meant by a name, among those without a meaning of their own."""
    free = [
        column for column in header if column not in {*REQUIRED, *COORDINATES, *CAPTION_COLUMNS}
    ]
    by_key = {_key(column): column for column in reversed(free)}
    for key in (_key(name), *_SAME_MEANING[name]):
        if key in by_key:
            return by_key[key]
    close = difflib.get_close_matches(_key(name), list(by_key), n=1, cutoff=0.8)
    return by_key[close[0]] if close else None


def _key(column: str) -> str:
    return re.sub(r"[\W_]+", "", column.casefold())
