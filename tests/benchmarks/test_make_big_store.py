"""The store that the dashboard's speed is measured on is one like those that evaluations write."""

import numpy as np
import pytest

from benchmarks.make_big_store import main, make_big_store
from streetclip import gazetteer
from streetclip.data.candidates import load_candidates
from streetclip.store import (
    attribute_names,
    get_run,
    image_path,
    image_rows,
    list_runs,
    open_store,
    read_predictions,
)

NUM_IMAGES = 6_000


@pytest.fixture(scope="module")
def big(tmp_path_factory):
    folder = tmp_path_factory.mktemp("big")
    path = folder / "big.db"
    make_big_store(path, num_images=NUM_IMAGES, image_dir=folder / "images", quiet=True)
    with open_store(path, read_only=True) as store:
        yield store


def test_both_runs_are_done_and_the_second_is_right_more_often(big):
    runs = list_runs(big).sort_values("id")
    assert runs["state"].tolist() == ["done", "done"]
    assert runs["num_done"].tolist() == [NUM_IMAGES, NUM_IMAGES]
    share = runs["country_correct"] / NUM_IMAGES
    assert 0.4 < share.iloc[0] < 0.6 < share.iloc[1] < 0.8
    assert 0 < get_run(big, 1)["metrics"]["num_unreadable"] < 60
    assert get_run(big, 1)["metrics"]["country_accuracy"]["value"] == pytest.approx(share.iloc[0])


def test_mistakes_go_to_the_same_continent_and_right_answers_are_surer(big):
    predictions = read_predictions(big, 1)
    read = predictions[predictions["status"] == "ok"]
    wrong = read[read["country_correct"] == 0]
    countries = gazetteer.countries()
    same = [
        countries[pred].continent == continent
        for pred, continent in zip(wrong["pred_country"], wrong["true_continent"], strict=True)
    ]
    assert np.mean(same) > 0.6
    sure = read.groupby("country_correct")["country_probability"].mean()
    assert sure[1] > sure[0] + 0.1
    assert read["true_country"].nunique() > 180
    assert predictions["distance_km"].notna().mean() > 0.97


def test_attributes_candidates_and_first_images_are_there(big):
    assert {name: len(values) for name, values in attribute_names(big, 1).items()} == {
        "weather": 5,
        "season": 4,
    }
    folder, name = image_path(big, 1)
    assert (folder / name).is_file()
    codes = set(load_candidates(big.path.with_suffix(".candidates.json")).country_codes)
    predicted = {code for code in image_rows(big, 2, range(1, 500))["pred_country"] if code}
    assert predicted <= codes


def test_the_same_seed_gives_the_same_rows_and_nothing_is_overwritten(big, tmp_path):
    again = tmp_path / "again.db"
    main(["--images", str(NUM_IMAGES), "--db", str(again), "--runs", "1"])
    with open_store(again, read_only=True) as store:
        assert read_predictions(store, 1).equals(read_predictions(big, 1))
    with pytest.raises(FileExistsError):
        make_big_store(again, num_images=5)
