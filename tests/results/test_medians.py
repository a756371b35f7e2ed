import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streetclip.metrics.intervals import median_with_interval
from streetclip.results import medians
from streetclip.store import distance_bin_edges_km, distance_bins
from tests.random_search import examples

VALUE = st.one_of(st.floats(0, 20_040), st.sampled_from([0.0, 0.1, 25.0, 25.0]), st.none())


def find(groups):
    """Medians of lists of distances, None being infinite, through the histogram."""
    num_bins = len(distance_bin_edges_km())
    group = np.array([i for i, each in enumerate(groups) for x in each if x is not None], int)
    value = np.array([x for each in groups for x in each if x is not None], float)
    bins = distance_bins(value)
    counts = np.zeros((len(groups), num_bins), dtype=np.int64)
    np.add.at(counts, (group, bins), 1)

    def values(matters):
        hits = matters[group, bins]
        half = len(value) // 2
        for part in (slice(0, half), slice(half, None)):
            yield group[part][hits[part]], value[part][hits[part]]

    return medians.group_medians(counts, np.array([len(each) for each in groups]), values)


def plain(group):
    found = median_with_interval([np.inf if x is None else x for x in group])
    return [found.value, found.low, found.high]


@settings(deadline=None)
@given(st.lists(st.lists(VALUE, max_size=40), min_size=1, max_size=6))
def test_medians_and_their_ends_are_those_of_all_the_values(groups):
    np.testing.assert_array_equal(find(groups), [plain(each) for each in groups])


@pytest.mark.parametrize("most", [1, 5])
@settings(max_examples=examples(30), deadline=None)
@given(st.lists(st.lists(VALUE, max_size=20), min_size=1, max_size=6))
def test_medians_stay_the_same_when_few_values_fit(most, groups):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(medians, "_MOST_VALUES", most)
        np.testing.assert_array_equal(find(groups), [plain(each) for each in groups])


def test_half_missing_makes_an_even_median_infinite():
    found = find([[1.0, None], [1.0, 2.0, None], [None], []])
    assert found[:3, 0].tolist() == [np.inf, 2.0, np.inf]
    assert np.isnan(found[3]).all()


def test_too_few_values_have_no_interval():
    assert find([[3.0] * 5])[0].tolist() == [3.0, 0.0, np.inf]
    assert find([[3.0] * 6])[0].tolist() == [3.0, 3.0, 3.0]
