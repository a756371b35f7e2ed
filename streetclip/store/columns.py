"""Lay out the columns of datasets and runs, and read them as arrays by ascending image ids.

A column is stored as blobs of numbers, in parts. What takes a plain connection is for migrations,
too.
"""

import enum
import sqlite3
import zlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from streetclip.errors import StoreError, shown
from streetclip.geo import THRESHOLDS_KM
from streetclip.store.connection import Store, repair_advice, translated

Int64 = npt.NDArray[np.int64]

NO_BIN = 255
"""The bin of a distance that is missing."""

_BINS_PER_DECADE = 40
_SMALLEST_EDGE_KM = 0.1
_LARGEST_EDGE_KM = 20_040.0  # half the equator, above any haversine distance

RUN_DTYPES: Mapping[str, str] = {
    "image_id": "i8",
    "pred_place": "u4",  # position in `predicted_places`, 0 where nothing was predicted
    "flags": "u1",  # bits of `Flag`
    "country_probability": "f4",
    "city_probability": "f4",
    "margin": "f4",  # top-1 minus top-2 probability of the countries
    "distance_km": "f8",
    "distance_bin": "u1",  # of `distance_bin_edges_km`
    "nearest_bin": "u1",  # likewise, of the distance to the nearest candidate
    "true_country_rank": "u2",  # 0 where there is none
    "true_latitude_deg": "f4",
    "true_longitude_deg": "f4",
}
"""Columns of a run; missing fractions are NaN, missing bins `NO_BIN`."""

RUN_FILLS: Mapping[str, float] = {
    name: NO_BIN if name.endswith("_bin") else float("nan") if dtype.startswith("f") else 0
    for name, dtype in RUN_DTYPES.items()
}
"""What a column of a run holds where there is no prediction."""

Owner = tuple[str, int]
"""Whose columns: ("dataset", its id) or ("run", its id)."""

PARTS_OF_COLUMN = "WHERE owner = ? AND owner_id = ? AND name = ?"


class Flag(enum.IntFlag):
    """Bits of the column `flags` of a run."""

    READABLE = 1
    COUNTRY_CORRECT = 2
    CITY_CORRECT = 4
    COUNTRY_REACHABLE = 8
    CITY_REACHABLE = 16
    HAS_COORDINATES = 32


NUM_FLAGS = 2 ** len(Flag)
"""How many values the flags can have together."""


def attribute_column(name: str) -> str:
    """Name the column of an attribute of a dataset."""
    return f"attribute:{name}"


@cache
def distance_bin_edges_km() -> npt.NDArray[np.float64]:
    """Compute the upper edges of the bins in km, ascending.

    About 40 a decade from 0.1 to 20,040 km, the thresholds exactly among them, each in place of the
    nearest of the others. Bin 0 holds distances of at most 0.1 km; bin i those above edge i − 1, up
    to edge i included.

    Examples:
        >>> edges = distance_bin_edges_km()
        >>> float(edges[0]), float(edges[-1]), [x in edges for x in (1, 25, 200, 750, 2500)]
        (0.1, 20040.0, [True, True, True, True, True])
    """
    num_edges = round(_BINS_PER_DECADE * np.log10(_LARGEST_EDGE_KM / _SMALLEST_EDGE_KM)) + 1
    edges = _SMALLEST_EDGE_KM * 10 ** (np.arange(num_edges) / _BINS_PER_DECADE)
    for exact in (*THRESHOLDS_KM.values(), _LARGEST_EDGE_KM):
        edges[np.argmin(np.abs(np.log(edges / exact)))] = exact
    edges.flags.writeable = False
    return edges


@dataclass(frozen=True)
class DatasetColumns:
    """The images of a dataset and their true places; N images.

    Attributes:
        image_ids: N ids, ascending.
        place: N positions in `places`.
        places: The true places: continent, country (ISO code), region, city, in alphabetical order.
        content: Hash of the dataset's rows.
    """

    image_ids: Int64
    place: npt.NDArray[np.int32]
    places: pd.DataFrame
    content: str = ""


def dataset_columns(store: Store, dataset_id: int) -> DatasetColumns:
    """Read the images of a dataset and their true places."""
    connection, owner = store.db.conn, ("dataset", dataset_id)
    sql = "SELECT continent, country, region, city FROM places WHERE dataset_id = ? ORDER BY id"
    with store.snapshot(), translated(store.path):
        columns = DatasetColumns(
            content=store.require("datasets", dataset_id, "content_sha256"),
            image_ids=read_column(connection, owner, "image_id", np.int64),
            place=read_column(connection, owner, "place", np.uint32).view(np.int32),
            places=store.frame(sql, (dataset_id,)),
        )
        _check_columns(connection, owner, {"place": columns.place}, len(columns.image_ids))
        place, num_places = columns.place, len(columns.places)
        if len(place) and place.max() >= num_places:
            found = f"a place is number {place.max():,}; expected fewer than {num_places:,} places"
            raise damaged_columns(connection, owner, found)
    return columns


def attribute_names(store: Store, dataset_id: int) -> dict[str, tuple[str, ...]]:
    """Read the attributes that can be filtered by: those with 2 to 500 values.

    By name, the values in the order of their codes, which is alphabetical; "" is a blank one. Empty
    if there is no such dataset.
    """
    found = store.rows(
        "SELECT name, value FROM attribute_values WHERE dataset_id = ? ORDER BY name, code",
        (dataset_id,),
    )
    values: dict[str, list[str]] = {}
    for name, value in found:
        values.setdefault(name, []).append(value)
    return {name: tuple(each) for name, each in values.items()}


