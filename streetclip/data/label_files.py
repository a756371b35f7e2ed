"""Write a manifest from the labels in another program's table."""

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np

from streetclip.data.columns import COORDINATES, REQUIRED, describe_columns
from streetclip.data.coordinates import parse_coordinates
from streetclip.data.prediction_formats import find_format, prediction_columns, truth_columns
from streetclip.data.tables import Cells, Table
from streetclip.errors import ManifestError
from streetclip.files import atomic_path
from streetclip.gazetteer.reverse_geocoding import places_at

_IMAGE: Final = "image_filename"


def is_manifest(path: Path) -> bool:
    """Return whether a table has the columns of a manifest."""
    return set(REQUIRED) <= set(Table(path).columns)


def write_labels(path: Path, of_predictions: str, mapping: Sequence[str], output: Path) -> None:
    """Write the labels of a table as a manifest CSV; of an image's several rows, the first.

    `of_predictions` is the format of the predictions in the same table; blank if it has none.

    Raises ManifestError if no column of images, or of countries or coordinates, was found.
    """
    table = Table(path)
    found = find_format(of_predictions or "auto", table.columns)
    taken = prediction_columns(found, table.columns, (), str(path))
    image = taken.pop("image", "")
    columns = {"image": image} if image else {}
    others = [image, *(taken.values() if of_predictions else ())]
    columns |= truth_columns(found, table.columns, mapping, str(path), others)
    if "image" not in columns or not {"country", "latitude"} & set(columns):
        lacking = "images" if "image" not in columns else "true countries or coordinates"
        msg = (
            f"{path}: is no manifest, and no column of {lacking} was found; its columns are "
            f"{describe_columns(table.columns)}. Name them, such as --truth image=file "
            "country=label."
        )
        raise ManifestError(msg)
    seen: set[str] = set()
    header = [*REQUIRED, *COORDINATES]
    with atomic_path(output) as temporary, temporary.open("w", encoding="utf-8", newline="") as to:
        writer = csv.writer(to, lineterminator="\n")
        writer.writerow(header)
        for cells, lines in table.chunks(list(dict.fromkeys(columns.values()))):
            of_role = {role: cells[name] for role, name in columns.items()}
            of_role[_IMAGE] = of_role.pop("image")
            blank = [""] * len(lines)
            _fill_countries(of_role, blank)
            for row in zip(*(of_role.get(name, blank) for name in header), strict=True):
                if row[0] not in seen:
                    seen.add(row[0])
                    writer.writerow(row)


def _fill_countries(of_role: Cells, blank: list[str]) -> None:
    """Fill in the names at coordinates of rows without a country."""
    texts = [of_role.setdefault(name, blank) for name in ("country", "region", "city")]
    latitude_deg, longitude_deg, _ = parse_coordinates(
        *(of_role.get(name, blank) for name in COORDINATES)
    )
    countries = np.array(texts[0], dtype=object)
    rows = np.flatnonzero((countries == "") & ~np.isnan(latitude_deg))
    if not len(rows):
        return
    there = places_at(latitude_deg[rows], longitude_deg[rows])
    for name, cells in zip(("country", "region", "city"), texts, strict=True):
        filled = np.array(cells, dtype=object)
        filled[rows] = np.where(filled[rows] == "", there[name], filled[rows])
        of_role[name] = filled.tolist()
