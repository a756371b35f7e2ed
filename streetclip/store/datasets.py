"""Register datasets and their images, so that each row has an image id."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from streetclip.store.column_writer import add_dataset_columns
from streetclip.store.columns import attribute_column
from streetclip.store.connection import (
    Store,
    column_values,
    insert_sql,
    number_rows,
    to_json,
    utc_now,
)

CHUNK_ROWS = 2**16
"""Rows that are hashed at once; the hash depends on it."""

HASHED_COLUMNS = (
    "image_id", "line", "city", "region", "country", "country_code", "continent",
    "latitude_deg", "longitude_deg", "attributes",
)  # fmt: skip

Columns = Sequence[Sequence[Any]]


@dataclass(frozen=True, kw_only=True)
class DatasetSpec:
    """A manifest to register, and the folder that its image names are relative to.

    Attributes:
        frame: The manifest's rows, as `streetclip.data.manifest.Manifest.frame`.
        attribute_columns: Columns of `frame` to keep as attributes of the image.
        num_skipped: Bad rows that were left out.
        drawn: Whether it is the synthetic demo data.
    """

    name: str
    csv_path: str | Path
    csv_sha256: str
    image_dir: str | Path
    frame: pd.DataFrame
    attribute_columns: tuple[str, ...] = ()
    num_skipped: int = 0
    drawn: bool = False


@dataclass(frozen=True)
class RegisteredDataset:
    """A dataset in the store; `image_ids` are aligned with the rows of the manifest's frame."""

    id: int
    image_ids: npt.NDArray[np.int64]


def register_dataset(store: Store, spec: DatasetSpec) -> RegisteredDataset:
    """Return the ids of a dataset and its images; the same rows and folder have the same ids.

    An image is identified by its folder and name, so that it keeps its id in every dataset and run.
    A file that is read differently, as by a program that knows more countries, is another dataset:
    runs keep the labels that they were measured against.

    Raises ResourceError and StoreError as `Store.transaction`.
    """
    csv_path = str(Path(spec.csv_path).absolute())
    with store.transaction():
        path = str(Path(spec.image_dir).resolve())
        store.rows("INSERT INTO image_folders (path) VALUES (?) ON CONFLICT DO NOTHING", (path,))
        folder_id = int(store.rows("SELECT id FROM image_folders WHERE path = ?", (path,))[0][0])
        image_ids = _image_ids(store, folder_id, spec.frame["image_filename"])
        content = content_sha256(spec.attribute_columns, _stored_values(spec, image_ids))
        found = store.rows(
            "UPDATE datasets SET csv_path = ? WHERE csv_sha256 = ? AND folder_id = ? "
            "AND num_skipped = ? AND content_sha256 = ? RETURNING id",
            (csv_path, spec.csv_sha256, folder_id, spec.num_skipped, content),
        )
        if found:
            return RegisteredDataset(int(found[0][0]), image_ids)
        values = {
            "name": spec.name,
            "csv_path": csv_path,
            "csv_sha256": spec.csv_sha256,
            "folder_id": folder_id,
            "num_images": len(spec.frame),
            "num_skipped": spec.num_skipped,
            "attribute_columns": to_json(spec.attribute_columns),
            "drawn": int(spec.drawn),
            "created_at": utc_now(),
            "content_sha256": content,
        }
        dataset_id = store.insert("datasets", values)
        sql = insert_sql("dataset_images", ["dataset_id", *HASHED_COLUMNS])
        for columns in _stored_values(spec, image_ids):
            owners = [dataset_id] * len(columns[0])
            store.db.conn.executemany(sql, zip(owners, *columns, strict=True))
        names = {name: attribute_column(name) for name in spec.attribute_columns}
        chunks = (chunk.rename(columns=names) for chunk in _ordered(spec, image_ids))
        add_dataset_columns(store.db.conn, dataset_id, spec.attribute_columns, chunks)
    return RegisteredDataset(dataset_id, image_ids)


def find_image_dir(store: Store, csv_sha256: str) -> Path | None:
    """Find the image folder of the newest dataset of a CSV; None without one."""
    found = store.rows(
        "SELECT path FROM datasets JOIN image_folders ON image_folders.id = folder_id "
        "WHERE csv_sha256 = ? ORDER BY datasets.id DESC LIMIT 1",
        (csv_sha256,),
    )
    return Path(found[0][0]) if found else None


def _image_ids(store: Store, folder_id: int, filenames: "pd.Series[str]") -> npt.NDArray[np.int64]:
    image_ids = np.empty(len(filenames), np.int64)
    for start in range(0, len(filenames), CHUNK_ROWS):
        names = filenames.iloc[start : start + CHUNK_ROWS].tolist()
        store.db.conn.executemany(
            "INSERT INTO images (folder_id, filename) VALUES (?, ?) ON CONFLICT DO NOTHING",
            ((folder_id, name) for name in names),
        )
        found = store.rows(
            """
            SELECT images.id FROM json_each(?) AS wanted
            CROSS JOIN images ON images.folder_id = ? AND images.filename = wanted.value
            ORDER BY wanted.key""",
            (json.dumps(names), folder_id),
        )
        image_ids[start : start + len(names)] = [row[0] for row in found]
    return image_ids


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


def _ordered(spec: DatasetSpec, image_ids: npt.NDArray[np.int64]) -> Iterator[pd.DataFrame]:
    """Yield the rows with their image_id by ascending image id, in chunks."""
    order = np.argsort(image_ids)
    for start in range(0, len(order), CHUNK_ROWS):
        rows = order[start : start + CHUNK_ROWS]
        yield spec.frame.iloc[rows].assign(image_id=image_ids[rows])


def _stored_values(spec: DatasetSpec, image_ids: npt.NDArray[np.int64]) -> Iterator[Columns]:
    """Yield the values of `HASHED_COLUMNS` by ascending image id, in chunks."""
    for chunk in _ordered(spec, image_ids):
        columns = [column_values(chunk[name]) for name in HASHED_COLUMNS[:-1]]
        yield [*columns, _attributes(chunk, spec.attribute_columns)]


def _attributes(frame: pd.DataFrame, names: Sequence[str]) -> list[str | None]:
    if not names:
        return [None] * len(frame)
    # Many images share theirs, such as the weather: make each text once.
    numbers, firsts = number_rows([frame[name] for name in names])
    rows = zip(*(column_values(frame[name].iloc[firsts]) for name in names), strict=True)
    encode = json.JSONEncoder(ensure_ascii=False).encode  # json.dumps would make one for each row
    texts = np.array([encode(dict(zip(names, values, strict=True))) for values in rows], object)
    made: list[str | None] = texts[numbers].tolist()
    return made
