"""What a training measures after each epoch, which epoch is best, and when to stop."""

import dataclasses
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from streetclip.config.train_options import SELECT_BY
from streetclip.metrics.differences import newcombe_interval
from streetclip.metrics.intervals import Proportion


@dataclass(frozen=True)
class EpochRecord:
    """How good the model was after an epoch; epoch 0 is before training.

    `train_loss` is the mean over the epoch's steps, `val_loss` see `Validator`. Counts are of
    validation images, unreadable ones included: those with the correct country, and all; `holdout_`
    those of held-out countries, None without any.
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
        """Country accuracy on the validation images, 0..1.

        Examples:
            >>> EpochRecord(1, 10, 2.0, 2.5, num_correct=3, num_images=4).val_country_accuracy
            0.75
        """
        return self.num_correct / self.num_images

    @property
    def holdout(self) -> Proportion | None:
        """Correct images of held-out countries; None without any."""
        if self.holdout_num_correct is None or not self.holdout_num_images:
            return None
        return Proportion(self.holdout_num_correct, self.holdout_num_images)

    def is_better_than(self, other: "EpochRecord | None", select_by: str = "accuracy") -> bool:
        """Compare two epochs; any is better than none.

        Args:
            other: The epoch to compare with.
            select_by: "accuracy": the higher one, between equals the lower loss; "loss": the lower
                one, between equals the higher accuracy.
        """
        return other is None or _rank(self, select_by) > _rank(other, select_by)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON, the accuracies included."""
        holdout = self.holdout
        return dataclasses.asdict(self) | {
            "val_country_accuracy": self.val_country_accuracy,
            "holdout_country_accuracy": None if holdout is None else holdout.value,
        }


def _rank(record: EpochRecord, select_by: str) -> tuple[float, float]:
    assert select_by in SELECT_BY
    by_accuracy = (record.num_correct, -record.val_loss)
    return by_accuracy if select_by == "accuracy" else by_accuracy[::-1]


def best_of(epochs: Iterable[EpochRecord], select_by: str = "accuracy") -> EpochRecord | None:
    """Select the best epoch after training began, the first of equals; None before any."""
    best: EpochRecord | None = None
    for record in epochs:
        if record.epoch > 0 and record.is_better_than(best, select_by):
            best = record
    return best


def why_best(epochs: Sequence[EpochRecord], best: EpochRecord, select_by: str = "accuracy") -> str:
    """Explain why an epoch after epoch 0 was the best when it was validated.

    Examples:
        >>> records = [
        ...     EpochRecord(0, 0, None, 4.0, num_correct=1, num_images=40),
        ...     EpochRecord(1, 9, 3.0, 2.5, num_correct=30, num_images=40),
        ...     EpochRecord(2, 18, 2.0, 2.25, num_correct=30, num_images=40),
        ... ]
        >>> why_best(records, records[1])
        'the country of 30 of 40 validation images is correct (75.0 %), the first epoch'
        >>> why_best(records, records[2], "loss")
        'the validation loss is 2.2500, lower than before: 2.5000 in epoch 1'
    """
    rival = best_of((each for each in epochs if each.epoch < best.epoch), select_by)
    correct = (
        f"the country of {best.num_correct:,} of {best.num_images:,} validation images is correct "
        f"({100 * best.val_country_accuracy:.1f} %)"
    )
    loss = f"the validation loss is {best.val_loss:.4f}"
    figure = correct if select_by == "accuracy" else loss
    if rival is None:
        return f"{figure}, the first epoch"
    if select_by == "accuracy":
        if rival.num_correct < best.num_correct:
            return f"{figure}, more than before: {rival.num_correct:,} in epoch {rival.epoch}"
        losses = f"{best.val_loss:.4f} instead of {rival.val_loss:.4f}"
        return f"{figure}, as many as in epoch {rival.epoch}, with a lower loss: {losses}"
    if rival.val_loss > best.val_loss:
        return f"{figure}, lower than before: {rival.val_loss:.4f} in epoch {rival.epoch}"
    counts = f"{best.num_correct:,} instead of {rival.num_correct:,}"
    return f"{figure}, as low as in epoch {rival.epoch}, with more countries correct: {counts}"


