"""One evaluation: a test file, a model, candidates; predictions written to the store as they come.

Features are encoded once for all strategies. Each strategy is a run of its own in the store, so
that runs compare with each other whatever made them differ.
"""

import contextlib
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from streetclip import captions, provenance, store
from streetclip.data.candidates import Candidates
from streetclip.data.decoding import resolve_image_paths
from streetclip.data.file_identity import file_records, signatures
from streetclip.data.image_batches import resolve_num_workers
from streetclip.errors import OutputError, StreetClipError
from streetclip.evaluation import output_folder
from streetclip.evaluation.changed_images import check_images_unchanged, file_columns
from streetclip.evaluation.features import Encoding, FeatureBatch
from streetclip.evaluation.inputs import Inputs
from streetclip.evaluation.prediction_rows import prediction_frame, truth_frame, unreadable_frame
from streetclip.evaluation.predictor import Int64, PlaceClassifier, predict
from streetclip.evaluation.preprocessing_drift import report_drift
from streetclip.evaluation.run_metrics import VERSION as METRICS_VERSION
from streetclip.evaluation.run_metrics import measure
from streetclip.evaluation.write_buffer import Buffer
from streetclip.gc_utils import collection_paused
from streetclip.models import DualEncoder, class_features
from streetclip.models.prompt_texts import CityName, check_country_prompts, fit_city_prompts
from streetclip.progress import Progress, Stages, no_progress, no_stages
from streetclip.results import RunTable
from streetclip.runtime.distributed import Group, check_agreement

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class EvaluatedRun:
    """A finished run.

    Attributes:
        run_id: In the store.
        strategy: How places were chosen.
        metrics: The body of `metrics.json`.
        output_dir: Where its files are.
        stood_already: Whether it was finished before, and nothing had to be done.
    """

    run_id: int
    strategy: str
    metrics: dict[str, Any]
    output_dir: Path
    stood_already: bool


def evaluate(
    inputs: Inputs,
    stages: Stages = no_stages,
    *,
    job_id: int | None = None,
    group: Group | None = None,
) -> list[EvaluatedRun]:
    """Predict every image of the test file, store it, and measure.

    Args:
        inputs: Of `streetclip.evaluation.inputs.load_inputs`.
        stages: Told of prompts encoded, then of images done.
        job_id: Record of the job that does it, whose end is the end of its runs.
        group: Processes that share the work; this is their first one, the others are in
            `help_evaluate`.

    Returns:
        One run for each strategy, in the order of `config.strategy`.

    Raises:
        OutputError: The output folder holds another evaluation, or this one without `resume`.
        KeyboardInterrupt: As it came; what was predicted is stored, and `resume` goes on there.
    """
    config = inputs.config
    encoding = _agree(inputs, group)
    output_folder.claim_folder(config.output_dir, inputs.decisive(), resume=config.resume)
    with store.open_store(config.db) as database:
        image_ids, run_ids = _register(inputs, database, job_id)
        settings = {
            "config": config.to_dict(),
            "decisive": inputs.decisive(),
            "run_ids": run_ids,
            "versions": provenance.versions(),
            "commit": provenance.commit(),
        }
        pending = {
            s: i for s, i in run_ids.items() if store.get_run(database, i)["state"] != "done"
        }
        evaluation = _Evaluation(inputs, encoding, database, pending, image_ids, job_id)
        with evaluation.marked():
            output_folder.write_config(config.output_dir, settings)
            evaluation.run(stages)
            return [
                _finish(inputs, database, strategy, run_id, stood_already=strategy not in pending)
                for strategy, run_id in run_ids.items()
            ]


def help_evaluate(inputs: Inputs, group: Group) -> None:
    """Encode this process's share of the images for the first one, which is in `evaluate`.

    Args:
        inputs: The same as the first one's.
        group: The processes that share the work.

    Raises:
        ConfigError: The first one has other inputs.
        ResourceError: Another process has ended.
    """
    encoding = _agree(inputs, group)
    with inputs.encoder.fixed_weights():
        encoding.help(_paths(inputs, group.broadcast(None)))


