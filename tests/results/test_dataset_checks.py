"""Where the images of a dataset are labelled to be, against plain counts."""

import numpy as np
import pandas as pd

from streetclip.data.coordinates import FAR, NULL_ISLAND, SWAPPED
from streetclip.results import DatasetTable, RunTable, misplaced, num_on_one_point
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


def test_images_outside_their_country_are_counted_by_kind_and_the_first_described():
    everything = np.ones(len(IMAGES), np.bool_)
    found = misplaced(table(), everything, 2)
    assert found.kinds == {NULL_ISLAND: 1, SWAPPED: 1, FAR: 1}
    assert len(found.examples) == 2
    assert set(found.examples) < {101, 105, 106}
    found = misplaced(table(), everything, 9)
    assert "Swap them" in found.examples[101]
    assert "outside Kenya, in United Kingdom" in found.examples[106]
    assert misplaced(table(), ~everything, 9) == ({}, {})


def test_images_on_the_one_point_of_their_city_are_counted():
    everything = np.ones(len(IMAGES), np.bool_)
    assert num_on_one_point(table(), everything) == 2
    one = everything.copy()
    one[2] = False  # the other image of the city is alone then
    assert num_on_one_point(table(), one) == 0
