"""Stores with known figures, the page run by AppTest, and a real server with a real browser."""

import dataclasses
import functools
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import streamlit as st
from streamlit.components.v2 import manifest_scanner

from dashboard.shell import rights
from dashboard.views.jobs import launcher
from streetclip.evaluation.run_metrics import measure
from streetclip.results import RunTable
from streetclip.store import (
    DatasetSpec,
    RunSpec,
    finish_run,
    open_store,
    read_predictions,
    register_dataset,
    set_run_state,
    start_run,
    write_predictions,
)
from tests.dashboard.job_records import Records
from tests.dashboard.pages import open_page_of, opener_of
from tests.dashboard.sites import FLAGS, PATIENCE_MS, Visit, chromium, serve
from tests.dashboard.training_records import Trainings

ROOT = Path(__file__).parents[2]

NUM_IMAGES = 120
# By true country: images, of these country right, of these city right, city among candidates.
TRUTH = {
    ("Europe", "FR", "Paris"): (60, 45, 30, 60),
    ("Asia", "JP", "Tokyo"): (40, 20, 10, 30),
    ("Oceania", "NZ", "Auckland"): (20, 5, 5, 20),
}
CANDIDATES = ("BR", "FR", "JP", "NZ")
NUM_UNREADABLE = 4  # the last images of New Zealand
CITY_RIGHT_KM, COUNTRY_RIGHT_KM, WRONG_KM = 5.0, 300.0, 3000.0


def manifest_frame():
    places = [place for place, (n, *_) in TRUTH.items() for _ in range(n)]
    continent, code, city = map(list, zip(*places, strict=True))
    return pd.DataFrame(
        {
            "image_filename": [f"{i}.jpg" for i in range(NUM_IMAGES)],
            "city": city,
            "region": "",
            "country": code,
            "continent": continent,
            "country_code": code,
            "latitude_deg": 10.0,
            "longitude_deg": 20.0,
            "line": np.arange(2, NUM_IMAGES + 2),
        }
    )


def prediction_frame(image_ids):
    """What `TRUTH` says, as the store takes it."""
    within = [i for n, *_ in TRUTH.values() for i in range(n)]
    of_place = [counts for counts in TRUTH.values() for _ in range(counts[0])]
    country_correct = np.array([i < c[1] for i, c in zip(within, of_place, strict=True)])
    city_correct = np.array([i < c[2] for i, c in zip(within, of_place, strict=True)])
    reachable = np.array([i < c[3] for i, c in zip(within, of_place, strict=True)])
    readable = np.arange(NUM_IMAGES) < NUM_IMAGES - NUM_UNREADABLE
    truth = manifest_frame()
    km = np.where(
        city_correct, CITY_RIGHT_KM, np.where(country_correct, COUNTRY_RIGHT_KM, WRONG_KM)
    )
    return pd.DataFrame(
        {
            "image_id": image_ids,
            "status": np.where(readable, "ok", "unreadable"),
            "error": np.where(readable, None, "truncated"),
            "true_country": truth["country_code"],
            "true_continent": truth["continent"],
            "true_region": "",
            "true_city": truth["city"],
            "pred_country": np.where(
                country_correct, truth["country_code"], np.where(readable, "BR", None)
            ),
            "pred_city": np.where(readable, "Somewhere", None),
            "country_correct": country_correct.astype(int),
            "city_correct": city_correct.astype(int),
            "country_reachable": 1,
            "city_reachable": reachable.astype(int),
            "country_probability": np.where(readable, 0.7, np.nan),
            "city_probability": np.where(readable, 0.4, np.nan),
            "true_country_rank": pd.array(np.where(readable, 1, None), "Int64"),
            "true_city_rank": pd.array(np.where(readable, 2, None), "Int64"),
            "pred_latitude_deg": np.where(readable, 1.0, np.nan),
            "pred_longitude_deg": np.where(readable, 2.0, np.nan),
            "true_latitude_deg": 10.0,
            "true_longitude_deg": 20.0,
            "coordinate_source": "image",
            "distance_km": np.where(readable, km, np.nan),
            "nearest_candidate_km": 3.0,
            "top_countries": None,
            "top_cities": None,
            "margin": np.nan,
        }
    )


@pytest.fixture(autouse=True, scope="session")
def installed_components():
    """What packages add to Streamlit is looked up once; AppTest would look for each page."""
    with pytest.MonkeyPatch.context() as patch:
        look_up = functools.cache(manifest_scanner.scan_component_manifests)
        patch.setattr(manifest_scanner, "scan_component_manifests", look_up)
        yield


@pytest.fixture(autouse=True)
def every_right(monkeypatch):
    """Without a server between them, tests have the highest right unless they choose another."""
    monkeypatch.setattr(rights, "right_of_visitor", lambda: rights.Right.RUN_JOBS)


