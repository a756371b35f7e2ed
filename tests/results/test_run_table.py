from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pytest

from streetclip.errors import StoreError
from streetclip.results import DatasetTable, RunTable, Selection, group_counts, select
from streetclip.store import DatasetColumns, open_store, write_predictions
from tests.results import conftest


@pytest.fixture
def partial(tmp_path):
    """A store with a run that has done 60 of 150, and what else it will predict."""
    manifest = conftest.make_manifest(150, seed=3)
    with open_store(tmp_path / "streetclip.db") as store:
        dataset = conftest.register(store, tmp_path, manifest)
        run_id = conftest.fill_run(store, manifest, dataset, "run", 4, num_done=60)
        yield store, run_id, conftest.make_predictions(manifest, dataset.image_ids, seed=4)


def test_columns_are_those_of_the_rows(world):
    position = {image_id: i for i, image_id in enumerate(world.image_ids)}
    table = world.table
    for row in world.rows:
        i = position[row["image_id"]]
        assert table.codes[table.true_country[i]] == row["true_country"]
        assert table.codes[table.pred_country[i]] == (row["pred_country"] or "")
        place = table.places.iloc[table.place[i]]
        assert [*place] == [row[name] for name in ("continent", "true_country", "region", "city")]
        predicted = table.predicted_places.iloc[table.pred_place[i]]
        assert predicted["city"] == (row["pred_city"] or "")
        codes, texts = table.dataset.attribute("weather")
        assert texts[codes[i]] == row["attributes"]["weather"]
    known = [row for row in world.rows if row["distance_km"] is not None]
    ids = [position[row["image_id"]] for row in known]
    assert table.column("distance_km")[ids].tolist() == [row["distance_km"] for row in known]
    assert np.count_nonzero(~np.isnan(table.column("distance_km"))) == len(known)


def test_codes_ascend_from_nothing(world):
    codes = list(world.table.codes)
    assert codes == ["", "CA", "FR", "GB", "JP", "RE", "RU", "SG"]


def test_arrays_cannot_be_written(world):
    table = world.table
    arrays = [table.done, table.image_ids, table.place, table.true_country, table.pred_country]
    arrays += [table.column("flags"), table.pred_place, table.dataset.attribute("road")[0]]
    for array in arrays:
        with pytest.raises(ValueError, match="read-only"):
            array[0] = array[0]


def test_a_column_that_there_is_not_is_refused(world):
    with pytest.raises(ValueError, match="no column"):
        world.table.column("colour")


def test_columns_are_read_once(partial):
    store, run_id, _ = partial
    table = RunTable.open(store.path, run_id)
    flags = table.column("flags")
    assert table.column("flags") is flags
    assert table.load("distance_km", "flags")[1] is flags


def test_predicted_places_are_read_only_when_needed(partial):
    store, run_id, _ = partial
    table = RunTable.open(store.path, run_id)
    store.db.conn.execute("ALTER TABLE predicted_places RENAME TO hidden")
    table.load("flags", "distance_km")
    store.db.conn.execute("ALTER TABLE hidden RENAME TO predicted_places")
    assert len(table.predicted_places) > 1


def test_a_run_stays_as_it_was_opened_while_it_is_written(partial):
    store, run_id, predictions = partial
    table, whole = RunTable.open(store.path, run_id), RunTable.open(store.path, run_id)
    expected = group_counts(whole, whole.done, "city")
    write_predictions(store, {run_id: predictions})
    assert table.num_done == 60
    pd.testing.assert_frame_equal(group_counts(table, table.done, "city"), expected)
    assert not np.any(table.pred_place[~table.done])
    assert np.isnan(table.column("country_probability")[~table.done]).all()
    assert (table.column("nearest_bin")[~table.done] == 255).all()
    assert select(table, Selection()).sum() == 60
    assert RunTable.open(store.path, run_id).num_done == 150


def test_runs_can_share_their_dataset(partial):
    store, run_id, _ = partial
    dataset = DatasetTable.open(store.path, 1)
    assert RunTable.open(store.path, run_id, dataset).dataset is dataset
    columns = DatasetColumns(np.array([1]), np.array([0]), dataset.places)
    other = DatasetTable(9, columns, {}, None, None)
    assert RunTable.open(store.path, run_id, other).dataset_id == 1


def test_a_run_that_there_is_not_is_refused(partial):
    store, _, _ = partial
    with pytest.raises(StoreError, match="no run 77"):
        RunTable.open(store.path, 77)
    with pytest.raises(StoreError):
        RunTable.open(store.path.with_name("missing.db"), 1)


def test_a_store_that_was_replaced_is_noticed(partial, tmp_path):
    store, run_id, _ = partial
    table = RunTable.open(store.path, run_id)
    with store.transaction():
        store.rows("UPDATE runs SET uid = 'another'")
    with pytest.raises(StoreError, match="was replaced"):
        table.column("flags")


def test_threads_may_read_the_same_columns_at_once(partial):
    store, run_id, _ = partial
    table = RunTable.open(store.path, run_id)
    with ThreadPoolExecutor(8) as pool:
        waiting = [pool.submit(group_counts, table, table.done, "country") for _ in range(8)]
        found = [each.result() for each in waiting]
    for each in found:
        pd.testing.assert_frame_equal(each, found[0])


def test_a_dataset_without_images_gives_empty_answers():
    table = conftest.make_table({"distance_km": np.empty(0)}, places=())
    mask = select(table, Selection(country=("FR",)))
    assert mask.shape == (0,)
    assert table.codes == ("",)
    for by in ("overall", "country", "predicted"):
        assert group_counts(table, mask, by).empty


def test_a_level_that_there_is_not_is_refused(world):
    with pytest.raises(ValueError, match="level is 'planet'; expected one of country, city"):
        world.table.correct("planet")
