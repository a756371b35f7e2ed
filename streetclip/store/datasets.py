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
from streetclip.store.values import column_values, insert_sql, number_rows

_DATASET_IMAGE_COLUMNS = (
    "dataset_id",
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
_CHUNK_ROWS = 2**16


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
    """Give the dataset and its images their ids; the same file and folder get the same again.

    An image is known by its folder and name, so that it keeps its id in every dataset and run.

    Raises:
        ResourceError: The disk is full, or another job holds the store for too long.
        StoreError: The store cannot be written.
    """
    with store.transaction():
        folder_id = _folder_id(store, spec.image_dir)
        image_ids = _image_ids(store, folder_id, spec.frame["image_filename"])
        dataset_id = _find(store, spec, folder_id)
        if dataset_id is None:
            dataset_id = _insert(store, spec, folder_id)
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
    for start in range(0, num_rows, _CHUNK_ROWS):
        yield slice(start, min(start + _CHUNK_ROWS, num_rows))


def _find(store: Store, spec: DatasetSpec, folder_id: int) -> int | None:
    # The counts, too: a newer gazetteer may read rows that an older one skipped.
    key = (spec.csv_sha256, folder_id, len(spec.frame), spec.num_skipped)
    found = store.rows(
        "UPDATE datasets SET csv_path = ? WHERE csv_sha256 = ? AND folder_id = ? "
        "AND num_images = ? AND num_skipped = ? RETURNING id",
        (str(Path(spec.csv_path).absolute()), *key),
    )
    return int(found[0][0]) if found else None


def _insert(store: Store, spec: DatasetSpec, folder_id: int) -> int:
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
    }
    return store.insert("datasets", values)


def _insert_images(
    store: Store, spec: DatasetSpec, dataset_id: int, image_ids: npt.NDArray[np.int64]
) -> None:
    for rows in _chunks(len(image_ids)):
        frame, ids = spec.frame.iloc[rows], image_ids[rows].tolist()
        columns = [column_values(frame[name]) for name in _DATASET_IMAGE_COLUMNS[2:-1]]
        attributes = _attributes(frame, spec.attribute_columns)
        store.db.conn.executemany(
            insert_sql("dataset_images", _DATASET_IMAGE_COLUMNS),
            zip([dataset_id] * len(ids), ids, *columns, attributes, strict=True),
        )


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