class Written:
    """A store that tests write runs into, as the evaluate job does."""

    def __init__(self, path):
        self.path = path
        with open_store(path):
            pass

    def add_run(self, *, num_done=NUM_IMAGES, state="done", error=None, drawn=False, **changes):
        """Add a run with its first `num_done` predictions, and give its id."""
        dataset_name = changes.pop("dataset_name", "test")
        with open_store(self.path) as store:
            dataset = register_dataset(
                store,
                DatasetSpec(
                    name=dataset_name,
                    csv_path=self.path.parent / "test.csv",
                    csv_sha256=f"{dataset_name} {drawn}",
                    image_dir=self.path.parent / "images",
                    frame=manifest_frame(),
                    drawn=drawn,
                ),
            )
            run_id = start_run(store, self._spec(dataset.id, changes))
            self._write(store, run_id, prediction_frame(dataset.image_ids).head(num_done))
            if state == "done":
                table = RunTable.open(store.path, run_id)
                finish_run(store, run_id, measure(table, candidate_codes=CANDIDATES))
            else:
                set_run_state(store, run_id, state, error)
        return run_id

    def add_predictions(self, run_id, start, stop):
        """Write further predictions of a run, as a job does while the page is open."""
        with open_store(self.path) as store:
            ids = read_predictions(store, run_id)["image_id"].iloc[0] + np.arange(NUM_IMAGES)
            self._write(store, run_id, prediction_frame(ids).iloc[start:stop])

    @staticmethod
    def _write(store, run_id, frame):
        if len(frame):
            write_predictions(store, {run_id: frame})

    @staticmethod
    def _spec(dataset_id, changes):
        values = {
            "name": "first",
            "fingerprint": "f1",
            "dataset_id": dataset_id,
            "model_source": "outputs/training/best_model.pt",
            "model_sha256": "abc",
            "candidates_path": "data/candidates.json",
            "candidates_sha256": "def",
            "prompts": {"name": "paper", "country": ["A photo in {country}."]},
            "strategy": "hierarchical",
            "seed": 42,
            "config": {"precision": "auto", "precision_used": "bf16"},
            "versions": {"torch": "2.13.0"},
            "commit": "e3a0417",
            "num_images": NUM_IMAGES,
            "output_dir": "outputs/evaluation",
        }
        return RunSpec(**(values | changes))


@pytest.fixture
def written(tmp_path):
    return Written(tmp_path / "streetclip.db")


@pytest.fixture
def open_page(monkeypatch, tmp_path):
    """Run the overview on a store, with URL parameters, and give what it drew."""
    opener = open_page_of(monkeypatch)

    def run(store_path=tmp_path / "streetclip.db", **parameters):
        return opener(store_path, **parameters)

    yield run
    st.cache_data.clear()


@dataclasses.dataclass
class Site:
    """A dashboard that is served, and the store it reads."""

    address: str
    written: Written


@pytest.fixture(scope="session")
def site(tmp_path_factory):
    """The dashboard, started as users do on a free loopback port; tests add runs to its store."""
    folder = tmp_path_factory.mktemp("site")
    written = Written(folder / "streetclip.db")
    with serve(written.path, folder) as address:
        yield Site(address, written)


@pytest.fixture(scope="session")
def launch():
    """Start the Chromium that is installed, driven by Playwright, with further flags."""
    program = chromium()
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as playwright:
        yield lambda *flags: playwright.chromium.launch(
            executable_path=program, args=[*FLAGS, *flags]
        )


@pytest.fixture(scope="session")
def browser(launch):
    """A Chromium that draws pages without WebGL's software driver: a third of the work."""
    with launch("--disable-gpu-compositing", "--disable-gpu-rasterization") as started:
        yield started


@pytest.fixture
def visit(browser):
    """Open pages that are closed again at the end."""
    made = []

    def make(**options):
        made.append(Visit(browser, **options))
        return made[-1]

    make.made = made
    yield make
    for each in made:
        each.context.close()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """Show what the pages of a failed test said, since nobody can look at them."""
    report = yield
    if report.when == "call" and report.failed:
        for each in getattr(item.funcargs.get("visit"), "made", []):
            report.sections.append((f"Page {each.page.url}", "\n".join(each.last_words())))
    return report


# The Jobs page


@pytest.fixture
def records(tmp_path):
    return Records(tmp_path)


@pytest.fixture
def started(monkeypatch):
    """The stores for which a runner would have been started."""
    stores = []

    def start_unless_alive(path, options, *, at_once):
        stores.append(path)
        return ""

    monkeypatch.setattr(launcher, "_start_unless_alive", start_unless_alive)
    return stores


@pytest.fixture
def open_jobs(monkeypatch, records, started):
    monkeypatch.chdir(records.folder)
    opener = open_page_of(monkeypatch)

    def run(arguments=(), **parameters):
        return opener(records.path, "jobs", arguments, **parameters)

    return run


# The Training page


@pytest.fixture
def trained(tmp_path):
    return Trainings(tmp_path / "streetclip.db")


@pytest.fixture
def open_training(monkeypatch, trained):
    return opener_of(monkeypatch, trained.path, "training")
