"""A store in a temporary folder, and predictions drawn at random."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from streetclip.process_identity import ProcessId, current_process
from streetclip.runtime import (
    JobSpec,
    attach_job,
    claim_job,
    end_job,
    enqueue_job,
    get_job,
    register_job,
)
from streetclip.store import DatasetSpec, RunSpec, open_store, register_dataset, start_run

PLACES = [
    ("Europe", "FR", "Île-de-France", "Paris"),
    ("Europe", "FR", "", "Lyon"),
    ("Europe", "FR", "Normandie", "Saint-Denis"),
    ("Europe", "GB", "England", "London"),
    ("North America", "CA", "Ontario", "London"),
    ("Africa", "RE", "", "Saint-Denis"),
    ("Asia", "SG", "", ""),
]


def make_manifest_frame(num_images, seed=0):
    rng = np.random.default_rng(seed)
    places = [PLACES[i] for i in rng.integers(0, len(PLACES), num_images)]
    continent, code, region, city = map(list, zip(*places, strict=True))
    return pd.DataFrame(
        {
            "image_filename": [f"street/{i}.jpg" for i in rng.permutation(num_images)],
            "city": city,
            "region": region,
            "country": [f"land of {each}" for each in code],
            "continent": continent,
            "country_code": code,
            "latitude_deg": rng.uniform(-80, 80, num_images),
            "longitude_deg": rng.uniform(-180, 180, num_images),
            "line": np.arange(2, num_images + 2),
            "weather": rng.choice(["rain", "sun"], num_images),
        }
    )


def make_predictions(manifest, image_ids, seed=0):
    """Predictions of a model that draws lots: some images unreadable, some without distance."""
    rng = np.random.default_rng(seed)
    n = len(manifest)
    ok = rng.random(n) > 0.1
    pred_country = np.where(ok, rng.choice(["FR", "GB", "CA", "SG", "RE"], n), None)
    country_correct = (pred_country == manifest["country_code"].to_numpy()).astype(int)
    source = rng.choice(["image", "city", "none"], n, p=[0.7, 0.2, 0.1])
    distance_km = np.where(ok & (source != "none"), 10 ** rng.uniform(-2, 4.3, n), np.nan)
    exact = rng.random(n) < 0.2
    thresholds = rng.choice([0.0, 1, 25, 200, 750, 2500], n)
    distance_km = np.where(exact & ~np.isnan(distance_km), thresholds, distance_km)
    return pd.DataFrame(
        {
            "image_id": image_ids,
            "status": np.where(ok, "ok", "unreadable"),
            "error": np.where(ok, None, "truncated"),
            "true_country": manifest["country_code"],
            "true_continent": manifest["continent"],
            "true_region": manifest["region"],
            "true_city": manifest["city"],
            "pred_country": pred_country,
            "pred_city": np.where(ok, "Somewhere", None),
            "country_correct": country_correct,
            "city_correct": country_correct * rng.integers(0, 2, n),
            "country_reachable": rng.integers(0, 2, n),
            "city_reachable": rng.integers(0, 2, n),
            "country_probability": np.where(ok, rng.random(n, np.float32), np.nan).astype(float),
            "city_probability": np.where(ok, rng.random(n, np.float32), np.nan).astype(float),
            "true_country_rank": pd.array(np.where(ok, rng.integers(1, 6, n), None), "Int64"),
            "true_city_rank": pd.array(np.where(ok, rng.integers(1, 9, n), None), "Int64"),
            "pred_latitude_deg": np.where(ok, rng.uniform(-80, 80, n), np.nan),
            "pred_longitude_deg": np.where(ok, rng.uniform(-180, 180, n), np.nan),
            "true_latitude_deg": np.where(source != "none", rng.uniform(-80, 80, n), np.nan),
            "true_longitude_deg": np.where(source != "none", rng.uniform(-180, 180, n), np.nan),
            "coordinate_source": source,
            "distance_km": distance_km,
            "nearest_candidate_km": np.where(
                rng.random(n) < 0.9, 10 ** rng.uniform(-2, 4.3, n), np.nan
            ),
            "top_countries": np.where(ok, '[["FR", 0.5], ["GB", 0.25]]', None),
            "margin": np.where(ok, 0.25, np.nan),
            "top_cities": np.where(ok, '[["Paris", "FR", 0.5]]', None),
        }
    )


class Filled:
    """A store with one dataset of `num_images` and one run that has no predictions yet."""

    def __init__(self, folder: Path, num_images: int):
        self.path = folder / "streetclip.db"
        self.folder = folder
        self.store = open_store(self.path)
        self.manifest = make_manifest_frame(num_images)
        self.dataset_spec = DatasetSpec(
            name="test",
            csv_path=folder / "test.csv",
            csv_sha256="c5f",
            image_dir=folder / "images",
            frame=self.manifest,
            attribute_columns=("weather",),
            num_skipped=3,
            drawn=True,
        )
        self.dataset = register_dataset(self.store, self.dataset_spec)
        self.run_id = self.start()

    def start(self, **changes):
        return start_run(self.store, self.run_spec(**changes))

    def run_spec(self, **changes):
        values = {
            "name": "first",
            "fingerprint": "f1",
            "dataset_id": self.dataset.id,
            "model_source": "models/small",
            "model_sha256": "abc",
            "candidates_path": Path("candidates.json"),
            "candidates_sha256": "def",
            "prompts": {"name": "paper", "country": ["A photo in {country}."]},
            "strategy": "hierarchical",
            "seed": 42,
            "config": {"batch_size": 32},
            "versions": {"python": "3.11"},
            "commit": None,
            "num_images": len(self.manifest),
            "output_dir": self.folder / "out",
        }
        return RunSpec(**(values | changes))

    def predictions(self, seed=0):
        return make_predictions(self.manifest, self.dataset.image_ids, seed)


class Queue:
    """A store with jobs of this process, each in an output folder of its own."""

    def __init__(self, folder: Path):
        self.path = folder / "streetclip.db"
        self.folder = folder
        self.store = open_store(self.path)
        self.process = current_process()

    def spec(self, **changes):
        values = {
            "kind": "train",
            "name": "first",
            "arguments": ("--num_epochs=3",),
            "parameters": {"num_epochs": 3},
            "output_dir": Path("outputs"),
            "cwd": self.folder,
        }
        return JobSpec(**(values | changes))

    def add(self, **changes):
        """A queued job and its id."""
        number = self.store.rows("SELECT count(*) FROM jobs")[0][0]
        return enqueue_job(self.store, self.spec(**{"output_dir": Path(f"out{number}")} | changes))

    def claim(self, process=None, most_running=99):
        return claim_job(self.store, process or self.process, most_running=most_running)

    def start(self, process=None, **changes):
        """A running job that its process has taken over, and its id."""
        job_id = self.add(**changes)
        ticket = self.claim(process)
        assert ticket.job_id == job_id
        attach_job(self.store, job_id, process or self.process)
        return job_id

    def register(self, process=None, *, resume=False, **changes):
        """The ticket of a job started in a shell."""
        spec = self.spec(**changes)
        return register_job(self.store, spec, process or self.process, resume=resume)

    def bring(self, state):
        """A job in this state, and its id; one that runs is attached."""
        if state == "queued":
            return self.add()
        job_id = self.start()
        if state != "running":
            assert end_job(self.store, job_id, 1, state)
        return job_id

    def get(self, job_id):
        return get_job(self.store, job_id)

    def state(self, job_id):
        return self.get(job_id)["state"]

    def other(self, **changes):
        """A process like this one, but for what is given."""
        values = vars(self.process) | {"pid": 7, "started_at": 1e9}
        return ProcessId(**(values | changes))


@pytest.fixture
def queue(tmp_path):
    made = Queue(tmp_path)
    yield made
    made.store.close()


@pytest.fixture
def filled(tmp_path):
    made = Filled(tmp_path, num_images=157)
    yield made
    made.store.close()


@pytest.fixture
def make_filled(tmp_path):
    made = []

    def make(num_images):
        folder = tmp_path / str(len(made))
        folder.mkdir()
        made.append(Filled(folder, num_images))
        return made[-1]

    yield make
    for each in made:
        each.store.close()
