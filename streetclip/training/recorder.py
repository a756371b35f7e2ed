"""A training's way into the store: its state, and its points in few transactions."""

import logging
import time
from pathlib import Path
from typing import Any

from streetclip import store
from streetclip.errors import StreetClipError
from streetclip.training.best_model import Origin
from streetclip.training.checkpoints import BEST_MODEL, TrainingState
from streetclip.training.curves import Point
from streetclip.training.results import why_best

_LOG = logging.getLogger(__name__)
_SECONDS_BETWEEN_WRITES = 2.0


class Recorder:
    """Writes one training into the store.

    Attributes:
        training_id: In the store.
    """

    def __init__(
        self,
        database: store.Store,
        origin: Origin,
        training_id: int | None,
        job_id: int | None = None,
    ) -> None:
        """Register the training, or find it again.

        Args:
            database: Opened for writing.
            origin: What the training is made of.
            training_id: Of a training to go on with; None where there is no checkpoint, so that a
                resume begins anew what was stopped before its first. Where the store does not know
                it for this folder, as another store was in use then, a new one is registered; its
                points are all written, since they are in the checkpoint too.
            job_id: The job that trains, if it has a record.
        """
        folder = str(origin.config.output_dir.resolve())
        self._database = database
        self._job_id = job_id
        self._select_by = origin.config.select_by
        self._best_path = Path(folder) / BEST_MODEL
        self._best_written: dict[str, Any] | None = None
        self._num_written = 0
        self._written_at = float("-inf")
        known = store.find_training(database, folder) if training_id is not None else None
        self.training_id = known or self._begin(_spec(origin, folder), origin.config.resume)

    def _begin(self, spec: store.TrainingSpec, is_resume: bool) -> int:
        stopped = store.find_begun_training(self._database, spec.output_dir)
        if is_resume and stopped is not None:
            store.restart_training(self._database, stopped, spec, job_id=self._job_id)
            return stopped
        return store.start_training(self._database, spec, job_id=self._job_id)

    def set_state(self, state: store.RunState, error: str | None = None) -> None:
        """Say how the training stands."""
        store.set_training_state(
            self._database, self.training_id, state, error, job_id=self._job_id
        )

    def set_stopped(self, state: store.RunState, error: str | None = None) -> None:
        """Say that the training stopped, if that can be said: what stopped it is the news."""
        try:
            self.set_state(state, error)
        except StreetClipError as second:
            _LOG.warning("the training could not be marked as %s: %s", state, second)

    def write_best(self, state: TrainingState, stop_reason: str | None = None) -> None:
        """Say which epoch the best model is of, and why, where that has changed.

        Args:
            state: Where the training stands.
            stop_reason: Why it ends before its last epoch, if it does.
        """
        if state.best is None:
            return
        best = {
            "epoch": state.best.epoch,
            "step": state.best.step,
            "checkpoint": str(self._best_path),
            "sha256": state.best_sha256,
            "reason": why_best(state.epochs, state.best, self._select_by),
        } | ({} if stop_reason is None else {"stop_reason": stop_reason})
        if best != self._best_written:
            store.set_training_best(self._database, self.training_id, best)
            self._best_written = best

    def write(self, points: list[Point], *, now: bool = False) -> None:
        """Write the points that are new, if the last time is long enough ago.

        Args:
            points: All points so far.
            now: Write them in any case.
        """
        due = now or time.monotonic() - self._written_at >= _SECONDS_BETWEEN_WRITES
        if due and len(points) > self._num_written:
            store.log_training_points(self._database, self.training_id, points[self._num_written :])
            self._num_written, self._written_at = len(points), time.monotonic()


class NoRecorder:
    """Stands in for a `Recorder` in processes that leave the writing to the first one.

    Attributes:
        training_id: None.
    """

    training_id: int | None = None

    def set_state(self, state: store.RunState, error: str | None = None) -> None:
        """Do nothing."""

    def set_stopped(self, state: store.RunState, error: str | None = None) -> None:
        """Do nothing."""

    def write_best(self, state: TrainingState, stop_reason: str | None = None) -> None:
        """Do nothing."""

    def write(self, points: list[Point], *, now: bool = False) -> None:
        """Do nothing."""


def _spec(origin: Origin, folder: str) -> store.TrainingSpec:
    config, made_of = origin.config, origin.to_dict()
    return store.TrainingSpec(
        name=config.run_name or config.output_dir.name,
        model_source=origin.base_model,
        train_csv=config.train_csv,
        val_csv=config.val_csv,
        output_dir=folder,
        config=config.to_dict(),
        versions=made_of["versions"],
        commit=made_of["commit"],
    )