def attribute_codes(
    store: Store, dataset_id: int, name: str, content: str | None = None
) -> npt.NDArray[np.uint16]:
    """Read the value of an attribute of each image: N positions in its `attribute_names`.

    Raises StoreError if the dataset has no such attribute to filter by, or another `content`.
    """
    owner, column = ("dataset", dataset_id), attribute_column(name)
    with store.snapshot(), translated(store.path):
        check_content(store, dataset_id, content)
        if count_parts(store.db.conn, owner, column)[0] == 0:
            msg = (
                f"{store.path}: dataset {dataset_id} has no attribute {shown(name)} with 2 to 500 "
                "values. Choose one of those that it lists."
            )
            raise StoreError(msg)
        return read_column(store.db.conn, owner, column, np.uint16)


def check_content(store: Store, dataset_id: int, content: str | None) -> None:
    """Raise StoreError if a dataset has another content than was read before."""
    if content not in (None, store.require("datasets", dataset_id, "content_sha256")):
        msg = f"{store.path}: was replaced while it was being read. Reload the page."
        raise StoreError(msg)


def predicted_places(store: Store, run_id: int) -> pd.DataFrame:
    """Read the places that a run predicted so far: what the column `pred_place` counts in.

    A frame with country (ISO code), city, latitude_deg and longitude_deg (NaN if unknown); the
    first row, all blank, means no prediction.
    """
    found = store.rows(
        "SELECT country, city, latitude_deg, longitude_deg FROM predicted_places "
        "WHERE run_id = ? ORDER BY id",
        (run_id,),
    )
    names = ["country", "city", "latitude_deg", "longitude_deg"]
    frame = pd.DataFrame([("", "", None, None), *found], columns=names, dtype=object)
    return frame.astype({"latitude_deg": np.float64, "longitude_deg": np.float64})


def run_columns(
    store: Store, run_id: int, names: Collection[str], image_ids: Int64
) -> dict[str, npt.NDArray[Any]]:
    """Read columns of a run, which may be partial, one value for each image of a dataset.

    `names` are any of `RUN_DTYPES`, `image_ids` N ids, ascending, as of `dataset_columns`. Raises
    StoreError if there is no such run.

    Returns:
        By name, N values, and under "done" whether the run has a prediction of the image. Where it
            has none, a column holds its value in `RUN_FILLS`. Predictions of images that are not in
            `image_ids` are left out.
    """
    unknown = set(names) - set(RUN_DTYPES)
    if unknown:
        msg = f"there is no column {', '.join(sorted(map(shown, unknown)))} of a run"
        raise ValueError(msg)
    connection, owner = store.db.conn, ("run", run_id)
    with store.snapshot(), translated(store.path):
        store.require("runs", run_id)
        of_rows = read_column(connection, owner, "image_id", np.int64)
        columns = {name: read_column(connection, owner, name, RUN_DTYPES[name]) for name in names}
        _check_columns(connection, owner, columns, len(of_rows))
    columns["done"] = np.ones(len(of_rows), np.bool_)
    if np.array_equal(of_rows, image_ids):
        return columns
    taken = np.isin(of_rows, image_ids)
    positions = np.searchsorted(image_ids, of_rows[taken])
    for name, values in columns.items():
        columns[name] = np.full(len(image_ids), RUN_FILLS.get(name, False), values.dtype)
        columns[name][positions] = values[taken]
    return columns


def _check_columns(
    connection: sqlite3.Connection,
    owner: Owner,
    columns: Mapping[str, npt.NDArray[Any]],
    num_rows: int,
) -> None:
    for name, values in columns.items():
        if len(values) != num_rows:
            found = f"its column {name} has {len(values):,} rows; expected {num_rows:,}"
            raise damaged_columns(connection, owner, found)


def count_parts(connection: sqlite3.Connection, owner: Owner, name: str) -> tuple[int, int]:
    """Count the parts of a column, and their rows."""
    sql = f"SELECT count(*), coalesce(sum(num_rows), 0) FROM column_parts {PARTS_OF_COLUMN}"  # noqa: S608 -- our own text
    num_parts, num_rows = connection.execute(sql, (*owner, name)).fetchone()
    return int(num_parts), int(num_rows)


def read_column(
    connection: sqlite3.Connection, owner: Owner, name: str, dtype: npt.DTypeLike
) -> npt.NDArray[Any]:
    """Read a whole column in the order of writing; empty if there is none.

    Raises StoreError if a part differs from its checksum.
    """
    dtype = np.dtype(dtype)
    parts = [np.empty(0, dtype)]
    sql = f"SELECT num_rows, data, crc32 FROM column_parts {PARTS_OF_COLUMN} ORDER BY part"  # noqa: S608 -- our own text
    for num_rows, data, crc32 in connection.execute(sql, (*owner, name)):
        if len(data) != num_rows * dtype.itemsize or zlib.crc32(data) != crc32:
            raise damaged_columns(connection, owner, f"its column {shown(name)} is damaged")
        parts.append(np.frombuffer(data, dtype.newbyteorder("<")))
    return np.concatenate(parts, dtype=dtype)


def damaged_columns(connection: sqlite3.Connection, owner: Owner, found: str) -> StoreError:
    """Make the error of columns that can be rebuilt from rows."""
    path = Path(connection.execute("PRAGMA database_list").fetchone()[2])
    return StoreError(f"{path}: {owner[0]} {owner[1]}: {found}. {repair_advice(path)}")
