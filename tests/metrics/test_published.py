"""Published figures, and how a test set with such figures is recognised."""

import pytest

from streetclip.geo import THRESHOLDS_KM
from streetclip.metrics.published import BENCHMARKS, benchmark_of


@pytest.mark.parametrize(
    ("name", "num_images", "found"),
    [
        ("im2gps", 237, "IM2GPS"),
        ("IM2GPS test", 230, "IM2GPS"),
        ("Im2GPS-3k", 2997, "IM2GPS3k"),
        ("im2gps3k_places365", 3000, "IM2GPS3k"),
        ("IM2GPS (3k)", 2997, "IM2GPS3k"),
        ("im2gps\u20333k", 2997, "IM2GPS3k"),
    ],
)
def test_a_public_test_set_is_known_by_its_name(name, num_images, found):
    assert benchmark_of(name, num_images).name == found


@pytest.mark.parametrize(
    ("name", "num_images"),
    [
        ("test", 237),
        ("", 2997),
        ("im2gps", 2997),
        ("im2gps3k", 237),
        ("im2gps3k", 1000),
        ("im2gps", 0),
        ("yfcc4k", 4000),
    ],
)
def test_another_name_or_another_size_is_another_test_set(name, num_images):
    assert benchmark_of(name, num_images) is None


def test_the_published_shares_are_those_of_the_paper():
    per_cent = {
        (each.name, model): [round(100 * share, 2) for share in shares.values()]
        for each in BENCHMARKS
        for model, shares in each.shares.items()
    }
    assert per_cent == {
        ("IM2GPS", "StreetCLIP"): [28.3, 45.1, 74.7, 88.2],
        ("IM2GPS", "CLIP"): [27.0, 42.2, 71.7, 86.9],
        ("IM2GPS3k", "StreetCLIP"): [22.4, 37.4, 61.3, 80.4],
        ("IM2GPS3k", "CLIP"): [19.5, 34.0, 60.0, 78.1],
    }


def test_published_thresholds_are_thresholds_of_ours():
    for each in BENCHMARKS:
        for shares in each.shares.values():
            assert set(shares) <= set(THRESHOLDS_KM.values())
            assert list(shares.values()) == sorted(shares.values())
