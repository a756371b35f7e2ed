"""Write the best model of a training, and save and restore its state."""

import dataclasses
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor

from streetclip import provenance
from streetclip.config import TrainConfig
from streetclip.config.options import JobConfig
from streetclip.config.train_options import DataOptions, LossOptions, OptimizerOptions, PartsOptions
from streetclip.data.manifest import Manifest
from streetclip.errors import ConfigError, ModelError, OutputError, shown
from streetclip.files import clear_leftovers
from streetclip.models.checkpoints import build_payload, read_payload, save_folder, write_payload
from streetclip.models.encoder import DualEncoder
from streetclip.models.identity import ModelIdentity
from streetclip.models.model_card import licence_of
from streetclip.models.weights import first_line
from streetclip.store import TrainingSpec
from streetclip.training.curves import Curves, Point
from streetclip.training.freezing import ADAPTER_MARK, plain_model
from streetclip.training.results import EpochRecord, why_best
from streetclip.training.step import Stepper
from streetclip.training.training_card import model_card
from streetclip.training.training_data import TrainingData

LAST_CHECKPOINT = "last_checkpoint.pt"
BEST_MODEL = "best_model.pt"
BEST_FOLDER = "best_model"

RESUME = "resume"  # key of a checkpoint: state besides the weights
_VERSION = 2
_KEPT = ("step", "best_sha256", "num_skipped_batches", "seconds", "training_id", "image_files")
_SHOWN_BEFORE = 20  # characters of a long value before its first difference

# Settings that change the result; forward passes of a step do only with negatives of a pass.
_CUTS = {"batch_size", "gradient_accumulation_steps", "gradient_checkpointing"}
_DECISIVE = sorted(
    {
        field.name
        for options in (LossOptions, OptimizerOptions, PartsOptions, DataOptions)
        for field in dataclasses.fields(options)
    }
    - {field.name for field in dataclasses.fields(JobConfig)}
    - _CUTS
    | {"select_by", "early_stopping", "seed", "on_bad_rows"}
)


