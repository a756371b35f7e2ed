"""The reader's side of the columns: whole columns of a dataset or a run as dense arrays.

What the dashboard filters and groups by comes from here; rows of predictions are read only for the
few images that are shown. The order is everywhere that of ascending image ids.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from streetclip.errors import StoreError, shown
from streetclip.store.column_writer import RUN_DTYPES, RUN_FILLS, Flag, attribute_column
from streetclip.store.connection import Store
from streetclip.store.parts import num_parts, read_column
from streetclip.store.runs import require_run
from streetclip.store.sqlite_errors import translated

__all__ = [
    "RUN_DTYPES",
    "DatasetColumns",
    "Flag",
    "attribute_codes",
    "attribute_names",
    "dataset_columns",
    "predicted_places",
    "run_columns",
]

Int64 = npt.NDArray[np.int64]


@dataclass(frozen=True)
class DatasetColumns:
    """The images of a dataset and where they are; N images.

    Attributes:
        image_ids: N ids, ascending.
        place: N positions in `places`.
        places: The true places of the dataset: continent, country (ISO code), region, city, in
            alphabetical order.
        content: Hash of all that the dataset says of its images.
    """

    image_ids: Int64
    place: npt.NDArray[np.int32]
    places: pd.DataFrame
    content: str = ""


def dataset_columns(store: Store, dataset_id: int) -> DatasetColumns:
    """The images of a dataset and their true places.

    Raises:
        StoreError: There is no such dataset.
    """
    with store.snapshot(), translated(store.path):
        content = _content(store, dataset_id)
        owner = ("dataset", dataset_id)
        return DatasetColumns(
            image_ids=read_column(store.db.conn, owner, "image_id", np.int64),
            place=read_column(store.db.conn, owner, "place", np.uint32).view(np.int32),
            places=store.frame(
                "SELECT continent, country, region, city FROM places WHERE dataset_id = ? "
                "ORDER BY id",
                (dataset_id,),
            ),
            content=content,
        )


def attribute_names(store: Store, dataset_id: int) -> dict[str, tuple[str, ...]]:
    """The attributes of a dataset that can be filtered by: those with 2 to 500 values.

    Returns:
        By name, the values in the order of their codes, which is alphabetical; "" is a blank one.
        Empty if there is no such dataset.
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
    """The value of an attribute of each image: N positions in its `attribute_names`.

    Args:
        store: The store.
        dataset_id: The dataset.
        name: The attribute.
        content: Of `dataset_columns`, where the codes are to stand beside these.

    Raises:
        StoreError: The dataset has no attribute of this name that can be filtered by, or the
            store was replaced: its dataset has another content.
    """
    owner, column = ("dataset", dataset_id), attribute_column(name)
    with store.snapshot(), translated(store.path):
        if content not in (None, _content(store, dataset_id)):
            msg = f"{store.path}: was replaced while it was being read. Reload the page."
            raise StoreError(msg)
        if num_parts(store.db.conn, owner, column)[0] == 0:
            msg = (
                f"{store.path}: dataset {dataset_id} has no attribute {shown(name)} with 2 to 500 "
                "values. Choose one of those that it lists."
            )
            raise StoreError(msg)
        return read_column(store.db.conn, owner, column, np.uint16)


def predicted_places(store: Store, run_id: int) -> pd.DataFrame:
    """The places that a run predicted so far; the column `pred_place` counts in it.

    Returns:
        A frame with country (ISO code), city, latitude_deg and longitude_deg (NaN if unknown);
        the first row, all blank, stands for no prediction.
    """
    frame = store.frame(
        "SELECT country, city, latitude_deg, longitude_deg FROM predicted_places "
        "WHERE run_id = ? ORDER BY id",
        (run_id,),
    )
    nothing = pd.DataFrame({name: [None] for name in frame.columns}, dtype=object)
    nothing[["country", "city"]] = ""
    whole = pd.concat([nothing, frame.astype(object)], ignore_index=True)
    return whole.astype({"latitude_deg": np.float64, "longitude_deg": np.float64})


def run_columns(
    store: Store, run_id: int, names: Collection[str], image_ids: Int64
) -> dict[str, npt.NDArray[Any]]:
    """Columns of a run, dense over the images of a dataset; N images.

    Args:
        store: The store.
        run_id: The run; may be partial.
        names: Any of `RUN_DTYPES`: image_id; pred_place (position in `predicted_places`, 0 where
            nothing was predicted); flags (bits of `Flag`); country_probability and
            city_probability (0 to 1); margin (the first country's probability in the ranking
            minus the second's); distance_km; distance_bin and nearest_bin (of
            `distance_bin_edges_km`, 255 where there is none: of distance_km and of
            nearest_candidate_km); true_country_rank (0 where there is none); true_latitude_deg
            and true_longitude_deg. Missing fractions are NaN.
        image_ids: N ids, ascending: what each position is about, as of `dataset_columns`.

    Returns:
        By name, N values, and under "done" whether the run has a prediction of the image. Where
        it has none, a column holds NaN, 255 in the bins, 0 elsewhere. Predictions of images that
        are not in `image_ids` are left out.

    Raises:
        ValueError: There is no such column.
        StoreError: There is no such run.
    """
    unknown = set(names) - set(RUN_DTYPES)
    if unknown:
        msg = f"there is no column {', '.join(sorted(map(shown, unknown)))} of a run"
        raise ValueError(msg)
    with store.snapshot(), translated(store.path):
        require_run(store, run_id)
        connection, owner = store.db.conn, ("run", run_id)
        rows = _find(read_column(connection, owner, "image_id", np.int64), image_ids)
        columns = {
            name: rows.spread(read_column(connection, owner, name, RUN_DTYPES[name]), fill)
            for name, fill in RUN_FILLS.items()
            if name in names
        }
    return columns | {"done": rows.done()}


@dataclass(frozen=True)
class _Rows:
    """Where the rows of a run stand among N images.

    Attributes:
        size: N.
        taken: Which rows are wanted; None: all, in this very order.
        positions: Their places among the images; None likewise.
    """

    size: int
    taken: npt.NDArray[np.bool_] | None = None
    positions: Int64 | None = None

    def spread(self, values: npt.NDArray[Any], fill: float) -> npt.NDArray[Any]:
        """One value an image."""
        if self.positions is None:
            return values
        dense = np.full(self.size, fill, values.dtype)
        dense[self.positions] = values[self.taken]
        return dense

    def done(self) -> npt.NDArray[np.bool_]:
        """Which images have a row."""
        if self.positions is None:
            return np.ones(self.size, np.bool_)
        done = np.zeros(self.size, np.bool_)
        done[self.positions] = True
        return done


def _find(of_rows: Int64, image_ids: Int64) -> _Rows:
    if np.array_equal(of_rows, image_ids):
        return _Rows(len(image_ids))
    if not len(image_ids):
        return _Rows(0, np.zeros(len(of_rows), np.bool_), np.empty(0, np.int64))
    positions = np.searchsorted(image_ids, of_rows)
    np.minimum(positions, len(image_ids) - 1, out=positions)
    taken = image_ids[positions] == of_rows
    return _Rows(len(image_ids), taken, positions[taken])


def _content(store: Store, dataset_id: int) -> str:
    found = store.rows("SELECT content_sha256 FROM datasets WHERE id = ?", (dataset_id,))
    if not found:
        msg = f"{store.path}: has no dataset {dataset_id}. Choose a run of those that it lists."
        raise StoreError(msg)
    return str(found[0][0])
