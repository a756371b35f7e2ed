"""What migrations change in rows and columns that are there already."""

import json
import logging
import sqlite3
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from streetclip.geo import THRESHOLDS_KM
from streetclip.store.column_writer import (
    add_dataset_columns,
    add_run_columns,
    attribute_column,
    sort_run_columns,
)
from streetclip.store.distance_bins import NO_BIN
from streetclip.store.parts import num_parts, replace_column

_CHUNK_ROWS = 2**16
_log = logging.getLogger(__name__)


def fill_columns(connection: sqlite3.Connection) -> None:
    """Write the columns of every dataset and run, a chunk of rows at a time.

    Args:
        connection: Of the store, in a transaction; no columns are there yet.
    """
    for dataset_id, names in connection.execute(
        "SELECT id, attribute_columns FROM datasets ORDER BY id"
    ).fetchall():
        _fill_dataset(connection, dataset_id, json.loads(names))
    for run_id, name, num_done, state in connection.execute(
        "SELECT id, name, num_done, state FROM runs ORDER BY id"
    ).fetchall():
        _log.info("run %d, %s: bringing %d predictions up to date", run_id, name, num_done)
        _fill_run(connection, run_id)
        if state == "done":
            sort_run_columns(connection, run_id)


def forget_nearest_candidates(connection: sqlite3.Connection) -> None:
    """Blank what runs say of nearest candidates, so that no ceiling is made of it.

    Args:
        connection: Of the store, in a transaction.
    """
    connection.execute(
        "UPDATE predictions SET nearest_candidate_km = NULL WHERE nearest_candidate_km IS NOT NULL"
    )
    zeros = ", ".join(f"reachable_within_{km} = 0" for km in THRESHOLDS_KM.values())
    connection.execute(f"UPDATE place_aggregates SET {zeros}")  # noqa: S608 -- our own names
    for (run_id,) in connection.execute("SELECT id FROM runs ORDER BY id").fetchall():
        _log.info("run %d: its nearest candidates are unknown until it is evaluated again", run_id)
        owner = ("run", run_id)
        num_rows = num_parts(connection, owner, "nearest_bin")[1]
        replace_column(connection, owner, "nearest_bin", np.full(num_rows, NO_BIN, np.uint8))


def _fill_dataset(connection: sqlite3.Connection, dataset_id: int, names: list[str]) -> None:
    chunks = _chunks(
        connection,
        "SELECT image_id, continent, country_code, region, city, attributes FROM dataset_images "
        "WHERE dataset_id = ? ORDER BY image_id",
        dataset_id,
    )
    add_dataset_columns(
        connection, dataset_id, names, (_with_attributes(chunk, names) for chunk in chunks)
    )


def _with_attributes(chunk: pd.DataFrame, names: list[str]) -> pd.DataFrame:
    of_images = [json.loads(text) if text else {} for text in chunk["attributes"]]
    columns = {
        attribute_column(name): pd.Series([each.get(name) for each in of_images], dtype=object)
        for name in names
    }
    return chunk.assign(**columns)


def _fill_run(connection: sqlite3.Connection, run_id: int) -> None:
    chunks = _chunks(
        connection,
        """
        SELECT p.*, r.top_countries FROM predictions AS p
        LEFT JOIN prediction_rankings AS r ON r.run_id = p.run_id AND r.image_id = p.image_id
        WHERE p.run_id = ? ORDER BY p.image_id""",
        run_id,
    )
    for chunk in chunks:
        add_run_columns(connection, run_id, chunk)


def _chunks(connection: sqlite3.Connection, sql: str, *parameters: Any) -> Iterator[pd.DataFrame]:
    cursor = connection.execute(sql, parameters)
    names = [column[0] for column in cursor.description]
    while rows := cursor.fetchmany(_CHUNK_ROWS):
        yield pd.DataFrame(rows, columns=names, dtype=object)
