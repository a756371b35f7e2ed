"""Read single images with their predictions: rows of a page of them, everything about one."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from streetclip.errors import StoreError
from streetclip.store.connection import Store
from streetclip.store.predictions import BOOLEANS, FLOATS, RANKS
from streetclip.store.runs import require_run

_FIELDS = """
    d.image_id, images.filename AS image_filename, d.line, p.status, p.error, d.country,
    d.country_code AS true_country, d.continent AS true_continent, d.region AS true_region,
    d.city AS true_city, p.pred_country, p.pred_city, p.country_correct, p.city_correct,
    p.country_reachable, p.city_reachable, p.country_probability, p.city_probability,
    p.true_country_rank, p.true_city_rank, p.true_latitude_deg, p.true_longitude_deg,
    p.pred_latitude_deg, p.pred_longitude_deg, p.coordinate_source, p.distance_km,
    p.nearest_candidate_km, d.attributes"""
_TYPES: dict[str, Any] = {
    "image_id": np.int64,
    "line": np.int64,
    **dict.fromkeys(BOOLEANS, bool),
    **dict.fromkeys(RANKS, "Int64"),
    **dict.fromkeys(FLOATS, np.float64),
}


def image_rows(store: Store, run_id: int, image_ids: Iterable[int]) -> pd.DataFrame:
    """Read the predictions of some images, for a page of them or a chunk of an export.

    Args:
        store: The store.
        run_id: The run.
        image_ids: Some ten thousand images at most; those without a prediction are left out.

    Returns:
        A frame in the given order: image_id, image_filename, line (of the CSV), status, error,
        country (as the CSV writes it), true_country (ISO code), true_continent, true_region,
        true_city, pred_country, pred_city, country_correct, city_correct, country_reachable and
        city_reachable (bool), country_probability, city_probability, true_country_rank,
        true_city_rank (NA if none), true_latitude_deg, true_longitude_deg, pred_latitude_deg,
        pred_longitude_deg, coordinate_source, distance_km, nearest_candidate_km, attributes (JSON
        text). Missing numbers are NaN, missing texts None.

    Raises:
        StoreError: The run does not exist.
    """
    wanted = json.dumps([int(each) for each in image_ids])
    with store.snapshot():
        dataset_id = require_run(store, run_id)
        frame = store.frame(
            f"""
            SELECT {_FIELDS}
            FROM json_each(?) AS wanted
            CROSS JOIN predictions AS p ON p.run_id = ? AND p.image_id = wanted.value
            CROSS JOIN dataset_images AS d ON d.dataset_id = ? AND d.image_id = p.image_id
            CROSS JOIN images ON images.id = p.image_id
            ORDER BY wanted.key""",  # noqa: S608 -- our own names
            (wanted, run_id, dataset_id),
            dtype=object,
        )
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
        dataset_id = require_run(store, run_id)
        frame = store.frame(
            f"""
            SELECT {_FIELDS}, r.top_countries, r.top_cities, datasets.csv_path,
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
    for name, blank in (("attributes", {}), ("top_countries", []), ("top_cities", [])):
        detail[name] = json.loads(detail[name]) if detail[name] else blank
    return detail


def image_in_runs(store: Store, image_id: int) -> pd.DataFrame:
    """Read every run's prediction of an image, the newest run first.

    Returns:
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

    The name comes from a file and may lead outside: check it before opening.

    Raises:
        StoreError: The image does not exist.
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
