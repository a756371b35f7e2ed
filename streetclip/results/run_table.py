"""Read the columns of a run and of its dataset when they are first needed, and keep them.

Columns may have millions of rows: go over them with `selected_rows`, block by block.
"""

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, NamedTuple, Self, cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from streetclip.errors import StoreError, shown
from streetclip.geo import THRESHOLDS_KM, geoscore
from streetclip.store import (
    RUN_FILLS,
    DatasetColumns,
    FileNames,
    Flag,
    attribute_codes,
    attribute_names,
    dataset_columns,
    distance_bin_edges_km,
    get_run,
    open_store,
    predicted_places,
    read_filenames,
    run_columns,
    run_revision,
)

Bool = NDArray[np.bool_]
Array = NDArray[Any]
Codes = NDArray[np.uint16]

LEVELS: Final = ("continent", "country", "region", "city")
"""Levels of a true place, the largest first."""

BUSY_S: Final = 5.0
"""How long to wait for a locked store: a page must not hang where a job would wait."""

BLOCK: Final = 2**18
"""Rows of a block: a float64 array of that length is 2 MiB."""

_NEARLY_FULL: Final = 1 / 8
"""Share of a block that is left out at most, so that it is added whole and the rest taken away."""

_MOST_NAMED: Final = 4
"""Texts of file names whose images are remembered, as other filters change."""

Rows = slice | NDArray[np.intp]
"""Rows of an array: all of a block, or the selected ones of it, ascending."""

CORRECT_AT = ("country", "city", *(f"within_{km}" for km in THRESHOLDS_KM.values()))
"""What can be correct: the country, country and city, or the distance (of at most so many km)."""


class DatasetTable:
    """The images of a dataset, shared by its runs; N images, P places.

    Attributes:
        image_ids: N ids, ascending. All arrays are read-only and in this order.
        place: N rows of `places`.
        places: continent, country (ISO code), region and city of each of the P true places.
        content: Hash of the dataset's rows.
        attributes: Those that can be filtered and grouped by, each with its values.
    """

    def __init__(
        self,
        dataset_id: int,
        columns: DatasetColumns,
        attributes: Mapping[str, tuple[str, ...]],
        read_codes: Callable[[str], Codes],
        read_names: Callable[[], FileNames],
    ) -> None:
        """Keep a dataset, the values of its attributes, and what reads codes and file names."""
        self.dataset_id = dataset_id
        self.image_ids: NDArray[np.int64] = read_only(columns.image_ids)
        self.place: NDArray[np.int32] = read_only(columns.place)
        self.places = columns.places
        self.content = columns.content
        self.num_images = len(self.image_ids)
        self.attributes = attributes
        self.named = lru_cache(maxsize=_MOST_NAMED)(self._named)
        self._read_codes = read_codes
        self._read_names = read_names
        self._names: FileNames | None = None
        self._codes: dict[str, Codes] = {}
        self._groups: dict[str, tuple[NDArray[np.int64], pd.DataFrame]] = {}
        self._lock = threading.Lock()

    @classmethod
    def open(cls, store_path: Path | str, dataset_id: int) -> Self:
        """Read a dataset's places; attributes are read when they are first needed.

        Raises:
            StoreError: The store is missing, newer or no store, or has no such dataset.
            ResourceError: The disk fails, or a job keeps the store locked.
        """
        opened = open_store(store_path, read_only=True, busy_timeout_s=BUSY_S)
        with opened as store, store.snapshot():
            columns = dataset_columns(store, dataset_id)
            attributes = attribute_names(store, dataset_id)

        def read_codes(name: str) -> Codes:
            with open_store(store_path, read_only=True, busy_timeout_s=BUSY_S) as store:
                return attribute_codes(store, dataset_id, name, columns.content)

        def read_names() -> FileNames:
            with open_store(store_path, read_only=True, busy_timeout_s=BUSY_S) as store:
                return read_filenames(store, dataset_id, len(columns.image_ids), columns.content)

        return cls(dataset_id, columns, attributes, read_codes, read_names)

    def attribute(self, name: str) -> tuple[Codes, tuple[str, ...]]:
        """Return the values of an attribute: N positions among the distinct texts, and these.

        Raises ValueError if the dataset has no such attribute.
        """
        if name not in self.attributes:
            msg = f"{shown(name)} is no attribute of dataset {self.dataset_id}"
            raise ValueError(msg)
        with self._lock:
            if name not in self._codes:
                self._codes[name] = read_only(self._read_codes(name))
            return self._codes[name], self.attributes[name]

    def _named(self, text: str) -> Bool:
        """Find the images whose file name contains a text, in any case: N booleans."""
        with self._lock:
            if self._names is None:
                self._names = self._read_names()
        return read_only(self._names.containing(text))

    def place_groups(self, level: str) -> tuple[NDArray[np.int64], pd.DataFrame]:
        """Number the P places by the distinct ones of a level of `LEVELS`.

        Returns:
            P positions, and a frame of the distinct places in alphabetical order: continent,
                country, region and city, as far as the level goes.
        """
        with self._lock:
            if level not in self._groups:
                names = list(LEVELS[: LEVELS.index(level) + 1])
                grouped = self.places.groupby(names, sort=True)
                keys = grouped.size().reset_index()[names]
                self._groups[level] = np.asarray(grouped.ngroup(), dtype=np.int64), keys
            return self._groups[level]


