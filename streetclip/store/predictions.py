"""Predictions: one per run and image, written in batches with all that follows from them."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from streetclip.store.column_writer import add_run_columns
from streetclip.store.connection import Store, utc_now
from streetclip.store.distance_bins import distance_bin_edges_km
from streetclip.store.run_files import add_run_files
from streetclip.store.runs import require_run
from streetclip.store.sql_values import column_values, floats, insert_sql
from streetclip.store.sqlite_errors import translated

PREDICTION_COLUMNS = (
    "image_id",
    "status",
    "error",
    "true_country",
    "true_continent",
    "true_region",
    "true_city",
    "pred_country",
    "pred_city",
    "country_correct",
    "city_correct",
    "country_reachable",
    "city_reachable",
    "country_probability",
    "city_probability",
    "true_country_rank",
    "true_city_rank",
    "pred_latitude_deg",
    "pred_longitude_deg",
    "true_latitude_deg",
    "true_longitude_deg",
    "coordinate_source",
    "distance_km",
    "nearest_candidate_km",
    "top_countries",
    "top_cities",
)
"""Columns of a frame of predictions; see `write_predictions`, which takes a margin, too."""

_RANKINGS = ("top_countries", "top_cities")
_OF_THE_DATASET = {
    "true_continent": "continent",
    "true_region": "region",
    "true_city": "city",
}
_STORED = tuple(
    name for name in PREDICTION_COLUMNS if name not in _RANKINGS and name not in _OF_THE_DATASET
)
# As they are read: the places' names come from the dataset.
_READ_NAMES = ("line", "image_filename", "country", *PREDICTION_COLUMNS)
_READ_FROM = {
    "line": "d.line",
    "image_filename": "images.filename",
    "country": "d.country",
    "image_id": "p.image_id",
    **{name: f"d.{column}" for name, column in _OF_THE_DATASET.items()},
}
_READ_COLUMNS = ", ".join(f"{_READ_FROM.get(name, name)} AS {name}" for name in _READ_NAMES)
_FLOATS = tuple(name for name in _STORED if name.endswith(("_probability", "_deg", "_km")))
_ALLOWED: dict[str, tuple[str | int, ...]] = {
    "status": ("ok", "unreadable"),
    "coordinate_source": ("image", "city", "none"),
    "country_correct": (0, 1),
    "city_correct": (0, 1),
    "country_reachable": (0, 1),
    "city_reachable": (0, 1),
}
_PROBABILITIES = ("country_probability", "city_probability")
_RANKS = ("true_country_rank", "true_city_rank")


def write_predictions(store: Store, frames: Mapping[int, pd.DataFrame]) -> dict[int, int]:
    """Add predictions to runs, with their columns and counts, in one transaction.

    A prediction that the run has already is left as it is and not counted again; so is the second
    one of an image within a frame. So a batch may be written again after an interruption.

    Args:
        store: The store.
        frames: By run id, a frame with `PREDICTION_COLUMNS` and margin (top-1 minus top-2
            probability of the countries): status is "ok" or "unreadable";
            country codes are ISO alpha-2; the four `_correct` and `_reachable` columns 0 or 1;
            probabilities 0 to 1, kept to float32; ranks count from 1; coordinates in degrees;
            coordinate_source "image", "city" or "none"; distances in km; the two rankings JSON
            text. What there is not is None or NaN. `FILE_COLUMNS` may come with it.

    Returns:
        By run id, how many predictions were new.

    Raises:
        ValueError: A column is missing, a value is not as said, or an image is not of the
            run's dataset.
        StoreError: There is no such run, or the store cannot be written.
        ResourceError: The disk is full, or another job holds the store for too long.
    """
    for frame in frames.values():
        _check(frame)
    with store.transaction():
        return {run_id: _write(store, run_id, frame) for run_id, frame in frames.items()}


def read_predictions(store: Store, run_id: int) -> pd.DataFrame:
    """All predictions of a run, in the order of the manifest.

    Returns:
        A frame with line and image_filename of the image, country as the manifest writes it, and
        `PREDICTION_COLUMNS`. Numbers that are missing are NaN (ranks: NA), texts None.

    Raises:
        StoreError: There is no such run.
    """
    with store.snapshot():
        dataset_id = require_run(store, run_id)
        frame = store.frame(
            f"""
            SELECT {_READ_COLUMNS}
            FROM predictions AS p
            JOIN dataset_images AS d ON d.dataset_id = ?1 AND d.image_id = p.image_id
            JOIN images ON images.id = p.image_id
            LEFT JOIN prediction_rankings AS r ON r.run_id = ?2 AND r.image_id = p.image_id
            WHERE p.run_id = ?2 ORDER BY d.line""",  # noqa: S608 -- our own names
            (dataset_id, run_id),
        )
    types = dict.fromkeys(_FLOATS, "float64") | dict.fromkeys(_RANKS, "Int64")
    return frame.astype(types)


def iterate_predictions(
    store: Store, run_id: int, chunk_rows: int = 2**12
) -> Iterator[dict[str, tuple[Any, ...]]]:
    """All predictions of a run, in the order of the manifest, in the memory of a few.

    Yields:
        At least one chunk: the columns of `read_predictions` as plain values, None where there is
        none. Predictions that are written meanwhile may be among them.

    Raises:
        StoreError: There is no such run.
    """
    dataset_id = require_run(store, run_id)
    with translated(store.path):
        found = store.db.conn.execute(
            "SELECT image_id FROM dataset_images WHERE dataset_id = ? ORDER BY line", (dataset_id,)
        )
        image_ids = np.fromiter((row[0] for row in found), np.int64)
    sql = f"""
        SELECT {_READ_COLUMNS}
        FROM json_each(?1) AS wanted
        CROSS JOIN predictions AS p ON p.run_id = ?2 AND p.image_id = wanted.value
        CROSS JOIN dataset_images AS d ON d.dataset_id = ?3 AND d.image_id = p.image_id
        CROSS JOIN images ON images.id = p.image_id
        LEFT JOIN prediction_rankings AS r ON r.run_id = ?2 AND r.image_id = p.image_id
        ORDER BY wanted.key"""  # noqa: S608 -- our own names
    for start in range(0, max(len(image_ids), 1), chunk_rows):
        wanted = json.dumps(image_ids[start : start + chunk_rows].tolist())
        rows = store.rows(sql, (wanted, run_id, dataset_id))
        columns = list(zip(*rows, strict=True)) or [()] * len(_READ_NAMES)
        yield dict(zip(_READ_NAMES, columns, strict=True))


def _check(frame: pd.DataFrame) -> None:
    missing = [name for name in (*PREDICTION_COLUMNS, "margin") if name not in frame]
    if missing:
        msg = f"predictions lack the columns {', '.join(missing)}"
        raise ValueError(msg)
    for name, allowed in _ALLOWED.items():
        if not frame[name].isin(allowed).all():
            msg = f"a {name} is not one of {allowed}"
            raise ValueError(msg)
    distance_km = frame["distance_km"].to_numpy(dtype=np.float64, na_value=np.nan)
    farthest_km = distance_bin_edges_km()[-1]
    if bool(((distance_km < 0) | (distance_km > farthest_km)).any()):
        msg = f"a distance_km is not from 0 to {farthest_km:g}"
        raise ValueError(msg)


def _write(store: Store, run_id: int, frame: pd.DataFrame) -> int:
    frame = _new_ones(store, run_id, frame)
    if frame.empty:
        return 0
    # As the columns hold them, so that a bound picks the same images here and there.
    frame = frame.assign(**{name: _to_float32(frame[name]) for name in _PROBABILITIES})
    in_order = frame
    if not frame["image_id"].is_monotonic_increasing:
        in_order = frame.sort_values("image_id")  # as they lie in the file
    _insert(store, "predictions", run_id, in_order, _STORED)
    ranked = in_order[in_order["top_countries"].notna()]
    _insert(store, "prediction_rankings", run_id, ranked, ("image_id", *_RANKINGS))
    add_run_columns(store.db.conn, run_id, frame)
    add_run_files(store.db.conn, run_id, frame)
    store.rows(
        "UPDATE runs SET num_done = num_done + ?, updated_at = ? WHERE id = ?",
        (len(frame), utc_now(), run_id),
    )
    return len(frame)


def _insert(
    store: Store, table: str, run_id: int, frame: pd.DataFrame, names: Sequence[str]
) -> None:
    columns = [column_values(frame[name]) for name in names]
    rows = zip([run_id] * len(frame), *columns, strict=True)
    store.db.conn.executemany(insert_sql(table, ["run_id", *names]), rows)


def _to_float32(column: "pd.Series[Any]") -> npt.NDArray[np.float64]:
    return floats(column).astype(np.float32).astype(np.float64)


def _new_ones(store: Store, run_id: int, frame: pd.DataFrame) -> pd.DataFrame:
    if frame["image_id"].duplicated().any():
        frame = frame.drop_duplicates("image_id")
    dataset_id = require_run(store, run_id)
    found = store.rows(
        """
        SELECT
            EXISTS (SELECT 1 FROM dataset_images AS d
                WHERE d.dataset_id = ?1 AND d.image_id = wanted.value),
            EXISTS (SELECT 1 FROM predictions AS p
                WHERE p.run_id = ?2 AND p.image_id = wanted.value)
        FROM json_each(?3) AS wanted""",
        (dataset_id, run_id, json.dumps(frame["image_id"].tolist())),
    )
    of_dataset, written = np.array(found, dtype=bool).reshape(-1, 2).T
    if not of_dataset.all():
        stranger = frame["image_id"].to_numpy()[~of_dataset][0]
        msg = f"image {stranger} is not of dataset {dataset_id}, which run {run_id} is about"
        raise ValueError(msg)
    return frame[~written] if written.any() else frame
