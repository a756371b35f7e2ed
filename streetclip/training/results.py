"""What a training leaves: one record an epoch, and the whole."""

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class EpochRecord:
    """How good the model was after an epoch.

    Attributes:
        epoch: From 1; 0 is the model before training.
        step: Steps done.
        train_loss: Mean loss of the epoch's steps; None before training.
        val_loss: Loss of the validation images; see `Validator`.
        num_correct: Validation images whose country was the best of all.
        num_images: Validation images, unreadable ones included.
    """

    epoch: int
    step: int
    train_loss: float | None
    val_loss: float
    num_correct: int
    num_images: int

    @property
    def val_country_accuracy(self) -> float:
        """Share of the validation images whose country was found, 0..1; unreadable ones were not.

        Examples:
            >>> EpochRecord(1, 10, 2.0, 2.5, num_correct=3, num_images=4).val_country_accuracy
            0.75
        """
        return self.num_correct / self.num_images

    def is_better_than(self, other: "EpochRecord | None") -> bool:
        """Whether accuracy is higher, or equal with a lower loss."""
        if other is None:
            return True
        return (self.num_correct, -self.val_loss) > (other.num_correct, -other.val_loss)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON, the accuracy included."""
        return dataclasses.asdict(self) | {"val_country_accuracy": self.val_country_accuracy}


@dataclass(frozen=True)
class TrainingResult:
    """A finished training.

    Attributes:
        training_id: In the store.
        epochs: Records, epoch 0 first.
        best: The epoch that `best_model.pt` holds.
        checkpoint_path: `best_model.pt`.
        num_train_images: Training images, unreadable ones included.
        num_unreadable_train: Training images that could not be decoded, as far as met.
        num_unreadable_val: Validation images that could not be decoded.
        num_skipped_batches: Batches left with fewer than two images.
        seconds: Time spent, over all sessions of a resumed training.
        was_finished: Whether it stood finished already, and nothing was done.
    """

    training_id: int | None
    epochs: tuple[EpochRecord, ...]
    best: EpochRecord
    checkpoint_path: Path
    num_train_images: int
    num_unreadable_train: int
    num_unreadable_val: int
    num_skipped_batches: int
    seconds: float
    was_finished: bool = False