def should_stop(records: Sequence[EpochRecord], patience: int, select_by: str = "accuracy") -> bool:
    """Decide whether `patience` epochs followed the best one after epoch 0; never if it is 0.

    Examples:
        >>> accuracies = [9, 5, 6, 6, 4]
        >>> records = [EpochRecord(e, e, None, 1.0, n, 10) for e, n in enumerate(accuracies)]
        >>> [should_stop(records[: epoch + 1], 2) for epoch in range(5)]
        [False, False, False, False, True]
    """
    best = best_of(records, select_by)
    return patience > 0 and best is not None and records[-1].epoch - best.epoch >= patience


def why_stopped(records: Sequence[EpochRecord], select_by: str = "accuracy") -> str:
    """Explain why a training ended early, if `should_stop`.

    Examples:
        >>> records = [EpochRecord(e, e, None, 1.0, n, 10) for e, n in enumerate([9, 6, 5, 4])]
        >>> why_stopped(records)
        'no better for 2 epochs: the country of 6 of 10 was correct in epoch 1, of 4 in epoch 3'
    """
    best, last = best_of(records, select_by), records[-1]
    assert best is not None
    num_worse = last.epoch - best.epoch
    figures = (
        f"the country of {best.num_correct:,} of {best.num_images:,} was correct in epoch "
        f"{best.epoch}, of {last.num_correct:,} in epoch {last.epoch}"
        if select_by == "accuracy"
        else f"the validation loss was {best.val_loss:.4f} in epoch {best.epoch}, "
        f"{last.val_loss:.4f} in epoch {last.epoch}"
    )
    return f"no better for {num_worse} epoch{'s' if num_worse > 1 else ''}: {figures}"


@dataclass(frozen=True)
class TrainingResult:
    """A finished training.

    `best` is the epoch that `checkpoint_path`, the `best_model.pt`, holds. Numbers of unreadable
    images are of those met, `num_skipped_batches` counts batches with fewer than two readable ones.
    `seconds` is the time spent over all sessions, `stop_reason` why it ended before its last epoch,
    `was_finished` whether there was nothing to do.
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


def holdout_report(epochs: Sequence[EpochRecord], best: EpochRecord) -> list[str]:
    r"""Compare the best epoch with the model before training, on held-out countries.

    The difference has Newcombe's 95 % interval of independent shares. They are of the same images,
    of which only counts are recorded: the interval is rather too wide than too narrow.

    Returns:
        Lines for the user; none without held-out countries, or validation images of them.

    Examples:
        >>> before = EpochRecord(0, 0, None, 4.0, 1, 9, 60, 80)
        >>> after = EpochRecord(4, 36, 2.0, 2.5, 9, 9, 31, 80)
        >>> print("\n".join(holdout_report([before, after], after)))
        countries held out of training, zero-shot (95 % intervals):
          before training   75.0 % (64.5 to 83.2), 60 of 80 images
          after epoch 4     38.8 % (28.8 to 49.7), 31 of 80 images
          difference       −36.2 points (−49.1 to −21.1): some of the ability is lost
    """
    before, after = epochs[0].holdout, best.holdout
    if before is None or after is None:
        return []
    ends = newcombe_interval(after.successes, after.n, before.successes, before.n)
    _, low, high = (float(end) for end in ends)
    verdict = "no significant loss or gain"
    if high < 0:
        verdict = "some of the ability is lost"
    elif low > 0:
        verdict = "it has grown"
    value, *interval = (f"{100 * float(end):+.1f}".replace("-", "−") for end in ends)
    return [
        "countries held out of training, zero-shot (95 % intervals):",
        f"  before training  {_words(before)}",
        f"  {f'after epoch {best.epoch}':<15}  {_words(after)}",
        f"  difference       {value} points ({' to '.join(interval)}): {verdict}",
    ]


def _words(share: Proportion) -> str:
    value, low, high = share.value, share.low, share.high
    assert value is not None and low is not None and high is not None  # noqa: PT018 -- n > 0
    return (
        f"{100 * value:5.1f} % ({100 * low:.1f} to {100 * high:.1f}), "
        f"{share.successes:,} of {share.n:,} images"
    )
