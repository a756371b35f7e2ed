"""Write predictions in batches, one per run and image, and read them.

A resume compares the image files that were predicted with those of today.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from streetclip.errors import StoreError
from streetclip.store.column_writer import add_run_columns
from streetclip.store.columns import distance_bin_edges_km
from streetclip.store.connection import (
    Store,
    column_values,
    floats,
    insert_sql,
    translated,
    utc_now,
)

READ_COLUMNS = (
    "line", "image_filename", "country",
    "image_id", "status", "error",
    "true_country", "true_continent", "true_region", "true_city", "pred_country", "pred_city",
    "country_correct", "city_correct", "country_reachable", "city_reachable",
    "country_probability", "city_probability", "true_country_rank", "true_city_rank",
    "pred_latitude_deg", "pred_longitude_deg", "true_latitude_deg", "true_longitude_deg",
    "coordinate_source", "distance_km", "nearest_candidate_km",
    "top_countries", "top_cities",
)  # fmt: skip
"""Columns of predictions that are read, with those of their images, in the order of the CSV."""

# Of dataset_images d and images: the dataset names the places.
_OF_IMAGES = {
    "line": "d.line",
    "image_filename": "images.filename",
    "country": "d.country",
    "true_continent": "d.continent",
    "true_region": "d.region",
    "true_city": "d.city",
    "attributes": "d.attributes",
}
PREDICTION_COLUMNS = tuple(name for name in READ_COLUMNS if name not in _OF_IMAGES)
"""Columns of a frame of predictions; see `write_predictions`, which takes a margin, too."""

_RANKINGS = ("top_countries", "top_cities")
_STORED = tuple(name for name in PREDICTION_COLUMNS if name not in _RANKINGS)
# Of predictions p and rankings r.
_SOURCES = {
    **_OF_IMAGES,
    **{name: f"p.{name}" for name in _STORED},
    **{name: f"r.{name}" for name in _RANKINGS},
    "image_id": "d.image_id",
    "true_country": "d.country_code",
}

FILE_COLUMNS = ("file_size", "file_mtime_ns", "file_ctime_ns", "file_digest_0", "file_digest_1")
"""Optional columns of a frame of predictions, int64: size in bytes (−1: no file), times, digest."""

_FILE_RECORD = np.dtype([(name, "<i8") for name in ("image_id", *FILE_COLUMNS)])

FLOATS = tuple(name for name in _STORED if name.endswith(("_probability", "_deg", "_km")))
_PROBABILITIES = ("country_probability", "city_probability")
RANKS = ("true_country_rank", "true_city_rank")
BOOLEANS = ("country_correct", "city_correct", "country_reachable", "city_reachable")
_ALLOWED: dict[str, tuple[str | int, ...]] = {
    "status": ("ok", "unreadable", "unparsable"),
    "coordinate_source": ("image", "city", "none"),
    **dict.fromkeys(BOOLEANS, (0, 1)),
}


def write_predictions(store: Store, frames: Mapping[int, pd.DataFrame]) -> dict[int, int]:
    """Add predictions to runs, with their columns and counts, in one transaction.

    A prediction that the run has already is kept and not counted again; so is the second one of an
    image within a frame. A batch may therefore be written again after an interruption.

    `frames` are by run id, with `PREDICTION_COLUMNS` and margin (top-1 minus top-2 probability of
    the countries): status is "ok", "unreadable" (an
    image) or "unparsable" (an imported answer); country codes are ISO alpha-2; the four
    `_correct` and `_reachable` columns 0 or 1; probabilities 0 to 1, kept to float32; ranks count
    from 1; coordinates in degrees; coordinate_source "image", "city" or "none"; distances in km;
    the two rankings JSON text. What is missing is None or NaN. `FILE_COLUMNS` are optional.

    Returns by run id how many predictions were new.

    Raises:
        ValueError: A column is missing, a value is not allowed, or an image is not of the run's
            dataset.
        StoreError: The run does not exist, or the store cannot be written.
        ResourceError: The disk is full, or another job holds the store for too long.
    """
    for frame in frames.values():
        _check(frame)
    with store.transaction():
        return {run_id: _write(store, run_id, frame) for run_id, frame in frames.items()}


def read_predictions(store: Store, run_id: int) -> pd.DataFrame:
    """Read all predictions of a run, in the order of the manifest.

    A frame with `READ_COLUMNS`; country is as the manifest writes it. Missing numbers are NaN
    (ranks: NA), missing texts None. Raises StoreError if the run does not exist.
    """
    with store.snapshot():
        (columns,) = iterate_predictions(store, run_id, chunk_rows=2**40)
    types = dict.fromkeys(FLOATS, "float64") | dict.fromkeys(RANKS, "Int64")
    return pd.DataFrame(columns).astype(types)


def iterate_predictions(
    store: Store, run_id: int, chunk_rows: int = 2**12
) -> Iterator[dict[str, tuple[Any, ...]]]:
    """Yield all predictions of a run in chunks, at least one, in the order of the manifest.

    A chunk holds the columns of `read_predictions` as plain values, None where missing. Predictions
    that are written meanwhile may be among them. Raises StoreError if the run does not exist.
    """
    dataset_id = store.require("runs", run_id, "dataset_id")
    with translated(store.path):
        found = store.db.conn.execute(
            "SELECT image_id FROM dataset_images WHERE dataset_id = ? ORDER BY line", (dataset_id,)
        )
        image_ids = np.fromiter((row[0] for row in found), np.int64)
    for start in range(0, max(len(image_ids), 1), chunk_rows):
        wanted = image_ids[start : start + chunk_rows].tolist()
        rows = select_predictions(store, run_id, wanted, READ_COLUMNS)
        columns = list(zip(*rows, strict=True)) or [()] * len(READ_COLUMNS)
        yield dict(zip(READ_COLUMNS, columns, strict=True))


def read_run_files(store: Store, run_id: int) -> npt.NDArray[Any]:
    """Read the files of a run's predictions, by ascending image id.

    Records of image_id and `FILE_COLUMNS`; none of predictions that were written without. Raises
    StoreError if the run does not exist.
    """
    with store.snapshot():
        store.require("runs", run_id)
        found = store.rows("SELECT data FROM run_files WHERE run_id = ? ORDER BY part", (run_id,))
    data = b"".join(row[0] for row in found)
    if len(data) % _FILE_RECORD.itemsize:
        msg = (
            f"{store.path}: run {run_id}: the record of its image files is damaged. Evaluate again."
        )
        raise StoreError(msg)
    records = np.frombuffer(data, _FILE_RECORD)
    return records[np.argsort(records["image_id"], kind="stable")]


def select_predictions(
    store: Store, run_id: int, image_ids: Sequence[int], names: Sequence[str]
) -> list[tuple[Any, ...]]:
    """Read columns of the predictions of some images, in their order."""
    return store.rows(
        f"""
        SELECT {selected(names)}
        FROM json_each(?1) AS wanted
        CROSS JOIN predictions AS p ON p.run_id = ?2 AND p.image_id = wanted.value
        CROSS JOIN runs ON runs.id = ?2
        CROSS JOIN dataset_images AS d
            ON d.dataset_id = runs.dataset_id AND d.image_id = p.image_id
        CROSS JOIN images ON images.id = p.image_id
        LEFT JOIN prediction_rankings AS r ON r.run_id = ?2 AND r.image_id = p.image_id
        ORDER BY wanted.key""",  # noqa: S608 -- our own names
        (json.dumps(image_ids), run_id),
    )


def selected(names: Sequence[str]) -> str:
    """List columns for SELECT from predictions p, dataset_images d, images and rankings r."""
    return ", ".join(f"{_SOURCES[name]} AS {name}" for name in names)


def _check(frame: pd.DataFrame) -> None:
    missing = [name for name in (*PREDICTION_COLUMNS, "margin") if name not in frame]
    if missing:
        msg = f"predictions lack the columns {', '.join(missing)}"
        raise ValueError(msg)
    for name, allowed in _ALLOWED.items():
        if not frame[name].isin(allowed).all():
            msg = f"a {name} is not one of {allowed}"
            raise ValueError(msg)
    distance_km = floats(frame["distance_km"])
    farthest_km = distance_bin_edges_km()[-1]
    if bool(((distance_km < 0) | (distance_km > farthest_km)).any()):
        msg = f"a distance_km is not from 0 to {farthest_km:g}"
        raise ValueError(msg)


def _write(store: Store, run_id: int, frame: pd.DataFrame) -> int:
    frame = _new_ones(store, run_id, frame)
    if frame.empty:
        return 0
    # Round like the columns, so that a filter picks the same images from rows and columns.
    frame = frame.assign(
        **{name: floats(frame[name]).astype("f4").astype("f8") for name in _PROBABILITIES}
    )
    in_order = frame.sort_values("image_id")  # the order of the file
    _insert(store, "predictions", run_id, in_order, _STORED)
    ranked = in_order[in_order["top_countries"].notna()]
    _insert(store, "prediction_rankings", run_id, ranked, ("image_id", *_RANKINGS))
    add_run_columns(store.db.conn, run_id, frame)
    _add_run_files(store, run_id, frame)
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


def _add_run_files(store: Store, run_id: int, frame: pd.DataFrame) -> None:
    if not set(FILE_COLUMNS) <= set(frame):
        return
    records = np.zeros(len(frame), _FILE_RECORD)
    for name in ("image_id", *FILE_COLUMNS):
        records[name] = frame[name].to_numpy(np.int64)
    store.rows(
        "INSERT INTO run_files (run_id, part, data) "
        "SELECT ?1, coalesce(max(part) + 1, 0), ?2 FROM run_files WHERE run_id = ?1",
        (run_id, records.tobytes()),
    )


def _new_ones(store: Store, run_id: int, frame: pd.DataFrame) -> pd.DataFrame:
    frame = frame.drop_duplicates("image_id")
    dataset_id = store.require("runs", run_id, "dataset_id")
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
        msg = f"image {stranger} is not of dataset {dataset_id}, the dataset of run {run_id}"
        raise ValueError(msg)
    return frame[~written]
