"""List the runs of a store."""

from typing import Any

import numpy as np
import pandas as pd

from streetclip.store.columns import RUN_DTYPES, Flag, read_column
from streetclip.store.connection import Store

_CORRECT = {"country_correct": Flag.COUNTRY_CORRECT, "city_correct": Flag.CITY_CORRECT}


def list_runs(store: Store) -> pd.DataFrame:
    """List all runs, the newest first, with their correct predictions so far.

    Returns:
        A frame with id, uid, revision, name, state, error, dataset_id, dataset, drawn (bool),
        model_source, model_sha256, strategy, num_done, num_images, created_at, updated_at, job_id
        (missing where no job is known), country_correct and city_correct (images).
    """
    with store.snapshot():
        runs = store.frame(
            """
            SELECT runs.id, runs.uid, runs.revision, runs.name, runs.state, runs.error,
                runs.dataset_id, datasets.name AS dataset, datasets.drawn, runs.model_source,
                runs.model_sha256, runs.strategy, runs.num_done, runs.num_images, runs.created_at,
                runs.updated_at, runs.job_id,
                runs.metrics ->> '$.country_accuracy.successes' AS country_correct,
                runs.metrics ->> '$.city_accuracy.successes' AS city_correct
            FROM runs JOIN datasets ON datasets.id = runs.dataset_id ORDER BY runs.id DESC"""
        )
        # Only finished runs have metrics: of the others, count the predictions so far.
        unfinished = runs["country_correct"].isna()
        counts = []
        for run_id in runs.loc[unfinished, "id"].tolist():
            flags = read_column(store.db.conn, ("run", run_id), "flags", RUN_DTYPES["flags"])
            counts.append([np.count_nonzero(flags & flag) for flag in _CORRECT.values()])
    runs.loc[unfinished, list(_CORRECT)] = np.array(counts).reshape(-1, len(_CORRECT))
    types: dict[str, Any] = {"drawn": bool, "job_id": "Int64", **dict.fromkeys(_CORRECT, np.int64)}
    return runs.astype(types)
