import dataclasses

import pytest

from streetclip.training.results import EpochRecord, best_of, why_best


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
        (1, "2.0000, and no epoch was before it"),
        (2, "1.0000, lower than in any before it: epoch 1 had 2.0000"),
        (4, "1.0000, as low as in epoch 2, with more countries right: 9, there 7"),
    ],
)
def test_the_reason_by_loss_names_the_rival(best, words):
    losses_and_right = [(9.0, 1), (2.0, 8), (1.0, 7), (3.0, 6), (1.0, 9)]
    records = [record(epoch, n, loss) for epoch, (loss, n) in enumerate(losses_and_right)]
    assert why_best(records, records[best], "loss") == f"the validation loss is {words}"


def test_the_reason_by_accuracy_does_not_look_at_later_epochs():
    records = [record(0, 1, 4.0), record(1, 5, 2.0), record(2, 7, 1.0), record(3, 8, 1.0)]
    assert why_best(records, records[2]).endswith("more than in any before it: epoch 1 had 5")


def test_countries_held_out_have_an_accuracy_of_their_own():
    held_out = dataclasses.replace(record(1, 7, 1.0), holdout_num_correct=3, holdout_num_images=12)
    assert held_out.to_dict()["holdout_country_accuracy"] == 0.25
    assert held_out.to_dict()["val_country_accuracy"] == 0.7
    assert record(1, 7, 1.0).to_dict()["holdout_country_accuracy"] is None
    none_shown = dataclasses.replace(held_out, holdout_num_correct=0, holdout_num_images=0)
    assert none_shown.holdout_country_accuracy is None


def test_a_record_of_an_earlier_version_loads():
    stored = {"epoch": 2, "step": 8, "train_loss": 1.0, "val_loss": 2.0}
    loaded = EpochRecord(**stored, num_correct=3, num_images=4)
    assert loaded.holdout_num_correct is None
    assert EpochRecord(**dataclasses.asdict(loaded)) == loaded
