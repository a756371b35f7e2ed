"""Write columns from rows, in the transaction that writes the rows.

It takes a plain connection, as migrations have it.
"""

import itertools
import sqlite3
import zlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from streetclip.store.columns import (
    NO_BIN,
    PARTS_OF_COLUMN,
    RUN_DTYPES,
    Flag,
    Owner,
    attribute_column,
    count_parts,
    distance_bin_edges_km,
    read_column,
)
from streetclip.store.connection import column_values, floats, number_rows
from streetclip.store.filenames import FILENAMES, encoded

PART_ROWS = 2**20
"""The most rows of a part."""

FEWEST_VALUES, MOST_VALUES = 2, 500
"""An attribute with fewer or more distinct values is shown, but cannot be filtered by."""

_PLACE = ("continent", "country_code", "region", "city")
_PREDICTED_PLACE = ("pred_country", "pred_city", "pred_latitude_deg", "pred_longitude_deg")


def add_run_columns(connection: sqlite3.Connection, run_id: int, frame: pd.DataFrame) -> None:
    """Append a batch of predictions to the columns of their run.

    `frame` holds new predictions: image_id, status, pred_country, pred_city, the correct,
    reachable, probability, margin, rank, coordinate and distance columns of `write_predictions`.
    """
    columns = {
        "image_id": frame["image_id"].to_numpy(np.int64),
        "pred_place": _number_places(connection, run_id, frame),
        "flags": _flags(frame),
        "distance_bin": distance_bins(floats(frame["distance_km"])),
        "nearest_bin": distance_bins(floats(frame["nearest_candidate_km"])),
        "true_country_rank": np.nan_to_num(floats(frame["true_country_rank"])).clip(0, 2**16 - 1),
    }
    columns |= {name: floats(frame[name]) for name in RUN_DTYPES if name not in columns}
    typed = {name: columns[name].astype(dtype) for name, dtype in RUN_DTYPES.items()}
    append_columns(connection, ("run", run_id), typed)


def distance_bins(distance_km: npt.NDArray[np.float64]) -> npt.NDArray[np.uint8]:
    """Find the bin of each distance: `NO_BIN` where it is NaN or beyond the last edge.

    Examples:
        >>> distance_bins(np.array([0.0, 0.1, 0.101, 20_040.0, np.nan])).tolist()
        [0, 0, 1, 212, 255]
    """
    edges = distance_bin_edges_km()
    bins = np.searchsorted(edges, distance_km, side="left")  # NaN sorts behind all edges
    return np.where(bins < len(edges), bins, NO_BIN).astype(np.uint8)


def _flags(frame: pd.DataFrame) -> npt.NDArray[np.uint8]:
    bits = {
        Flag.READABLE: frame["status"] == "ok",
        Flag.COUNTRY_CORRECT: frame["country_correct"],
        Flag.CITY_CORRECT: frame["city_correct"],
        Flag.COUNTRY_REACHABLE: frame["country_reachable"],
        Flag.CITY_REACHABLE: frame["city_reachable"],
        Flag.HAS_COORDINATES: frame["coordinate_source"] != "none",
    }
    flags = np.zeros(len(frame), np.uint8)
    for flag, column in bits.items():
        flags[column.to_numpy(bool)] |= np.uint8(flag)
    return flags


def _number_places(
    connection: sqlite3.Connection, run_id: int, frame: pd.DataFrame
) -> npt.NDArray[np.uint32]:
    """Number the predicted places within their run; new places get the next numbers."""
    is_placed = frame["pred_country"].notna().to_numpy()
    places = frame.loc[is_placed, list(_PREDICTED_PLACE)]
    column = np.zeros(len(frame), np.uint32)
    if places.empty:
        return column
    found = connection.execute(
        "SELECT country, city, latitude_deg, longitude_deg, id FROM predicted_places "
        "WHERE run_id = ?",
        (run_id,),
    )
    row_number, first_row = number_rows([places[name] for name in _PREDICTED_PLACE])
    distinct = places.iloc[first_row].astype(object)  # so that missing degrees become None
    rows = zip(*(column_values(distinct[name]) for name in _PREDICTED_PLACE), strict=True)
    keys = [(country, city or "", *degrees) for country, city, *degrees in rows]
    id_of = dict.fromkeys(keys, 0)
    num_known = 0
    for *place, i in found:  # of a run, there may be far more than in this batch
        num_known += 1
        if tuple(place) in id_of:
            id_of[tuple(place)] = i
    unknown = [key for key, i in id_of.items() if not i]
    id_of |= zip(unknown, itertools.count(num_known + 1))
    ids = [id_of[key] for key in keys]
    new = [(run_id, id_of[key], *key) for key in unknown]
    connection.executemany("INSERT INTO predicted_places VALUES (?, ?, ?, ?, ?, ?)", new)
    column[is_placed] = np.array(ids, np.uint32)[row_number]
    return column


