import math

import numpy as np
import pytest

from streetclip.metrics.intervals import FEWEST_CLUSTERS, cluster_bootstrap, wilson_interval


def test_clusters_of_one_image_have_the_interval_of_independent_images():
    correct = np.arange(400) < 280
    value, low, high = cluster_bootstrap(correct, np.ones(400), seed=1)
    assert value == 0.7
    assert (low, high) == pytest.approx(wilson_interval(280, 400), abs=0.005)


def test_the_interval_covers_the_truth_where_images_of_a_cluster_are_alike():
    rng = np.random.default_rng(5)
    covered = covered_by_wilson = 0
    for _ in range(100):
        chances = rng.beta(2, 2, 60)  # of each cluster; the truth is 0.5
        correct = rng.binomial(20, chances)
        _, low, high = cluster_bootstrap(correct, np.full(60, 20), seed=2)
        covered += low <= 0.5 <= high
        low, high = wilson_interval(correct.sum(), 1200)
        covered_by_wilson += low <= 0.5 <= high
    assert covered >= 90
    assert covered_by_wilson < 75


def test_few_clusters_have_no_interval_and_none_has_no_value():
    fewer = FEWEST_CLUSTERS - 1
    value, low, high = cluster_bootstrap([3, *[0] * (fewer - 1)], [4] * fewer, seed=1)
    assert value == 0.75 / fewer
    assert math.isnan(low)
    assert math.isnan(high)
    assert all(map(math.isnan, cluster_bootstrap([], [], seed=1)))
