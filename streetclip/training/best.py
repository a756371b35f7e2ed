"""The best model so far, as one file and as a Hugging Face folder, with what it came from."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from streetclip import provenance
from streetclip.config import TrainConfig
from streetclip.datasets.manifest import Manifest
from streetclip.models import DualEncoder, save_checkpoint, save_folder
from streetclip.models.card import card_header
from streetclip.training.checkpoints import BEST_FOLDER, BEST_MODEL
from streetclip.training.data import TrainingData
from streetclip.training.results import EpochRecord


@dataclass(frozen=True)
class Origin:
    """What a trained model came from.

    Attributes:
        config: Settings of the training.
        train: Manifest of the training images.
        val: Manifest of the validation images.
        data: What was made of them.
        base_model: Name of the model that training began with.
        base_sha256: Hash of its weights.
        precision: Number format of the training.
        drawn: Whether the images are drawn, not photographed.
        versions: Versions of the packages.
        commit: Commit of the code, if known.
    """

    config: TrainConfig
    train: Manifest
    val: Manifest
    data: TrainingData
    base_model: str
    base_sha256: str
    precision: str
    drawn: bool = False
    versions: dict[str, str] = field(default_factory=provenance.versions)
    commit: str | None = field(default_factory=provenance.commit)

    def decisive(self) -> dict[str, Any]:
        """What decides the result, by the names that users know; a resume must agree in it all."""
        config = self.config
        same_as_flags = (
            "batch_size", "num_epochs", "learning_rate", "weight_decay", "warmup_fraction", "beta2",
            "max_grad_norm", "seed", "on_bad_rows",
        )  # fmt: skip
        return {
            "the weights of --model_name (sha256)": self.base_sha256,
            "the content of --train_csv (sha256)": self.train.sha256,
            "the content of --val_csv (sha256)": self.val.sha256,
            "--templates": [template.pattern for template in self.data.templates],
            "--precision": self.precision,
        } | {f"--{name}": getattr(config, name) for name in same_as_flags}

    def to_dict(self) -> dict[str, Any]:
        """Plain values for the checkpoint and the store."""
        return {
            "base_model": {"source": self.base_model, "sha256": self.base_sha256},
            "train": _describe(self.train),
            "val": _describe(self.val),
            "countries": list(self.data.country_codes),
            "drawn": self.drawn,
            "config": self.config.to_dict(),
            "versions": self.versions,
            "commit": self.commit,
        }


def save_best(encoder: DualEncoder, origin: Origin, record: EpochRecord) -> Path:
    """Write `best_model.pt` and `best_model/` into the output folder; return the file's path.

    Args:
        encoder: The model as it is now.
        origin: What it came from; goes into the file.
        record: How good it is; goes into the file and the model card.

    Raises:
        ResourceError: The disk is full; the best model before it is untouched.
    """
    folder, prompts = origin.config.output_dir, origin.data.prompts
    training = origin.to_dict() | {"epoch": record.epoch, "step": record.step}
    training["metrics"] = record.to_dict()
    path = folder / BEST_MODEL
    save_checkpoint(encoder, path, prompts=prompts, training=training)
    save_folder(
        encoder,
        folder / BEST_FOLDER,
        prompts=prompts,
        model_card=model_card(origin, record),
        training=training,
    )
    return path


def model_card(origin: Origin, record: EpochRecord) -> str:
    """Write the model card, Markdown with the hub's header."""
    config, prompts = origin.config, origin.data.prompts
    drawn = "\n**Trained on drawn scenes, not on photos: of no use on photos.**\n"
    return f"""{card_header(origin.base_model)}
# {config.run_name or "StreetCLIP model"}

A CLIP-like model adapted to image geolocalization with synthetic captions, by StreetCLIP.
{drawn if origin.drawn else ""}
- Base model: `{origin.base_model}` (weights sha256 `{origin.base_sha256[:12]}`). Its licence holds
  for this model too.
- Training: `{origin.train.path.name}`, {len(origin.train.frame):,} images of
  {len(set(origin.data.train.country_codes))} countries; epoch {record.epoch} of
  {config.num_epochs}, batch size {config.batch_size}, learning rate {config.learning_rate:g},
  seed {config.seed}.
- Validation: `{origin.val.path.name}`, zero-shot country accuracy
  {record.val_country_accuracy:.1%} ({record.num_correct:,} of {record.num_images:,} images, among
  {len(origin.data.country_codes)} countries), loss {record.val_loss:.4f}.
- Country prompts: {", ".join(f"`{each}`" for each in prompts.country)}
- City prompts: {", ".join(f"`{each}`" for each in prompts.city)}

Ask in these words: the model learned captions made from them.

Do not use it to find out where private people are or live.
"""


def _describe(manifest: Manifest) -> dict[str, Any]:
    return {
        "csv": str(manifest.path),
        "sha256": manifest.sha256,
        "num_images": len(manifest.frame),
        "num_skipped": manifest.num_skipped,
    }
