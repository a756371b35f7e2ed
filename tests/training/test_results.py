import dataclasses
import math

import pytest

from streetclip.metrics.intervals import Proportion
from streetclip.training.results import (
    EpochRecord,
    best_of,
    holdout_report,
    why_best,
    why_stopped,
)


def record(epoch, num_correct, loss):
    return EpochRecord(epoch, 4 * epoch, 1.5, loss, num_correct=num_correct, num_images=10)


def test_by_accuracy_more_right_is_better_and_the_loss_decides_between_equals():
    assert record(2, 6, 9.0).is_better_than(record(1, 5, 1.0))
    assert record(2, 5, 0.9).is_better_than(record(1, 5, 1.0))
    assert not record(2, 5, 1.0).is_better_than(record(1, 5, 1.0))
    assert not record(2, 4, 0.1).is_better_than(record(1, 5, 1.0))


def test_by_loss_a_lower_one_is_better_and_accuracy_decides_between_equals():
    assert record(2, 4, 0.9).is_better_than(record(1, 5, 1.0), "loss")
    assert record(2, 6, 1.0).is_better_than(record(1, 5, 1.0), "loss")
    assert not record(2, 5, 1.0).is_better_than(record(1, 5, 1.0), "loss")
    assert not record(2, 9, 1.1).is_better_than(record(1, 5, 1.0), "loss")


def test_the_best_is_the_first_of_equals_after_epoch_0():
    records = [record(0, 10, 0.1), record(1, 5, 2.0), record(2, 7, 1.0), record(3, 7, 1.0)]
    assert best_of(records).epoch == 2
    assert best_of(records[:1]) is None


def test_what_is_best_depends_on_what_is_asked_for():
    records = [record(0, 1, 4.0), record(1, 8, 2.0), record(2, 7, 1.0)]
    assert best_of(records, "accuracy").epoch == 1
    assert best_of(records, "loss").epoch == 2


@pytest.mark.parametrize(
    ("best", "words"),
    [
        (1, "2.0000, the first epoch"),
        (2, "1.0000, lower than before: 2.0000 in epoch 1"),
        (4, "1.0000, as low as in epoch 2, with more countries correct: 9 instead of 7"),
    ],
)
def test_the_reason_by_loss_names_the_rival(best, words):
    losses_and_right = [(9.0, 1), (2.0, 8), (1.0, 7), (3.0, 6), (1.0, 9)]
    records = [record(epoch, n, loss) for epoch, (loss, n) in enumerate(losses_and_right)]
    assert why_best(records, records[best], "loss") == f"the validation loss is {words}"


def test_the_reason_by_accuracy_does_not_look_at_later_epochs():
    records = [record(0, 1, 4.0), record(1, 5, 2.0), record(2, 7, 1.0), record(3, 8, 1.0)]
    assert why_best(records, records[2]).endswith("more than before: 5 in epoch 1")


def test_countries_held_out_have_an_accuracy_of_their_own():
    held_out = dataclasses.replace(record(1, 7, 1.0), holdout_num_correct=3, holdout_num_images=12)
    assert held_out.to_dict()["holdout_country_accuracy"] == 0.25
    assert held_out.to_dict()["val_country_accuracy"] == 0.7
    assert record(1, 7, 1.0).to_dict()["holdout_country_accuracy"] is None
    none_shown = dataclasses.replace(held_out, holdout_num_correct=0, holdout_num_images=0)
    assert none_shown.to_dict()["holdout_country_accuracy"] is None


def test_a_record_of_an_earlier_version_loads():
    stored = {"epoch": 2, "step": 8, "train_loss": 1.0, "val_loss": 2.0}
    loaded = EpochRecord(**stored, num_correct=3, num_images=4)
    assert loaded.holdout_num_correct is None
    assert EpochRecord(**dataclasses.asdict(loaded)) == loaded


def records_of(right, losses=None):
    losses = losses or [1.0] * len(right)
    return [
        EpochRecord(epoch, 4 * epoch, None, loss, num_correct=n, num_images=20)
        for epoch, (n, loss) in enumerate(zip(right, losses, strict=True))
    ]


def first_stop(records, patience, select_by="accuracy"):
    """After which epoch a training with these validations would end; None: never."""
    return next(
        (n for n in range(len(records)) if why_stopped(records[: n + 1], patience, select_by)), None
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
    assert why_stopped(records, 1, "loss") == (
        "no better for 2 epochs: the validation loss was 1.0000 in epoch 1, 1.2500 in epoch 3"
    )
    assert why_stopped(records[:3], 1) == (
        "no better for 1 epoch: the country of 5 of 20 was correct in epoch 1, of 4 in epoch 2"
    )


def held_out(counts, n):
    return [
        dataclasses.replace(each, holdout_num_correct=count, holdout_num_images=n)
        for each, count in zip(records_of([1] * len(counts)), counts, strict=True)
    ]


def test_the_change_on_held_out_countries_is_after_minus_before():
    records = held_out([56, 60, 40], 70)
    lines = holdout_report(records, records[2])
    before, after = Proportion(56, 70), Proportion(40, 70)
    value = -16 / 70
    low = value - math.hypot(after.value - after.low, before.high - before.value)
    high = value + math.hypot(after.high - after.value, before.value - before.low)
    points = [f"{100 * each:.1f}".replace("-", "−") for each in (value, low, high)]
    assert "{} points ({} to {})".format(*points) in lines[-1]
    assert "after epoch 2" in lines[2]
    assert "40 of 70 images" in lines[2]


@pytest.mark.parametrize(
    ("after", "verdict"),
    [(30, "some of the ability is lost"), (55, "no significant loss or gain"), (69, "has grown")],
)
def test_the_verdict_claims_no_more_than_the_interval(after, verdict):
    records = held_out([56, after], 70)
    lines = holdout_report(records, records[1])
    assert lines[-1].endswith(verdict)
    assert "80.0 % (69.2 to 87.7), 56 of 70 images" in lines[1]


def test_without_held_out_countries_or_their_images_there_is_no_report():
    records = records_of([1, 2])
    assert holdout_report(records, records[1]) == []
    empty = held_out([0, 0], 0)
    assert holdout_report(empty, empty[1]) == []