def check_known(name: str, value: str, known: Iterable[str]) -> None:
    """Raise ValueError if a value is none of the known ones."""
    if value not in known:
        msg = f"{name} is {shown(value)}; expected one of {', '.join(known)}"
        raise ValueError(msg)


def read_only(array: Array) -> Array:
    """Return a read-only view of an array."""
    view = array.view()
    view.flags.writeable = False
    return view


class RunState(NamedTuple):
    """N values of each column of a run, always with "done", as one state of the store has them.

    `places` is what `pred_place` counts in, read with it; see `store.predicted_places`.
    """

    columns: dict[str, Array]
    places: pd.DataFrame
    revision: str = ""


class RunTable:
    """What a run predicted for each image of its dataset; N images.

    A run that is still being written stays as it was when it was opened, whatever is read later.

    Attributes:
        dataset: Its images; dataset_id, num_images, image_ids, place and places are its own.
        done: N booleans: whether the image has a prediction; num_done of them.
        revision: Of the run when it was opened; "" where there is no store.
    """

    def __init__(
        self, run_id: int, dataset: DatasetTable, read: Callable[[Sequence[str]], RunState]
    ) -> None:
        """Keep a run and the reader of its columns; see `store.RUN_DTYPES`."""
        self.run_id = run_id
        self.dataset = dataset
        self.dataset_id = dataset.dataset_id
        self.num_images = dataset.num_images
        self.image_ids = dataset.image_ids
        self.place, self.places = dataset.place, dataset.places
        self._read = read
        self._columns: dict[str, Array] = {}
        self._places: _Predicted | None = None
        self._lock = threading.RLock()
        state = read(())
        self.done: Bool = read_only(state.columns["done"])
        self.num_done = int(np.count_nonzero(self.done))
        self.revision = state.revision

    @classmethod
    def open(cls, store_path: Path | str, run_id: int, dataset: DatasetTable | None = None) -> Self:
        """Open a run of a store, and its dataset unless that is given.

        Raises:
            StoreError: The store is missing, newer or no store, or has no such run.
            ResourceError: The disk fails, or a job keeps the store locked.
        """
        with open_store(store_path, read_only=True, busy_timeout_s=BUSY_S) as store:
            run = get_run(store, run_id)
        if dataset is None or dataset.content != run["dataset_content"]:
            dataset = DatasetTable.open(store_path, run["dataset_id"])
        image_ids = dataset.image_ids
        done: Bool = np.zeros(len(image_ids), dtype=np.bool_)

        def read(names: Sequence[str]) -> RunState:
            opened = open_store(store_path, read_only=True, busy_timeout_s=BUSY_S)
            with opened as store, store.snapshot():
                revision = run_revision(store, run_id, run["uid"])
                columns = run_columns(store, run_id, names, image_ids)
                places = (
                    predicted_places(store, run_id) if "pred_place" in names else pd.DataFrame()
                )
            if (done & ~columns["done"]).any():
                msg = f"{store_path}: was replaced by an older state of itself. Reload the page."
                raise StoreError(msg)
            np.logical_or(done, columns["done"], out=done)
            return RunState(columns, places, revision)

        return cls(run_id, dataset, read)

    def column(self, name: str) -> Array:
        """Return a column of the run: N values, see `store.RUN_DTYPES`.

        Raises:
            StoreError: The run or the store is gone or replaced.
            ResourceError: The disk fails, or a job keeps the store locked.
        """
        return self.load(name)[0]

    def load(self, *names: str) -> list[Array]:
        """Return several columns, read at once; see `column`."""
        with self._lock:
            missing = [name for name in names if name not in self._columns]
            if missing:
                state = self._read(missing)
                for name in missing:
                    column = state.columns[name]
                    # Leave out what was written since the run was opened.
                    if self.num_done < self.num_images:
                        column = np.where(self.done, column, column.dtype.type(RUN_FILLS[name]))
                    self._columns[name] = read_only(column)
                if "pred_place" in missing:
                    self._places = _Predicted.of(self, state.places, self._columns["pred_place"])
            return [self._columns[name] for name in names]

    @property
    def geoscore(self) -> NDArray[np.float64]:
        """GeoScores of the N images, as `geo.geoscore`; 0 where there is no distance."""
        with self._lock:
            if "geoscore" not in self._columns:
                self._columns["geoscore"] = read_only(geoscore(self.column("distance_km")))
            return self._columns["geoscore"]

    def correct(self, level: str) -> Bool:
        """Find the images that are correct at a level of `CORRECT_AT`: N booleans.

        False where there is no prediction; raises ValueError if there is no such level.
        """
        check_known("level", level, CORRECT_AT)
        if level.startswith("within_"):
            km = float(level.removeprefix("within_"))
            last = int(np.searchsorted(distance_bin_edges_km(), km))  # which is an edge
            within: Bool = self.column("distance_bin") <= last
            return within
        return self.has(Flag.COUNTRY_CORRECT if level == "country" else Flag.CITY_CORRECT)

    def has(self, flag: Flag) -> Bool:
        """Find the images that have a flag: N booleans."""
        found: Bool = (self.column("flags") & int(flag)) != 0  # by a Flag, it would be int64
        return found

    @property
    def predicted_places(self) -> pd.DataFrame:
        """country, city, latitude_deg, longitude_deg of what was predicted; row 0 is nothing."""
        return self._predicted.places

    @property
    def pred_place(self) -> Array:
        """N rows of `predicted_places`; 0 where nothing was predicted."""
        return self._predicted.place

    @property
    def codes(self) -> tuple[str, ...]:
        """ISO codes of the true and the predicted countries, ascending; the first is ""."""
        return self._predicted.codes

    @property
    def true_country(self) -> Codes:
        """N positions among `codes`: the true countries."""
        return self._predicted.true_country

    @property
    def pred_country(self) -> Codes:
        """N positions among `codes`: the predicted countries; 0 where nothing was predicted."""
        return self._predicted.pred_country

    @property
    def _predicted(self) -> "_Predicted":
        with self._lock:
            if self._places is None:
                self.load("pred_place")
            return cast("_Predicted", self._places)

    def with_prediction(self, mask: Bool) -> Bool:
        """Keep in a mask the images that have a prediction.

        Raises ValueError if the mask is not one boolean for each image.
        """
        if mask.shape != self.done.shape or mask.dtype != np.bool_:
            msg = f"mask is {mask.dtype} of shape {mask.shape}; expected {self.num_images} bool"
            raise ValueError(msg)
        return mask if self.num_done == self.num_images else mask & self.done


