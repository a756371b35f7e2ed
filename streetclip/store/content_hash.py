"""Hash the rows of a dataset, so that another reading of one file is another dataset.

It takes a plain connection, as migrations have it.
"""

import hashlib
import json
import sqlite3
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

CHUNK_ROWS = 2**16
"""Rows that are hashed at once; the hash depends on it."""

HASHED_COLUMNS = (
    "image_id",
    "line",
    "city",
    "region",
    "country",
    "country_code",
    "continent",
    "latitude_deg",
    "longitude_deg",
    "attributes",
)

Columns = Sequence[Sequence[Any]]


def content_sha256(attribute_columns: Sequence[str], chunks: Iterable[Columns]) -> str:
    """Hash the rows of a dataset and the names of its attributes.

    The chunks hold `CHUNK_ROWS` images each, by ascending id: the values of each of
    `HASHED_COLUMNS`, as SQLite returns them.
    """
    found = hashlib.sha256(json.dumps(list(attribute_columns)).encode())
    for chunk in chunks:
        for name, values in zip(HASHED_COLUMNS, chunk, strict=True):
            if name.endswith("_deg"):
                degrees = np.array(values, np.float64) + 0.0  # SQLite keeps no negative zero
                found.update(np.where(np.isnan(degrees), np.nan, degrees).tobytes())
            else:
                found.update(json.dumps(list(values)).encode())
    return found.hexdigest()


def fill_contents(connection: sqlite3.Connection) -> None:
    """Hash every dataset of a store; call it in a transaction."""
    found = connection.execute("SELECT id, attribute_columns FROM datasets").fetchall()
    for dataset_id, names in found:
        sha256 = content_sha256(json.loads(names), _stored(connection, dataset_id))
        connection.execute(
            "UPDATE datasets SET content_sha256 = ? WHERE id = ?", (sha256, dataset_id)
        )


def _stored(connection: sqlite3.Connection, dataset_id: int) -> Iterable[Columns]:
    cursor = connection.execute(
        f"SELECT {', '.join(HASHED_COLUMNS)} FROM dataset_images WHERE dataset_id = ? "  # noqa: S608 -- our own names
        "ORDER BY image_id",
        (dataset_id,),
    )
    while rows := cursor.fetchmany(CHUNK_ROWS):
        yield list(zip(*rows, strict=True))