def build_classifier(
    encoder: DualEncoder,
    candidates: Candidates,
    prompts: captions.PromptSet,
    progress: Progress = no_progress,
) -> PlaceClassifier:
    """Encode the class weights of all candidates.

    Args:
        encoder: The model.
        candidates: C countries and M cities.
        prompts: Patterns; the features of several are averaged.
        progress: Told of the cities' prompts done.

    Raises:
        TemplateError: A country comes after what the model reads of its prompt.
    """
    names = candidates.country_names
    logger.info(
        "encoding the prompts of %d countries, %d cities", len(names), len(candidates.city_names)
    )
    country_texts = check_country_prompts(encoder.text_reader, prompts, names)
    cities = zip(
        candidates.city_names,
        candidates.city_regions,
        candidates.city_country_M.tolist(),
        strict=True,
    )
    city_texts = fit_city_prompts(
        encoder.text_reader,
        prompts,
        [CityName(city, region, names[country]) for city, region, country in cities],
    )
    return PlaceClassifier(
        country_features_CD=class_features(encoder, country_texts),
        city_features_MD=class_features(encoder, city_texts, progress=progress),
        city_country_M=torch.from_numpy(candidates.city_country_M).to(encoder.device),
        logit_scale=encoder.logit_scale,
    )


class _Evaluation:
    """The pass over the images that the runs still lack."""

    def __init__(
        self,
        inputs: Inputs,
        encoding: Encoding,
        database: store.Store,
        run_ids: dict[str, int],
        image_ids: Int64,
        job_id: int | None,
    ) -> None:
        self.inputs = inputs
        self.encoding = encoding
        self.database = database
        self.run_ids = run_ids
        self.image_ids = image_ids
        self.job_id = job_id
        # The runs of one pass are written in step; a row counts as pending if any lacks it.
        lacking = [store.pending_image_ids(database, run_id) for run_id in run_ids.values()]
        is_lacking = np.isin(image_ids, np.concatenate([np.empty(0, np.int64), *lacking]))
        self.rows = np.flatnonzero(is_lacking).astype(np.int64)

    @contextlib.contextmanager
    def marked(self) -> Iterator[None]:
        """Mark the runs as running, and those that do not get done for what happened."""
        for run_id in self.run_ids.values():
            store.set_run_state(self.database, run_id, "running", job_id=self.job_id)
        try:
            yield
        except KeyboardInterrupt:
            self._mark_unfinished("interrupted")
            raise
        except Exception as error:
            cause = str(error) if isinstance(error, StreetClipError) else repr(error)
            self._mark_unfinished("failed", cause)
            raise

    def _mark_unfinished(self, state: store.RunState, error: str | None = None) -> None:
        try:
            for run_id in self.run_ids.values():
                if store.get_run(self.database, run_id)["state"] == "running":
                    store.set_run_state(self.database, run_id, state, error=error)
        except StreetClipError as second:
            # A full disk, say, that stopped the run; the first error is the one to tell.
            logger.warning("the run could not be marked as %s: %s", state, second)

    def run(self, stages: Stages) -> None:
        """Predict and store what is lacking."""
        if self.encoding.group is not None:
            self.encoding.group.broadcast(self.rows)
        if not self.run_ids:
            return
        total = len(self.image_ids)
        done = total - len(self.rows)
        inputs = self.inputs
        with stages("prompts", "prompt") as progress:
            classifier = build_classifier(
                inputs.encoder, inputs.candidates, inputs.prompts, progress
            )
        paths = _paths(inputs, self.rows)
        before_N = signatures(paths)
        buffer = Buffer(self.database, partial(self._predict_batch, classifier, before_N))
        with stages("evaluate", "image") as progress, inputs.encoder.fixed_weights():
            progress(done, total)
            try:
                for batch in self._features(paths, classifier, before_N):
                    buffer.add(batch)
                    done += len(batch)
                    progress(done, total)
            finally:
                buffer.write()

    def _features(
        self, paths: list[str], classifier: PlaceClassifier, before_N: NDArray[Any]
    ) -> Iterator[FeatureBatch]:
        config = self.inputs.config
        cache = None
        if not config.no_cache:
            cache = self.encoding.open_cache(config.features_dir, self.inputs.identity)
        tell_drift = partial(
            report_drift,
            encoder=self.inputs.encoder,
            preprocess=self.inputs.preprocess,
            classifier=classifier,
        )
        return self.encoding.features(paths, cache, before_N, before_new=tell_drift)

    def _predict_batch(
        self, classifier: PlaceClassifier, before_N: NDArray[Any], batch: FeatureBatch
    ) -> dict[int, pd.DataFrame]:
        """Rows to store, by run."""
        files = file_columns(file_records(before_N[batch.order_F], batch.digests_F2))
        parts = []
        if len(batch.indices_B):
            parts.append(self._predict_readable(classifier, batch))
        if batch.errors:
            unread = self.rows[np.fromiter(batch.errors, dtype=np.int64)]
            frame = unreadable_frame(self._known(unread), list(batch.errors.values()))
            parts.append(dict.fromkeys(self.run_ids.values(), frame))
        return {
            run_id: pd.concat([part[run_id] for part in parts], ignore_index=True).assign(**files)
            for run_id in self.run_ids.values()
        }

    def _predict_readable(
        self, classifier: PlaceClassifier, batch: FeatureBatch
    ) -> dict[int, pd.DataFrame]:
        inputs = self.inputs
        rows = self.rows[batch.indices_B]
        known = self._known(rows)
        frames = {}
        for strategy, run_id in self.run_ids.items():
            predictions = predict(
                batch.features_BD,
                classifier,
                strategy,
                true_country_N=inputs.truth.country_N[rows],
                true_city_N=inputs.truth.city_N[rows],
                top_k=inputs.config.top_k,
            )
            frames[run_id] = prediction_frame(
                known, predictions, inputs.truth, rows, inputs.candidates
            )
        return frames

    def _known(self, rows: Int64) -> pd.DataFrame:
        return truth_frame(self.inputs.manifest.frame, self.inputs.truth, rows, self.image_ids)


