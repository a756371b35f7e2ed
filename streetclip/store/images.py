"""Read single images with their predictions: rows of a page, details of one."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from streetclip.errors import StoreError
from streetclip.store.connection import Store, from_json
from streetclip.store.predictions import (
    BOOLEANS,
    FLOATS,
    RANKS,
    READ_COLUMNS,
    select_predictions,
    selected,
)

_NAMES = (*(name for name in READ_COLUMNS if not name.startswith("top_")), "attributes")
_TYPES: dict[str, Any] = {
    "image_id": np.int64,
    "line": np.int64,
    **dict.fromkeys(BOOLEANS, bool),
    **dict.fromkeys(RANKS, "Int64"),
    **dict.fromkeys(FLOATS, np.float64),
}


def image_rows(store: Store, run_id: int, image_ids: Iterable[int]) -> pd.DataFrame:
    """Read the predictions of some ten thousand images at most, in the given order.

    A frame of the images with a prediction: the columns of `read_predictions` except rankings, and
    attributes (JSON text). The `_correct` and `_reachable` columns are bool; missing numbers are
    NaN (ranks: NA), missing texts None. Raises StoreError if the run does not exist.
    """
    store.require("runs", run_id)
    rows = select_predictions(store, run_id, [int(each) for each in image_ids], _NAMES)
    frame = pd.DataFrame(rows, columns=_NAMES, dtype=object)
    return frame.astype(_TYPES)


def image_detail(store: Store, run_id: int, image_id: int) -> dict[str, Any]:
    """Read everything about one image and a run's prediction of it.

    Returns:
        The fields of `image_rows`, None where missing (all of the prediction's if the run has
        none yet), with attributes as a dict; top_countries, a list of [code, probability], and
        top_cities, of [city, code, probability], descending, empty if unknown; csv_path and folder
        of the dataset.

    Raises:
        StoreError: The run does not exist, or the image is not in its dataset.
    """
    with store.snapshot():
        dataset_id = store.require("runs", run_id, "dataset_id")
        frame = store.frame(
            f"""
            SELECT {selected([*READ_COLUMNS, "attributes"])}, datasets.csv_path,
                image_folders.path AS folder
            FROM dataset_images AS d
            JOIN datasets ON datasets.id = d.dataset_id
            JOIN images ON images.id = d.image_id
            JOIN image_folders ON image_folders.id = images.folder_id
            LEFT JOIN predictions AS p ON p.run_id = ?1 AND p.image_id = d.image_id
            LEFT JOIN prediction_rankings AS r ON r.run_id = ?1 AND r.image_id = d.image_id
            WHERE d.dataset_id = ?2 AND d.image_id = ?3""",  # noqa: S608 -- our own names
            (run_id, dataset_id, int(image_id)),
            dtype=object,
        )
    if frame.empty:
        msg = (
            f"{store.path}: the dataset of run {run_id} has no image {image_id}. "
            "Choose an image of this run."
        )
        raise StoreError(msg)
    detail = {str(name): value for name, value in frame.iloc[0].items()}
    for name in BOOLEANS:
        detail[name] = None if detail[name] is None else bool(detail[name])
    kinds: dict[str, type] = {"attributes": dict, "top_countries": list, "top_cities": list}
    for name, kind in kinds.items():
        where = f"{store.path}: image {image_id}: {name}"
        detail[name] = from_json(detail[name], kind, where) or kind()
    return detail


def image_in_runs(store: Store, image_id: int) -> pd.DataFrame:
    """Read every run's prediction of an image, the newest run first.

    A frame with run_id, name, state and strategy of the run, pred_country, pred_city,
    country_correct, city_correct (bool), country_probability and distance_km.
    """
    frame = store.frame(
        """
        SELECT p.run_id, runs.name, runs.state, runs.strategy, p.pred_country, p.pred_city,
            p.country_correct, p.city_correct, p.country_probability, p.distance_km
        FROM runs CROSS JOIN predictions AS p ON p.run_id = runs.id AND p.image_id = ?
        ORDER BY runs.id DESC""",
        (int(image_id),),
        dtype=object,
    )
    types = {"run_id": np.int64} | {name: _TYPES[name] for name in frame if name in _TYPES}
    return frame.astype(types)


def image_path(store: Store, image_id: int) -> tuple[Path, str]:
    """Return the folder registered for an image, and its name relative to that folder.

    The name comes from a file and may lead outside: check it before opening. Raises StoreError if
    the image does not exist.
    """
    found = store.rows(
        "SELECT image_folders.path, images.filename FROM images "
        "JOIN image_folders ON image_folders.id = images.folder_id WHERE images.id = ?",
        (int(image_id),),
    )
    if not found:
        msg = f"{store.path}: has no image {image_id}. Choose an image of one of its runs."
        raise StoreError(msg)
    return Path(found[0][0]), str(found[0][1])
