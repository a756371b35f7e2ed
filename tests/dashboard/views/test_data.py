"""The Data page: what a dataset holds, lacks, and shares with another of the store."""

import dataclasses
import json

import pytest

from streetclip.data.coordinates import SWAPPED
from streetclip.evaluation.run_metrics import measure
from streetclip.geo import haversine_km
from streetclip.results import RunTable
from streetclip.store import (
    DatasetSpec,
    finish_run,
    open_store,
    register_dataset,
    start_run,
    write_predictions,
)
from tests.dashboard.pages import open_page_of, text_of
from tests.dashboard.specs import assert_valid
from tests.dashboard.twins import write_sql
from tests.dashboard.worlds import CANDIDATES, OUT_OF_REACH, World, predictions

NUM_ROWS, NUM_SWAPPED = 90, 3


class OddWorld(World):
    """A world, and a second dataset of some of its images, with swapped coordinates."""

    def add_odd_run(self):
        rows = self.rows.head(NUM_ROWS).copy()
        paris = rows.index[rows["city"] == "Paris"][:NUM_SWAPPED]
        degrees = ["latitude_deg", "longitude_deg"]
        rows.loc[paris, degrees] = rows.loc[paris, degrees[::-1]].to_numpy()
        self.odd = rows
        with open_store(self.path) as store:
            self.dataset = register_dataset(
                store,
                DatasetSpec(
                    name="odd",
                    csv_path=self.path.with_name("odd.csv"),
                    csv_sha256="odd",
                    image_dir=self.image_dir,
                    frame=rows,
                    num_skipped=7,
                ),
            )
            spec = dataclasses.replace(self._spec("of odd", 9), num_images=NUM_ROWS)
            run_id = start_run(store, spec)
            frame = predictions(rows, self.dataset.image_ids, 9, 0.5)
            write_predictions(store, {run_id: frame})
            table = RunTable.open(self.path, run_id)
            finish_run(store, run_id, measure(table, candidate_codes=CANDIDATES))
        return run_id


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    made = OddWorld(tmp_path_factory.mktemp("odd"), with_files=False)
    made.add_run()
    made.odd_run = made.add_odd_run()
    return made


@pytest.fixture
def open_data(monkeypatch, world):
    run = open_page_of(monkeypatch)

    def opened(**parameters):
        page = run(world.path, "data", **parameters)
        assert not page.exception
        return page

    return opened


def tables_of(page):
    return [each.value for each in page.dataframe]


def test_it_counts_images_labels_coordinates_and_places_without_a_candidate(open_data, world):
    page = open_data(run=str(world.odd_run))
    rows, text = world.odd, text_of(page)
    num_countries, num_cities = rows["country_code"].nunique(), rows["city"].nunique()
    assert f"Images {NUM_ROWS}, of {num_countries} countries and {num_cities} cities" in text
    assert "7 bad rows of" in text
    assert f"No region label {(rows['region'] == '').sum()} images" in text
    assert "No city label 0 images" in text
    assert f"{NUM_SWAPPED} images: {SWAPPED}." in text
    n = rows["country_code"].value_counts()
    countries, unnamed, _ = tables_of(page)
    assert countries["n"].tolist() == sorted(n.tolist(), reverse=True)
    assert unnamed[["city", "n"]].to_numpy().tolist() == [
        [OUT_OF_REACH, (rows["city"] == OUT_OF_REACH).sum()]
    ]
    assert unnamed["why"].tolist() == ["city is no candidate"]
    assert "A Street View photo close to the town of" in text
    assert "A Street View photo in {country}." in text
    for chart in page.get("vega_lite_chart"):
        assert_valid(json.loads(chart.proto.spec))


def test_another_dataset_shares_images_and_places(open_data, world):
    page = open_data(run=str(world.odd_run), other="1", country="NZ")
    (other,) = tables_of(page)[-1].to_dict("records")
    assert other == {"name": "world", "images": len(world.rows), "shared": NUM_ROWS}
    here = world.odd[world.odd["country_code"] == "NZ"]
    all_rows = world.rows
    near = sum(
        (haversine_km(y, x, all_rows["latitude_deg"], all_rows["longitude_deg"]) <= 1).any()
        for y, x in zip(here["latitude_deg"], here["longitude_deg"], strict=True)
    )
    assert near == len(here) > 2
    assert f"{near} images within 1 km of one of \u2068world\u2069; {near} of them" in text_of(page)


def test_a_dataset_alone_and_with_blank_cities_says_so(monkeypatch, tmp_path):
    alone = World(tmp_path, num_images=30, with_files=False)
    alone.add_run()
    write_sql(alone.path, "UPDATE places SET city = '' WHERE city != 'Paris'")
    page = open_page_of(monkeypatch)(alone.path, "data", other="7", country="FR")
    assert not page.exception
    n = (alone.rows["country_code"] == "FR").sum()
    assert f"Images {n}, of 1 country and 1 city Rows" in text_of(page)  # no label is no city
    assert "No other dataset has a run in this store." in text_of(page)
    assert "No image lies far outside the country of its label." in text_of(page)
