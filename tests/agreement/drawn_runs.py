"""Runs drawn at random and written as an evaluation writes them, with the model's features drawn.

What matters for figures differs from run to run: how many images, how many of them unreadable,
unknown places, missing coordinates, ties, strategies, candidates, tags.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from streetclip.data.candidates import Candidates, load_candidates
from streetclip.evaluation import run_folder, runner
from streetclip.evaluation.prediction_rows import prediction_frame, truth_frame, unreadable_frame
from streetclip.evaluation.predictor import PlaceClassifier, predict
from streetclip.evaluation.run_metrics import measure
from streetclip.evaluation.true_places import find_truth
from streetclip.files import write_json
from streetclip.results import RunTable
from streetclip.results.filters import Selection, Values
from streetclip.store import (
    DatasetSpec,
    RunSpec,
    Store,
    annotate,
    finish_run,
    iterate_predictions,
    open_store,
    register_dataset,
    set_run_state,
    start_run,
    write_predictions,
)

# code, name, continent, latitude and longitude of its middle; Russia is put on two continents.
COUNTRIES = [
    ("FR", "France", "Europe", 46.0, 2.0),
    ("DE", "Germany", "Europe", 51.0, 10.0),
    ("LU", "Luxembourg", "Europe", 49.8, 6.1),
    ("RU", "Russia", "Europe", 55.8, 37.6),
    ("RU", "Russia", "Asia", 56.0, 93.0),
    ("JP", "Japan", "Asia", 36.0, 138.0),
    ("BR", "Brazil", "South America", -15.0, -47.0),
    ("NZ", "New Zealand", "Oceania", -41.0, 174.0),
]
KINDS = (
    "ordinary",
    "ordinary",
    "ordinary",
    "few",
    "one image",
    "one country",
    "all wrong",
    "all unreadable",
    "no coordinates",
    "partial",
)
STRATEGIES = ("hierarchical", "flat", "marginal")
WEATHER = ("rain", "sun", "")
TAG = "odd"
_DIMENSIONS = 5


@dataclass(frozen=True)
class DrawnRun:
    """A run, its baseline over the same images, and what an evaluation left of both.

    Attributes:
        kind: One of `KINDS`.
        path: The store.
        run_ids: Of the run and of its baseline.
        folders: Their evaluation folders, with predictions.csv and metrics.json.
        manifest: Rows of the test file; `tagged` says which images have the tag.
    """

    kind: str
    path: Path
    run_ids: tuple[int, int]
    folders: tuple[Path, Path]
    manifest: pd.DataFrame


def draw_run(folder: Path, seed: int, *, most_images: int = 160) -> DrawnRun:
    """Draw candidates, images and two models, and write what an evaluation would.

    Args:
        folder: An empty one.
        seed: The same seed gives the same run; its remainder by `KINDS` chooses the kind.
        most_images: Of a run; some kinds have fewer.
    """
    rng = np.random.default_rng(seed)
    kind = KINDS[seed % len(KINDS)]
    candidates = _draw_candidates(rng, folder / "candidates.json")
    manifest = _draw_manifest(rng, kind, candidates, most_images)
    path = folder / "streetclip.db"
    run_ids, folders = [], []
    with open_store(path) as store:
        dataset = register_dataset(store, _dataset_spec(folder, manifest))
        broken = rng.random(len(manifest)) < (1.0 if kind == "all unreadable" else 0.1)
        for number, strategy in enumerate(rng.permutation(STRATEGIES)[:2].tolist()):
            codes = candidates.country_codes
            spec = _run_spec(strategy, number, dataset.id, len(manifest), codes)
            run_id = start_run(store, spec)
            frame = _predict(rng, kind, strategy, manifest, candidates, dataset.image_ids, broken)
            is_done = rng.random(len(frame)) < (0.5 if kind == "partial" and number == 0 else 1.0)
            if kind == "all wrong":
                is_done &= (frame["country_correct"] == 0).to_numpy()
            for part in np.array_split(rng.permutation(np.flatnonzero(is_done)), 3):
                write_predictions(store, {run_id: frame.iloc[part]})
            is_partial = not is_done.all()
            output = folder / strategy
            output.mkdir()
            _write_files(store, run_id, output, candidates, is_partial=is_partial)
            run_ids.append(run_id)
            folders.append(output)
        tagged = rng.random(len(manifest)) < 0.3
        if tagged.any():
            annotate(store, dataset.image_ids[tagged].tolist(), add_tags=[TAG])
    return DrawnRun(
        kind,
        path,
        (run_ids[0], run_ids[1]),
        (folders[0], folders[1]),
        manifest.assign(tagged=tagged),
    )


def draw_selections(drawn: DrawnRun, seed: int, count: int) -> list[Selection]:
    """Draw filters: none first, then what rows of the run suggest, and one that leaves nothing."""
    rng = np.random.default_rng([seed, 1])
    can_filter = len(set(drawn.manifest["weather"])) > 1  # else it is no attribute to filter by
    found = [Selection()]
    while len(found) < count:
        row = drawn.manifest.iloc[int(rng.integers(len(drawn.manifest)))]
        low, high = sorted(rng.choice([0.0, 1, 25, 200, 750, 2500, 9999], 2).tolist())
        choices = {
            "continent": row["continent"],
            "country": (
                row["country_code"],
                *rng.choice(["FR", "DE"], int(rng.integers(2))).tolist(),
            ),
            "region": row["region"],
            "city": row["city"],
            "predicted": tuple(
                rng.choice(["FR", "DE", "JP", ""], int(rng.integers(1, 3))).tolist()
            ),
            "country_correct": bool(rng.random() < 0.5),
            "city_correct": bool(rng.random() < 0.5),
            "distance_km": (low, high if rng.random() < 0.5 else None),
            "confidence": (None, float(rng.choice([0.25, 0.5, 0.9]))),
            "attributes": (("weather", row["weather"]),),
            "tags": (TAG,),
            "excluded": Values(country=(row["country_code"],), tags=(TAG,)),
            "file_name": f"{rng.integers(10)}.J",
        }
        if not can_filter:
            del choices["attributes"]
        names = rng.choice(list(choices), int(rng.choice([1, 1, 2])), replace=False)
        found.append(Selection(**{name: choices[name] for name in names}))
    return [*found, Selection(country=("ZA",))]


def _draw_candidates(rng: np.random.Generator, path: Path) -> Candidates:
    """A few countries, a few cities each, of which some are at one place."""
    named = {name: (latitude, longitude) for _, name, _, latitude, longitude in COUNTRIES}
    names = rng.permutation(list(named))[: int(rng.integers(1, len(named)))].tolist()
    content = {}
    for name in names:
        middle = np.array(named[name])
        places = middle + rng.choice([0.0, 0.001, 2.0]) * rng.normal(0, 1, (rng.integers(1, 5), 2))
        content[name] = [
            {"city": f"{name} {i}", "region": None, "latitude": lat, "longitude": lon}
            for i, (lat, lon) in enumerate(places.round(6).tolist())
        ]
    path.write_text(json.dumps(content), encoding="utf-8")
    return load_candidates(path)


def _draw_manifest(
    rng: np.random.Generator, kind: str, candidates: Candidates, most_images: int
) -> pd.DataFrame:
    sizes = {"one image": 1, "few": int(rng.integers(2, 9))}
    num_images = sizes.get(kind, int(rng.integers(20, most_images)))
    choices = [each for each in COUNTRIES if each[0] in candidates.country_codes]
    # The first image is of a candidate country, without which an evaluation is refused.
    drawn = [choices[int(rng.integers(len(choices)))]]
    others = [each for each in choices if each[0] == drawn[0][0]]
    others = others if kind == "one country" else COUNTRIES
    drawn += [others[i] for i in rng.integers(0, len(others), num_images - 1)]
    rows = [_draw_image(rng, kind, candidates, *each) for each in drawn]
    frame = pd.DataFrame(rows)
    return frame.assign(
        image_filename=[f"{i}.jpg" for i in rng.permutation(num_images)],
        line=np.arange(2, num_images + 2),
        weather=rng.choice(WEATHER, num_images),
    )


def _draw_image(
    rng: np.random.Generator, kind: str, candidates: Candidates, *country: str | float
) -> dict[str, object]:
    code, name, continent, latitude, longitude = country
    of_country = [
        i
        for i, number in enumerate(candidates.city_country_M.tolist())
        if candidates.country_codes[number] == code
    ]
    city, place = str(rng.choice(["", "Nowhere at all"])), (float(latitude), float(longitude))
    if of_country and rng.random() < 0.7:
        index = int(rng.choice(of_country))
        city = candidates.city_names[index]
        place = (
            float(candidates.city_latitude_deg_M[index]),
            float(candidates.city_longitude_deg_M[index]),
        )
    away = rng.choice([0.0, 0.001, 0.3, 4.0]) * rng.normal(0, 1, 2)
    is_placed = kind != "no coordinates" and rng.random() < 0.7
    return {
        "city": city if kind != "no coordinates" else "",
        "region": str(rng.choice(["", "North", "South"])),
        "country": name,
        "continent": continent,
        "country_code": code,
        "latitude_deg": place[0] + away[0] if is_placed else np.nan,
        "longitude_deg": place[1] + away[1] if is_placed else np.nan,
    }


def _predict(
    rng: np.random.Generator,
    kind: str,
    strategy: str,
    manifest: pd.DataFrame,
    candidates: Candidates,
    image_ids: np.ndarray,
    broken: np.ndarray,
) -> pd.DataFrame:
    """Rows for the store, in the order of the manifest, by the product's own functions."""
    truth = find_truth(manifest, candidates)
    classifier = PlaceClassifier(
        country_features_CD=_unit(rng, len(candidates.country_codes)),
        city_features_MD=_unit(rng, len(candidates.city_names)),
        city_country_M=torch.from_numpy(candidates.city_country_M),
        logit_scale=float(rng.choice([1.0, 20.0])),
    )
    features = _unit(rng, len(manifest))
    if kind != "all wrong":  # the model knows some of the answers
        knows = (rng.random(len(manifest)) < 0.5) & (truth.city_N >= 0)
        knows = torch.from_numpy(knows)
        known = classifier.city_features_MD[torch.from_numpy(truth.city_N)[knows]]
        features[knows] = (
            known + classifier.country_features_CD[torch.from_numpy(truth.country_N)[knows]]
        )
        features = torch.nn.functional.normalize(features, dim=1)
    rows = np.flatnonzero(~broken)
    parts = []
    if len(rows):
        known = truth_frame(manifest, truth, rows, image_ids)
        predictions = predict(
            features[torch.from_numpy(rows)],
            classifier,
            strategy,
            true_country_N=truth.country_N[rows],
            true_city_N=truth.city_N[rows],
            top_k=3,
        )
        parts.append(prediction_frame(known, predictions, truth, rows, candidates))
    rows = np.flatnonzero(broken)
    if len(rows):
        known = truth_frame(manifest, truth, rows, image_ids)
        parts.append(unreadable_frame(known, ["damaged"] * len(rows)))
    return pd.concat(parts, ignore_index=True)


