from collections import Counter

import numpy as np
import pytest

from streetclip.training.image_source import (
    Sampler,
    epoch_order,
    steps_per_epoch,
    validation_groups,
)

SIZES = {"US": 100, "FR": 37, "PE": 9, "GE": 4, "NR": 1}
CODES = np.random.default_rng(0).permutation([c for c, n in SIZES.items() for _ in range(n)])
NUM_IMAGES = 151


def balanced(temperature=2.0, seed=42, codes=CODES):
    return Sampler(codes.tolist(), kind="country_balanced", temperature=temperature, seed=seed)


def countries_of(order):
    return Counter(CODES[order].tolist())


def test_natural_order_is_that_of_the_schedule():
    sampler = Sampler(CODES.tolist(), kind="natural", temperature=5, seed=7)
    for epoch in (1, 2, 9):
        expected = epoch_order(NUM_IMAGES, seed=7, epoch=epoch)
        np.testing.assert_array_equal(sampler.order(epoch), expected)
    assert sampler.num_shown == SIZES


@pytest.mark.parametrize("temperature", [1.0, 1.5, 2.0, 4.0, 1000.0])
@pytest.mark.parametrize("epoch", [1, 6])
def test_a_country_is_shown_in_proportion_to_a_power_of_its_size(temperature, epoch):
    sampler = balanced(temperature)
    shown = countries_of(sampler.order(epoch))
    assert shown == sampler.num_shown
    total = sum(size ** (1 / temperature) for size in SIZES.values())
    for code, size in SIZES.items():
        assert abs(shown[code] - NUM_IMAGES * size ** (1 / temperature) / total) < 1
    assert sum(shown.values()) == NUM_IMAGES


def test_the_places_left_over_go_to_the_largest_remainders():
    # Weights 2, 3, 4 of 9; of 29 places 6.4, 9.7, 12.9: the second and the third are rounded up.
    codes = np.repeat(["A", "B", "C"], [4, 9, 16])
    assert balanced(codes=codes).num_shown == {"A": 6, "B": 10, "C": 13}


def test_a_temperature_of_1_shows_each_image_once():
    for epoch in (1, 2):
        assert sorted(balanced(1.0).order(epoch)) == list(range(NUM_IMAGES))


@pytest.mark.parametrize("temperature", [1.3, 2.0, 50.0])
def test_the_images_of_a_country_take_turns(temperature):
    sampler = balanced(temperature)
    total = np.zeros(NUM_IMAGES, int)
    for epoch in range(1, 30):
        times = np.bincount(sampler.order(epoch), minlength=NUM_IMAGES)
        total += times
        for code in SIZES:
            for counts in (times[code == CODES], total[code == CODES]):
                assert counts.max() - counts.min() <= 1


def test_an_order_depends_on_seed_and_epoch_alone():
    sampler = balanced()
    fourth = sampler.order(4)
    sampler.order(9)
    np.testing.assert_array_equal(balanced().order(4), fourth)
    assert not np.array_equal(sampler.order(5), fourth)
    assert not np.array_equal(balanced(seed=43).order(4), fourth)
    # Not the images of a country in the order of the file, of which the first come again first.
    firsts = np.flatnonzero(CODES == "US")[: sampler.num_shown["US"]]
    assert set(sampler.order(1)[CODES[sampler.order(1)] == "US"]) != set(firsts)


def test_countries_are_mixed_within_an_epoch():
    order = balanced(1000.0).order(1)  # 30 or 31 of each
    assert all(8 <= countries_of(order[:75])[code] <= 22 for code in SIZES)


def test_one_country_or_one_image_is_no_special_case():
    assert sorted(balanced(codes=np.array(["FR"] * 7)).order(3)) == list(range(7))
    assert balanced(codes=np.array(["FR"])).order(2).tolist() == [0]


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
