"""Where the images of a dataset are labelled to be, against plain counts."""

import numpy as np
import pandas as pd

from streetclip.data.coordinates import FAR, NULL_ISLAND, SWAPPED
from streetclip.results import (
    DatasetTable,
    RunTable,
    group_counts,
    misplaced,
    num_on_one_point,
    place_counts,
)
from streetclip.results.run_table import RunState
from streetclip.store import RUN_FILLS, DatasetColumns

PLACES = pd.DataFrame(
    {
        "continent": ["Africa", "Europe", "Europe"],
        "country": ["KE", "FR", "FR"],
        "region": ["", "", ""],
        "city": ["Nairobi", "Lyon", "Paris"],
    }
)
# By image: place, latitude, longitude; three images have no prediction.
IMAGES = [
    (2, 48.86, 2.35),
    (2, 2.35, 48.86),
    (1, 45.76, 4.84),
    (1, 45.76, 4.84),
    (1, np.nan, np.nan),
    (0, 0.2, -0.3),
    (0, 51.5, -0.1),
    (1, 0.0, 0.0),
    (1, 45.7, 4.84),
    (2, 0.0, 0.0),
]
NUM_DONE = 7


def table():
    place, latitude, longitude = map(np.array, zip(*IMAGES, strict=True))
    ids = np.arange(100, 100 + len(IMAGES))
    columns = DatasetColumns(ids, place.astype(np.int32), PLACES)
    dataset = DatasetTable(1, columns, {}, lambda _: np.empty(0), pd.Series)

    def read(names):
        kept = {"true_latitude_deg": latitude, "true_longitude_deg": longitude}
        found = {n: kept.get(n, np.full(len(ids), RUN_FILLS[n])).astype("f4") for n in names}
        if "pred_place" in names:
            found["pred_place"] = np.zeros(len(ids), np.uint32)
        nowhere = {"country": [""], "city": [""], "latitude_deg": [np.nan]}
        return RunState(found | {"done": np.arange(len(ids)) < NUM_DONE}, pd.DataFrame(nowhere))

    return RunTable(1, dataset, read)


def test_images_outside_their_country_are_found_with_their_kind():
    found = misplaced(table())
    assert found["row"].tolist() == [1, 5, 6]
    assert found["kind"].tolist() == [SWAPPED, NULL_ISLAND, FAR]
    assert "Swap them" in found["text"][0]
    assert "outside Kenya, in United Kingdom" in found["text"][2]


def test_images_of_places_are_counted_as_in_groups(world, chosen):
    found = place_counts(world.table, chosen)
    expected = group_counts(world.table, chosen, "city")
    expected = expected[expected["n"] > 0][list(found)]
    pd.testing.assert_frame_equal(
        found.groupby(["continent", "country", "region", "city"], as_index=False).sum(),
        expected.reset_index(drop=True),
        check_dtype=False,
    )
    assert found["n"].sum() == len(world.chosen(chosen))


def test_images_on_the_one_point_of_their_city_are_counted():
    everything = np.ones(len(IMAGES), np.bool_)
    assert num_on_one_point(table(), everything) == 2
    one = everything.copy()
    one[2] = False  # the other image of the city is alone then
    assert num_on_one_point(table(), one) == 0