def sort_run_columns(connection: sqlite3.Connection, run_id: int) -> None:
    """Sort the columns of a finished run by image id, into few parts.

    Its predicted places are numbered in that order, so that the same predictions leave the same
    columns in whatever order they were written.
    """
    owner = ("run", run_id)
    image_ids = read_column(connection, owner, "image_id", RUN_DTYPES["image_id"])
    is_sorted = bool((image_ids[1:] >= image_ids[:-1]).all())
    num_parts, num_rows = count_parts(connection, owner, "image_id")
    if not is_sorted or num_parts > -(-num_rows // PART_ROWS):
        order = slice(None) if is_sorted else np.argsort(image_ids, kind="stable")
        for name, dtype in RUN_DTYPES.items():
            column = read_column(connection, owner, name, dtype)
            replace_column(connection, owner, name, column[order])

    # Number the places by their first images.
    column = read_column(connection, owner, "pred_place", RUN_DTYPES["pred_place"])
    ids, first_rows = np.unique(column[column > 0], return_index=True)
    ids = ids[np.argsort(first_rows)]
    if (ids[1:] > ids[:-1]).all():
        return
    new_of_old = np.zeros(ids.max() + 1, column.dtype)
    new_of_old[ids] = np.arange(1, len(ids) + 1)
    sql = "DELETE FROM predicted_places WHERE run_id = ? RETURNING *"
    rows = connection.execute(sql, (run_id,)).fetchall()
    connection.executemany(
        "INSERT INTO predicted_places VALUES (?, ?, ?, ?, ?, ?)",
        sorted((run_id, int(new_of_old[i]), *place) for _, i, *place in rows),
    )
    replace_column(connection, owner, "pred_place", new_of_old[column])


def add_dataset_columns(
    connection: sqlite3.Connection,
    dataset_id: int,
    attributes: Sequence[str],
    chunks: Iterable[pd.DataFrame],
) -> None:
    """Write the columns of a dataset that has none yet.

    `chunks` are its images in ascending order of image_id: that, image_filename, continent,
    country_code, region, city, and the attributes, each under `attribute_column` of its name.
    """
    owner = ("dataset", dataset_id)
    image_ids = [np.empty(0, np.int64)]
    places = _Encoder(_PLACE)
    encoders = {name: _Encoder([attribute_column(name)], MOST_VALUES) for name in attributes}
    for chunk in chunks:
        image_ids.append(chunk["image_id"].to_numpy(np.int64))
        append_columns(connection, owner, {FILENAMES: encoded(chunk["image_filename"].tolist())})
        for encoder in (places, *encoders.values()):
            encoder.add(chunk)
    values, codes = places.encoded()
    connection.executemany(
        "INSERT INTO places (dataset_id, id, continent, country, region, city) "
        "VALUES (?, ?, ?, ?, ?, ?)",
        ((dataset_id, i, *place) for i, place in enumerate(values)),
    )
    columns: dict[str, npt.NDArray[Any]] = {"image_id": np.concatenate(image_ids), "place": codes}
    for name, encoder in encoders.items():
        if FEWEST_VALUES <= len(encoder.number) <= MOST_VALUES:
            values, codes = encoder.encoded()
            connection.executemany(
                "INSERT INTO attribute_values (dataset_id, name, code, value) VALUES (?, ?, ?, ?)",
                ((dataset_id, name, i, *value) for i, value in enumerate(values)),
            )
            columns[attribute_column(name)] = codes.astype(np.uint16)
    append_columns(connection, owner, columns)


class _Encoder:
    """Numbers the distinct texts of some columns, chunk by chunk; stops above `most`."""

    def __init__(self, names: Sequence[str], most: int | None = None) -> None:
        self.number: dict[tuple[str, ...], int] = {}
        self._names = names
        self._most = most
        self._codes = [np.empty(0, np.uint32)]

    def add(self, chunk: pd.DataFrame) -> None:
        if chunk.empty or (self._most is not None and len(self.number) > self._most):
            return
        row_number, first_row = number_rows([chunk[name] for name in self._names])
        columns = (column_values(chunk[name].iloc[first_row]) for name in self._names)
        codes = [
            self.number.setdefault(
                tuple("" if cell is None else str(cell) for cell in row), len(self.number)
            )
            for row in zip(*columns, strict=True)
        ]
        self._codes.append(np.array(codes, np.uint32)[row_number])

    def encoded(self) -> tuple[list[tuple[str, ...]], npt.NDArray[np.uint32]]:
        """Return the distinct values in order, and the position of each value among them."""
        values = sorted(self.number)
        rank = np.empty(len(values), np.uint32)
        rank[[self.number[value] for value in values]] = np.arange(len(values))
        return values, rank[np.concatenate(self._codes)]


def append_columns(
    connection: sqlite3.Connection, owner: Owner, columns: Mapping[str, npt.NDArray[Any]]
) -> None:
    """Append arrays of equal length to columns; call it in a transaction."""
    for name, values in columns.items():
        sql = f"SELECT coalesce(max(part) + 1, 0) FROM column_parts {PARTS_OF_COLUMN}"  # noqa: S608 -- our own text
        first = connection.execute(sql, (*owner, name)).fetchone()[0]
        little_endian = values.astype(values.dtype.newbyteorder("<"), order="C", copy=False)
        for number, start in enumerate(range(0, len(values), PART_ROWS), first):
            part = little_endian[start : start + PART_ROWS]
            connection.execute(
                "INSERT INTO column_parts (owner, owner_id, name, part, num_rows, data, crc32) "
                "VALUES (?, ?, ?, ?, ?, ?, ?)",
                (*owner, name, number, len(part), part.data, zlib.crc32(part.data)),
            )


def replace_column(
    connection: sqlite3.Connection, owner: Owner, name: str, values: npt.NDArray[Any]
) -> None:
    """Write a column again, in as few parts as possible; call it in a transaction."""
    connection.execute(f"DELETE FROM column_parts {PARTS_OF_COLUMN}", (*owner, name))  # noqa: S608 -- our own text
    append_columns(connection, owner, {name: values})
