"""Rows and details of images against the frames that were written."""

import json

import numpy as np
import pandas as pd
import pytest

from streetclip.errors import StoreError
from streetclip.store import (
    DatasetSpec,
    image_detail,
    image_in_runs,
    image_path,
    image_rows,
    read_predictions,
    register_dataset,
    set_run_state,
    write_predictions,
)

SAME = [
    "image_filename", "line", "status", "error", "country", "true_country", "true_continent",
    "true_region", "true_city", "pred_country", "pred_city", "country_probability",
    "city_probability", "true_country_rank", "true_city_rank", "true_latitude_deg",
    "true_longitude_deg", "pred_latitude_deg", "pred_longitude_deg", "coordinate_source",
    "distance_km", "nearest_candidate_km",
]  # fmt: skip


def test_rows_come_in_the_order_asked_without_those_that_the_run_lacks(filled):
    write_predictions(filled.store, {filled.run_id: filled.predictions()[:100]})
    whole = read_predictions(filled.store, filled.run_id).set_index("image_id")
    rng = np.random.default_rng(2)
    asked = rng.permutation([*filled.dataset.image_ids, 0, -1, 10**6])
    found = image_rows(filled.store, filled.run_id, asked)
    expected = [each for each in asked if each in whole.index]
    assert found["image_id"].tolist() == expected
    assert len(expected) == 100
    objects = [frame.astype(object) for frame in (found[SAME], whole.loc[expected, SAME])]
    plain = [frame.where(frame.notna(), None).to_numpy().tolist() for frame in objects]
    assert plain[0] == plain[1]
    assert found["error"].dropna().tolist() == ["truncated"] * (found["status"] != "ok").sum()
    for name in ("country_correct", "city_correct", "country_reachable", "city_reachable"):
        assert found[name].dtype == bool
        assert found[name].tolist() == whole.loc[expected, name].astype(bool).tolist()
    weather = filled.manifest.set_index("line")["weather"]
    assert [json.loads(text)["weather"] for text in found["attributes"]] == list(
        weather.loc[found["line"]]
    )


def test_no_images_are_an_empty_frame_of_the_same_columns(filled):
    none = image_rows(filled.store, filled.run_id, [])
    assert none.empty
    write_predictions(filled.store, {filled.run_id: filled.predictions()})
    some = image_rows(filled.store, filled.run_id, [3])
    assert none.dtypes.equals(some.dtypes)


def test_a_detail_tells_everything_of_an_image(filled):
    write_predictions(filled.store, {filled.run_id: filled.predictions()})
    whole = read_predictions(filled.store, filled.run_id)
    for _, row in whole[:30].iterrows():
        detail = image_detail(filled.store, filled.run_id, row["image_id"])
        for name in SAME:
            missing = detail[name] is None
            assert missing == bool(pd.isna(row[name]))
            assert missing or detail[name] == row[name]
        readable = row["status"] == "ok"
        assert detail["top_countries"] == ([["FR", 0.5], ["GB", 0.25]] if readable else [])
        assert detail["top_cities"] == ([["Paris", "FR", 0.5]] if readable else [])
        assert detail["attributes"] == {"weather": detail["attributes"]["weather"]}
        assert detail["csv_path"] == str(filled.folder / "test.csv")
        assert detail["folder"] == str((filled.folder / "images").resolve())
        assert detail["city_correct"] is bool(row["city_correct"])


def test_an_image_that_waits_for_its_prediction_has_a_detail_too(filled):
    detail = image_detail(filled.store, filled.run_id, 3)
    assert detail["status"] is None
    assert detail["city_correct"] is None
    assert detail["top_countries"] == []
    assert detail["true_country"]


def test_an_image_of_another_dataset_or_none_is_refused(filled):
    for image_id in (0, -1, 158, 2**80):
        with pytest.raises(StoreError, match=r"has no image|nothing with the id"):
            image_detail(filled.store, filled.run_id, image_id)
        with pytest.raises(StoreError, match=r"has no image|nothing with the id"):
            image_path(filled.store, image_id)
    for run_id in (7, 2**80):
        with pytest.raises(StoreError, match=r"no run|nothing with the id"):
            image_detail(filled.store, run_id, 1)
        with pytest.raises(StoreError, match=r"no run|nothing with the id"):
            image_rows(filled.store, run_id, [1])


def test_an_image_is_found_in_every_run_of_every_dataset(filled):
    second = filled.start(name="<b>second</b>", strategy="flat")
    filled.start(name="without predictions")
    other_spec = DatasetSpec(
        name="other",
        csv_path=filled.folder / "other.csv",
        csv_sha256="0ff",
        image_dir=filled.folder / "images",
        frame=filled.manifest[5:40],
    )
    other = register_dataset(filled.store, other_spec)
    third = filled.start(name="third", dataset_id=other.id)
    first = filled.predictions(0)
    frames = {
        filled.run_id: first,
        second: filled.predictions(1),
        third: filled.predictions(2)[5:40],
    }
    write_predictions(filled.store, frames)
    set_run_state(filled.store, second, "interrupted")
    image_id = int(other.image_ids[0])
    found = image_in_runs(filled.store, image_id)
    assert found["run_id"].tolist() == [third, second, filled.run_id]
    assert found["name"].tolist() == ["third", "<b>second</b>", "first"]
    assert found["state"].tolist() == ["running", "interrupted", "running"]
    assert found["strategy"].tolist() == ["hierarchical", "flat", "hierarchical"]
    for run_id, row in zip(found["run_id"], found.itertuples(), strict=True):
        frame = frames[run_id].set_index("image_id")
        assert row.country_correct == bool(frame.loc[image_id, "country_correct"])
        np.testing.assert_equal(row.distance_km, frame.loc[image_id, "distance_km"])
    outside = int(filled.dataset.image_ids[0])
    assert image_in_runs(filled.store, outside)["run_id"].tolist() == [second, filled.run_id]
    assert image_in_runs(filled.store, 9_999).empty
    assert image_detail(filled.store, third, image_id)["attributes"] == {}


def test_a_path_is_folder_and_name_as_registered(filled):
    names = filled.manifest["image_filename"].tolist()
    for image_id, name in zip(filled.dataset.image_ids.tolist(), names, strict=True):
        assert image_path(filled.store, image_id) == ((filled.folder / "images").resolve(), name)
