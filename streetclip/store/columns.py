"""Read whole columns of a dataset or a run as arrays, by ascending image ids."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from streetclip.errors import StoreError, shown
from streetclip.store.column_parts import count_parts, read_column
from streetclip.store.column_writer import RUN_DTYPES, RUN_FILLS, attribute_column
from streetclip.store.connection import Store
from streetclip.store.sqlite_errors import translated

Int64 = npt.NDArray[np.int64]


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
    with store.snapshot(), translated(store.path):
        content = store.require("datasets", dataset_id, "content_sha256")
        places = store.frame(
            "SELECT continent, country, region, city FROM places WHERE dataset_id = ? ORDER BY id",
            (dataset_id,),
        )
        return DatasetColumns(
            image_ids=read_column(connection, owner, "image_id", np.int64),
            place=read_column(connection, owner, "place", np.uint32).view(np.int32),
            places=places,
            content=content,
        )


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
        if content not in (None, store.require("datasets", dataset_id, "content_sha256")):
            msg = f"{store.path}: was replaced while it was being read. Reload the page."
            raise StoreError(msg)
        if count_parts(store.db.conn, owner, column)[0] == 0:
            msg = (
                f"{store.path}: dataset {dataset_id} has no attribute {shown(name)} with 2 to 500 "
                "values. Choose one of those that it lists."
            )
            raise StoreError(msg)
        return read_column(store.db.conn, owner, column, np.uint16)


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
    if np.array_equal(of_rows, image_ids):
        return columns | {"done": np.ones(len(image_ids), np.bool_)}
    taken = np.isin(of_rows, image_ids)
    positions = np.searchsorted(image_ids, of_rows[taken])
    for name, values in columns.items():
        columns[name] = np.full(len(image_ids), RUN_FILLS[name], values.dtype)
        columns[name][positions] = values[taken]
    done = np.zeros(len(image_ids), np.bool_)
    done[positions] = True
    return columns | {"done": done}
