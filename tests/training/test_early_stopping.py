import dataclasses
import json
import math

import pytest

from streetclip.training.early_stopping import holdout_change, should_stop, why_stopped
from streetclip.training.results import EpochRecord


def records_of(right, losses=None):
    losses = losses or [1.0] * len(right)
    return [
        EpochRecord(epoch, 4 * epoch, None, loss, num_correct=n, num_images=20)
        for epoch, (n, loss) in enumerate(zip(right, losses, strict=True))
    ]


def first_stop(records, patience, select_by="accuracy"):
    """After which epoch a training with these validations would end; None: never."""
    return next(
        (n for n in range(len(records)) if should_stop(records[: n + 1], patience, select_by)), None
    )


@pytest.mark.parametrize(
    ("right", "patience", "epoch"),
    [
        ([0, 5, 4, 6, 6, 6, 9], 2, 5),  # the same again is no better
        ([0, 5, 4, 6, 6, 6, 9], 3, None),
        ([0, 5, 4, 6, 6, 6, 9], 1, 2),
        ([0, 5, 4, 3, 2, 1, 0], 0, None),
        ([9, 1, 2, 3, 4], 1, None),  # worse than before training, but on its way
        ([9], 1, None),
    ],
)
def test_a_training_stops_after_so_many_epochs_no_better_than_the_best(right, patience, epoch):
    assert first_stop(records_of(right), patience) == epoch


def test_by_loss_accuracy_does_not_keep_a_training_going():
    records = records_of([1, 2, 3, 4, 5], [9.0, 1.0, 1.5, 1.2, 1.1])
    assert first_stop(records, 2, "loss") == 3
    assert first_stop(records, 2, "accuracy") is None


def test_between_equal_accuracies_a_lower_loss_is_better():
    assert first_stop(records_of([1, 5, 5, 5], [9.0, 3.0, 2.0, 1.0]), 1) is None


def test_the_reason_to_stop_names_both_epochs():
    records = records_of([1, 5, 4, 3], [9.0, 1.0, 1.5, 1.25])
    assert why_stopped(records, "loss") == (
        "no better for 2 epochs: the validation loss was 1.0000 in epoch 1, 1.2500 in epoch 3"
    )
    assert why_stopped(records[:3]) == (
        "no better for 1 epoch: the country of 5 of 20 was right in epoch 1, of 4 in epoch 2"
    )


def held_out(counts, n):
    return [
        dataclasses.replace(each, holdout_num_correct=count, holdout_num_images=n)
        for each, count in zip(records_of([1] * len(counts)), counts, strict=True)
    ]


def test_the_change_on_held_out_countries_is_after_minus_before():
    records = held_out([56, 60, 40], 70)
    change = holdout_change(records, records[2])
    assert (change.before.successes, change.after.successes, change.epoch) == (56, 40, 2)
    value, low, high = change.difference
    assert value == pytest.approx(-16 / 70)
    before, after = change.before, change.after
    assert low == pytest.approx(
        value - math.hypot(after.value - after.low, before.high - before.value)
    )
    assert high == pytest.approx(
        value + math.hypot(after.high - after.value, before.value - before.low)
    )
    assert json.loads(json.dumps(change.to_dict()))["difference"]["value"] == value


@pytest.mark.parametrize(
    ("after", "verdict"),
    [(30, "some of the ability is lost"), (55, "no loss or gain can be told"), (69, "has grown")],
)
def test_the_verdict_claims_no_more_than_the_interval(after, verdict):
    records = held_out([56, after], 70)
    lines = holdout_change(records, records[1]).lines()
    assert lines[-1].endswith(verdict)
    assert "80.0 % (69.2 to 87.7), 56 of 70 images" in lines[1]


def test_without_held_out_countries_or_their_images_there_is_no_change_to_tell():
    records = records_of([1, 2])
    assert holdout_change(records, records[1]) is None
    empty = held_out([0, 0], 0)
    assert holdout_change(empty, empty[1]) is None
