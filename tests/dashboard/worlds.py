"""A store with a few hundred images of fourteen countries, two runs over them, and their files."""

import json
import sqlite3
from contextlib import closing

import numpy as np
import pandas as pd
from PIL import Image, ImageDraw

from streetclip.evaluation.run_metrics import measure
from streetclip.geo import haversine_km
from streetclip.results import RunTable
from streetclip.store import (
    DatasetSpec,
    RunSpec,
    finish_run,
    open_store,
    register_dataset,
    set_run_state,
    start_run,
    write_predictions,
)

HOSTILE = (
    '![a](https://evil.example/y.png) <img src="https://evil.example/z.png" onerror=alert(1)>'
    " ../../etc/passwd [x](javascript:alert(1)) :red[hot] \"q\" 'a' `b` $x$ \u202eevil 🙈"
)
"""A name that would fetch, run, colour or reorder something, were it not taken as text."""

# continent, code, country as written, region, city, latitude, longitude
PLACES = [
    ("Europe", "FR", "France", "Île-de-France", "Paris", 48.86, 2.35),
    ("Europe", "FR", "France", "Bretagne", "Rennes", 48.11, -1.68),
    ("Europe", "ES", "Spain", "Madrid", "Madrid", 40.42, -3.70),
    ("Europe", "PT", "Portugal", "", "Lisbon", 38.72, -9.14),
    ("Europe", "DE", "Germany", "Berlin", "Berlin", 52.52, 13.41),
    ("Europe", "SK", "Slovakia", "Bratislavský kraj", "Bratislava", 48.15, 17.11),
    ("Europe", "CZ", "Czechia", "Praha", "Prague", 50.08, 14.44),
    ("Asia", "JP", "Japan", "Tokyo", "Tokyo", 35.69, 139.69),
    ("Asia", "KR", "South Korea", "Seoul", "Seoul", 37.57, 126.98),
    ("Oceania", "NZ", "New Zealand", "", "Auckland", -36.85, 174.76),
    ("Oceania", "AU", "Australia", "Victoria", "Melbourne", -37.81, 144.96),
    ("South America", "BR", "Brazil", "São Paulo", "São Paulo", -23.55, -46.63),
    ("South America", "AR", "Argentina", "", "Buenos Aires", -34.60, -58.38),
    ("North America", "US", "United States", "Texas", "Austin", 30.27, -97.74),
    ("Africa", "ZA", "South Africa", "Gauteng", "Pretoria", -25.75, 28.19),
]
# No candidate names Pretoria: what is placed there is placed in another city of the country.
OUT_OF_REACH = "Pretoria"
INSTEAD = ("Africa", "ZA", "South Africa", "Gauteng", "Johannesburg", -26.20, 28.05)
CODES = sorted({place[1] for place in PLACES})
CANDIDATES = sorted({*CODES, "AT", "BE", "CL", "NP"})  # four that are never predicted
NUM_BROKEN = 4  # files that hold no image, at the end
NUM_MISSING = 2  # files that are not there, before them


def manifest(num_images, seed, *, text=""):
    """Rows of a test file; `text` is put into every free text."""
    rng = np.random.default_rng(seed)
    chosen = [PLACES[i] for i in rng.integers(0, len(PLACES), num_images)]
    continent, code, country, region, city, latitude, longitude = map(
        list, zip(*chosen, strict=True)
    )
    return pd.DataFrame(
        {
            "image_filename": [f"street/{i:04d}.jpg" for i in range(num_images)],
            "city": [f"{each}{text}" for each in city],
            "region": [f"{each}{text}" for each in region],
            "country": [f"{each}{text}" for each in country],
            "continent": continent,
            "country_code": code,
            "latitude_deg": np.array(latitude) + rng.normal(0, 0.1, num_images),
            "longitude_deg": np.array(longitude) + rng.normal(0, 0.1, num_images),
            "line": np.arange(2, num_images + 2),
            "weather": [
                f"{each}{text}" for each in rng.choice(["rain", "snow", "sun"], num_images)
            ],
            "camera": rng.choice(["phone", "dash"], num_images),
            "scene": [f"scene {i}{text}" for i in range(num_images)],
        }
    )


