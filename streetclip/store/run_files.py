"""Record the image files that a run predicted, for a resume to compare with today's."""

import sqlite3
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from streetclip.store.connection import Store

FILE_COLUMNS = (
    "file_size",
    "file_mtime_ns",
    "file_ctime_ns",
    "file_digest_0",
    "file_digest_1",
)
"""Optional columns of a frame of predictions, int64: size in bytes (−1: no file), times, digest."""

_NAMES = ("image_id", *FILE_COLUMNS)
_RECORD = np.dtype([(name, "<i8") for name in _NAMES])


def add_run_files(connection: sqlite3.Connection, run_id: int, frame: pd.DataFrame) -> None:
    """Add the files of new predictions, if their frame describes them; call it in a transaction."""
    if not set(FILE_COLUMNS) <= set(frame):
        return
    records = np.zeros(len(frame), _RECORD)
    for name in _NAMES:
        records[name] = frame[name].to_numpy(np.int64)
    connection.execute(
        "INSERT INTO run_files (run_id, part, data) "
        "SELECT ?1, coalesce(max(part) + 1, 0), ?2 FROM run_files WHERE run_id = ?1",
        (run_id, records.tobytes()),
    )


def read_run_files(store: Store, run_id: int) -> npt.NDArray[Any]:
    """Read the files of a run's predictions, by ascending image id.

    Records of image_id and `FILE_COLUMNS`; none of predictions that were written without. Raises
    StoreError if the run does not exist.
    """
    with store.snapshot():
        store.require("runs", run_id)
        found = store.rows("SELECT data FROM run_files WHERE run_id = ? ORDER BY part", (run_id,))
    records = np.frombuffer(b"".join(data for (data,) in found), _RECORD)
    return records[np.argsort(records["image_id"], kind="stable")]
