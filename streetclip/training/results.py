"""Record epochs, select the best one, and decide when to stop."""

import dataclasses
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from streetclip.config.train_options import SELECT_BY
from streetclip.metrics.intervals import Proportion, newcombe_interval


@dataclass(frozen=True)
class EpochRecord:
    """Scores of a model after an epoch; epoch 0 is before training.

    Counts are of validation images, unreadable ones included; `holdout_` those of held-out
    countries.
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
        """Country accuracy on the validation images, 0..1."""
        return self.num_correct / self.num_images

    @property
    def holdout(self) -> Proportion | None:
        """Correct images of held-out countries."""
        if self.holdout_num_correct is None or not self.holdout_num_images:
            return None
        return Proportion(self.holdout_num_correct, self.holdout_num_images)

    def is_better_than(self, other: "EpochRecord | None", select_by: str = "accuracy") -> bool:
        """Compare accuracy, then loss ("accuracy"), or loss, then accuracy ("loss")."""
        assert select_by in SELECT_BY
        if other is None:
            return True
        ours, theirs = ((each.num_correct, -each.val_loss) for each in (self, other))
        return ours > theirs if select_by == "accuracy" else ours[::-1] > theirs[::-1]

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON, with accuracies."""
        holdout = self.holdout
        return dataclasses.asdict(self) | {
            "val_country_accuracy": self.val_country_accuracy,
            "holdout_country_accuracy": None if holdout is None else holdout.value,
        }


def best_of(epochs: Iterable[EpochRecord], select_by: str = "accuracy") -> EpochRecord | None:
    """Select the best epoch after epoch 0, the first of equals."""
    best: EpochRecord | None = None
    for record in epochs:
        if record.epoch > 0 and record.is_better_than(best, select_by):
            best = record
    return best


def why_best(epochs: Sequence[EpochRecord], best: EpochRecord, select_by: str = "accuracy") -> str:
    """Explain why an epoch after epoch 0 was the best when it was validated."""
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


def why_stopped(
    records: Sequence[EpochRecord], patience: int, select_by: str = "accuracy"
) -> str | None:
    """Explain an early stop, after `patience` epochs no better than the best; None without one."""
    best = best_of(records, select_by)
    if best is None or not 0 < patience <= records[-1].epoch - best.epoch:
        return None
    last, num_worse = records[-1], records[-1].epoch - best.epoch
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
    """A finished training, over all its sessions.

    `checkpoint_path` holds the epoch `best`; `stop_reason` explains an early stop; `was_finished`
    means that nothing was left to train.
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
    r"""Compare the best epoch with epoch 0 on held-out countries, in lines for the user.

    Newcombe's 95 % interval takes the shares for independent; as they are of the same images, it is
    too wide rather than too narrow.

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
        f"  before training  {_percent_of_images(before)}",
        f"  {f'after epoch {best.epoch}':<15}  {_percent_of_images(after)}",
        f"  difference       {value} points ({' to '.join(interval)}): {verdict}",
    ]


def _percent_of_images(share: Proportion) -> str:
    value, low, high = share.value, share.low, share.high
    assert value is not None and low is not None and high is not None  # noqa: PT018 -- n > 0
    return (
        f"{100 * value:5.1f} % ({100 * low:.1f} to {100 * high:.1f}), "
        f"{share.successes:,} of {share.n:,} images"
    )