class _Predicted(NamedTuple):
    """The places and countries of a run; see the properties of `RunTable`."""

    places: pd.DataFrame
    place: Array
    codes: tuple[str, ...]
    true_country: Codes
    pred_country: Codes

    @classmethod
    def of(cls, table: RunTable, places: pd.DataFrame, place: Array) -> Self:
        codes = ("", *sorted({*table.places["country"], *places["country"]} - {""}))
        position = {code: i for i, code in enumerate(codes)}
        true, predicted = (
            np.array([position[code] for code in each["country"]], dtype=np.uint16)
            for each in (table.places, places)
        )
        return cls(places, place, codes, read_only(true[table.place]), read_only(predicted[place]))


def selected_rows(mask: NDArray[np.bool_], size: int = BLOCK) -> Iterator[Rows]:
    """Yield the rows that a mask selects, block by block; blocks without any are left out.

    Examples:
        >>> rows = selected_rows(np.array([True, True, False, False, False, True]), 2)
        >>> [each if isinstance(each, slice) else each.tolist() for each in rows]
        [slice(0, 2, None), [5]]
    """
    for start in range(0, len(mask), size):
        block = mask[start : start + size]
        if block.all():
            yield slice(start, start + len(block))
        elif block.any():
            yield np.flatnonzero(block) + start


def nearly_selected_rows(
    mask: NDArray[np.bool_], size: int = BLOCK
) -> Iterator[tuple[Rows, NDArray[np.intp]]]:
    """Yield rows as `selected_rows`, but a nearly full block whole: quicker than to gather most.

    Yields the rows, and the positions among them of those that the mask leaves out.

    Examples:
        >>> mask = np.array([True] * 15 + [False, True])
        >>> [(str(rows), left_out.tolist()) for rows, left_out in nearly_selected_rows(mask, 16)]
        [('slice(0, 16, None)', [15]), ('slice(16, 17, None)', [])]
    """
    for start in range(0, len(mask), size):
        block = mask[start : start + size]
        num_left_out = len(block) - int(np.count_nonzero(block))
        if num_left_out < _NEARLY_FULL * len(block):
            yield slice(start, start + len(block)), np.flatnonzero(~block)
        elif num_left_out < len(block):
            yield np.flatnonzero(block) + start, np.empty(0, np.intp)


def signed_rows(mask: NDArray[np.bool_], size: int = BLOCK) -> Iterator[tuple[Rows, int]]:
    """Yield rows to add (1) and to take away (−1), for sums that are exact."""
    for rows, left_out in nearly_selected_rows(mask, size):
        yield rows, 1
        if len(left_out) and isinstance(rows, slice):
            yield left_out + rows.start, -1
