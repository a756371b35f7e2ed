"""What waits between the encoder and the store, so that both are asked seldom and for much."""

import time
from collections.abc import Callable

import pandas as pd

from streetclip import store
from streetclip.evaluation.features import FeatureBatch
from streetclip.gc_utils import collection_paused

# A crash loses at most this much; the dashboard sees news at this pace.
_SECONDS_BETWEEN_WRITES = 2.0
# Of features that are there already: images predicted at once, which is dear for few; and stored.
_ROWS_AT_ONCE = 2**12
_ROWS_BETWEEN_WRITES = 2**16


class Buffer:
    """Features that wait to be predicted, and predictions that wait to be stored."""

    def __init__(
        self,
        database: store.Store,
        predict_batch: Callable[[FeatureBatch], dict[int, pd.DataFrame]],
    ) -> None:
        """Begin with nothing.

        Args:
            database: The store.
            predict_batch: From features to the rows of each run, by its id.
        """
        self._database = database
        self._predict_batch = predict_batch
        self._batches: list[FeatureBatch] = []
        self._frames: list[dict[int, pd.DataFrame]] = []
        self._num_features = self._num_rows = 0
        self._since = time.monotonic()

    def add(self, batch: FeatureBatch) -> None:
        """Take a batch, and predict and write what waits when it is time."""
        self._batches.append(batch)
        self._num_features += len(batch)
        self._num_rows += len(batch)
        waited = time.monotonic() - self._since
        if self._num_rows >= _ROWS_BETWEEN_WRITES or waited >= _SECONDS_BETWEEN_WRITES:
            self.write()
        elif self._num_features >= _ROWS_AT_ONCE:
            self._predict()

    @collection_paused()
    def write(self) -> None:
        """Store what waits, for all runs in one transaction."""
        self._predict()
        if self._frames:
            whole = {
                run_id: pd.concat([frames[run_id] for frames in self._frames], ignore_index=True)
                for run_id in self._frames[0]
            }
            store.write_predictions(self._database, whole)
        self._frames, self._num_rows, self._since = [], 0, time.monotonic()

    @collection_paused()
    def _predict(self) -> None:
        batches, self._batches, self._num_features = self._batches, [], 0
        if batches:
            self._frames.append(self._predict_batch(FeatureBatch.joined(batches)))
