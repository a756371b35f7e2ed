"""Evaluate a model on a test file and store its predictions continuously.

Features are encoded once for all strategies; each strategy is a run in the store. The output folder
gets `config.json`, then `predictions.csv` and `metrics.json` of the finished run.
"""

import contextlib
import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from streetclip import provenance, store
from streetclip.config import EvaluateConfig
from streetclip.data.candidates import Int64
from streetclip.data.file_identity import signatures
from streetclip.data.image_batches import resolve_num_workers
from streetclip.errors import ResourceError
from streetclip.evaluation.features import Encoding, FeatureBatch, join_batches
from streetclip.evaluation.prediction_rows import prediction_frame, truth_frame, unreadable_frame
from streetclip.evaluation.predictor import PlaceClassifier, build_classifier, predict
from streetclip.evaluation.preparation import Inputs, file_columns, image_paths, register
from streetclip.evaluation.preprocessing_drift import report_drift
from streetclip.evaluation.run_folder import CONFIG_FILE, METRICS_FILE, folder_of
from streetclip.evaluation.run_metrics import VERSION as METRICS_VERSION
from streetclip.evaluation.run_metrics import measure
from streetclip.evaluation.run_output import claim_folder, running, write_predictions
from streetclip.files import file_id, is_moved, write_json
from streetclip.gc_utils import collection_paused
from streetclip.progress import Stages, no_stages
from streetclip.results import RunTable
from streetclip.runtime.distributed import Group, check_agreement

_LOG = logging.getLogger(__name__)

# A crash loses at most this much.
_SECONDS_BETWEEN_WRITES = 2.0
# Images with features from the cache; fewer at a time take longer.
_MOST_WAITING = 2**14


@dataclass(frozen=True)
class EvaluatedRun:
    """A finished run."""

    run_id: int
    strategy: str
    metrics: dict[str, Any]  # the body of `metrics.json`
    output_dir: Path
    existed_already: bool  # finished before this call


def evaluate(
    inputs: Inputs,
    stages: Stages = no_stages,
    *,
    job_id: int | None = None,
    group: Group | None = None,
) -> list[EvaluatedRun]:
    """Predict every image of the test file, store it, and compute metrics.

    `stages` is called for prompts, then images. Runs end with the job `job_id`. In a `group` of
    processes this is the first; the others call `help_evaluate`. Returns one run for each strategy.

    Raises:
        OutputError: The output folder holds another evaluation, or this one without `resume`.
        KeyboardInterrupt: Predictions so far are stored; `resume` continues.
    """
    config = inputs.config
    encoding = _agree(inputs, group)
    claim_folder(config.output_dir, inputs.decisive(), resume=config.resume)
    with store.open_store(config.db) as database:
        image_ids, run_ids = register(inputs, database, job_id)
        pending = {
            s: i for s, i in run_ids.items() if store.get_run(database, i)["state"] != "done"
        }
        with (
            _saved_if_lost(config, database, pending) as check_place,
            running(database, pending.values(), job_id),
        ):
            settings = {
                "config": config.to_dict(),
                "decisive": inputs.decisive(),
                "run_ids": run_ids,
                "versions": provenance.versions(),
                "commit": provenance.commit(),
            }
            write_json(config.output_dir / CONFIG_FILE, settings)
            _predict_missing(inputs, encoding, database, pending, image_ids, stages)
            check_place()
            return [
                _finish(inputs, database, strategy, run_id, existed_already=strategy not in pending)
                for strategy, run_id in run_ids.items()
            ]


def help_evaluate(inputs: Inputs, group: Group) -> None:
    """Encode this process's share of the images for `evaluate`.

    Raises ConfigError for other inputs than the first process's; ResourceError if one ends.
    """
    encoding = _agree(inputs, group)
    with inputs.encoder.fixed_weights():
        encoding.help(image_paths(inputs, group.broadcast(None)))


@contextlib.contextmanager
def _saved_if_lost(
    config: EvaluateConfig, database: store.Store, run_ids: Mapping[str, int]
) -> Iterator[Callable[[], None]]:
    """Write predictions so far as files if the store's file is moved or deleted meanwhile.

    The open connection still reads them. Yields a function that raises ResourceError in that case.
    """
    before = file_id(config.db)

    def check_place() -> None:
        if is_moved(config.db, before):
            msg = f"{config.db}: was deleted, moved or replaced during this evaluation."
            raise ResourceError(msg)

    try:
        yield check_place
    except (KeyboardInterrupt, Exception):
        if is_moved(config.db, before):
            for strategy, run_id in run_ids.items():
                rows = store.iterate_predictions(database, run_id)
                write_predictions(_folder_of(config, strategy), rows)
        raise


def _agree(inputs: Inputs, group: Group | None) -> Encoding:
    """Choose the encoding; check that all processes agree."""
    config = inputs.config
    workers = config.num_workers
    if group is not None:
        workers = resolve_num_workers(
            workers, spare=inputs.encoder.device.type != "cpu", sharing=group.ranks.local_world_size
        )
        check_agreement(group, inputs.shared())
    return Encoding(inputs.encoder, inputs.preprocess, config.batch_size, workers, group)


