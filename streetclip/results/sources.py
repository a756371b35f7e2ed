"""Where the columns of a run come from: a store, or arrays at hand."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from streetclip.errors import StoreError
from streetclip.results.dataset_table import BUSY_S, Array
from streetclip.store import open_store, predicted_places, run_columns, run_revision


class RunSource(Protocol):
    """Where the columns of one run come from.

    Attributes:
        revision: Of the run when its columns were first read; "" where there is no store.
    """

    revision: str

    def columns(self, names: Sequence[str]) -> Mapping[str, Array]:
        """Columns by name, each of length N, and always "done"."""

    def predicted(self) -> tuple[Array, pd.DataFrame]:
        """The column `pred_place`, and the places that it counts in, as they stood together."""


class StoredRun:
    """Reads columns of a run of a store, as long as it is the same run and only grows."""

    def __init__(
        self, store_path: Path, run_id: int, uid: str, image_ids: NDArray[np.int64]
    ) -> None:
        self.revision = ""
        self._store_path = store_path
        self._run_id = run_id
        self._uid = uid
        self._image_ids = image_ids
        self._done: Array | None = None

    def columns(self, names: Sequence[str]) -> Mapping[str, Array]:
        """Columns by name, and "done"."""
        return self._read(names)[0]

    def predicted(self) -> tuple[Array, pd.DataFrame]:
        """`pred_place` and the predicted places, of one state of the store."""
        columns, places = self._read(["pred_place"])
        return columns["pred_place"], places

    def _read(self, names: Sequence[str]) -> tuple[Mapping[str, Array], pd.DataFrame]:
        path = self._store_path
        with open_store(path, read_only=True, busy_timeout_s=BUSY_S) as store, store.snapshot():
            revision = run_revision(store, self._run_id, self._uid)
            columns = run_columns(store, self._run_id, names, self._image_ids)
            places = predicted_places(store, self._run_id)
        if self._done is None:
            self._done, self.revision = columns["done"], revision
        elif (self._done & ~columns["done"]).any():
            msg = f"{path}: was replaced by an older state of itself. Reload the page."
            raise StoreError(msg)
        return columns, places


class GivenRun:
    """Columns at hand."""

    revision = ""

    def __init__(self, columns: Mapping[str, Array], predicted_places: pd.DataFrame) -> None:
        self._columns = columns
        self._predicted_places = predicted_places

    def columns(self, names: Sequence[str]) -> Mapping[str, Array]:
        """Columns by name, and "done"."""
        return {name: self._columns[name] for name in (*names, "done")}

    def predicted(self) -> tuple[Array, pd.DataFrame]:
        """`pred_place` and the predicted places."""
        return self._columns["pred_place"], self._predicted_places
