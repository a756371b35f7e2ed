"""Notice, when an evaluation is resumed, that images changed since they were predicted."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from streetclip import store
from streetclip.data.file_identity import (
    FILE_RECORD,
    TIMES,
    compare_files,
    content_digests,
    count_changed,
)
from streetclip.errors import OutputError
from streetclip.evaluation.class_weights import Int64

_DIGEST = ("file_digest_0", "file_digest_1")


def file_columns(records_F: NDArray[Any]) -> dict[str, Int64]:
    """Columns of a frame of predictions that say what the files were; see `FILE_RECORD`."""
    digests_F2 = np.ascontiguousarray(records_F["content"]).view(np.int64)
    times = {f"file_{name}": records_F[name] for name in TIMES}
    return times | {name: digests_F2[:, i] for i, name in enumerate(_DIGEST)}


def check_images_unchanged(
    database: store.Store, run_id: int, image_ids: Int64, paths: Sequence[str], folder: Path
) -> None:
    """Refuse to go on with a run, finished or not, of images that are others now.

    Args:
        database: The store.
        run_id: The run.
        image_ids: Of the N images of its dataset.
        paths: Their files.
        folder: Of the evaluation, for the message.

    Raises:
        OutputError: Images changed since they were predicted.
    """
    predicted = store.read_run_files(database, run_id)
    row_of = pd.Index(image_ids).get_indexer(pd.Index(predicted["image_id"]))
    files = [paths[row] for row in row_of.tolist()]
    recorded_N = np.zeros(len(predicted), FILE_RECORD)
    for name in TIMES:
        recorded_N[name] = predicted[f"file_{name}"]
    for i, name in enumerate(_DIGEST):
        recorded_N["content"][:, i] = predicted[name].view(np.uint64)
    changed_N, _ = compare_files(files, recorded_N, content_digests)
    if changed := count_changed(files, changed_N, "they were predicted"):
        msg = (
            f"{folder}: {changed}. Restore them, or name another folder with --output_dir; "
            "features of the others come from the cache."
        )
        raise OutputError(msg)
