"""Stores filled at random, as columns and as plain rows that SQL gives.

The rows are what the tests count in plain Python; nothing of `streetclip.results` makes them.
"""

import json
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import pytest

from streetclip.results import DatasetTable, RunTable
from streetclip.results.run_table import RunState, selected_rows
from streetclip.store import (
    RUN_DTYPES,
    RUN_FILLS,
    DatasetColumns,
    DatasetSpec,
    RunSpec,
    finish_run,
    open_store,
    register_dataset,
    start_run,
    write_predictions,
)
from streetclip.store.column_writer import distance_bins

# A country in two continents, blank regions and cities, cities of one name, unequal frequencies.
PLACES = [
    ("Europe", "FR", "Île-de-France", "Paris"),
    ("Europe", "FR", "Île-de-France", "Paris"),
    ("Europe", "FR", "", "Lyon"),
    ("Europe", "GB", "England", "London"),
    ("North America", "CA", "Ontario", "London"),
    ("Africa", "RE", "", "Saint-Denis"),
    ("Asia", "SG", "", ""),
    ("Asia", "RU", "Sakha", "Yakutsk"),
    ("Europe", "RU", "Moscow", "Moscow"),
    ("Europe", "FR", "", ""),
]
PREDICTED = ["FR", "GB", "CA", "JP", "RU"]  # JP is never true; RE and SG are never predicted
CITIES = ["Here", "There", ""]
DISTANCES_KM = [0.0, 0.0, 0.1, 1, 25, 200, 750, 2500, 20_000]
PROBABILITIES = [0.0, 1 / 15, 0.2, 0.5, 0.9, 1.0, 1.0]
WEATHER = ["rain", "", "sun", "fog"]


@dataclass
class World:
    """A run: its columns, and one plain dict for each of its predictions by image id."""

    path: Any
    run_id: int
    rows: list[dict[str, Any]]
    image_ids: list[int]
    table: RunTable = field(init=False)

    def __post_init__(self):
        self.table = RunTable.open(self.path, self.run_id)

    def chosen(self, mask):
        """The rows that a mask over the images selects."""
        ids = {i for i, inside in zip(self.image_ids, mask.tolist(), strict=True) if inside}
        return [row for row in self.rows if row["image_id"] in ids]

    def mask(self, keep):
        """Which images have a row that passes; independent of `select`."""
        ids = {row["image_id"] for row in self.rows if keep(row)}
        return np.array([i in ids for i in self.image_ids], dtype=np.bool_)


def make_table(values, *, place=None, places=(("", "", "", ""),), predicted=()):
    """A run over as many images, with some columns given and all others missing.

    Args:
        values: Arrays by name of the column; of distances, the bins follow.
        place: The row of `places` of each image; by default the first.
        places: Continent, country, region, city.
        predicted: Codes of the countries that `pred_place` counts from 1.
    """
    n = len(next(iter(values.values())))
    columns = {name: np.full(n, RUN_FILLS[name], dtype) for name, dtype in RUN_DTYPES.items()}
    columns |= {"done": np.ones(n, np.bool_)} | values
    for name, of in (("distance_bin", "distance_km"), ("nearest_bin", "nearest_km")):
        if of in values:
            columns[name] = distance_bins(values[of])
    names = ["continent", "country", "region", "city"]
    of_dataset = DatasetColumns(
        np.arange(5, 5 + 3 * n, 3),
        np.zeros(n, np.int32) if place is None else np.asarray(place, np.int32),
        pd.DataFrame(list(places), columns=names, dtype=object),
    )
    nowhere = {"city": "", "latitude_deg": np.nan, "longitude_deg": np.nan}
    state = RunState(columns, pd.DataFrame({"country": ["", *predicted], **nowhere}))
    return RunTable(1, DatasetTable(1, of_dataset, {}, None, None), lambda names: state)


def make_manifest(num_images, seed):
    rng = np.random.default_rng(seed)
    places = [PLACES[i] for i in rng.integers(0, len(PLACES), num_images)]
    continent, code, region, city = map(list, zip(*places, strict=True))
    return pd.DataFrame(
        {
            "image_filename": [f"{i}.jpg" for i in rng.permutation(num_images)],
            "city": city,
            "region": region,
            "country": code,
            "continent": continent,
            "country_code": code,
            "latitude_deg": rng.uniform(-80, 80, num_images),
            "longitude_deg": rng.uniform(-180, 180, num_images),
            "line": np.arange(2, num_images + 2),
            "weather": rng.choice(WEATHER, num_images),
            "road": rng.choice(["dirt", "paved"], num_images, p=[0.2, 0.8]),
        }
    )


def make_predictions(manifest, image_ids, seed):
    rng = np.random.default_rng(seed)
    one = [
        _predict(rng, code, int(image_id))
        for code, image_id in zip(manifest["country_code"], image_ids, strict=True)
    ]
    frame = pd.DataFrame(one)
    for name in ("continent", "region", "city"):
        frame[f"true_{name}"] = manifest[name].to_numpy()
    for name in ("true_country_rank", "true_city_rank"):
        frame[name] = frame[name].astype("Int64")
    return frame


