"""The columns of a run, read when they are first needed and kept; and what selects of them."""

import threading
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from streetclip.errors import shown
from streetclip.results.blocks import blocks
from streetclip.results.dataset_table import BUSY_S, LEVELS, Array, DatasetTable, frozen
from streetclip.results.filters import AnnotatedIds, Bounds, Selection
from streetclip.results.sources import GivenRun, RunSource, StoredRun
from streetclip.store import Flag, get_run, open_store
from streetclip.store.column_writer import RUN_FILLS

_NOBODY = AnnotatedIds()


class RunTable:
    """What a run predicted for each image of its dataset.

    A run that is still being written is as it was when it was opened, whatever is read later.

    Attributes:
        run_id: The run.
        dataset: The images that it is about.
        done: N booleans: whether the image has a prediction.
        num_done: How many have.
        revision: Of the run when it was opened; see `store.get_run`.
    """

    def __init__(self, run_id: int, dataset: DatasetTable, source: RunSource) -> None:
        self.run_id = run_id
        self.dataset = dataset
        self._source = source
        self._columns: dict[str, Array] = {}
        self._lock = threading.RLock()
        self.done: NDArray[np.bool_] = frozen(source.columns(())["done"])
        self.num_done = int(np.count_nonzero(self.done))
        self.revision = source.revision

    @classmethod
    def open(cls, store_path: Path | str, run_id: int, dataset: DatasetTable | None = None) -> Self:
        """Open a run; its columns are read when they are first asked for.

        Args:
            store_path: The store.
            run_id: The run.
            dataset: The run's dataset, if it is open already.

        Raises:
            StoreError: The store is missing, newer or no store, or has no such run.
            ResourceError: The disk fails, or a job keeps the store locked.
        """
        with open_store(store_path, read_only=True, busy_timeout_s=BUSY_S) as store:
            run = get_run(store, run_id)
        if dataset is None or dataset.content != run["dataset_content"]:
            dataset = DatasetTable.open(store_path, run["dataset_id"])
        source = StoredRun(Path(store_path), run_id, run["uid"], dataset.image_ids)
        return cls(run_id, dataset, source)

    @classmethod
    def from_arrays(
        cls,
        dataset: DatasetTable,
        *,
        columns: Mapping[str, Array],
        predicted_places: pd.DataFrame,
        done: NDArray[np.bool_] | None = None,
        run_id: int = 1,
    ) -> Self:
        """Make one of arrays at hand.

        Args:
            dataset: Its images.
            columns: Columns of a run by name, each of length N; see `store.columns`.
            predicted_places: country, city, latitude_deg and longitude_deg of each row that
                `pred_place` refers to; row 0 is blank.
            done: Which images have a prediction; all, if it is not given.
            run_id: The run.
        """
        everything = np.ones(dataset.num_images, dtype=np.bool_)
        source = GivenRun(
            {**columns, "done": everything if done is None else done}, predicted_places
        )
        return cls(run_id, dataset, source)

    @property
    def dataset_id(self) -> int:
        """The dataset of the run."""
        return self.dataset.dataset_id

    @property
    def num_images(self) -> int:
        """N: images of the dataset, predicted or not."""
        return self.dataset.num_images

    @property
    def image_ids(self) -> NDArray[np.int64]:
        """N ids, ascending."""
        return self.dataset.image_ids

    @property
    def place(self) -> NDArray[np.int32]:
        """N rows of `places`: where the images were taken."""
        return self.dataset.place

    @property
    def places(self) -> pd.DataFrame:
        """True places: continent, country, region, city."""
        return self.dataset.places

    @property
    def attribute_names(self) -> tuple[str, ...]:
        """Attributes that can be filtered and grouped by."""
        return self.dataset.attribute_names

    def attribute(self, name: str) -> tuple[NDArray[np.uint16], tuple[str, ...]]:
        """The values of an attribute; see `DatasetTable.attribute`."""
        return self.dataset.attribute(name)

    def column(self, name: str) -> Array:
        """A column of the run, of length N; where there is no prediction it is NaN, 0 or no bin.

        Args:
            name: flags, pred_place, country_probability, city_probability, margin, distance_km,
                distance_bin, nearest_bin, true_country_rank, true_latitude_deg,
                true_longitude_deg.

        Raises:
            StoreError: The run or the store is gone or replaced.
            ResourceError: The disk fails, or a job keeps the store locked.
        """
        return self.load(name)[0]

    def load(self, *names: str) -> list[Array]:
        """Several columns, in one reading; see `column`."""
        with self._lock:
            missing = [name for name in names if name not in self._columns]
            if "pred_place" in missing:
                self._columns["pred_place"] = self._predicted[0]
                missing.remove("pred_place")
            if missing:
                found = self._source.columns(missing)
                self._columns |= {name: self._as_opened(name, found[name]) for name in missing}
            return [self._columns[name] for name in names]

    @property
    def predicted_places(self) -> pd.DataFrame:
        """country, city, latitude_deg, longitude_deg of what was predicted; row 0 is nothing."""
        with self._lock:
            return self._predicted[1]

    @property
    def pred_place(self) -> Array:
        """N rows of `predicted_places`; 0 where nothing was predicted."""
        return self.column("pred_place")

    @property
    def codes(self) -> tuple[str, ...]:
        """ISO codes of the true and the predicted countries, ascending; the first is ""."""
        with self._lock:
            return self._codes

    @property
    def true_country(self) -> NDArray[np.uint16]:
        """N positions among `codes`: the true countries."""
        with self._lock:
            return self._true_country

    @property
    def pred_country(self) -> NDArray[np.uint16]:
        """N positions among `codes`: the predicted countries; 0 where nothing was predicted."""
        with self._lock:
            return self._pred_country

    @property
    def nbytes(self) -> int:
        """Bytes of the arrays read so far, those of the dataset included."""
        with self._lock:
            found = [self.done, *self._columns.values()]
            for name in ("_true_country", "_pred_country"):
                found += [self.__dict__[name]] if name in self.__dict__ else []
        return self.dataset.nbytes + sum(each.nbytes for each in found)

    def judged(self, mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Those of a choice of images that have a prediction.

        Raises:
            ValueError: The mask is not one boolean for each image.
        """
        if mask.shape != self.done.shape or mask.dtype != np.bool_:
            msg = f"mask is {mask.dtype} of shape {mask.shape}; expected {self.num_images} bool"
            raise ValueError(msg)
        return mask if self.num_done == self.num_images else mask & self.done

    # The four below are read under the lock of the properties above.

    @cached_property
    def _predicted(self) -> tuple[Array, pd.DataFrame]:
        rows, places = self._source.predicted()
        return self._as_opened("pred_place", rows), places

    @cached_property
    def _codes(self) -> tuple[str, ...]:
        known = set(self.places["country"]) | set(self._predicted[1]["country"])
        return ("", *sorted(known - {""}))

    @cached_property
    def _true_country(self) -> NDArray[np.uint16]:
        return frozen(self._positions(self.places["country"])[self.place])

    @cached_property
    def _pred_country(self) -> NDArray[np.uint16]:
        rows, places = self._predicted
        return frozen(self._positions(places["country"])[rows])

    def _positions(self, countries: "pd.Series[str]") -> NDArray[np.uint16]:
        position = {code: i for i, code in enumerate(self._codes)}
        return np.array([position[code] for code in countries], dtype=np.uint16)

    def _as_opened(self, name: str, column: Array) -> Array:
        """Take back what was written since the run was opened."""
        if self.num_done < self.num_images:
            column = np.where(self.done, column, column.dtype.type(RUN_FILLS[name]))
        return frozen(column)


def select(
    table: RunTable, selection: Selection, annotated: AnnotatedIds = _NOBODY
) -> NDArray[np.bool_]:
    """Find the images of a run that a selection means.

    Args:
        table: The run.
        selection: What is looked for.
        annotated: Ids of the images with the tags and the status that the selection names.

    Returns:
        N booleans; False wherever there is no prediction.

    Raises:
        ValueError: `annotated` lacks a tag or status that the selection names.
    """
    mask = table.done.copy()
    for values, matches in _lookups(table, selection):
        for block in blocks(table.num_images):
            mask[block] &= matches[values[block]]
    _within(mask, table, "distance_km", selection.distance_km)
    _within(mask, table, "country_probability", selection.confidence)
    if selection.tags:
        tagged = [_given(annotated.by_tag, tag) for tag in selection.tags]
        mask &= _are_among(table.image_ids, tagged)
    if selection.status is not None:
        mask &= _have_status(table.image_ids, selection.status, annotated.by_status)
    return mask


def _lookups(table: RunTable, selection: Selection) -> list[tuple[Array, NDArray[np.bool_]]]:
    """Columns of small codes, each with which of its codes match."""
    wanted = {level: getattr(selection, level) for level in LEVELS}
    named = {level: name for level, name in wanted.items() if name is not None}
    found: list[tuple[Array, NDArray[np.bool_]]] = []
    if named:
        matches = np.ones(len(table.places), dtype=np.bool_)
        for level, name in named.items():
            matches &= (table.places[level] == name).to_numpy(dtype=np.bool_)
        found.append((table.place, matches))
    if selection.predicted is not None:
        found.append((table.pred_country, np.array(table.codes) == selection.predicted))
    if selection.country_right is not None or selection.city_right is not None:
        found.append((table.column("flags"), _matching_flags(selection)))
    for name, values in selection.attribute_values().items():
        if name in table.attribute_names:
            codes, texts = table.attribute(name)
            found.append((codes, np.array([text in values for text in texts], dtype=np.bool_)))
        else:
            found.append((table.place, np.zeros(len(table.places), dtype=np.bool_)))
    return found


def _matching_flags(selection: Selection) -> NDArray[np.bool_]:
    """Which of the 256 values of the flags a selection means."""
    flags = np.arange(256)
    matches = np.ones(256, dtype=np.bool_)
    for flag, right in (
        (Flag.COUNTRY_CORRECT, selection.country_right),
        (Flag.CITY_CORRECT, selection.city_right),
    ):
        if right is not None:
            matches &= ((flags & flag) != 0) == right
    return matches


def _within(mask: NDArray[np.bool_], table: RunTable, name: str, bounds: Bounds) -> None:
    """Leave in a mask what lies between two bounds; NaN lies nowhere."""
    if bounds == (None, None):
        return
    column = table.column(name)
    # Compared in the column's own precision: a bound between two of its numbers moves inwards.
    low = None if bounds[0] is None else _rounded(bounds[0], column.dtype, np.inf)
    high = None if bounds[1] is None else _rounded(bounds[1], column.dtype, -np.inf)
    for block in blocks(table.num_images):
        if low is not None:
            mask[block] &= column[block] >= low
        if high is not None:
            mask[block] &= column[block] <= high


def _rounded(value: float, dtype: np.dtype[Any], towards: float) -> Any:
    """The nearest number of a precision that is not on the far side of a value."""
    near = dtype.type(value)
    beyond = float(near) < value if towards > 0 else float(near) > value
    return np.nextafter(near, dtype.type(towards)) if beyond else near


def _given(ids: Mapping[str, NDArray[np.int64]], name: str) -> NDArray[np.int64]:
    if name not in ids:
        msg = f"the ids of the images with {shown(name)} are not given; give those that there are"
        raise ValueError(msg)
    return ids[name]


def _have_status(
    image_ids: NDArray[np.int64], status: str, by_status: Mapping[str, NDArray[np.int64]]
) -> NDArray[np.bool_]:
    if status != "open":
        return _are_among(image_ids, [_given(by_status, status)])
    others = [ids for name, ids in by_status.items() if name != "open"]
    return ~_are_among(image_ids, others)


def _are_among(
    image_ids: NDArray[np.int64], groups: Sequence[NDArray[np.int64]]
) -> NDArray[np.bool_]:
    """Which of the ascending ids are in one of the groups."""
    found = np.zeros(len(image_ids), dtype=np.bool_)
    for ids in groups:
        positions = np.searchsorted(image_ids, ids)
        inside = positions < len(image_ids)
        positions = positions[inside]
        found[positions[image_ids[positions] == ids[inside]]] = True
    return found
