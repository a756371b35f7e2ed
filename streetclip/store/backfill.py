"""Fill what a migration adds from the existing rows."""

import json
import logging
import sqlite3
import zlib
from collections.abc import Iterator

import numpy as np
import pandas as pd

from streetclip.store.column_writer import (
    add_dataset_columns,
    add_run_columns,
    append_columns,
    replace_column,
    sort_run_columns,
)
from streetclip.store.columns import NO_BIN, attribute_column, count_parts
from streetclip.store.datasets import CHUNK_ROWS, HASHED_COLUMNS, content_sha256
from streetclip.store.filenames import FILENAMES, encoded

_CHUNK_ROWS = 2**16
_IMAGES = """
    FROM dataset_images LEFT JOIN images ON images.id = image_id
    WHERE dataset_id = ? ORDER BY image_id"""
_log = logging.getLogger(__name__)


def fill_columns(connection: sqlite3.Connection) -> None:
    """Write the columns of every dataset and run; call it in a transaction."""
    for fill, table in ((fill_dataset_columns, "datasets"), (fill_run_columns, "runs")):
        sql = f"SELECT id FROM {table} ORDER BY id"  # noqa: S608 -- our own names
        for (owner_id,) in connection.execute(sql).fetchall():
            fill(connection, owner_id)


def fill_dataset_columns(connection: sqlite3.Connection, dataset_id: int) -> None:
    """Write the columns of a dataset that has none; call it in a transaction."""
    sql = "SELECT attribute_columns FROM datasets WHERE id = ?"
    names = json.loads(connection.execute(sql, (dataset_id,)).fetchone()[0])
    sql = """
        SELECT image_id, coalesce(filename, '') AS image_filename, continent, country_code, region,
            city, attributes """
    chunks = _chunks(connection, sql + _IMAGES, dataset_id, _CHUNK_ROWS)
    with_attributes = (_add_attributes(each, names) for each in chunks)
    add_dataset_columns(connection, dataset_id, names, with_attributes)


def fill_run_columns(connection: sqlite3.Connection, run_id: int) -> None:
    """Write the columns of a run that has none; call it in a transaction."""
    sql = "SELECT name, num_done, state FROM runs WHERE id = ?"
    name, num_done, state = connection.execute(sql, (run_id,)).fetchone()
    _log.info("run %d, %s: writing the columns of %d predictions", run_id, name, num_done)
    sql = """
        SELECT p.*, r.top_countries ->> '$[0][1]' - r.top_countries ->> '$[1][1]' AS margin
        FROM predictions AS p
        LEFT JOIN prediction_rankings AS r ON r.run_id = p.run_id AND r.image_id = p.image_id
        WHERE p.run_id = ? ORDER BY p.image_id"""
    for chunk in _chunks(connection, sql, run_id, _CHUNK_ROWS):
        add_run_columns(connection, run_id, chunk)
    if state == "done":
        sort_run_columns(connection, run_id)


def add_checksums(connection: sqlite3.Connection) -> None:
    """Add checksums to the parts of columns unless they have them; call it in a transaction."""
    names = [row[1] for row in connection.execute("PRAGMA table_info(column_parts)")]
    if "crc32" not in names:
        connection.create_function("crc32", 1, zlib.crc32, deterministic=True)
        connection.execute("ALTER TABLE column_parts ADD COLUMN crc32 INTEGER NOT NULL DEFAULT 0")
        connection.execute("UPDATE column_parts SET crc32 = crc32(data)")


def forget_nearest_candidates(connection: sqlite3.Connection) -> None:
    """Blank the nearest candidates of all runs; call it in a transaction."""
    connection.execute(
        "UPDATE predictions SET nearest_candidate_km = NULL WHERE nearest_candidate_km IS NOT NULL"
    )
    for (run_id,) in connection.execute("SELECT id FROM runs ORDER BY id").fetchall():
        _log.info("run %d: its nearest candidates are unknown until it is evaluated again", run_id)
        num_rows = count_parts(connection, ("run", run_id), "nearest_bin")[1]
        unknown = np.full(num_rows, NO_BIN, np.uint8)
        replace_column(connection, ("run", run_id), "nearest_bin", unknown)


def fill_filenames(connection: sqlite3.Connection) -> None:
    """Write the file names of every dataset that lacks them; call it in a transaction."""
    sql = f"SELECT coalesce(filename, '') AS image_filename {_IMAGES}"
    for (dataset_id,) in connection.execute("SELECT id FROM datasets ORDER BY id").fetchall():
        owner = ("dataset", dataset_id)
        if count_parts(connection, owner, FILENAMES)[0] == 0:
            for chunk in _chunks(connection, sql, dataset_id, _CHUNK_ROWS):
                append_columns(
                    connection, owner, {FILENAMES: encoded(chunk["image_filename"].tolist())}
                )


def fill_contents(connection: sqlite3.Connection) -> None:
    """Hash the rows of every dataset; call it in a transaction."""
    sql = "SELECT * FROM dataset_images WHERE dataset_id = ? ORDER BY image_id"
    found = connection.execute("SELECT id, attribute_columns FROM datasets").fetchall()
    for dataset_id, names in found:
        chunks = _chunks(connection, sql, dataset_id, CHUNK_ROWS)
        columns = ([chunk[name].tolist() for name in HASHED_COLUMNS] for chunk in chunks)
        sha256 = content_sha256(json.loads(names), columns)
        connection.execute(
            "UPDATE datasets SET content_sha256 = ? WHERE id = ?", (sha256, dataset_id)
        )


def _chunks(
    connection: sqlite3.Connection, sql: str, owner_id: int, chunk_rows: int
) -> Iterator[pd.DataFrame]:
    cursor = connection.execute(sql, (owner_id,))
    names = [column[0] for column in cursor.description]
    while rows := cursor.fetchmany(chunk_rows):
        yield pd.DataFrame(rows, columns=names, dtype=object)


def _add_attributes(chunk: pd.DataFrame, names: list[str]) -> pd.DataFrame:
    of_images = [json.loads(text) if text else {} for text in chunk["attributes"]]
    columns = {
        attribute_column(name): pd.Series([each.get(name) for each in of_images], dtype=object)
        for name in names
    }
    return chunk.assign(**columns)
