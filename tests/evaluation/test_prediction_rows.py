"""Rows of the store against plain loops over the images."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from streetclip.config import STRATEGIES
from streetclip.data.candidates import load_candidates
from streetclip.evaluation.prediction_rows import prediction_frame, truth_frame, unreadable_frame
from streetclip.evaluation.predictor import PlaceClassifier, predict
from streetclip.evaluation.true_places import find_truth
from streetclip.store.predictions import PREDICTION_COLUMNS

CITIES = {
    "France": ["Paris", "Lyon", "Marseille"],
    "Monaco": ["Monaco"],
    "Poland": ["Łódź", "Kraków"],
    "Japan": ["Tokyo", {"city": 'New "Edo"', "latitude": 35.5, "longitude": 139.5}],
}
TRUTHS = [("FR", "Lyon"), ("MC", "Monaco"), ("PL", "Gdańsk"), ("DE", "Berlin"), ("JP", "")]
NUM_IMAGES, TOP_K = 23, 3


@pytest.fixture
def world(tmp_path: Path):
    path = tmp_path / "candidates.json"
    path.write_text(json.dumps(CITIES), encoding="utf-8")
    candidates = load_candidates(path)
    rng = np.random.default_rng(4)
    manifest = make_manifest(rng)
    return candidates, manifest, find_truth(manifest, candidates), rng


def make_manifest(rng):
    code, city = zip(*(TRUTHS[i % len(TRUTHS)] for i in range(NUM_IMAGES)), strict=True)
    with_coordinates = rng.random(NUM_IMAGES) < 0.5
    return pd.DataFrame(
        {
            "image_filename": [f"{i}.jpg" for i in range(NUM_IMAGES)],
            "country_code": code,
            "country": code,
            "continent": "Somewhere",
            "region": "",
            "city": city,
            "latitude_deg": np.where(with_coordinates, rng.uniform(40, 50, NUM_IMAGES), np.nan),
            "longitude_deg": np.where(with_coordinates, rng.uniform(0, 20, NUM_IMAGES), np.nan),
        }
    )


def predictions_of(world, strategy, rows):
    candidates, _, truth, rng = world

    def unit(num):
        return torch.nn.functional.normalize(torch.from_numpy(rng.standard_normal((num, 7))), dim=1)

    classifier = PlaceClassifier(
        unit(4).float(), unit(8).float(), torch.from_numpy(candidates.city_country_M), 20.0
    )
    return predict(
        unit(len(rows)),
        classifier,
        strategy,
        true_country_N=truth.country_N[rows],
        true_city_N=truth.city_N[rows],
        top_k=TOP_K,
    )


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_rankings_are_the_json_of_plain_lists(world, strategy):
    candidates, manifest, truth, _ = world
    rows = np.array([4, 0, 7, 22, 9, 15, 16])
    predictions = predictions_of(world, strategy, rows)
    known = truth_frame(manifest, truth, rows, 100 + np.arange(NUM_IMAGES))
    frame = prediction_frame(known, predictions, truth, rows, candidates)
    assert sorted(frame.columns) == sorted((*PREDICTION_COLUMNS, "margin"))
    codes = candidates.country_codes
    for i in range(len(rows)):
        countries = [
            [codes[index], round(float(p), 5)]
            for index, p in zip(
                predictions.top_countries_NK[i],
                predictions.top_country_probabilities_NK[i],
                strict=True,
            )
        ]
        cities = [
            [
                candidates.city_names[index],
                codes[candidates.city_country_M[index]],
                round(float(p), 5),
            ]
            for index, p in zip(
                predictions.top_cities_NK[i], predictions.top_city_probabilities_NK[i], strict=True
            )
            if index >= 0
        ]
        assert frame["top_countries"][i] == json.dumps(countries)
        assert frame["margin"][i] == countries[0][1] - countries[1][1]
        assert frame["top_cities"][i] == json.dumps(cities, ensure_ascii=False)


def test_rows_belong_to_the_images_asked_for(world):
    candidates, manifest, truth, _ = world
    rows = np.array([5, 3, 11])
    known = truth_frame(manifest, truth, rows, 100 + np.arange(NUM_IMAGES))
    frame = prediction_frame(
        known, predictions_of(world, "hierarchical", rows), truth, rows, candidates
    )
    assert frame["image_id"].tolist() == [105, 103, 111]
    assert frame["true_country"].tolist() == ["FR", "DE", "MC"]
    assert frame["country_reachable"].tolist() == [1, 0, 1]
    cities = manifest["city"].iloc[rows]
    for row, true_city in zip(frame.to_dict("records"), cities, strict=True):
        place = candidates.city_names.index(row["pred_city"])
        assert candidates.country_codes[candidates.city_country_M[place]] == row["pred_country"]
        assert row["country_correct"] == (row["pred_country"] == row["true_country"])
        assert row["city_correct"] == (row["country_correct"] and row["pred_city"] == true_city)
        assert pd.isna(row["true_country_rank"]) == (row["true_country"] == "DE")


def test_unreadable_images_have_the_same_columns_and_no_prediction(world):
    _, manifest, truth, _ = world
    known = truth_frame(manifest, truth, np.array([2, 8]), np.arange(NUM_IMAGES))
    frame = unreadable_frame(known, ["truncated", "missing"])
    assert sorted(frame.columns) == sorted((*PREDICTION_COLUMNS, "margin"))
    assert frame["error"].tolist() == ["truncated", "missing"]
    blank = ["pred_country", "pred_city", "country_probability", "distance_km", "top_cities",
             "true_city_rank", "top_countries", "margin"]  # fmt: skip
    assert frame[blank].isna().all(axis=None)
    assert frame[["country_correct", "city_correct"]].sum().sum() == 0