def predictions(rows, image_ids, seed, skill, *, text=""):
    """A model that knows the country with probability `skill`, else takes any other place."""
    rng = np.random.default_rng(seed)
    n = len(rows)
    by_city = {place[4]: place for place in PLACES}
    truth = [by_city[city.removesuffix(text)] for city in rows["city"]]
    guess = [PLACES[i] for i in rng.integers(0, len(PLACES), n)]
    knows = rng.random(n) < skill
    said = [t if k else g for t, g, k in zip(truth, guess, knows, strict=True)]
    said = [INSTEAD if place[4] == OUT_OF_REACH else place for place in said]
    ok = np.arange(n) < n - NUM_BROKEN - NUM_MISSING
    pred_country = np.array([place[1] for place in said], dtype=object)
    country_correct = ok & (pred_country == rows["country_code"].to_numpy())
    city_correct = country_correct & np.array(
        [t[4] == s[4] for t, s in zip(truth, said, strict=True)]
    )
    latitude, longitude = (np.array([place[i] for place in said]) for i in (5, 6))
    distance_km = haversine_km(rows["latitude_deg"], rows["longitude_deg"], latitude, longitude)
    sure = np.float32(rng.beta(np.where(knows, 6, 2), np.where(knows, 2, 3)))
    others = rng.permuted(np.tile(CODES, (n, 1)), axis=1)[:, :4]
    return pd.DataFrame(
        {
            "image_id": image_ids,
            "status": np.where(ok, "ok", "unreadable"),
            "error": np.where(ok, None, f"the file is damaged{text}"),
            "true_country": rows["country_code"],
            "true_continent": rows["continent"],
            "true_region": rows["region"],
            "true_city": rows["city"],
            "pred_country": np.where(ok, pred_country, None),
            "pred_city": np.where(ok, [f"{place[4]}{text}" for place in said], None),
            "country_correct": country_correct.astype(int),
            "city_correct": city_correct.astype(int),
            "country_reachable": 1,
            "city_reachable": (np.array([place[4] for place in truth]) != OUT_OF_REACH).astype(int),
            "country_probability": np.where(ok, sure, np.nan),
            "city_probability": np.where(ok, np.float32(rng.random(n)), np.nan),
            "true_country_rank": pd.array(
                np.where(ok, np.where(country_correct, 1, rng.integers(2, 9, n)), None), "Int64"
            ),
            "true_city_rank": pd.array(np.where(ok, 1, None), "Int64"),
            "pred_latitude_deg": np.where(ok, latitude, np.nan),
            "pred_longitude_deg": np.where(ok, longitude, np.nan),
            "true_latitude_deg": rows["latitude_deg"],
            "true_longitude_deg": rows["longitude_deg"],
            "coordinate_source": "image",
            "distance_km": np.where(ok, distance_km, np.nan),
            "nearest_candidate_km": 3.0,
            "margin": np.where(ok, (np.float64(sure) * 6 - 1) / 5, np.nan),
            "top_countries": [
                json.dumps([[s, float(p)], *([c, float(1 - p) / 5] for c in o if c != s)])
                if k
                else None
                for s, p, o, k in zip(pred_country, sure, others, ok, strict=True)
            ],
            "top_cities": [
                json.dumps([[f"{s[4]}{text}", s[1], 0.5]]) if k else None
                for s, k in zip(said, ok, strict=True)
            ],
        }
    )


def draw_images(folder, names):
    """A file for each name: a plain picture, the last few broken or missing."""
    (folder / "street").mkdir(parents=True, exist_ok=True)
    for position, name in enumerate(names):
        if position >= len(names) - NUM_BROKEN:
            (folder / name).write_bytes(b"no image at all")
        elif position < len(names) - NUM_BROKEN - NUM_MISSING:
            picture = Image.new("RGB", (160, 120), (position % 200, 120, 200 - position % 200))
            ImageDraw.Draw(picture).rectangle((20, 60, 140, 110), fill=(90, 90, 90))
            picture.save(folder / name, quality=60)


class World:
    """A store of its own with a dataset; runs are added to it."""

    def __init__(self, folder, *, num_images=300, seed=5, text="", with_files=True):
        self.path = folder / "streetclip.db"
        self.image_dir = folder / "images"
        self.text = text
        self.rows = manifest(num_images, seed, text=text)
        if with_files:
            draw_images(self.image_dir, list(self.rows["image_filename"]))
        with open_store(self.path) as store:
            self.dataset = register_dataset(
                store,
                DatasetSpec(
                    name=f"world{text}",
                    csv_path=folder / "test.csv",
                    csv_sha256=f"{num_images} {seed}",
                    image_dir=self.image_dir,
                    frame=self.rows,
                    attribute_columns=("weather", "camera", "scene"),
                ),
            )

    def add_run(self, name="first", *, skill=0.6, seed=1, num_done=None, state="done", error=None):
        """Evaluate: write the first `num_done` predictions of a model, and give the run's id."""
        n = len(self.rows)
        with open_store(self.path) as store:
            run_id = start_run(store, self._spec(name, seed))
            frame = predictions(self.rows, self.dataset.image_ids, seed, skill, text=self.text)
            for start in range(0, n if num_done is None else num_done, 64):
                stop = min(start + 64, n if num_done is None else num_done)
                write_predictions(store, {run_id: frame.iloc[start:stop]})
            if state == "done":
                table = RunTable.open(self.path, run_id)
                finish_run(store, run_id, measure(table, candidate_codes=CANDIDATES))
            else:
                set_run_state(store, run_id, state, error)
        return run_id

    def with_two_runs(self, older=0.4, newer=0.7):
        """Add a run, and one of another skill, and give this world."""
        self.add_run("older", skill=older, seed=1)
        self.add_run("newer", skill=newer, seed=2)
        return self

    def sql(self, query, *values):
        """Rows of a plain SQL query, past all code of ours."""
        with closing(sqlite3.connect(f"file:{self.path}?mode=ro", uri=True)) as connection:
            return connection.execute(query, values).fetchall()

    def _spec(self, name, seed):
        return RunSpec(
            name=f"{name}{self.text}",
            fingerprint=f"{name} {seed}",
            dataset_id=self.dataset.id,
            model_source=f"outputs/training/best_model.pt{self.text}",
            model_sha256="abc",
            candidates_path="data/candidates.json",
            candidates_sha256="def",
            prompts={"name": "paper", "country": [f"A photo in {{country}}.{self.text}"]},
            strategy="hierarchical",
            seed=42,
            config={"precision_used": "fp32", "candidate_countries": CANDIDATES},
            versions={"torch": "2.13.0"},
            commit="e3a0417",
            num_images=len(self.rows),
            output_dir="outputs/evaluation",
        )
