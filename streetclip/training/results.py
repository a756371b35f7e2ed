"""What a training leaves: one record an epoch, and the whole."""

import dataclasses
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from streetclip.config.train_options import SELECT_BY


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
        holdout_num_correct: Of the validation images of countries held out of training, those
            whose country was the best of all; None where no country is held out.
        holdout_num_images: Validation images of these countries, unreadable ones included.
    """

    epoch: int
    step: int
    train_loss: float | None
    val_loss: float
    num_correct: int
    num_images: int
    holdout_num_correct: int | None = None
    holdout_num_images: int | None = None

    @property
    def val_country_accuracy(self) -> float:
        """Share of the validation images whose country was found, 0..1; unreadable ones were not.

        Examples:
            >>> EpochRecord(1, 10, 2.0, 2.5, num_correct=3, num_images=4).val_country_accuracy
            0.75
        """
        return self.num_correct / self.num_images

    @property
    def holdout_country_accuracy(self) -> float | None:
        """Share of the images of held-out countries whose country was found, 0..1; None without."""
        if self.holdout_num_correct is None or not self.holdout_num_images:
            return None
        return self.holdout_num_correct / self.holdout_num_images

    def is_better_than(self, other: "EpochRecord | None", select_by: str = "accuracy") -> bool:
        """Whether this epoch is to be preferred; any is to none.

        Args:
            other: The epoch to compare with.
            select_by: "accuracy": the higher one, between equals the lower loss; "loss": the lower
                one, between equals the higher accuracy.
        """
        return other is None or _rank(self, select_by) > _rank(other, select_by)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON, the accuracies included."""
        return dataclasses.asdict(self) | {
            "val_country_accuracy": self.val_country_accuracy,
            "holdout_country_accuracy": self.holdout_country_accuracy,
        }


def _rank(record: EpochRecord, select_by: str) -> tuple[float, float]:
    assert select_by in SELECT_BY
    by_accuracy = (record.num_correct, -record.val_loss)
    return by_accuracy if select_by == "accuracy" else by_accuracy[::-1]


def best_of(epochs: Iterable[EpochRecord], select_by: str = "accuracy") -> EpochRecord | None:
    """The best epoch after training began, the first among equals; None before there is any."""
    best: EpochRecord | None = None
    for record in epochs:
        if record.epoch > 0 and record.is_better_than(best, select_by):
            best = record
    return best


def why_best(epochs: Sequence[EpochRecord], best: EpochRecord, select_by: str = "accuracy") -> str:
    """Say in words why an epoch was taken for the best when it was validated.

    Args:
        epochs: Records, epoch 0 first.
        best: One of them after epoch 0, better than those between.
        select_by: What it is the best by, "accuracy" or "loss".

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
        >>> why_best(records, records[2], "loss")
        'the validation loss is 2.2500, lower than in any before it: epoch 1 had 2.5000'
    """
    rival = best_of((each for each in epochs if each.epoch < best.epoch), select_by)
    words = _why_most_right if select_by == "accuracy" else _why_least_loss
    return words(best, rival)


def _why_most_right(best: EpochRecord, rival: EpochRecord | None) -> str:
    right = (
        f"the country of {best.num_correct:,} of {best.num_images:,} validation images is right "
        f"({100 * best.val_country_accuracy:.1f} %)"
    )
    if rival is None:
        return f"{right}, and no epoch was before it"
    if rival.num_correct < best.num_correct:
        return f"{right}, more than in any before it: epoch {rival.epoch} had {rival.num_correct:,}"
    return (
        f"{right}, as many as in epoch {rival.epoch}, with a lower validation loss: "
        f"{best.val_loss:.4f}, there {rival.val_loss:.4f}"
    )


def _why_least_loss(best: EpochRecord, rival: EpochRecord | None) -> str:
    loss = f"the validation loss is {best.val_loss:.4f}"
    if rival is None:
        return f"{loss}, and no epoch was before it"
    if rival.val_loss > best.val_loss:
        return f"{loss}, lower than in any before it: epoch {rival.epoch} had {rival.val_loss:.4f}"
    return (
        f"{loss}, as low as in epoch {rival.epoch}, with more countries right: "
        f"{best.num_correct:,}, there {rival.num_correct:,}"
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
        stop_reason: Why it ended before its last epoch, in words; None where it did not.
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
    stop_reason: str | None = None
    was_finished: bool = False
