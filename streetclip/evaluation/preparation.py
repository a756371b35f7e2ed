"""Prepare an evaluation: load and check its inputs, register its dataset and runs."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from streetclip import __version__, provenance, store
from streetclip.captions.prompts import PAPER_PROMPTS, PromptSet, load_prompts
from streetclip.config import EvaluateConfig, PredictionOptions
from streetclip.data.candidates import Candidates, Int64, load_candidates
from streetclip.data.decoding import check_image_dir, resolve_image_paths
from streetclip.data.file_identity import (
    FILE_RECORD,
    TIMES,
    Digests,
    compare_files,
    content_digests,
    count_changed,
)
from streetclip.data.manifest import Manifest, read_manifest
from streetclip.errors import OutputError
from streetclip.evaluation.true_places import Truth, find_truth
from streetclip.gc_utils import collection_paused
from streetclip.launch_env import ALONE, Ranks
from streetclip.models.encoder import DualEncoder
from streetclip.models.identity import ModelIdentity, identify
from streetclip.models.loading import load_encoder
from streetclip.models.preprocessing import Preprocess
from streetclip.runtime.distributed import own_device

_DIGEST = ("file_digest_0", "file_digest_1")


@dataclass(frozen=True)
class Inputs:
    """Inputs of an evaluation."""

    config: EvaluateConfig
    manifest: Manifest  # every row of the test file counts
    candidates: Candidates
    truth: Truth  # aligned with the rows of the manifest
    encoder: DualEncoder
    identity: ModelIdentity
    prompts: PromptSet
    drawn: bool = False  # drawn images, not photographs

    @property
    def preprocess(self) -> Preprocess:
        """Get the preprocess that the settings ask for."""
        return preprocess_of(self.config, self.encoder)

    def decisive(self) -> dict[str, Any]:
        """Collect what decides the predictions."""
        return self._of_features() | {
            # Another version may read labels, places and coordinates differently.
            "streetclip_version": __version__,
            "image_dir": str(self.config.image_dir.resolve()),
            "output_dir": str(self.config.output_dir.resolve()),
            "candidates": self.candidates.sha256,
            "prompts": self.prompts.to_dict(),
            "strategy": list(self.config.strategy),
            "top_k": self.config.top_k,
        }

    def shared(self) -> dict[str, Any]:
        """Collect what cooperating processes must have in common."""
        return self._of_features() | {"batch_size": self.config.batch_size}

    def _of_features(self) -> dict[str, Any]:
        return {
            **self.identity.to_dict(),
            "test_csv": self.manifest.sha256,
            "on_bad_rows": self.config.on_bad_rows,
            "precision": self.encoder.precision.name,
            "preprocessing": repr(self.preprocess),
        }

    def fingerprint(self, strategy: str) -> str:
        """Identify the run of a strategy."""
        text = json.dumps(self.decisive() | {"run": strategy}, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()


def load_inputs(config: EvaluateConfig, *, drawn: bool = False, ranks: Ranks = ALONE) -> Inputs:
    """Read and check all inputs, the cheap ones first; `ranks` places this process."""
    manifest = read_manifest(config.test_csv, on_bad_rows=config.on_bad_rows)
    check_image_dir(config.image_dir, manifest.frame["image_filename"].tolist())
    candidates = load_candidates(config.candidates_file)
    truth = find_truth(manifest.frame, candidates)
    encoder, prompts = load_model(config, own_device(config.device, ranks))
    return Inputs(
        config, manifest, candidates, truth, encoder, identify(encoder), prompts, drawn=drawn
    )


def load_model(config: PredictionOptions, device: str) -> tuple[DualEncoder, PromptSet]:
    """Load the model, and choose the prompts of its classes."""
    chosen = None if config.prompts == "auto" else load_prompts(config.prompts)
    encoder = load_encoder(
        config.model_source,
        base_model=config.model_name if config.checkpoint_path else None,
        device=device,
        precision=config.precision,
    )
    return encoder, chosen or encoder.prompts or PAPER_PROMPTS


def preprocess_of(config: PredictionOptions, encoder: DualEncoder) -> Preprocess:
    """Get the preprocess that the settings ask for."""
    return encoder.preprocess if config.exact_preprocessing else encoder.fast_preprocess


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
                f"{config.test_csv} were read differently. Name another folder with --output_dir."
            )
            raise OutputError(msg)
    paths = image_paths(inputs, np.arange(len(dataset.image_ids))) if runs else []
    for run_id in runs.values():
        predicted = store.read_run_files(database, run_id)
        row_of = pd.Index(dataset.image_ids).get_indexer(pd.Index(predicted["image_id"]))
        files = [paths[row] for row in row_of.tolist()]
        recorded_N = np.zeros(len(predicted), FILE_RECORD)
        for name in TIMES:
            recorded_N[name] = predicted[f"file_{name}"]
        for i, name in enumerate(_DIGEST):
            recorded_N["content"][:, i] = predicted[name].view(np.uint64)
        changed_N, _ = compare_files(files, recorded_N, content_digests)
        if changed := count_changed(files, changed_N, "they were predicted"):
            msg = (
                f"{config.output_dir}: {changed}. Restore them, or name another folder with "
                "--output_dir; features of the others come from the cache."
            )
            raise OutputError(msg)
    return runs


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


def image_paths(inputs: Inputs, rows: Int64) -> list[str]:
    """Get the files of some rows of the manifest."""
    names = inputs.manifest.frame["image_filename"].to_numpy()[rows]
    return resolve_image_paths(inputs.config.image_dir, names.tolist())


def file_columns(signatures_F: NDArray[Any], digests_F2: Digests) -> dict[str, Int64]:
    """Build the columns of predictions that describe their files."""
    numbers_F2 = np.ascontiguousarray(digests_F2).view(np.int64)
    times = {f"file_{name}": signatures_F[name] for name in TIMES}
    return times | {name: numbers_F2[:, i] for i, name in enumerate(_DIGEST)}
