"""Files of a training: `last_checkpoint.pt` to go on from, and the names of the best model's."""

import dataclasses
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor

from streetclip.config import TrainConfig
from streetclip.errors import ConfigError, ModelError, OutputError, shown
from streetclip.files import clear_leftovers
from streetclip.models.checkpoints import read_payload
from streetclip.training.curves import Curves, Point
from streetclip.training.results import EpochRecord

LAST_CHECKPOINT = "last_checkpoint.pt"
BEST_MODEL = "best_model.pt"
BEST_FOLDER = "best_model"

RESUME = "resume"
"""Key of a checkpoint under which stands what a resume needs besides the weights."""

_VERSION = 2
_SHOWN_BEFORE = 20  # characters of a long value before its first difference


@dataclass
class TrainingState:
    """Where a training stands, besides the tensors.

    Attributes:
        step: Steps done, skipped ones included.
        epochs: Records of the validations done, epoch 0 first.
        best: The best record after training of at least one epoch.
        best_sha256: Hash of its weights.
        num_skipped_batches: Batches that had fewer than two readable images.
        seconds: Time spent in the sessions before this one.
        training_id: In the store.
        curves: Points, and the numbers of the window that is open.
        image_files: The images as they were when the training began, see `describe_files`; None in
            processes that write no checkpoint.
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
        """Plain values, as a checkpoint keeps them."""
        return {
            "version": _VERSION,
            "step": self.step,
            "epochs": [dataclasses.asdict(record) for record in self.epochs],
            "best": dataclasses.asdict(self.best) if self.best else None,
            "best_sha256": self.best_sha256,
            "num_skipped_batches": self.num_skipped_batches,
            "seconds": self.seconds,
            "training_id": self.training_id,
            "points": [tuple(point) for point in self.curves.points],
            "window": list(self.curves.window),
            "epoch_losses": list(self.curves.epoch_losses),
            "image_files": self.image_files,
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "TrainingState":
        """Read what `to_dict` made."""
        return cls(
            step=values["step"],
            epochs=[EpochRecord(**record) for record in values["epochs"]],
            best=EpochRecord(**values["best"]) if values["best"] else None,
            best_sha256=values.get("best_sha256"),  # earlier checkpoints have none
            num_skipped_batches=values["num_skipped_batches"],
            seconds=values["seconds"],
            training_id=values["training_id"],
            curves=Curves(
                points=[Point(*point) for point in values["points"]],
                window=[(loss, norm) for loss, norm in values["window"]],
                epoch_losses=list(values["epoch_losses"]),
            ),
            image_files=values.get("image_files"),  # earlier checkpoints have none
        )


def check_output_dir(config: TrainConfig) -> None:
    """Refuse to train over what an earlier training left.

    Cheap; to be called before a model is loaded. What a killed training left half written is
    removed, and a replacement of `best_model/` that it cut short is finished.

    Raises:
        OutputError: The folder holds a training and `--resume` is not given, or it holds a model
            without what a resume needs.
    """
    folder = config.output_dir
    if folder.exists() and not folder.is_dir():
        msg = f"{folder}: is a file; expected a folder. Name another --output_dir."
        raise OutputError(msg)
    clear_leftovers(folder)
    found = [n for n in (LAST_CHECKPOINT, BEST_MODEL, BEST_FOLDER) if (folder / n).exists()]
    if not found or (config.resume and LAST_CHECKPOINT in found):
        return
    remedy = (
        "Give --resume to go on with it, or name another --output_dir."
        if LAST_CHECKPOINT in found
        else f"Without {LAST_CHECKPOINT} it cannot be resumed: name another --output_dir."
    )
    msg = f"{folder}: holds a training already ({', '.join(found)}). {remedy}"
    raise OutputError(msg)


def load_last(path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Read a resume checkpoint; no code in it is run.

    Returns:
        The model's state dict, and what the training put under `RESUME`.

    Raises:
        ModelError: The file is damaged, or holds nothing to resume from.
    """
    payload = read_payload(path)
    if payload is None or payload.get(RESUME, {}).get("version") != _VERSION:
        msg = (
            f"{path}: holds no training that this version can resume. Name another --output_dir; "
            "if the file is a model, give it as --model_name."
        )
        raise ModelError(msg)
    return payload["model"], payload[RESUME]


def check_same_training(path: Path, before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Refuse to go on under other conditions than a training began with.

    Args:
        path: The checkpoint, for the message.
        before: What decided the training then, by the name that the user knows.
        now: The same now.

    Raises:
        ConfigError: They differ; the message names each difference.
    """
    names = [name for name in {**before, **now} if before.get(name) != now.get(name)]
    unknown = [name for name in names if name not in before]
    if unknown:
        msg = (
            f"{path}: cannot be resumed: the earlier version of StreetCLIP that wrote it did not "
            f"record {'; '.join(unknown)}. Name another --output_dir; to go on from these weights, "
            "give the file as --model_name."
        )
        raise ConfigError(msg)
    if names:
        differences = "; ".join(
            f"{name} {_difference(before.get(name), now.get(name))}" for name in names
        )
        msg = (
            f"{path}: cannot be resumed, as the training differs: {differences}. "
            "Restore what it began with, or name another --output_dir."
        )
        raise ConfigError(msg)


def _difference(before: Any, now: Any) -> str:
    """Show two values from shortly before where they differ, as messages cut long ones off."""
    texts = str(before), str(now)
    start = len(os.path.commonprefix(texts)) - _SHOWN_BEFORE  # noqa: RUF071 -- texts, no paths
    if start > 0:
        texts = f"…{texts[0][start:]}", f"…{texts[1][start:]}"
    return f"was {shown(texts[0])}, is {shown(texts[1])}"
