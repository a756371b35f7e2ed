"""The columns of a dataset: where its images were taken, and their attributes."""

import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Protocol, Self

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

LEVELS: Final = ("continent", "country", "region", "city")
"""Levels of a true place, the largest first."""

BUSY_S: Final = 5.0
"""How long to wait for a store: a page must not hang where a job would wait."""


class DatasetTable:
    """The images of a dataset: where they were taken, and their attributes.

    Runs over the same dataset share one, so that two of them do not hold its columns twice.

    Attributes:
        dataset_id: The dataset.
        image_ids: N ids, ascending. All arrays are read-only and in this order.
        place: N rows of `places`.
        places: continent, country (ISO code), region and city of each true place.
        content: Hash of all that the dataset says of its images.
    """

    def __init__(
        self,
        dataset_id: int,
        columns: DatasetColumns,
        attributes: "_Attributes",
    ) -> None:
        self.dataset_id = dataset_id
        self.image_ids: NDArray[np.int64] = frozen(columns.image_ids)
        self.place: NDArray[np.int32] = frozen(columns.place)
        self.places: pd.DataFrame = columns.places
        self.content = columns.content
        self._attributes = attributes
        self._kept: dict[str, tuple[NDArray[np.uint16], tuple[str, ...]]] = {}
        self._groups: dict[str, tuple[NDArray[np.int64], pd.DataFrame]] = {}
        self._lock = threading.RLock()

    @classmethod
    def open(cls, store_path: Path | str, dataset_id: int) -> Self:
        """Read a dataset's places; its attributes follow when they are asked for.

        Raises:
            StoreError: The store is missing, newer or no store, or has no such dataset.
            ResourceError: The disk fails, or a job keeps the store locked.
        """
        opened = open_store(store_path, read_only=True, busy_timeout_s=BUSY_S)
        with opened as store, store.snapshot():
            columns = dataset_columns(store, dataset_id)
            values = attribute_names(store, dataset_id)
        owner = (dataset_id, columns.content)
        return cls(dataset_id, columns, _StoredAttributes(Path(store_path), owner, values))

    @classmethod
    def from_arrays(
        cls,
        *,
        image_ids: NDArray[np.int64],
        place: NDArray[np.int32],
        places: pd.DataFrame,
        attributes: Mapping[str, tuple[NDArray[np.uint16], tuple[str, ...]]] | None = None,
        dataset_id: int = 1,
    ) -> Self:
        """Make one of arrays at hand, as they stand above."""
        columns = DatasetColumns(image_ids=image_ids, place=place, places=places)
        return cls(dataset_id, columns, _GivenAttributes(attributes or {}))

    @property
    def num_images(self) -> int:
        """N."""
        return len(self.image_ids)

    @property
    def attribute_names(self) -> tuple[str, ...]:
        """Attributes that can be filtered and grouped by."""
        return tuple(self._attributes.texts)

    def attribute(self, name: str) -> tuple[NDArray[np.uint16], tuple[str, ...]]:
        """The values of an attribute: N positions among the distinct texts, and these.

        Raises:
            ValueError: The dataset has no such attribute.
        """
        with self._lock:
            if name not in self._kept:
                if name not in self._attributes.texts:
                    msg = f"{shown(name)} is no attribute of dataset {self.dataset_id}"
                    raise ValueError(msg)
                codes = frozen(self._attributes.codes(name))
                self._kept[name] = codes, self._attributes.texts[name]
            return self._kept[name]

    def place_groups(self, level: str) -> tuple[NDArray[np.int64], pd.DataFrame]:
        """The distinct places of a level, and to which of them each place belongs.

        Args:
            level: One of `LEVELS`.

        Returns:
            P positions among the distinct places, and a frame of these in alphabetical order:
            continent, country, region and city, as far as the level goes.
        """
        with self._lock:
            if level not in self._groups:
                names = list(LEVELS[: LEVELS.index(level) + 1])
                grouped = self.places.groupby(names, sort=True)
                keys = grouped.size().reset_index()[names]
                number = np.asarray(grouped.ngroup(), dtype=np.int64)
                self._groups[level] = number, keys
            return self._groups[level]

    @property
    def nbytes(self) -> int:
        """Bytes of the arrays read so far."""
        with self._lock:
            kept = sum(codes.nbytes for codes, _ in self._kept.values())
        return self.image_ids.nbytes + self.place.nbytes + kept


def frozen(array: Array) -> Array:
    """The same array, to be read only."""
    view = array.view()
    view.flags.writeable = False
    return view


class _Attributes(Protocol):
    texts: Mapping[str, tuple[str, ...]]

    def codes(self, name: str) -> NDArray[np.uint16]: ...


class _StoredAttributes:
    def __init__(
        self, store_path: Path, owner: tuple[int, str], texts: Mapping[str, tuple[str, ...]]
    ) -> None:
        self._store_path = store_path
        self._dataset_id, self._content = owner
        self.texts = texts

    def codes(self, name: str) -> NDArray[np.uint16]:
        with open_store(self._store_path, read_only=True, busy_timeout_s=BUSY_S) as store:
            return attribute_codes(store, self._dataset_id, name, self._content)


class _GivenAttributes:
    def __init__(
        self, attributes: Mapping[str, tuple[NDArray[np.uint16], tuple[str, ...]]]
    ) -> None:
        self.texts: Mapping[str, tuple[str, ...]] = {
            name: texts for name, (_, texts) in attributes.items()
        }
        self._codes = {name: codes for name, (codes, _) in attributes.items()}

    def codes(self, name: str) -> NDArray[np.uint16]:
        return self._codes[name]
