import numpy as np
import pandas as pd
import pytest

from streetclip.errors import StoreError
from streetclip.store import (
    get_run,
    iterate_predictions,
    list_runs,
    read_predictions,
    write_predictions,
)
from streetclip.store.predictions import PREDICTION_COLUMNS


def test_what_was_written_is_read_back_in_manifest_order(filled):
    predictions = filled.predictions()
    shuffled = predictions.sample(frac=1, random_state=3)
    assert write_predictions(filled.store, {filled.run_id: shuffled}) == {filled.run_id: 157}
    found = read_predictions(filled.store, filled.run_id)
    assert found["line"].tolist() == list(range(2, 159))
    assert found["image_filename"].tolist() == filled.manifest["image_filename"].tolist()
    assert found["country"].tolist() == filled.manifest["country"].tolist()
    names = [*PREDICTION_COLUMNS, "true_continent", "true_region", "true_city"]
    pd.testing.assert_frame_equal(found[names], predictions[names], check_dtype=False)


def test_numbers_keep_their_types_when_all_are_missing(filled):
    predictions = filled.predictions()
    unreadable = predictions[predictions["status"] == "unreadable"]
    write_predictions(filled.store, {filled.run_id: unreadable})
    found = read_predictions(filled.store, filled.run_id)
    assert len(found) == len(unreadable) > 0
    assert found["distance_km"].dtype == np.float64
    assert found["true_city_rank"].dtype == "Int64"
    assert found["top_cities"].isna().all()


def test_a_prediction_written_twice_counts_once_and_stays_as_it_was(filled):
    first, second = filled.predictions(seed=0), filled.predictions(seed=9)
    assert write_predictions(filled.store, {filled.run_id: first[:50]}) == {filled.run_id: 50}
    before = list_runs(filled.store)
    assert write_predictions(filled.store, {filled.run_id: second[:50]}) == {filled.run_id: 0}
    pd.testing.assert_frame_equal(list_runs(filled.store), before)
    assert write_predictions(filled.store, {filled.run_id: first[40:90]}) == {filled.run_id: 40}
    assert get_run(filled.store, filled.run_id)["num_done"] == 90
    assert list_runs(filled.store)["country_correct"].tolist() == [
        first["country_correct"][:90].sum()
    ]
    found = read_predictions(filled.store, filled.run_id)[list(PREDICTION_COLUMNS)]
    pd.testing.assert_frame_equal(found, first[list(PREDICTION_COLUMNS)][:90], check_dtype=False)


def test_an_image_twice_in_one_frame_counts_once(filled):
    predictions = filled.predictions()[:7]
    doubled = pd.concat([predictions, predictions[2:5]], ignore_index=True)
    assert write_predictions(filled.store, {filled.run_id: doubled}) == {filled.run_id: 7}
    assert get_run(filled.store, filled.run_id)["num_done"] == 7


def test_runs_written_together_are_kept_apart(filled):
    other = filled.start(name="second", strategy="flat")
    frames = {filled.run_id: filled.predictions(0)[:30], other: filled.predictions(1)[:20]}
    assert write_predictions(filled.store, frames) == {filled.run_id: 30, other: 20}
    runs = list_runs(filled.store).set_index("id")
    assert runs.loc[filled.run_id, "num_done"] == 30
    assert runs.loc[other, "num_done"] == 20
    assert runs.loc[other, "country_correct"] == frames[other]["country_correct"].sum()


def test_a_failure_in_one_run_writes_nothing_of_any(filled):
    frames = {filled.run_id: filled.predictions()[:30], 99: filled.predictions()[:20]}
    with pytest.raises(StoreError, match="no run 99"):
        write_predictions(filled.store, frames)
    assert get_run(filled.store, filled.run_id)["num_done"] == 0
    assert read_predictions(filled.store, filled.run_id).empty


def test_an_image_of_another_dataset_is_refused(filled):
    predictions = filled.predictions()[:3].assign(image_id=[1, 2, 12345])
    with pytest.raises(ValueError, match="image 12345 is not of dataset"):
        write_predictions(filled.store, {filled.run_id: predictions})


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("distance_km", 30_000.0, "distance_km is not from 0 to 20040"),
        ("distance_km", -1.0, "distance_km"),
        ("status", "fine", "status"),
        ("coordinate_source", "guess", "coordinate_source"),
        ("city_correct", 2, "city_correct"),
    ],
)
def test_a_value_out_of_range_is_refused(filled, column, value, message):
    predictions = filled.predictions()[:3].assign(**{column: value})
    with pytest.raises(ValueError, match=message):
        write_predictions(filled.store, {filled.run_id: predictions})


def test_a_missing_column_is_named(filled):
    predictions = filled.predictions().drop(columns="distance_km")
    with pytest.raises(ValueError, match="lack the columns distance_km"):
        write_predictions(filled.store, {filled.run_id: predictions})


def test_an_empty_frame_writes_nothing(filled):
    empty = {filled.run_id: filled.predictions()[:0]}
    assert write_predictions(filled.store, empty) == {filled.run_id: 0}


def test_columns_of_plain_objects_and_flags_as_booleans_are_taken(filled):
    predictions = filled.predictions()
    as_objects = predictions.astype(object).where(predictions.notna(), None)
    as_objects["country_correct"] = predictions["country_correct"].astype(bool)
    write_predictions(filled.store, {filled.run_id: as_objects})
    found = read_predictions(filled.store, filled.run_id)[list(PREDICTION_COLUMNS)]
    pd.testing.assert_frame_equal(found, predictions[list(PREDICTION_COLUMNS)], check_dtype=False)


def test_a_run_of_part_of_the_images_reads_only_those(filled):
    predictions = filled.predictions().iloc[[100, 3, 60]]
    write_predictions(filled.store, {filled.run_id: predictions})
    found = read_predictions(filled.store, filled.run_id)
    assert found["line"].tolist() == [5, 62, 102]


def test_reading_a_run_that_is_not_there_is_refused(filled):
    with pytest.raises(StoreError, match="has no run 7"):
        read_predictions(filled.store, 7)


@pytest.mark.parametrize("chunk_rows", [1, 10, 157, 1000])
def test_predictions_read_in_chunks_are_those_read_at_once(filled, chunk_rows):
    shuffled = filled.predictions().sample(frac=0.8, random_state=3)
    write_predictions(filled.store, {filled.run_id: shuffled})
    whole = read_predictions(filled.store, filled.run_id)
    chunks = list(iterate_predictions(filled.store, filled.run_id, chunk_rows))
    assert len(chunks) == -(-157 // chunk_rows)
    for name in whole:
        values = [value for chunk in chunks for value in chunk[name]]
        assert values == whole[name].astype(object).where(whole[name].notna(), None).tolist()


def test_a_run_without_predictions_has_one_empty_chunk_with_all_names(filled):
    (chunk,) = iterate_predictions(filled.store, filled.run_id)
    assert list(chunk) == list(read_predictions(filled.store, filled.run_id))
    assert not any(chunk.values())


def test_reading_chunks_of_a_run_that_is_not_there_is_refused(filled):
    with pytest.raises(StoreError, match="has no run 7"):
        next(iterate_predictions(filled.store, 7))


def test_predictions_in_any_order_make_the_same_rows(filled):
    other = filled.start(name="second")
    predictions = filled.predictions()
    shuffled = predictions.sample(frac=1, random_state=1)
    write_predictions(filled.store, {filled.run_id: predictions, other: shuffled})
    pd.testing.assert_frame_equal(
        read_predictions(filled.store, filled.run_id), read_predictions(filled.store, other)
    )
