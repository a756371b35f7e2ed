"""Shares within the thresholds in one go, against one comparison each."""

import numpy as np
import pytest

from streetclip.geo import THRESHOLDS_KM
from streetclip.results import Selection, compare, compare_distances, select
from streetclip.store import open_store
from tests.results import conftest


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    """A run, and a baseline that has not judged the last images."""
    folder = tmp_path_factory.mktemp("distances")
    manifest = conftest.make_manifest(300, seed=3)
    with open_store(folder / "streetclip.db") as store:
        dataset = conftest.register(store, folder, manifest)
        ids = [
            conftest.fill_run(store, manifest, dataset, name, seed, num_done)
            for name, seed, num_done in (("run", 4, 300), ("baseline", 5, 260))
        ]
        return [
            conftest.World(
                store.path, i, conftest.read_rows(store, i), sorted(dataset.image_ids.tolist())
            )
            for i in ids
        ]


@pytest.mark.parametrize("selection", [Selection(), Selection(country_correct=False)])
def test_each_threshold_is_as_if_compared_alone(two, selection):
    run, baseline = two[0].table, two[1].table
    mask = select(run, selection)
    found = compare_distances(run, baseline, mask)
    assert list(found) == sorted(THRESHOLDS_KM.values())
    for km, each in found.items():
        assert each == compare(run, baseline, mask, f"within_{km}")
    assert 0 < found[25].n < 300
    assert len({each.value for each in found.values()}) > 1


def test_without_images_there_is_nothing_to_compare(two):
    nothing = np.zeros(300, dtype=np.bool_)
    found = compare_distances(two[0].table, two[1].table, nothing)
    assert {each.n for each in found.values()} == {0}
    assert all(np.isnan(each.difference) for each in found.values())
