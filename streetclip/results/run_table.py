"""Read the columns of a run when they are first needed, and keep them."""

import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from streetclip.errors import StoreError, shown
from streetclip.geo import THRESHOLDS_KM
from streetclip.results.dataset_table import BUSY_S, Array, Codes, DatasetTable, read_only
from streetclip.store import (
    RUN_FILLS,
    Flag,
    distance_bin_edges_km,
    get_run,
    open_store,
    predicted_places,
    run_columns,
    run_revision,
)

Bool = NDArray[np.bool_]

CORRECT_AT = ("country", "city", *(f"within_{km}" for km in THRESHOLDS_KM.values()))
"""What can be correct: the country, country and city, or the distance (of at most so many km)."""


class RunState(NamedTuple):
    """N values of each column of a run, always with "done", as one state of the store has them.

    `places` is what `pred_place` counts in; see `store.predicted_places`.
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
                places = predicted_places(store, run_id)
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
            if "pred_place" in missing:  # is read together with what it counts in
                missing.remove("pred_place")
                self._read_places()
            if missing:
                self._keep(missing, self._read(missing))
            return [self._columns[name] for name in names]

    def _keep(self, names: Sequence[str], state: RunState) -> None:
        """Keep columns of a state, without what was written since the run was opened."""
        for name in names:
            column = state.columns[name]
            if self.num_done < self.num_images:
                column = np.where(self.done, column, column.dtype.type(RUN_FILLS[name]))
            self._columns[name] = read_only(column)

    def correct(self, level: str) -> Bool:
        """Find the images that are correct at a level of `CORRECT_AT`: N booleans.

        False where there is no prediction; raises ValueError if there is no such level.
        """
        if level not in CORRECT_AT:
            msg = f"level is {shown(level)}; expected one of {', '.join(CORRECT_AT)}"
            raise ValueError(msg)
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
            return self._places or self._read_places()

    def _read_places(self) -> "_Predicted":
        state = self._read(["pred_place"])
        self._keep(["pred_place"], state)
        self._places = _Predicted.of(self, state.places, self._columns["pred_place"])
        return self._places

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
