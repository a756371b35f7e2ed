"""Import the predictions of any model as a run, measured as one of our own.

The output folder gets `config.json`, then `predictions.csv` and `metrics.json`, and `labels.csv`
where the labels came in another program's table.
"""

import hashlib
import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from streetclip import __version__, gazetteer, provenance, store
from streetclip.config import ImportPredictionsConfig
from streetclip.data.candidates import Int64
from streetclip.data.label_files import is_manifest, write_labels
from streetclip.data.manifest import Manifest, read_manifest
from streetclip.data.predictions import PredictionTable, read_predictions
from streetclip.evaluation.imported_places import RowChoice, choose_rows
from streetclip.evaluation.imported_rows import JUDGED_BY, ImportedRows, align, judge
from streetclip.evaluation.run_folder import CONFIG_FILE, METRICS_FILE
from streetclip.evaluation.run_metrics import measure, plain_figures
from streetclip.evaluation.run_output import claim_folder, running, write_predictions
from streetclip.files import refuse_existing, write_json
from streetclip.gc_utils import collection_paused, return_freed_memory
from streetclip.progress import Progress, Stages, no_stages
from streetclip.results import RunTable

_LOG = logging.getLogger(__name__)

STRATEGY: Final = "imported"
"""The strategy of an imported run, by which it is recognised."""
LABELS_FILE: Final = "labels.csv"

_BATCH = 2**17  # images written in one transaction
_MOST_NAMED = 5


@dataclass(frozen=True)
class ImportedRun:
    """A finished import; `metrics` is the body of `metrics.json`."""

    run_id: int
    metrics: dict[str, Any]
    output_dir: Path
    image_dir: Path


@collection_paused()
def import_predictions(
    config: ImportPredictionsConfig, stages: Stages = no_stages, *, job_id: int | None = None
) -> ImportedRun:
    """Read a file of predictions, store it as a run, and compute its metrics.

    Every image of the test file counts: one without a row, or whose row names no place, is wrong.
    An import that was interrupted is continued.

    Raises:
        ManifestError: A file cannot be used, or no row belongs to an image.
        OutputError: The output folder holds another run.
        KeyboardInterrupt: Predictions so far are stored.
    """
    advice = "It holds a run. Name another folder with --output_dir."
    refuse_existing(config.output_dir / METRICS_FILE, advice=advice)
    with stages("read", "row") as progress:
        table = read_predictions(config.predictions, config.format, config.columns, progress)
    manifest = _read_labels(config, table)
    choice = choose_rows(table, manifest.frame["image_filename"], config.duplicates)
    counts = _counts(table, choice)
    _log_doubts(table, counts)
    decisive = _decisive(config, table, manifest)
    claim_folder(config.output_dir, decisive, resume=True)
    with store.open_store(config.db) as database:
        image_dir = (
            config.image_dir
            or store.find_image_dir(database, manifest.sha256)
            or config.test_csv.absolute().parent
        )
        dataset = _register(database, config, manifest, image_dir)
        run_id = _start(database, config, table, dataset, decisive, job_id)
        settings = {"config": config.to_dict(), "decisive": decisive}
        made_by = {"versions": provenance.versions(), "commit": provenance.commit()}
        of_runs = {"run_ids": {STRATEGY: run_id}}
        write_json(config.output_dir / CONFIG_FILE, settings | of_runs | made_by)
        with running(database, [run_id], job_id):
            answers, labels = align(table.frame, choice), manifest.frame[list(JUDGED_BY)]
            num_skipped = manifest.num_skipped
            del table, manifest  # of a million images, they are hundreds of MB
            return_freed_memory()
            rows = judge(answers, labels)
            with stages("import", "image") as progress:
                _write(database, run_id, rows, dataset.image_ids, progress)
            del answers, labels, rows
            return_freed_memory()
            metrics = _finish(database, config, run_id, num_skipped, counts)
    return ImportedRun(run_id, metrics, config.output_dir, image_dir)


def _write(
    database: store.Store, run_id: int, rows: ImportedRows, image_ids: Int64, progress: Progress
) -> None:
    for start in range(0, len(image_ids), _BATCH):
        taken = np.arange(start, min(start + _BATCH, len(image_ids)))
        store.write_predictions(database, {run_id: rows.take(taken, image_ids)})
        progress(start + len(taken), len(image_ids))


