"""The best model so far, as one file and as a Hugging Face folder, with what it came from."""

import dataclasses
from dataclasses import dataclass, field
from typing import Any

from streetclip import provenance
from streetclip.config import TrainConfig
from streetclip.config.options import JobConfig
from streetclip.config.train_options import DataOptions, LossOptions, OptimizerOptions, PartsOptions
from streetclip.data.manifest import Manifest
from streetclip.models import DualEncoder, save_folder
from streetclip.models.checkpoints import build_payload, write_payload
from streetclip.models.identity import ModelIdentity
from streetclip.models.model_card import licence_of
from streetclip.training.checkpoints import BEST_FOLDER, BEST_MODEL
from streetclip.training.results import EpochRecord
from streetclip.training.training_card import model_card
from streetclip.training.training_data import TrainingData

# Settings that change what is learned. How the images of a step are cut into forward passes and
# dealt to processes does not, unless the negatives are those of a pass.
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
    """What a trained model came from.

    Attributes:
        config: Settings of the training.
        train: Manifest of the training images.
        val: Manifest of the validation images.
        data: What was made of them.
        base_model: Name of the model that training began with.
        base_identity: What decides its features.
        precision: Number format of the training.
        drawn: Whether the images are drawn, not photographed.
        num_processes: That share the training.
        versions: Versions of the packages.
        commit: Commit of the code, if known.
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
        config = self.config
        return config.batch_size * config.gradient_accumulation_steps * self.num_processes

    def decisive(self) -> dict[str, Any]:
        """What decides the result, by the names that users know; a resume must agree in it all."""
        config, base = self.config, self.base_identity
        settings = {f"--{name}": _plain(getattr(config, name)) for name in _DECISIVE}
        if config.negatives == "micro_batch":
            settings["--batch_size"] = config.batch_size
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
        """Plain values for the checkpoint and the store."""
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


def save_best(
    encoder: DualEncoder, origin: Origin, record: EpochRecord, before: EpochRecord | None = None
) -> str:
    """Write `best_model.pt` and `best_model/` into the output folder.

    Args:
        encoder: The model as it is now, without adapters.
        origin: What it came from; goes into the file.
        record: How good it is; goes into the file and the model card.
        before: How good it was before training; goes there too.

    Returns:
        Hash of its weights.

    Raises:
        ResourceError: The disk is full; the best model before it is untouched.
    """
    folder, prompts = origin.config.output_dir, origin.data.prompts
    training = origin.to_dict() | {"epoch": record.epoch, "step": record.step}
    training["metrics"] = record.to_dict()
    training["before"] = None if before is None else before.to_dict()
    training["licence"] = licence_of(encoder.training, origin.base_model)
    payload = build_payload(encoder, prompts=prompts, training=training)
    write_payload(folder / BEST_MODEL, payload)
    save_folder(
        encoder,
        folder / BEST_FOLDER,
        prompts=prompts,
        model_card=model_card(training, prompts),
        training=training,
    )
    sha256: str = payload["sha256"]
    return sha256


def _describe(manifest: Manifest) -> dict[str, Any]:
    return {
        "csv": str(manifest.path),
        "sha256": manifest.sha256,
        "num_images": len(manifest.frame),
        "num_skipped": manifest.num_skipped,
    }


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
