"""Define the formats of datasets, and map their columns to a manifest's.

Shapes: the header of OSV-5M's CSVs (Astruc et al. 2024), the test lists of IM2GPS, IM2GPS3k,
YFCC4k and MP-16, and the tables of Global Streetscapes (Hou et al. 2024).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from streetclip.data.columns import (
    COORDINATES,
    REQUIRED,
    SAME_MEANING,
    column_key,
    describe_columns,
)
from streetclip.errors import ConfigError, ManifestError, shown

ROLES: Final = (*REQUIRED, *COORDINATES)

Mapped = Mapping[str, str]
"""A dataset's column by the manifest's that it becomes."""


@dataclass(frozen=True)
class DatasetFormat:
    """Describe the columns of a dataset's table by `column_key`, for each role best first.

    A header is of this format if it has all `marks`, none of `lacks`, and images and coordinates.
    """

    title: str
    columns: Mapping[str, tuple[str, ...]]
    marks: frozenset[str] = frozenset()
    lacks: frozenset[str] = frozenset()
    suffix: str = ".jpg"  # of image files that a column names without


FORMATS: Final[Mapping[str, DatasetFormat]] = {
    "osv5m": DatasetFormat(
        "OSV-5M",
        {name: (name,) for name in ("city", "region", "country", *COORDINATES)}
        | {"image_filename": ("id",)},
        marks=frozenset({"id", "country", "region", "subregion", "city"}),
    ),
    "global_streetscapes": DatasetFormat(
        "Global Streetscapes",
        {
            "image_filename": ("uuid",),
            "city": ("city", "cityascii"),
            "region": ("adminname",),
            "country": ("iso2", "iso3", "country"),
            "continent": ("continent",),
            "latitude": ("lat", "latitude", "citylat"),
            "longitude": ("lon", "lng", "longitude", "citylon", "citylng"),
        },
        marks=frozenset({"uuid", "source", "origid"}),
        suffix=".jpeg",
    ),
    "im2gps": DatasetFormat(
        "IM2GPS, IM2GPS3k, YFCC4k or MP-16",
        {
            "image_filename": ("imgid", "filename"),
            "latitude": ("lat", "latitude"),
            "longitude": ("lon", "lng", "longitude"),
        },
        lacks=frozenset({"country", "city", "region"}),
    ),
    "table": DatasetFormat(
        "a table with a row for each image",
        {role: (column_key(role), *SAME_MEANING[role]) for role in ROLES},
    ),
}
CITY_COORDINATES: Final = ("citylat", "citylon", "citylng")
"""Columns with the place of the image's city, not of the image."""


def recognise(header: Sequence[str]) -> str:
    """Find the format of a table by its header; "table" fits any."""
    keys = set(map(column_key, header))
    for name, each in FORMATS.items():
        needed = ("image_filename", *COORDINATES)
        has_needed = all(keys.intersection(each.columns[role]) for role in needed)
        if has_needed and each.marks <= keys and not each.lacks & keys:
            return name
    return "table"


def map_columns(path: Path, header: Sequence[str], name: str, given: Sequence[str]) -> Mapped:
    """Find the column of each role; `given` are the user's, each as "city=place".

    Raises:
        ConfigError: A given role or column does not exist.
        ManifestError: Images, or both countries and coordinates, have no column.
    """
    known = {column_key(column): column for column in reversed(header)}
    columns = {
        role: known[next(key for key in keys if key in known)]
        for role, keys in FORMATS[name].columns.items()
        if not known.keys().isdisjoint(keys)
    }
    columns |= dict(_given_column(path, header, text) for text in given)
    lacking = []
    if "image_filename" not in columns:
        lacking.append("images (image_filename)")
    if "country" not in columns and not columns.keys() >= {*COORDINATES}:
        lacking.append("places (country, or latitude and longitude)")
    if lacking:
        msg = (
            f"{path}: no column of {' or '.join(lacking)} as {FORMATS[name].title}; found "
            f"{describe_columns(header)}. Name them, as in --columns image_filename=file "
            "country=cc latitude=y longitude=x, or choose another --format."
        )
        raise ManifestError(msg)
    return {role: columns[role] for role in ROLES if role in columns}


def _given_column(path: Path, header: Sequence[str], text: str) -> tuple[str, str]:
    role, _, column = text.partition("=")
    if role not in ROLES:
        msg = f"--columns has {shown(text)}; expected ROLE=COLUMN, of roles {', '.join(ROLES)}."
        raise ConfigError(msg)
    if column not in header:
        found = describe_columns(header)
        msg = f"--columns has {shown(text)}, but {path} has no such column; found {found}."
        raise ConfigError(msg)
    return role, column
