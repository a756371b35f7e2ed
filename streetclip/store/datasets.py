"""Datasets and their images: which row of which file is which image."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from streetclip.store.column_writer import add_dataset_columns, attribute_column
from streetclip.store.connection import Store, utc_now
from streetclip.store.content_hash import CHUNK_ROWS, HASHED_COLUMNS, Columns, content_sha256
from streetclip.store.sql_values import column_values, insert_sql, number_rows


@dataclass(frozen=True, kw_only=True)
class DatasetSpec:
    """What to register: a manifest, and the folder that its image names are relative to.

    Attributes:
        name: What to call it in the dashboard.
        csv_path: The manifest file.
        csv_sha256: Hash of that file.
        image_dir: Folder of the images.
        frame: The manifest's rows, as `datasets.manifest.Manifest.frame`.
        attribute_columns: Columns of `frame` to keep as attributes of the image.
        num_skipped: Bad rows that were left out.
        drawn: Whether it is the demo's drawn world.
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
    """A dataset in the store.

    Attributes:
        id: Its id.
        image_ids: N integers, aligned with the rows of the manifest's frame.
    """

    id: int
    image_ids: npt.NDArray[np.int64]


def register_dataset(store: Store, spec: DatasetSpec) -> RegisteredDataset:
    """Give the dataset and its images their ids; the same rows and folder get the same again.

    An image is known by its folder and name, so that it keeps its id in every dataset and run. A
    file that is read otherwise than before, as by a program that knows more countries, is another
    dataset: runs keep the labels that they were judged by.

    Raises:
        ResourceError: The disk is full, or another job holds the store for too long.
        StoreError: The store cannot be written.
    """
    with store.transaction():
        folder_id = _folder_id(store, spec.image_dir)
        image_ids = _image_ids(store, folder_id, spec.frame["image_filename"])
        content = content_sha256(spec.attribute_columns, _stored_values(spec, image_ids))
        dataset_id = _find(store, spec, folder_id, content)
        if dataset_id is None:
            dataset_id = _insert(store, spec, folder_id, content)
            _insert_images(store, spec, dataset_id, image_ids)
            names = spec.attribute_columns
            add_dataset_columns(store.db.conn, dataset_id, names, _in_order(spec, image_ids))
    return RegisteredDataset(dataset_id, image_ids)


def _folder_id(store: Store, image_dir: str | Path) -> int:
    path = str(Path(image_dir).resolve())
    store.rows("INSERT INTO image_folders (path) VALUES (?) ON CONFLICT DO NOTHING", (path,))
    return int(store.rows("SELECT id FROM image_folders WHERE path = ?", (path,))[0][0])


def _image_ids(store: Store, folder_id: int, filenames: "pd.Series[str]") -> npt.NDArray[np.int64]:
    image_ids = np.empty(len(filenames), np.int64)
    for rows in _chunks(len(filenames)):
        names = filenames.iloc[rows].tolist()
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
        image_ids[rows] = [row[0] for row in found]
    return image_ids


def _chunks(num_rows: int) -> Iterator[slice]:
    for start in range(0, num_rows, CHUNK_ROWS):
        yield slice(start, min(start + CHUNK_ROWS, num_rows))


def _find(store: Store, spec: DatasetSpec, folder_id: int, content: str) -> int | None:
    key = (spec.csv_sha256, folder_id, spec.num_skipped, content)
    found = store.rows(
        "UPDATE datasets SET csv_path = ? WHERE csv_sha256 = ? AND folder_id = ? "
        "AND num_skipped = ? AND content_sha256 = ? RETURNING id",
        (str(Path(spec.csv_path).absolute()), *key),
    )
    return int(found[0][0]) if found else None


def _insert(store: Store, spec: DatasetSpec, folder_id: int, content: str) -> int:
    values: dict[str, Any] = {
        "name": spec.name,
        "csv_path": str(Path(spec.csv_path).absolute()),
        "csv_sha256": spec.csv_sha256,
        "folder_id": folder_id,
        "num_images": len(spec.frame),
        "num_skipped": spec.num_skipped,
        "attribute_columns": json.dumps(spec.attribute_columns, ensure_ascii=False),
        "drawn": int(spec.drawn),
        "created_at": utc_now(),
        "content_sha256": content,
    }
    return store.insert("datasets", values)


def _insert_images(
    store: Store, spec: DatasetSpec, dataset_id: int, image_ids: npt.NDArray[np.int64]
) -> None:
    sql = insert_sql("dataset_images", ["dataset_id", *HASHED_COLUMNS])
    for columns in _stored_values(spec, image_ids):
        owners = [dataset_id] * len(columns[0])
        store.db.conn.executemany(sql, zip(owners, *columns, strict=True))


def _stored_values(spec: DatasetSpec, image_ids: npt.NDArray[np.int64]) -> Iterator[Columns]:
    """The values of `HASHED_COLUMNS` by ascending image id, in chunks."""
    order = np.argsort(image_ids)
    for chunk in _chunks(len(order)):
        rows = order[chunk]
        frame = spec.frame.iloc[rows]
        columns = [column_values(frame[name]) for name in HASHED_COLUMNS[1:-1]]
        attributes = _attributes(frame, spec.attribute_columns)
        yield [image_ids[rows].tolist(), *columns, attributes]


def _in_order(spec: DatasetSpec, image_ids: npt.NDArray[np.int64]) -> Iterator[pd.DataFrame]:
    """What the columns of a dataset are made of, by ascending image id, in chunks."""
    order = np.argsort(image_ids)
    names = {name: attribute_column(name) for name in spec.attribute_columns}
    for chunk in _chunks(len(order)):
        rows = order[chunk]
        frame = spec.frame[["continent", "country_code", "region", "city", *names]].iloc[rows]
        yield frame.rename(columns=names).assign(image_id=image_ids[rows])


def _attributes(frame: pd.DataFrame, names: Sequence[str]) -> list[str | None]:
    if not names:
        return [None] * len(frame)
    # Many images share theirs, such as the weather: each text is made once.
    numbers, firsts = number_rows([frame[name] for name in names])
    columns = (column_values(frame[name].iloc[firsts]) for name in names)
    encode = json.JSONEncoder(ensure_ascii=False).encode  # json.dumps would make one for each row
    rows = zip(*columns, strict=True)
    texts = np.array([encode(dict(zip(names, values, strict=True))) for values in rows], object)
    made: list[str | None] = texts[numbers].tolist()
    return made