def _paths(inputs: Inputs, rows: Int64) -> list[str]:
    names = inputs.manifest.frame["image_filename"].to_numpy()[rows]
    return resolve_image_paths(inputs.config.image_dir, names.tolist())


def _agree(inputs: Inputs, group: Group | None) -> Encoding:
    """How images are encoded, when it is certain that all processes would do it alike."""
    config = inputs.config
    workers = config.num_workers
    if group is not None:
        workers = resolve_num_workers(
            workers,
            spare=inputs.encoder.device.type != "cpu",
            sharing=group.ranks.local_world_size,
        )
        check_agreement(group, inputs.shared())
    return Encoding(inputs.encoder, inputs.preprocess, config.batch_size, workers, group)


@collection_paused()
def _register(
    inputs: Inputs, database: store.Store, job_id: int | None
) -> tuple[Int64, dict[str, int]]:
    """The store's ids of the images, aligned with the manifest, and of the runs, by strategy."""
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
    run_ids = _find_runs(inputs, database, dataset) if config.resume else {}
    for strategy in config.strategy:
        if strategy not in run_ids:
            spec = _run_spec(inputs, strategy, dataset.id)
            run_ids[strategy] = store.start_run(database, spec, job_id=job_id)
    return dataset.image_ids, {strategy: run_ids[strategy] for strategy in config.strategy}


def _find_runs(
    inputs: Inputs, database: store.Store, dataset: store.RegisteredDataset
) -> dict[str, int]:
    """Runs of this very evaluation, by strategy, whose labels and images are what they were."""
    config = inputs.config
    runs = {}
    for strategy in config.strategy:
        name = inputs.fingerprint(strategy)
        if run := store.find_run(database, name, dataset.id):
            runs[strategy] = run
        elif store.find_run(database, name):
            msg = (
                f"{config.output_dir}: holds an evaluation for which the labels of "
                f"{config.test_csv} were read otherwise than now. "
                "Name another folder with --output_dir."
            )
            raise OutputError(msg)
    paths = _paths(inputs, np.arange(len(dataset.image_ids))) if runs else []
    for run in runs.values():
        check_images_unchanged(database, run["id"], dataset.image_ids, paths, config.output_dir)
    return {strategy: int(run["id"]) for strategy, run in runs.items()}


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


@collection_paused()
def _finish(
    inputs: Inputs, database: store.Store, strategy: str, run_id: int, *, stood_already: bool
) -> EvaluatedRun:
    config = inputs.config
    folder = output_folder.strategy_folder(config.output_dir, config.strategy, strategy)
    run = store.get_run(database, run_id)
    complete = stood_already and (folder / output_folder.METRICS_FILE).exists()
    # What an older program measured is measured again, by the definitions that pages use.
    if complete and run["metrics"].get("version") == METRICS_VERSION:
        return EvaluatedRun(run_id, strategy, run["metrics"], folder, stood_already=True)
    output_folder.write_predictions(folder, store.iterate_predictions(database, run_id))
    table = RunTable.open(config.db, run_id)
    measured = measure(table, candidate_codes=inputs.candidates.country_codes)
    metrics = {"num_skipped_rows": inputs.manifest.num_skipped} | measured
    output_folder.write_metrics(folder, {"run_id": run_id, "strategy": strategy} | metrics)
    store.finish_run(database, run_id, metrics)
    return EvaluatedRun(run_id, strategy, metrics, folder, stood_already=False)
