"""Read the columns of a dataset: true places and attributes."""

import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from streetclip.errors import shown
from streetclip.store import (
    DatasetColumns,
    attribute_codes,
    attribute_names,
    dataset_columns,
    open_store,
)

Array = NDArray[Any]
Codes = NDArray[np.uint16]

LEVELS: Final = ("continent", "country", "region", "city")
"""Levels of a true place, the largest first."""

BUSY_S: Final = 5.0
"""How long to wait for a locked store: a page must not hang where a job would wait."""


class DatasetTable:
    """The images of a dataset, shared by its runs; N images, P places.

    Attributes:
        image_ids: N ids, ascending. All arrays are read-only and in this order.
        place: N rows of `places`.
        places: continent, country (ISO code), region and city of each of the P true places.
        content: Hash of the dataset's rows.
    """

    def __init__(
        self,
        dataset_id: int,
        columns: DatasetColumns,
        attributes: Mapping[str, tuple[str, ...]],
        read_codes: Callable[[str], Codes],
    ) -> None:
        """Keep a dataset, the values of its attributes, and the reader of their codes."""
        self.dataset_id = dataset_id
        self.image_ids: NDArray[np.int64] = read_only(columns.image_ids)
        self.place: NDArray[np.int32] = read_only(columns.place)
        self.places = columns.places
        self.content = columns.content
        self._attributes = attributes
        self._read_codes = read_codes
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

        return cls(dataset_id, columns, attributes, read_codes)

    @property
    def num_images(self) -> int:
        """N."""
        return len(self.image_ids)

    @property
    def attribute_names(self) -> tuple[str, ...]:
        """Names of the attributes that can be filtered and grouped by."""
        return tuple(self._attributes)

    def attribute(self, name: str) -> tuple[Codes, tuple[str, ...]]:
        """Return the values of an attribute: N positions among the distinct texts, and these.

        Raises ValueError if the dataset has no such attribute.
        """
        if name not in self._attributes:
            msg = f"{shown(name)} is no attribute of dataset {self.dataset_id}"
            raise ValueError(msg)
        with self._lock:
            if name not in self._codes:
                self._codes[name] = read_only(self._read_codes(name))
            return self._codes[name], self._attributes[name]

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


def read_only(array: Array) -> Array:
    """Return a read-only view of an array."""
    view = array.view()
    view.flags.writeable = False
    return view