@dataclass(frozen=True)
class Origin:
    """Provenance of a trained model.

    The training began with `base_model`; `drawn` images are no photos.
    """

    config: TrainConfig
    train: Manifest
    val: Manifest
    data: TrainingData
    base_model: str
    base_identity: ModelIdentity
    precision: str
    drawn: bool = False
    num_processes: int = 1
    versions: dict[str, str] = field(default_factory=provenance.versions)
    commit: str | None = field(default_factory=provenance.commit)

    @property
    def effective_batch_size(self) -> int:
        """Images of a step, over forward passes and processes."""
        per_process = self.config.batch_size * self.config.gradient_accumulation_steps
        return per_process * self.num_processes

    def decisive(self) -> dict[str, Any]:
        """Return the conditions that a resume must share, by the user's names."""
        base, values = self.base_identity, self.config.to_dict()
        is_cut = self.config.negatives == "micro_batch"
        settings = {f"--{n}": values[n] for n in [*_DECISIVE, *["batch_size"] * is_cut]}
        return {
            "the weights of --model_name (sha256)": base.weights,
            "the configuration of --model_name (sha256)": base.model_config,
            "the image processing of --model_name (sha256)": base.image_processing,
            "the tokenizer of --model_name (sha256)": base.tokenizer,
            "the content of --train_csv (sha256)": self.train.sha256,
            "the content of --val_csv (sha256)": self.val.sha256,
            "--templates": [template.pattern for template in self.data.templates],
            "--precision": self.precision,
            "the images of a step (--batch_size × --gradient_accumulation_steps × processes)": (
                self.effective_batch_size
            ),
        } | settings

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for the checkpoint."""
        return {
            "base_model": {"source": self.base_model, "sha256": self.base_identity.weights},
            "train": _describe(self.train) | {"num_shown": len(self.data.train)},
            "val": _describe(self.val),
            "countries": list(self.data.country_codes),
            "train_countries": sorted(set(self.data.train.country_codes)),
            "precision": self.precision,
            "drawn": self.drawn,
            "num_processes": self.num_processes,
            "effective_batch_size": self.effective_batch_size,
            "config": self.config.to_dict(),
            "versions": self.versions,
            "commit": self.commit,
        }

    def to_spec(self) -> TrainingSpec:
        """Describe the training for the store."""
        config = self.config
        return TrainingSpec(
            name=config.run_name or config.output_dir.name,
            model_source=self.base_model,
            train_csv=config.train_csv,
            val_csv=config.val_csv,
            output_dir=str(config.output_dir.resolve()),
            config=config.to_dict(),
            versions=self.versions,
            commit=self.commit,
        )


@dataclass
class TrainingState:
    """State of a training besides weights and optimizer.

    `step` includes skipped steps; `best` is after epoch 0, `best_sha256` the hash of its weights;
    `image_files` is of `describe_files`, None in processes that write no checkpoint.
    """

    step: int = 0
    epochs: list[EpochRecord] = field(default_factory=list)
    best: EpochRecord | None = None
    best_sha256: str | None = None
    num_skipped_batches: int = 0
    seconds: float = 0.0
    training_id: int | None = None
    curves: Curves = field(default_factory=Curves)
    image_files: Tensor | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for a checkpoint."""
        curves = self.curves
        return {name: getattr(self, name) for name in _KEPT} | {
            "version": _VERSION,
            "epochs": [dataclasses.asdict(record) for record in self.epochs],
            "best": dataclasses.asdict(self.best) if self.best else None,
            "points": [tuple(point) for point in curves.points],
            "window": list(curves.window),
            "epoch_losses": list(curves.epoch_losses),
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "TrainingState":
        """Restore what `to_dict` returned."""
        points = [Point(*point) for point in values["points"]]
        window = [(loss, norm) for loss, norm in values["window"]]
        return cls(
            **{name: values[name] for name in _KEPT},
            epochs=[EpochRecord(**record) for record in values["epochs"]],
            best=EpochRecord(**values["best"]) if values["best"] else None,
            curves=Curves(points, window, list(values["epoch_losses"])),
        )

    def describe_best(self, config: TrainConfig, stop_reason: str | None) -> dict[str, Any] | None:
        """Describe the best model for the store."""
        if self.best is None:
            return None
        return {
            "epoch": self.best.epoch,
            "step": self.best.step,
            "checkpoint": str(config.output_dir.resolve() / BEST_MODEL),
            "sha256": self.best_sha256,
            "reason": why_best(self.epochs, self.best, config.select_by),
        } | ({} if stop_reason is None else {"stop_reason": stop_reason})


def check_output_dir(config: TrainConfig) -> None:
    """Raise OutputError rather than overwrite a training; clean up after a killed one."""
    folder = config.output_dir
    if folder.exists() and not folder.is_dir():
        msg = f"{folder}: is a file; expected a folder. Name another --output_dir."
        raise OutputError(msg)
    clear_leftovers(folder)
    found = [n for n in (LAST_CHECKPOINT, BEST_MODEL, BEST_FOLDER) if (folder / n).exists()]
    if not found or (config.resume and LAST_CHECKPOINT in found):
        return
    remedy = (
        "Give --resume to continue it, or name another --output_dir."
        if LAST_CHECKPOINT in found
        else f"Without {LAST_CHECKPOINT} it cannot be resumed: name another --output_dir."
    )
    msg = f"{folder}: holds a training already ({', '.join(found)}). {remedy}"
    raise OutputError(msg)


def save_best(
    encoder: DualEncoder, origin: Origin, record: EpochRecord, before: EpochRecord
) -> str:
    """Replace `best_model.pt` and `best_model/`, and return the hash of the weights."""
    folder, prompts = origin.config.output_dir, origin.data.prompts
    training = origin.to_dict() | {
        "epoch": record.epoch,
        "step": record.step,
        "metrics": record.to_dict(),
        "before": before.to_dict(),
        "licence": licence_of(encoder.training, origin.base_model),
    }
    payload = build_payload(encoder, prompts=prompts, training=training)
    write_payload(folder / BEST_MODEL, payload)
    card = model_card(training, prompts)
    save_folder(encoder, folder / BEST_FOLDER, prompts=prompts, model_card=card, training=training)
    sha256: str = payload["sha256"]
    return sha256


def save_state(path: Path, stepper: Stepper, state: TrainingState, origin: Origin) -> None:
    """Replace the checkpoint to resume from, which is also a model to evaluate."""
    model = stepper.encoder.model
    learned = {n: p.detach().cpu() for n, p in model.named_parameters() if p.requires_grad}
    adapters = learned if any(ADAPTER_MARK in name for name in learned) else {}
    training = origin.to_dict() | {"step": state.step}
    with plain_model(model):
        payload = build_payload(stepper.encoder, prompts=origin.data.prompts, training=training)
        if adapters:  # merged weights exist only in this block
            payload["model"] = {name: each.clone() for name, each in payload["model"].items()}
    payload[RESUME] = state.to_dict() | {
        "decisive": origin.decisive(),
        "optimizer": stepper.optimizer.state_dict(),
        "scaler": stepper.scaler.state_dict(),
        "objective": stepper.objective.state_dict(),
        "average": None if stepper.average is None else stepper.average.state_dict(),
        "adapters": adapters,
    }
    write_payload(path, payload)


def load_state(path: Path, stepper: Stepper, decisive: Mapping[str, Any]) -> TrainingState:
    """Restore the state of a training into a stepper with its initial weights.

    Raises ConfigError if the conditions differ, see `Origin.decisive`; ModelError if the file is
    damaged, or holds nothing to resume from.
    """
    payload = read_payload(path) or {}
    resume = payload.get(RESUME)
    if not isinstance(resume, dict) or resume.get("version") != _VERSION:
        msg = (
            f"{path}: holds no training that this version can resume. Name another --output_dir; "
            "if the file is a model, give it as --model_name."
        )
        raise ModelError(msg)
    try:
        check_same_training(path, resume["decisive"], decisive)
        _restore(stepper, payload["model"], resume)
        return TrainingState.from_dict(resume)
    except (AttributeError, KeyError, RuntimeError, TypeError, ValueError) as error:
        msg = f"{path}: its record of the training cannot be read ({first_line(error)}). Name "
        raise ModelError(msg + "another --output_dir.") from error


def _restore(stepper: Stepper, weights: dict[str, Tensor], resume: Mapping[str, Any]) -> None:
    model = stepper.encoder.model
    if resume["adapters"]:
        # Their base weights are unchanged; in the file they are merged.
        model.load_state_dict(resume["adapters"], strict=False)
    else:
        model.load_state_dict(weights)
    stepper.optimizer.load_state_dict(resume["optimizer"])
    stepper.scaler.load_state_dict(resume["scaler"])
    stepper.objective.load_state_dict(resume["objective"])
    if stepper.average is not None:
        stepper.average.load_state_dict(resume["average"])


def check_same_training(path: Path, before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Raise ConfigError naming each difference between two `Origin.decisive`."""
    differences = [
        f"{name} {_difference(before.get(name), now.get(name))}"
        if name in before
        else f"{name} was not recorded by the version that wrote it"
        for name in {**before, **now}
        if before.get(name) != now.get(name)
    ]
    if differences:
        msg = (
            f"{path}: cannot be resumed, as the training differs: {'; '.join(differences)}. "
            "Restore what it began with, or name another --output_dir; to continue from these "
            "weights, give the file as --model_name."
        )
        raise ConfigError(msg)


def _difference(before: Any, now: Any) -> str:
    """Show two values from shortly before their first difference."""
    texts = str(before), str(now)
    start = len(os.path.commonprefix(texts)) - _SHOWN_BEFORE  # noqa: RUF071 -- texts, no paths
    if start > 0:
        texts = f"…{texts[0][start:]}", f"…{texts[1][start:]}"
    return f"was {shown(texts[0])}, is {shown(texts[1])}"


def _describe(manifest: Manifest) -> dict[str, Any]:
    return {
        "csv": str(manifest.path),
        "sha256": manifest.sha256,
        "num_images": len(manifest.frame),
        "num_skipped": manifest.num_skipped,
    }
