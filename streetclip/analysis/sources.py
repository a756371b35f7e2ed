"""Where the columns of a run come from: a store, or arrays at hand."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from streetclip.analysis.dataset import BUSY_S, Array
from streetclip.errors import StoreError
from streetclip.store import get_run, open_store, predicted_places, run_columns


class RunSource(Protocol):
    """Where the columns of one run come from."""

    def columns(self, names: Sequence[str]) -> Mapping[str, Array]:
        """Columns by name, each of length N, and always "done"."""

    def predicted(self) -> tuple[Array, pd.DataFrame]:
        """The column `pred_place`, and the places that it counts in, as they stood together."""


class StoredRun:
    """Reads columns of a run of a store, as long as it is the same run."""

    def __init__(
        self, store_path: Path, run_id: int, created_at: str, image_ids: NDArray[np.int64]
    ) -> None:
        self._store_path = store_path
        self._run_id = run_id
        self._created_at = created_at
        self._image_ids = image_ids

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
            if get_run(store, self._run_id)["created_at"] != self._created_at:
                msg = f"{path}: was replaced while it was being read. Reload the page."
                raise StoreError(msg)
            columns = run_columns(store, self._run_id, names, self._image_ids)
            return columns, predicted_places(store, self._run_id)


class GivenRun:
    """Columns at hand."""

    def __init__(self, columns: Mapping[str, Array], predicted_places: pd.DataFrame) -> None:
        self._columns = columns
        self._predicted_places = predicted_places

    def columns(self, names: Sequence[str]) -> Mapping[str, Array]:
        """Columns by name, and "done"."""
        return {name: self._columns[name] for name in (*names, "done")}

    def predicted(self) -> tuple[Array, pd.DataFrame]:
        """`pred_place` and the predicted places."""
        return self._columns["pred_place"], self._predicted_places