def _predict(rng, true, image_id):
    readable = rng.random() > 0.1
    country = rng.choice([*PREDICTED, true]) if readable and rng.random() > 0.03 else None
    right = country == true
    source = rng.choice(["image", "city", "none"], p=[0.7, 0.2, 0.1])
    measured = country is not None and source != "none" and rng.random() > 0.05
    ties = rng.random() < 0.6
    distance = rng.choice(DISTANCES_KM) if ties else 10 ** rng.uniform(-2, 4.2)
    probability = rng.choice(PROBABILITIES) if ties else rng.random()
    second = rng.choice([0.0, 0.05, rng.random() / 2])
    reachable = bool(right or rng.random() < 0.5)
    city_correct = bool(right and rng.random() < 0.4)
    latitude, longitude = rng.uniform(-80, 80), rng.uniform(-180, 180)
    placed = country is not None and rng.random() > 0.1
    return {
        "image_id": image_id,
        "status": "ok" if readable else "unreadable",
        "error": None if readable else "truncated",
        "true_country": true,
        "pred_country": country,
        "pred_city": None if country is None else rng.choice(CITIES),
        "country_correct": int(right),
        "city_correct": int(city_correct),
        "country_reachable": int(reachable),
        "city_reachable": int(city_correct or (reachable and rng.random() < 0.5)),
        "country_probability": None if country is None else probability,
        "city_probability": None if country is None else rng.choice(PROBABILITIES),
        "true_country_rank": None if country is None else int(rng.integers(1, 9)),
        "true_city_rank": None,
        "pred_latitude_deg": latitude if placed else None,
        "pred_longitude_deg": longitude if placed else None,
        "true_latitude_deg": None if source == "none" else rng.uniform(-80, 80),
        "true_longitude_deg": None if source == "none" else rng.uniform(-180, 180),
        "coordinate_source": source,
        "distance_km": distance if measured else None,
        "nearest_candidate_km": None if source == "none" else 10 ** rng.uniform(-2, 4.2),
        "top_countries": None
        if country is None
        else json.dumps([[country, 0.5 + second], ["XX", 0.5 - second]]),
        "top_cities": None if country is None else "[]",
        "margin": None if country is None else (0.5 + second) - (0.5 - second),
    }


def fill_run(store, manifest, dataset, name, seed, num_done):
    """Start a run and write the predictions of images drawn by lot, in three batches."""
    run_id = start_run(store, _run_spec(name, dataset.id, len(manifest)))
    frame = make_predictions(manifest, dataset.image_ids, seed)
    order = np.random.default_rng(seed).permutation(len(manifest))[:num_done]
    for part in np.array_split(order, 3):
        write_predictions(store, {run_id: frame.iloc[part]})
    if num_done == len(manifest):
        finish_run(store, run_id, {})
    return run_id


def _run_spec(name, dataset_id, num_images):
    return RunSpec(
        name=name,
        fingerprint=name,
        dataset_id=dataset_id,
        model_source="model",
        model_sha256="abc",
        candidates_path="candidates.json",
        candidates_sha256="def",
        prompts={},
        strategy="hierarchical",
        seed=42,
        config={},
        versions={},
        commit=None,
        num_images=num_images,
        output_dir="out",
    )


def register(store, folder, manifest, name="test"):
    spec = DatasetSpec(
        name=name,
        csv_path=folder / f"{name}.csv",
        csv_sha256=name,
        image_dir=folder / "images",
        frame=manifest,
        attribute_columns=("weather", "road"),
    )
    return register_dataset(store, spec)


def read_rows(store, run_id):
    """The predictions of a run, straight from the tables of rows."""
    frame = store.frame(
        """
        SELECT p.*, d.continent, d.region, d.city, d.attributes, r.top_countries, i.filename
        FROM predictions AS p
        JOIN runs ON runs.id = p.run_id
        JOIN dataset_images AS d ON d.dataset_id = runs.dataset_id AND d.image_id = p.image_id
        JOIN images AS i ON i.id = p.image_id
        LEFT JOIN prediction_rankings AS r ON r.run_id = p.run_id AND r.image_id = p.image_id
        WHERE p.run_id = ? ORDER BY p.image_id""",
        (run_id,),
        dtype=object,
    )
    rows = frame.to_dict("records")
    for row in rows:
        row["attributes"] = json.loads(row["attributes"])
        top = json.loads(row["top_countries"] or "null")
        row["margin"] = None if top is None else np.float32(top[0][1] - top[1][1])
    return rows


def make_world(folder, num_images, num_done, seed=0):
    manifest = make_manifest(num_images, seed)
    with open_store(folder / "streetclip.db") as store:
        dataset = register(store, folder, manifest)
        run_id = fill_run(store, manifest, dataset, "run", seed, num_done)
        ids = sorted(dataset.image_ids.tolist())
        return World(store.path, run_id, read_rows(store, run_id), ids)


@pytest.fixture(scope="session")
def _worlds(tmp_path_factory):
    return {
        "whole": make_world(tmp_path_factory.mktemp("whole"), 701, 701, seed=1),
        "partial": make_world(tmp_path_factory.mktemp("partial"), 523, 310, seed=2),
    }


@pytest.fixture(params=["whole in blocks of 13", "partial"])
def world(request, _worlds, monkeypatch):
    """A run over 701 images in 54 blocks, or one that has done 310 of 523 in a block; read only."""
    if "blocks" in request.param:
        monkeypatch.setattr(selected_rows, "__defaults__", (13,))
    return _worlds[request.param.split()[0]]


@pytest.fixture(params=["everything", "wrong", "some", "one", "nothing"])
def chosen(request, world):
    """A mask over the images, from all of them to none."""
    rng = np.random.default_rng(7)
    n = len(world.image_ids)
    one = np.zeros(n, dtype=np.bool_)
    one[np.flatnonzero(world.table.done)[5]] = True
    return {
        "everything": np.ones(n, dtype=np.bool_),  # those not done included, which never count
        "wrong": world.mask(lambda row: not row["country_correct"]),
        "some": rng.random(n) < 0.3,
        "one": one,
        "nothing": np.zeros(n, dtype=np.bool_),
    }[request.param]
