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
import pandas as pd
from numpy.typing import NDArray

from streetclip import __version__, gazetteer, provenance, store
from streetclip.config import ImportPredictionsConfig
from streetclip.data.label_files import is_manifest, write_labels
from streetclip.data.manifest import Manifest, read_manifest
from streetclip.data.predictions import PredictionTable, read_predictions
from streetclip.evaluation.imported_places import (
    RowChoice,
    choose_rows,
    locate_predictions,
    same_unknown_city,
)
from streetclip.evaluation.prediction_rows import truth_frame
from streetclip.evaluation.run_folder import CONFIG_FILE, METRICS_FILE
from streetclip.evaluation.run_metrics import measure, plain_figures
from streetclip.evaluation.run_output import claim_folder, running, write_predictions
from streetclip.evaluation.true_places import find_truth
from streetclip.files import refuse_existing, write_json
from streetclip.gc_utils import collection_paused
from streetclip.geo import haversine_km
from streetclip.progress import Stages, no_stages
from streetclip.results import RunTable

_LOG = logging.getLogger(__name__)

STRATEGY: Final = "imported"
"""The strategy of an imported run, by which it is recognised."""
LABELS_FILE: Final = "labels.csv"
NO_ROW: Final = "the predictions have no row for this image"

_BATCH = 2**18  # images written in one transaction
_MOST_NAMED = 5


@dataclass(frozen=True)
class ImportedRun:
    """A finished import; `metrics` is the body of `metrics.json`."""

    run_id: int
    metrics: dict[str, Any]
    output_dir: Path
    image_dir: Path


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
    choice = choose_rows(table, manifest.frame["image_filename"].tolist(), config.duplicates)
    counts = _counts(table, choice)
    _log_doubts(table, counts)
    rows = _prediction_rows(table, manifest.frame, choice)
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
        with running(database, [run_id], job_id), stages("import", "image") as progress:
            for start in range(0, len(rows), _BATCH):
                ids = dataset.image_ids[start : start + _BATCH]
                batch = rows.iloc[start : start + _BATCH].assign(image_id=ids)
                store.write_predictions(database, {run_id: batch})
                progress(start + len(batch), len(rows))
            metrics = _finish(database, config, run_id, manifest, counts)
    return ImportedRun(run_id, metrics, config.output_dir, image_dir)


def _read_labels(config: ImportPredictionsConfig, table: PredictionTable) -> Manifest:
    if not config.truth and is_manifest(config.test_csv):
        return read_manifest(config.test_csv, on_bad_rows=config.on_bad_rows)
    labels = config.output_dir / LABELS_FILE
    is_same = config.test_csv.resolve() == config.predictions.resolve()
    form = table.format.name if is_same else "auto"
    write_labels(config.test_csv, form, config.truth, labels)
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


@collection_paused()
def _prediction_rows(
    table: PredictionTable, labels: pd.DataFrame, choice: RowChoice
) -> pd.DataFrame:
    """Build the rows of `store.write_predictions` without image_id, aligned with the labels."""
    answers = _aligned(table.frame, choice.row_N)
    predicted = locate_predictions(answers)
    places, everyone = predicted.frame, np.arange(len(labels))
    truth = find_truth(labels, predicted.candidates, is_closed=False)
    known = truth_frame(labels, truth, everyone, everyone).drop(columns="image_id")
    known["city_reachable"] = (labels["city"] != "").astype(np.int64)
    is_ok = (answers["error"] == "").to_numpy(np.bool_)
    codes = places["country_code"].to_numpy(object)
    is_country = is_ok & (codes == labels["country_code"].to_numpy(object))
    is_city = (predicted.city_N >= 0) & (predicted.city_N == truth.city_N)
    is_city = is_country & (is_city | same_unknown_city(predicted, labels))
    confidence = answers["confidence"].to_numpy(np.float64)
    ranked = _ranked(answers["top_countries"], labels["country_code"], is_country)
    return known.assign(
        **ranked,
        status=np.where(is_ok, "ok", "unparsable").astype(object),
        error=_only(~is_ok, answers["error"]),
        pred_country=_only(is_ok, codes),
        pred_city=_only(is_ok, places["city"]),
        country_correct=is_country.astype(np.int64),
        city_correct=is_city.astype(np.int64),
        country_probability=np.where(is_ok, confidence, np.nan),
        city_probability=np.nan,
        true_city_rank=pd.arrays.IntegerArray(is_city.astype(np.int64), ~is_city),
        pred_latitude_deg=places["latitude_deg"],
        pred_longitude_deg=places["longitude_deg"],
        distance_km=haversine_km(
            places["latitude_deg"].to_numpy(np.float64),
            places["longitude_deg"].to_numpy(np.float64),
            truth.latitude_deg_N,
            truth.longitude_deg_N,
        ),
    )


def _aligned(frame: pd.DataFrame, row_N: NDArray[np.int64]) -> pd.DataFrame:
    """Take the row of each image; where there is none, one without a place."""
    aligned = frame.drop(columns=["image", "line", "rank"]).reindex(row_N)
    aligned.index = pd.RangeIndex(len(row_N))
    is_missing = row_N < 0
    for name in ("country_code", "region", "city", "error"):
        aligned.loc[is_missing, name] = NO_ROW if name == "error" else ""
    return aligned


def _ranked(
    tops: pd.Series, true_codes: pd.Series, is_country: NDArray[np.bool_]
) -> dict[str, Any]:
    """Build the columns that a ranking of countries gives; without one, only rank 1 is known."""
    ranks = np.where(is_country, 1, 0)
    margin = np.full(len(tops), np.nan)
    texts = np.full(len(tops), None, object)
    ranking_N, true_N = tops.to_numpy(object), true_codes.to_numpy(object)
    for i in np.flatnonzero(tops.notna()).tolist():
        top: list[tuple[str, float]] = ranking_N[i]
        codes = [code for code, _ in top]
        ranks[i] = 1 + codes.index(true_N[i]) if true_N[i] in codes else 0
        margin[i] = top[0][1] - top[1][1] if len(top) > 1 else np.nan
        texts[i] = json.dumps(top)
    return {
        "true_country_rank": pd.arrays.IntegerArray(ranks, ranks == 0),
        "margin": margin,
        "top_countries": texts,
        "top_cities": _only(tops.notna().to_numpy(), ["[]"] * len(tops)),
    }


def _only(mask_N: NDArray[np.bool_], values: Any) -> NDArray[np.object_]:
    """Keep values where the mask is set, None elsewhere."""
    kept = np.array(values, dtype=object)
    kept[~mask_N] = None
    return kept


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
    manifest: Manifest,
    counts: dict[str, Any],
) -> dict[str, Any]:
    write_predictions(config.output_dir, store.iterate_predictions(database, run_id))
    run = RunTable.open(config.db, run_id)
    metrics = {
        "num_skipped_rows": manifest.num_skipped,
        "imported": counts,
        "answered": plain_figures(run, run.has(store.Flag.READABLE)),
    } | measure(run, candidate_codes=gazetteer.countries())
    content = {"run_id": run_id, "strategy": STRATEGY} | metrics
    write_json(config.output_dir / METRICS_FILE, content)
    store.finish_run(database, run_id, metrics)
    return metrics
