"""When a training ends before its last epoch, and what it did to countries that it never saw.

Both are told from the records of the epochs alone, so that a resume comes to the same.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from streetclip.metrics.differences import newcombe_interval
from streetclip.metrics.intervals import Proportion
from streetclip.training.results import EpochRecord, best_of


def should_stop(records: Sequence[EpochRecord], patience: int, select_by: str = "accuracy") -> bool:
    """Whether as many epochs as `patience` followed the best one.

    The best is looked for after epoch 0: fine-tuning may need a while to reach the model that it
    began with.

    Args:
        records: Epoch 0 first, one an epoch.
        patience: Epochs to wait for a better one; 0: never stop.
        select_by: What better means, "accuracy" or "loss".

    Examples:
        >>> accuracies = [9, 5, 6, 6, 4]
        >>> records = [EpochRecord(e, e, None, 1.0, n, 10) for e, n in enumerate(accuracies)]
        >>> [should_stop(records[: epoch + 1], 2) for epoch in range(5)]
        [False, False, False, False, True]
    """
    best = best_of(records, select_by)
    return patience > 0 and best is not None and records[-1].epoch - best.epoch >= patience


def why_stopped(records: Sequence[EpochRecord], select_by: str = "accuracy") -> str:
    """Say in words why a training ended early; to be asked where `should_stop` holds.

    Examples:
        >>> records = [EpochRecord(e, e, None, 1.0, n, 10) for e, n in enumerate([9, 6, 5, 4])]
        >>> why_stopped(records)
        'no better for 2 epochs: the country of 6 of 10 was right in epoch 1, of 4 in epoch 3'
    """
    best, last = best_of(records, select_by), records[-1]
    assert best is not None
    num_worse = last.epoch - best.epoch
    figures = (
        f"the country of {best.num_correct:,} of {best.num_images:,} was right in epoch "
        f"{best.epoch}, of {last.num_correct:,} in epoch {last.epoch}"
        if select_by == "accuracy"
        else f"the validation loss was {best.val_loss:.4f} in epoch {best.epoch}, "
        f"{last.val_loss:.4f} in epoch {last.epoch}"
    )
    return f"no better for {num_worse} epoch{'s' if num_worse > 1 else ''}: {figures}"


@dataclass(frozen=True)
class HoldoutChange:
    """How well countries held out of training are found, before it and by the best model.

    Attributes:
        epoch: The best epoch.
        before: Images of held-out countries that the untrained model had right.
        after: Those that the best model has right, of the same images.
    """

    epoch: int
    before: Proportion
    after: Proportion

    @property
    def difference(self) -> tuple[float, float, float]:
        """After minus before with its 95 % interval, −1..1: (value, low, high).

        Newcombe's interval of two independent shares. They are of the same images, of which the
        records count only how many are right; as most answers stay what they were, the interval is
        rather too wide than too narrow.
        """
        ends = newcombe_interval(
            self.after.successes, self.after.n, self.before.successes, self.before.n
        )
        value, low, high = (float(end) for end in ends)
        return value, low, high

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON: epoch, before, after, and the difference with its interval."""
        value, low, high = self.difference
        return {
            "epoch": self.epoch,
            "before": self.before.to_dict(),
            "after": self.after.to_dict(),
            "difference": {"value": value, "low": low, "high": high},
        }

    def lines(self) -> list[str]:
        r"""What to tell the user, line by line.

        Examples:
            >>> change = HoldoutChange(4, Proportion(60, 80), Proportion(31, 80))
            >>> print("\n".join(change.lines()))
            countries held out of training, zero-shot (95 % intervals):
              before training   75.0 % (64.5 to 83.2), 60 of 80 images
              after epoch 4     38.8 % (28.8 to 49.7), 31 of 80 images
              difference       −36.2 points (−49.1 to −21.1): some of the ability is lost
        """
        value, low, high = (f"{100 * end:+.1f}".replace("-", "−") for end in self.difference)
        return [
            "countries held out of training, zero-shot (95 % intervals):",
            f"  before training  {_words(self.before)}",
            f"  {f'after epoch {self.epoch}':<15}  {_words(self.after)}",
            f"  difference       {value} points ({low} to {high}): {self._verdict()}",
        ]

    def _verdict(self) -> str:
        _, low, high = self.difference
        if high < 0:
            return "some of the ability is lost"
        return "it has grown" if low > 0 else "no loss or gain can be told"


def holdout_change(epochs: Sequence[EpochRecord], best: EpochRecord) -> HoldoutChange | None:
    """Lay the best epoch beside the model before training, on the countries held out.

    Args:
        epochs: Records, epoch 0 first.
        best: One of them.

    Returns:
        The change; None where no country is held out, or none of them has validation images.
    """
    before, after = (_holdout(record) for record in (epochs[0], best))
    return HoldoutChange(best.epoch, before, after) if before and after else None


def _holdout(record: EpochRecord) -> Proportion | None:
    if record.holdout_num_correct is None or not record.holdout_num_images:
        return None
    return Proportion(record.holdout_num_correct, record.holdout_num_images)


def _words(share: Proportion) -> str:
    value, low, high = share.value, share.low, share.high
    assert value is not None and low is not None and high is not None  # noqa: PT018 -- n > 0
    return (
        f"{100 * value:5.1f} % ({100 * low:.1f} to {100 * high:.1f}), "
        f"{share.successes:,} of {share.n:,} images"
    )
