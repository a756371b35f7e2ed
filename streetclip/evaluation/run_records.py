"""Keep the store's records of an evaluation: dataset, runs, states, files."""

import contextlib
import logging
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from streetclip import provenance, store
from streetclip.data.decoding import resolve_image_paths
from streetclip.data.file_identity import (
    FILE_RECORD,
    TIMES,
    compare_files,
    content_digests,
    count_changed,
)
from streetclip.errors import OutputError, StreetClipError
from streetclip.evaluation.inputs import Inputs
from streetclip.evaluation.predictor import Int64
from streetclip.gc_utils import collection_paused

_LOG = logging.getLogger(__name__)

_DIGEST = ("file_digest_0", "file_digest_1")


@collection_paused()
def register(
    inputs: Inputs, database: store.Store, job_id: int | None
) -> tuple[Int64, dict[str, int]]:
    """Find or create an evaluation's records; OutputError if images or labels changed.

    Returns the ids of images, aligned with the manifest, and of runs, by strategy.
    """
    config, manifest = inputs.config, inputs.manifest
    dataset = store.register_dataset(
        database,
        store.DatasetSpec(
            name=config.test_csv.stem,
            csv_path=str(config.test_csv),
            csv_sha256=manifest.sha256,
            image_dir=config.image_dir,
            frame=manifest.frame,
            attribute_columns=manifest.attribute_columns,
            num_skipped=manifest.num_skipped,
            drawn=inputs.drawn,
        ),
    )
    found = _find_runs(inputs, database, dataset) if config.resume else {}
    run_ids = {}
    for strategy in config.strategy:
        run_ids[strategy] = found.get(strategy) or store.start_run(
            database, _run_spec(inputs, strategy, dataset.id), job_id=job_id
        )
    return dataset.image_ids, run_ids


@contextlib.contextmanager
def running(database: store.Store, run_ids: Collection[int], job_id: int | None) -> Iterator[None]:
    """Mark runs as running, and unfinished ones as interrupted or failed."""
    for run_id in run_ids:
        store.set_run_state(database, run_id, "running", job_id=job_id)
    try:
        yield
    except (KeyboardInterrupt, Exception) as error:
        state: store.RunState = "failed"
        cause: str | None = str(error) if isinstance(error, StreetClipError) else repr(error)
        if isinstance(error, KeyboardInterrupt):
            state, cause = "interrupted", None
        try:
            for run_id in run_ids:
                if store.get_run(database, run_id)["state"] == "running":
                    store.set_run_state(database, run_id, state, error=cause)
        except StreetClipError as second:  # such as a full disk; the first error is raised
            _LOG.warning("the run could not be marked as %s: %s", state, second)
        raise


def image_paths(inputs: Inputs, rows: Int64) -> list[str]:
    """Get the files of some rows of the manifest."""
    names = inputs.manifest.frame["image_filename"].to_numpy()[rows]
    return resolve_image_paths(inputs.config.image_dir, names.tolist())


def file_columns(records_F: NDArray[Any]) -> dict[str, Int64]:
    """Convert `FILE_RECORD`s to the columns of predictions that describe files."""
    digests_F2 = np.ascontiguousarray(records_F["content"]).view(np.int64)
    times = {f"file_{name}": records_F[name] for name in TIMES}
    return times | {name: digests_F2[:, i] for i, name in enumerate(_DIGEST)}


def _find_runs(
    inputs: Inputs, database: store.Store, dataset: store.RegisteredDataset
) -> dict[str, int]:
    """Find the runs of this evaluation; refuse changed labels and images."""
    config = inputs.config
    runs: dict[str, int] = {}
    for strategy in config.strategy:
        name = inputs.fingerprint(strategy)
        if run := store.find_run(database, name, dataset.id):
            runs[strategy] = int(run["id"])
        elif store.find_run(database, name):
            msg = (
                f"{config.output_dir}: holds an evaluation for which the labels of "
                f"{config.test_csv} were read differently. "
                "Name another folder with --output_dir."
            )
            raise OutputError(msg)
    paths = image_paths(inputs, np.arange(len(dataset.image_ids))) if runs else []
    for run_id in runs.values():
        predicted = store.read_run_files(database, run_id)
        row_of = pd.Index(dataset.image_ids).get_indexer(pd.Index(predicted["image_id"]))
        _check_unchanged([paths[row] for row in row_of.tolist()], predicted, config.output_dir)
    return runs


def _check_unchanged(files: list[str], predicted: NDArray[Any], folder: Path) -> None:
    """Refuse to resume a run whose images changed."""
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


def _run_spec(inputs: Inputs, strategy: str, dataset_id: int) -> store.RunSpec:
    config = inputs.config
    name = config.run_name or f"{Path(config.model_source).stem} on {config.test_csv.stem}"
    return store.RunSpec(
        name=name if len(config.strategy) == 1 else f"{name} ({strategy})",
        fingerprint=inputs.fingerprint(strategy),
        dataset_id=dataset_id,
        model_source=config.model_source,
        model_sha256=inputs.identity.weights,
        candidates_path=str(config.candidates_file),
        candidates_sha256=inputs.candidates.sha256,
        prompts=inputs.prompts.to_dict(),
        strategy=strategy,
        seed=config.seed,
        config=config.to_dict()
        | {
            "precision_used": inputs.encoder.precision.name,
            "candidate_countries": sorted(inputs.candidates.country_codes),
        },
        versions=provenance.versions(),
        commit=provenance.commit(),
        num_images=len(inputs.manifest.frame),
        output_dir=str(config.output_dir),
    )
