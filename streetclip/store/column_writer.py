"""The writer's side of the columns: from rows to arrays, in the transaction that writes the rows.

Needs no more than a connection, so that the migration that brought the columns fills them by it.
"""

import enum
import json
import re
import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import islice
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from streetclip.store.distance_bins import NO_BIN, distance_bins
from streetclip.store.parts import add_parts, read_column, replace_column, sort_parts
from streetclip.store.sql_values import column_values, floats, number_rows

RUN_DTYPES: Mapping[str, str] = {
    "image_id": "i8",
    "pred_place": "u4",
    "flags": "u1",
    "country_probability": "f4",
    "city_probability": "f4",
    "margin": "f4",
    "distance_km": "f8",
    "distance_bin": "u1",
    "nearest_bin": "u1",
    "true_country_rank": "u2",
    "true_latitude_deg": "f4",
    "true_longitude_deg": "f4",
}
"""Columns of a run; see `streetclip.store.columns.run_columns`."""

RUN_FILLS: Mapping[str, float] = {
    name: NO_BIN if name.endswith("_bin") else float("nan") if dtype.startswith("f") else 0
    for name, dtype in RUN_DTYPES.items()
}
"""What a column of a run holds where there is no prediction."""

FEWEST_VALUES, MOST_VALUES = 2, 500
"""An attribute with fewer or more distinct values is shown, but not filtered by."""

_PREDICTED_PLACES = "predicted_places (run_id, id, country, city, latitude_deg, longitude_deg)"
_PLACE = ("continent", "country_code", "region", "city")
# The first two probabilities of a ranking as JSON; what does not look so is parsed in full.
_FIRST_TWO = re.compile(r'\[\["[^"\\]*", ?([0-9.eE+-]+)\], ?\["[^"\\]*", ?([0-9.eE+-]+)\]')


class Flag(enum.IntFlag):
    """Bits of the column `flags` of a run."""

    READABLE = 1
    COUNTRY_CORRECT = 2
    CITY_CORRECT = 4
    COUNTRY_REACHABLE = 8
    CITY_REACHABLE = 16
    HAS_COORDINATES = 32


def attribute_column(name: str) -> str:
    """What the column of an attribute of a dataset is called."""
    return f"attribute:{name}"


def add_run_columns(connection: sqlite3.Connection, run_id: int, frame: pd.DataFrame) -> None:
    """Append a batch of predictions to the columns of their run.

    Args:
        connection: Of the store, in the transaction that writes the predictions.
        run_id: The run.
        frame: New predictions, with the columns of `PREDICTION_COLUMNS` except true places'
            names and `top_cities`.
    """
    columns = {
        "image_id": frame["image_id"].to_numpy(np.int64),
        "pred_place": _predicted_places(connection, run_id, frame),
        "flags": _flags(frame),
        "margin": np.array([_margin(text) for text in column_values(frame["top_countries"])]),
        "distance_bin": distance_bins(floats(frame["distance_km"])),
        "nearest_bin": distance_bins(floats(frame["nearest_candidate_km"])),
        "true_country_rank": np.nan_to_num(floats(frame["true_country_rank"])).clip(0, 2**16 - 1),
    }
    columns |= {name: floats(frame[name]) for name in RUN_DTYPES if name not in columns}
    typed = {name: columns[name].astype(dtype) for name, dtype in RUN_DTYPES.items()}
    add_parts(connection, ("run", run_id), typed)


def sort_run_columns(connection: sqlite3.Connection, run_id: int) -> None:
    """Bring the columns of a finished run into the order of image ids, in few parts.

    Its predicted places are numbered in that order, too: whoever wrote what first, the same
    predictions leave the same columns.
    """
    sort_parts(connection, ("run", run_id), "image_id", RUN_DTYPES)
    _renumber_places(connection, run_id)


def add_dataset_columns(
    connection: sqlite3.Connection,
    dataset_id: int,
    attributes: Sequence[str],
    chunks: Iterable[pd.DataFrame],
) -> None:
    """Write the columns of a dataset.

    Args:
        connection: Of the store, in the transaction that registers the dataset.
        dataset_id: The dataset; has no columns yet.
        attributes: Names of its attributes.
        chunks: Its images in ascending order of image_id: that, continent, country_code, region,
            city, and the attributes, each under `attribute_column` of its name.
    """
    image_ids: list[npt.NDArray[np.int64]] = []
    places = _Coder(tuple)
    coders = {name: _Coder(_attribute_text, MOST_VALUES) for name in attributes}
    for chunk in chunks:
        image_ids.append(chunk["image_id"].to_numpy(np.int64))
        places.add([chunk[name] for name in _PLACE])
        for name, coder in coders.items():
            coder.add([chunk[attribute_column(name)]])
    owner = ("dataset", dataset_id)
    values, codes = places.sorted()
    _insert_numbered(
        connection,
        "places (dataset_id, id, continent, country, region, city)",
        6,
        ((dataset_id, i, *place) for i, place in enumerate(values)),
    )
    whole = np.concatenate(image_ids) if image_ids else np.empty(0, np.int64)
    add_parts(connection, owner, {"image_id": whole, "place": codes.astype(np.uint32)})
    for name, coder in coders.items():
        if coder.is_full or len(coder) < FEWEST_VALUES:
            continue
        values, codes = coder.sorted()
        _insert_numbered(
            connection,
            "attribute_values (dataset_id, name, code, value)",
            4,
            ((dataset_id, name, i, value) for i, value in enumerate(values)),
        )
        add_parts(connection, owner, {attribute_column(name): codes.astype(np.uint16)})