def _read_labels(config: ImportPredictionsConfig, table: PredictionTable) -> Manifest:
    if not config.truth and is_manifest(config.test_csv):
        return read_manifest(config.test_csv, on_bad_rows=config.on_bad_rows)
    labels = config.output_dir / LABELS_FILE
    is_same = config.test_csv.resolve() == config.predictions.resolve()
    of_predictions = table.format.name if is_same else ""
    write_labels(config.test_csv, of_predictions, config.truth, labels)
    return read_manifest(labels, on_bad_rows=config.on_bad_rows)


def _counts(table: PredictionTable, choice: RowChoice) -> dict[str, Any]:
    """Count what was made of the rows, for `metrics.json`."""
    taken = choice.row_N[choice.row_N >= 0]
    errors = table.frame["error"].to_numpy(object)[taken]
    num_missing = int(np.count_nonzero(choice.row_N < 0))
    return {
        "format": table.format.name,
        "columns": table.columns,
        "predictions_sha256": table.sha256,
        "num_rows": len(table.frame),
        "num_unparsable": int(np.count_nonzero(errors != "")),
        "num_images_without_row": num_missing,
        "num_rows_of_other_images": choice.num_strangers,
        "num_repeated_rows": choice.num_repeated,
        "num_bad_coordinates": table.num_bad_coordinates,
        "num_unknown_countries": table.unknown_countries.total(),
    }


def _log_doubts(table: PredictionTable, counts: Mapping[str, Any]) -> None:
    columns = ", ".join(f"{role}={name}" for role, name in table.columns.items())
    _LOG.info("%s: format %s, columns %s", table.path, table.format.name, columns)
    if table.unknown_countries:
        named = table.unknown_countries.most_common(_MOST_NAMED)
        _LOG.warning(
            "%s: %d rows name an unknown country, such as %s",
            *(table.path, counts["num_unknown_countries"]),
            ", ".join(f"{name!r} ({count})" for name, count in named),
        )


def _decisive(
    config: ImportPredictionsConfig, table: PredictionTable, manifest: Manifest
) -> dict[str, Any]:
    """Collect what decides the run."""
    return {
        "streetclip_version": __version__,
        "predictions": table.sha256,
        "test_csv": manifest.sha256,
        "output_dir": str(config.output_dir.resolve()),
        "format": table.format.name,
        "columns": table.columns,
        "duplicates": config.duplicates,
        "on_bad_rows": config.on_bad_rows,
        "run_name": config.run_name,
    }


def _register(
    database: store.Store, config: ImportPredictionsConfig, manifest: Manifest, image_dir: Path
) -> store.RegisteredDataset:
    return store.register_dataset(
        database,
        store.DatasetSpec(
            name=config.test_csv.stem,
            csv_path=manifest.path,
            csv_sha256=manifest.sha256,
            image_dir=image_dir,
            frame=manifest.frame,
            attribute_columns=manifest.attribute_columns,
            num_skipped=manifest.num_skipped,
        ),
    )


def _start(
    database: store.Store,
    config: ImportPredictionsConfig,
    table: PredictionTable,
    dataset: store.RegisteredDataset,
    decisive: Mapping[str, Any],
    job_id: int | None,
) -> int:
    """Start a run, or find the one of this import that was interrupted."""
    text = json.dumps(decisive, sort_keys=True)
    fingerprint = hashlib.sha256(text.encode()).hexdigest()
    found = store.find_run(database, fingerprint, dataset.id)
    if found and found["state"] != "done":
        return int(found["id"])
    spec = store.RunSpec(
        name=config.run_name,
        fingerprint=fingerprint,
        dataset_id=dataset.id,
        model_source=str(config.predictions),
        model_sha256=table.sha256,
        candidates_path="",
        candidates_sha256="",
        prompts={},
        strategy=STRATEGY,
        seed=0,
        config=config.to_dict() | {"candidate_countries": sorted(gazetteer.countries())},
        versions=provenance.versions(),
        commit=provenance.commit(),
        num_images=len(dataset.image_ids),
        output_dir=str(config.output_dir),
    )
    return store.start_run(database, spec, job_id=job_id)


def _finish(
    database: store.Store,
    config: ImportPredictionsConfig,
    run_id: int,
    num_skipped: int,
    counts: dict[str, Any],
) -> dict[str, Any]:
    write_predictions(config.output_dir, store.iterate_predictions(database, run_id))
    run = RunTable.open(config.db, run_id)
    metrics = {
        "num_skipped_rows": num_skipped,
        "imported": counts,
        "answered": plain_figures(run, run.has(store.Flag.READABLE)),
    } | measure(run, candidate_codes=gazetteer.countries())
    content = {"run_id": run_id, "strategy": STRATEGY} | metrics
    write_json(config.output_dir / METRICS_FILE, content)
    store.finish_run(database, run_id, metrics)
    return metrics