def _unit(rng: np.random.Generator, count: int) -> torch.Tensor:
    drawn = torch.from_numpy(rng.normal(size=(count, _DIMENSIONS)).astype(np.float32))
    return torch.nn.functional.normalize(drawn, dim=1)


def _write_files(
    store: Store, run_id: int, output: Path, candidates: Candidates, *, is_partial: bool
) -> None:
    """What an evaluation does at its end."""
    runner.write_predictions(output, iterate_predictions(store, run_id))
    table = RunTable.open(store.path, run_id)
    metrics = measure(table, candidate_codes=candidates.country_codes)
    write_json(output / run_folder.METRICS_FILE, metrics)
    if is_partial:
        set_run_state(store, run_id, "interrupted")
    else:
        finish_run(store, run_id, metrics)


def _dataset_spec(folder: Path, manifest: pd.DataFrame) -> DatasetSpec:
    return DatasetSpec(
        name="drawn",
        csv_path=folder / "test.csv",
        csv_sha256="abc",
        image_dir=folder / "images",
        frame=manifest,
        attribute_columns=("weather",),
    )


def _run_spec(
    strategy: str, number: int, dataset_id: int, num_images: int, country_codes: Sequence[str]
) -> RunSpec:
    return RunSpec(
        name=strategy,
        fingerprint=f"{strategy} {number}",
        dataset_id=dataset_id,
        model_source="drawn",
        model_sha256="abc",
        candidates_path="candidates.json",
        candidates_sha256="def",
        prompts={},
        strategy=strategy,
        seed=42,
        config={"candidate_countries": list(country_codes)},
        versions={},
        commit=None,
        num_images=num_images,
        output_dir="out",
    )
