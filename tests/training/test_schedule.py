import itertools
import math

import numpy as np
import pytest

from streetclip.config.train_options import SCHEDULES
from streetclip.training.schedule import (
    epoch_order,
    learning_rate_factor,
    steps_per_epoch,
    validation_groups,
)


def test_the_rate_rises_in_a_line_then_falls_by_a_cosine_to_zero():
    factors = [learning_rate_factor(s, num_steps=14, warmup_fraction=0.25) for s in range(15)]
    assert factors[:4] == [0.25, 0.5, 0.75, 1.0]
    assert factors[4] == 1.0
    assert factors[9] == pytest.approx(0.5)
    assert factors[14] == pytest.approx(0.0, abs=1e-15)
    assert all(a > b for a, b in itertools.pairwise(factors[4:]))
    assert factors[7] == pytest.approx((1 + math.cos(0.3 * math.pi)) / 2)


def test_the_rate_may_fall_in_a_line():
    factors = [
        learning_rate_factor(s, num_steps=14, warmup_fraction=0.25, schedule="linear")
        for s in range(15)
    ]
    assert factors[:5] == [0.25, 0.5, 0.75, 1.0, 1.0]
    assert factors[4:] == pytest.approx([1 - passed / 10 for passed in range(11)])
    assert factors[14] == 0


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("fraction", [0.0, 1.0])
def test_warm_up_may_be_nothing_or_everything(fraction, schedule):
    factors = [
        learning_rate_factor(s, num_steps=4, warmup_fraction=fraction, schedule=schedule)
        for s in range(4)
    ]
    assert all(0 < factor <= 1 for factor in factors)
    assert factors[3 if fraction else 0] == 1.0


def test_an_order_is_a_permutation_of_its_own_seed_and_epoch():
    order = epoch_order(101, seed=5, epoch=3)
    assert sorted(order) == list(range(101))
    assert np.array_equal(order, epoch_order(101, seed=5, epoch=3))
    assert not np.array_equal(order, epoch_order(101, seed=5, epoch=4))
    assert not np.array_equal(order, epoch_order(101, seed=6, epoch=3))
    # A seed plus an epoch would make run 5's epoch 4 the same as run 6's epoch 3.
    assert not np.array_equal(epoch_order(101, seed=5, epoch=4), epoch_order(101, seed=6, epoch=3))


@pytest.mark.parametrize(
    ("images", "batch", "steps"), [(64, 32, 2), (95, 32, 2), (5, 32, 1), (2, 2, 1)]
)
def test_a_small_last_batch_is_dropped_unless_it_is_the_only_one(images, batch, steps):
    assert steps_per_epoch(images, batch) == steps


@pytest.mark.parametrize(
    ("images", "size", "groups"), [(10, 4, 3), (3, 8, 1), (8, 4, 2), (0, 4, 0)]
)
def test_validation_groups_are_equal_in_size_and_hold_every_image(images, size, groups):
    found = list(validation_groups(images, group_size=size, seed=1))
    assert len(found) == groups
    assert all(len(group) == min(size, images) == len(set(group)) for group in found)
    assert {index for group in found for index in group} == set(range(images))