class _Coder:
    """Numbers distinct values, made of the cells of a row; stops when there are too many."""

    def __init__(self, make: Callable[[tuple[Any, ...]], Any], most: int | None = None) -> None:
        self._make = make
        self._most = most
        self._number: dict[Any, int] = {}
        self._codes: list[npt.NDArray[np.uint32]] = []

    def __len__(self) -> int:
        return len(self._number)

    @property
    def is_full(self) -> bool:
        """Whether there were more values than wanted."""
        return self._most is not None and len(self._number) > self._most

    def add(self, columns: "Sequence[pd.Series[Any]]") -> None:
        if self.is_full or not len(columns[0]):
            return
        numbers, firsts = number_rows(columns)
        rows = zip(*(column_values(column.iloc[firsts]) for column in columns), strict=True)
        number = self._number
        codes = [number.setdefault(self._make(row), len(number)) for row in rows]
        self._codes.append(np.array(codes, np.uint32)[numbers])
        if self.is_full:
            self._codes.clear()

    def sorted(self) -> tuple[list[Any], npt.NDArray[np.uint32]]:
        """The distinct values in order, and the number of each value that was added."""
        values = sorted(self._number)
        rank = np.empty(len(values), np.uint32)
        for i, value in enumerate(values):
            rank[self._number[value]] = i
        codes = np.concatenate(self._codes) if self._codes else np.empty(0, np.uint32)
        return values, rank[codes]


def _insert_numbered(
    connection: sqlite3.Connection, table: str, width: int, rows: Iterable[tuple[Any, ...]]
) -> None:
    marks = ", ".join("?" * width)
    connection.executemany(f"INSERT INTO {table} VALUES ({marks})", rows)  # noqa: S608 -- our own names


def _attribute_text(row: tuple[Any, ...]) -> str:
    return "" if row[0] is None else str(row[0])


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
        flags |= np.where(column.to_numpy(bool), np.uint8(flag), np.uint8(0))
    return flags


def _margin(ranking: str | None) -> float:
    """The first probability of a ranking minus the second; NaN if it has no two."""
    if ranking is None:
        return float("nan")
    found = _FIRST_TWO.match(ranking)
    if found:
        return float(found[1]) - float(found[2])
    entries = json.loads(ranking)
    return float(entries[0][1] - entries[1][1]) if len(entries) > 1 else float("nan")


def _predicted_places(
    connection: sqlite3.Connection, run_id: int, frame: pd.DataFrame
) -> npt.NDArray[np.uint32]:
    """The number of each predicted place within its run, 0 where nothing was predicted."""
    predicted = frame["pred_country"].notna().to_numpy()
    ids = np.zeros(len(frame), np.uint32)
    if not predicted.any():
        return ids
    places = frame.loc[
        predicted, ["pred_country", "pred_city", "pred_latitude_deg", "pred_longitude_deg"]
    ]
    numbers, firsts = number_rows([places[name] for name in places])
    ids[predicted] = _place_ids(connection, run_id, _place_tuples(places.iloc[firsts]))[numbers]
    return ids


def _place_ids(
    connection: sqlite3.Connection, run_id: int, places: Iterable[tuple[Any, ...]]
) -> npt.NDArray[np.uint32]:
    """The ids of distinct places of a run; those that are new get the next ones."""
    found = connection.execute(
        "SELECT id, country, city, latitude_deg, longitude_deg FROM predicted_places "
        "WHERE run_id = ?",
        (run_id,),
    )
    number: dict[Any, int] = {tuple(place): i for i, *place in found}
    known = len(number)
    ids = [number.setdefault(place, len(number) + 1) for place in places]
    new = ((run_id, i, *place) for place, i in islice(number.items(), known, None))
    _insert_numbered(connection, _PREDICTED_PLACES, 6, new)
    return np.array(ids, np.uint32)


def _renumber_places(connection: sqlite3.Connection, run_id: int) -> None:
    """Number the predicted places as they come up in the column, which is sorted by now."""
    column = read_column(connection, ("run", run_id), "pred_place", RUN_DTYPES["pred_place"])
    ids, firsts = np.unique(column, return_index=True)
    ids = ids[np.argsort(firsts)]
    ids = ids[ids > 0]
    if np.array_equal(ids, np.arange(1, len(ids) + 1)):
        return
    new_of_old = np.zeros(ids.max() + 1, column.dtype)
    new_of_old[ids] = np.arange(1, len(ids) + 1)
    places = connection.execute(
        "DELETE FROM predicted_places WHERE run_id = ? "
        "RETURNING run_id, id, country, city, latitude_deg, longitude_deg",
        (run_id,),
    ).fetchall()
    rows = sorted((run_id, int(new_of_old[i]), *place) for _, i, *place in places)
    _insert_numbered(connection, _PREDICTED_PLACES, 6, rows)
    replace_column(connection, ("run", run_id), "pred_place", new_of_old[column])


def _place_tuples(places: pd.DataFrame) -> Iterable[tuple[Any, ...]]:
    return zip(
        column_values(places["pred_country"]),
        (city or "" for city in column_values(places["pred_city"])),
        _nan_to_none(places["pred_latitude_deg"]),
        _nan_to_none(places["pred_longitude_deg"]),
        strict=True,
    )


def _nan_to_none(column: "pd.Series[Any]") -> list[float | None]:
    return [None if value != value else value for value in floats(column).tolist()]  # noqa: PLR0124