def _predict_missing(
    inputs: Inputs,
    encoding: Encoding,
    database: store.Store,
    run_ids: dict[str, int],
    image_ids: Int64,
    stages: Stages,
) -> None:
    """Predict and store the images that runs lack."""
    # A row is missing if any run lacks it; one pass writes all runs together.
    lacking = [store.pending_image_ids(database, run_id) for run_id in run_ids.values()]
    is_missing_N = np.isin(image_ids, np.concatenate([np.empty(0, np.int64), *lacking]))
    rows = np.flatnonzero(is_missing_N).astype(np.int64)
    if encoding.group is not None:
        encoding.group.broadcast(rows)
    if not run_ids:
        return
    config, encoder = inputs.config, inputs.encoder
    with stages("prompts", "prompt") as progress:
        classifier = build_classifier(encoder, inputs.candidates, inputs.prompts, progress)
    paths = image_paths(inputs, rows)
    before_N = signatures(paths)
    cache = None if config.no_cache else encoding.open_cache(config.features_dir, inputs.identity)
    compare = partial(
        report_drift, encoder=encoder, preprocess=inputs.preprocess, classifier=classifier
    )
    batches = encoding.features(paths, cache, before_N, before_new=compare)
    total, done = len(image_ids), len(image_ids) - len(rows)
    prediction = _Prediction(inputs, classifier, run_ids, image_ids, rows, before_N)
    waiting: list[FeatureBatch] = []
    written = time.monotonic()
    with (
        stages("evaluate", "image") as progress,
        encoder.fixed_weights(),
        contextlib.closing(batches),
    ):
        progress(done, total)
        try:
            for batch in batches:
                waiting.append(batch)
                done += len(batch)
                waited = time.monotonic() - written
                if waited >= _SECONDS_BETWEEN_WRITES or sum(map(len, waiting)) >= _MOST_WAITING:
                    prediction.store(database, waiting)
                    waiting, written = [], time.monotonic()
                progress(done, total)
        finally:
            prediction.store(database, waiting)


@dataclass(frozen=True)
class _Prediction:
    """Predict from features and store the rows."""

    inputs: Inputs
    classifier: PlaceClassifier
    run_ids: dict[str, int]  # by strategy
    image_ids: Int64  # the store's, aligned with the manifest
    rows: Int64  # positions in the manifest of the images to predict
    before_N: NDArray[Any]  # their files' `signatures` before they were decoded

    @collection_paused()
    def store(self, database: store.Store, batches: Sequence[FeatureBatch]) -> None:
        """Predict images and store all runs in one transaction."""
        if not batches:
            return
        batch = join_batches(batches)
        is_readable_F = batch.is_readable_F
        unreadable = self._known(batch, ~is_readable_F)
        errors = [error for error in batch.errors if error is not None]
        failed = [unreadable_frame(unreadable, errors)] if errors else []
        known = self._known(batch, is_readable_F)
        rows = self.rows[batch.indices_F[is_readable_F]]
        features = batch.features_FD[is_readable_F]
        truth, candidates = self.inputs.truth, self.inputs.candidates
        frames = {}
        for strategy, run_id in self.run_ids.items():
            parts = list(failed)
            if len(rows):
                predictions = predict(
                    features,
                    self.classifier,
                    strategy,
                    true_country_N=truth.country_N[rows],
                    true_city_N=truth.city_N[rows],
                    top_k=self.inputs.config.top_k,
                )
                parts.insert(0, prediction_frame(known, predictions, truth, rows, candidates))
            frames[run_id] = pd.concat(parts, ignore_index=True)
        store.write_predictions(database, frames)

    def _known(self, batch: FeatureBatch, mask_F: NDArray[np.bool_]) -> pd.DataFrame:
        indices, inputs = batch.indices_F[mask_F], self.inputs
        known = truth_frame(inputs.manifest.frame, inputs.truth, self.rows[indices], self.image_ids)
        return known.assign(**file_columns(self.before_N[indices], batch.digests_F2[mask_F]))


@collection_paused()
def _finish(
    inputs: Inputs, database: store.Store, strategy: str, run_id: int, *, existed_already: bool
) -> EvaluatedRun:
    """Write a run's files and metrics, unless it was finished before."""
    config = inputs.config
    folder = _folder_of(config, strategy)
    run = store.get_run(database, run_id)
    metrics_file = folder / METRICS_FILE
    complete = existed_already and metrics_file.exists()
    # Metrics of an older version are computed again.
    if complete and run["metrics"].get("version") == METRICS_VERSION:
        return EvaluatedRun(run_id, strategy, run["metrics"], folder, existed_already=True)
    write_predictions(folder, store.iterate_predictions(database, run_id))
    table = RunTable.open(config.db, run_id)
    measured = measure(table, candidate_codes=inputs.candidates.country_codes)
    metrics = {"num_skipped_rows": inputs.manifest.num_skipped} | measured
    write_json(metrics_file, {"run_id": run_id, "strategy": strategy} | metrics)
    store.finish_run(database, run_id, metrics)
    return EvaluatedRun(run_id, strategy, metrics, folder, existed_already=False)


def _folder_of(config: EvaluateConfig, strategy: str) -> Path:
    return folder_of(config.output_dir, strategy, config.strategy[0])
