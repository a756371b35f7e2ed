"""What a training leaves: one record an epoch, and the whole."""

import dataclasses
from collections.abc import Sequence
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


def why_best(epochs: Sequence[EpochRecord], best: EpochRecord) -> str:
    """Say in words why an epoch was taken for the best when it was validated.

    Args:
        epochs: Records, epoch 0 first.
        best: One of them after epoch 0, better than those between.

    Examples:
        >>> records = [
        ...     EpochRecord(0, 0, None, 4.0, num_correct=1, num_images=40),
        ...     EpochRecord(1, 9, 3.0, 2.5, num_correct=30, num_images=40),
        ...     EpochRecord(2, 18, 2.0, 2.25, num_correct=30, num_images=40),
        ... ]
        >>> why_best(records, records[1])
        'the country of 30 of 40 validation images is right (75.0 %), and no epoch was before it'
        >>> print(why_best(records, records[2]))  # doctest: +NORMALIZE_WHITESPACE
        the country of 30 of 40 validation images is right (75.0 %), as many as in epoch 1,
        with a lower validation loss: 2.2500, there 2.5000
    """
    right = (
        f"the country of {best.num_correct:,} of {best.num_images:,} validation images is right "
        f"({100 * best.val_country_accuracy:.1f} %)"
    )
    rival: EpochRecord | None = None
    for record in epochs:
        if 0 < record.epoch < best.epoch and record.is_better_than(rival):
            rival = record
    if rival is None:
        return f"{right}, and no epoch was before it"
    if rival.num_correct < best.num_correct:
        return f"{right}, more than in any before it: epoch {rival.epoch} had {rival.num_correct:,}"
    return (
        f"{right}, as many as in epoch {rival.epoch}, with a lower validation loss: "
        f"{best.val_loss:.4f}, there {rival.val_loss:.4f}"
    )


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
