"""Draw the scenes of each split, and build the world's folder around them."""

import contextlib
import io
import json
import math
import multiprocessing
import shutil
import signal
from collections.abc import Generator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import pandas as pd

from streetclip.config import DemoConfig
from streetclip.demo import MARKER_NAME, read_marker
from streetclip.demo.cues import CityCues, CountryCues, drawn_countries
from streetclip.demo.drawing import Picture, draw
from streetclip.demo.scene import Scene, sample_scene
from streetclip.errors import OutputError, UnknownPlaceError
from streetclip.files import is_unused, translated_disk_errors, write_json, write_text
from streetclip.gazetteer import countries, find_city
from streetclip.geo import EARTH_RADIUS_KM
from streetclip.progress import Progress, no_progress

WORLD_VERSION = 1
"""Raised whenever the same seed gives other pictures."""

SPLITS = ("train", "val", "test")
JPEG_QUALITY = 88
_KM_PER_DEGREE = EARTH_RADIUS_KM * math.pi / 180.0
_CHUNK = 24  # scenes of one message to a process
_TOO_FEW_FOR_PROCESSES = 150
_README = """# A drawn world

The images in this folder are **drawn by a program**, not photographed. They show made-up streets
that carry the cues of real countries (driving side, lines, plates, signs, plants, soil, roofs,
script) and made-up looks of real cities. Accuracies measured on them say that the program works;
they say nothing about photographs.

`drawn_world.json` holds the seed and the counts; `model/` is a small CLIP with random weights.
City coordinates: GeoNames, CC BY 4.0.
"""

_Row = dict[str, str]


def build_world(config: DemoConfig, progress: Progress = no_progress) -> bool:
    """Draw everything into `config.output_dir`; return False if it was kept.

    The marker is written first as unfinished and last as finished: an unfinished world is drawn
    again, a finished one is never touched.

    Raises OutputError if the folder holds a finished world or other files, or cannot be written,
    and ResourceError if the disk is full.
    """
    folder = config.output_dir
    if _may_keep(config):
        return False
    with translated_disk_errors(folder):
        _clear(folder)
        (folder / "images").mkdir(parents=True, exist_ok=True)
        write_json(folder / MARKER_NAME, _marker(config, finished=False))
        _write_splits(config, progress)
        write_json(folder / "candidates.json", candidates())
        write_text(folder / "README.md", _README)
    from streetclip.demo.model import build_model

    build_model(folder / "model", config.seed)
    write_json(folder / MARKER_NAME, _marker(config, finished=True))
    return True


def candidates() -> dict[str, list[dict[str, Any]]]:
    """List the candidates: the drawn cities, with the gazetteer's coordinates.

    Examples:
        >>> [city["city"] for city in candidates()["Estonia"]]
        ['Tallinn', 'Tartu', 'Narva']
    """
    found: dict[str, list[dict[str, Any]]] = {}
    for country in drawn_countries():
        rows = found[countries()[country.code].name] = []
        for city in country.cities:
            latitude_deg, longitude_deg = city_coordinates(country.code, city.name)
            place = {"latitude": round(latitude_deg, 5), "longitude": round(longitude_deg, 5)}
            rows.append({"city": city.name, "region": city.region, **place})
    return found


def num_images(config: DemoConfig) -> dict[str, int]:
    """Count images by split."""
    return {"train": config.num_train, "val": config.num_val, "test": config.num_test}


def _marker(config: DemoConfig, *, finished: bool) -> dict[str, Any]:
    return {
        "drawn": True,
        "finished": finished,
        "version": WORLD_VERSION,
        "seed": config.seed,
        "num_images": num_images(config),
    }


def _may_keep(config: DemoConfig) -> bool:
    """Check whether the requested world exists and may be kept; OutputError if another does."""
    folder = config.output_dir
    marker = read_marker(folder)
    if marker.get("finished"):
        same = marker == _marker(config, finished=True)
        if config.resume and same:
            return True
        others = (f"{name} {marker.get(name)}" for name in ("version", "seed", "num_images"))
        found = "of these settings" if same else f"of other settings ({', '.join(others)})"
        msg = (
            f"{folder}: holds a finished drawn world {found}. Name another --output_dir, or "
            f"remove the folder{', or add --resume to keep it' if same else ''}."
        )
        raise OutputError(msg)
    if not marker and folder.exists() and not (folder.is_dir() and is_unused(folder)):
        msg = (
            f"{folder}: holds files that are no drawn world; expected a new or an empty folder. "
            "Name another --output_dir."
        )
        raise OutputError(msg)
    return False


def _clear(folder: Path) -> None:
    """Remove our own files of an unfinished world."""
    for name in ("images", "model"):
        if (folder / name).exists():
            shutil.rmtree(folder / name)
    for name in (*(f"{split}.csv" for split in SPLITS), "candidates.json", "README.md"):
        (folder / name).unlink(missing_ok=True)


def _write_splits(config: DemoConfig, progress: Progress) -> None:
    rows: dict[str, list[_Row]] = {split: [] for split in SPLITS}
    total, done = sum(num_images(config).values()), 0
    progress(0, total)
    with contextlib.closing(_draw_all(config)) as drawn:
        for split, of_chunk in drawn:
            rows[split] += of_chunk
            done += len(of_chunk)
            progress(done, total)
    for split, of_split in rows.items():
        path = config.output_dir / f"{split}.csv"
        pd.DataFrame(of_split).to_csv(path, index=False, lineterminator="\n")


def _draw_all(config: DemoConfig) -> Generator[tuple[str, list[_Row]], None, None]:
    chunks = [
        (split, range(first, min(first + _CHUNK, count)))
        for split, count in num_images(config).items()
        for first in range(0, count, _CHUNK)
    ]
    draw_chunk = partial(_draw_chunk, config.output_dir / "images", config.seed)
    from streetclip.data.image_batches import resolve_num_workers  # imports torch

    processes = resolve_num_workers(config.num_workers, spare=False)
    if processes <= 1 or sum(num_images(config).values()) < _TOO_FEW_FOR_PROCESSES:
        yield from map(draw_chunk, chunks)
        return
    pool = ProcessPoolExecutor(processes, multiprocessing.get_context("spawn"))
    try:
        # Ctrl-C reaches every process of the terminal; those started here inherit it blocked.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            drawn = pool.map(draw_chunk, chunks)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        yield from drawn
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _draw_chunk(folder: Path, seed: int, chunk: tuple[str, range]) -> tuple[str, list[_Row]]:
    split, indices = chunk
    return split, [write_scene(folder, seed, split, index) for index in indices]


def write_scene(folder: Path, seed: int, split: str, index: int) -> dict[str, str]:
    """Draw a scene, write its JPEG into a folder, return its CSV row."""
    scene, picture = make_scene(seed, split, index)
    name = f"{split}_{index:05d}.jpg"
    content = io.BytesIO()  # Pillow's own errors about a full disk lack the system's number
    picture.image.save(content, "JPEG", quality=JPEG_QUALITY)
    (folder / name).write_bytes(content.getvalue())
    country = countries()[scene.country.code]
    latitude_deg, longitude_deg = city_coordinates(scene.country.code, scene.city.name)
    north_km, east_km = scene.kilometres
    # No city of the drawn world is near a pole or the date line.
    per_degree_east = _KM_PER_DEGREE * math.cos(math.radians(latitude_deg))
    boxes = {cue: list(box) for cue, box in sorted(picture.boxes.items())}
    return {
        "image_filename": name,
        "city": scene.city.name,
        "region": scene.city.region,
        "country": country.name,
        "continent": country.continent,
        "latitude": f"{latitude_deg + north_km / _KM_PER_DEGREE:.5f}",
        "longitude": f"{longitude_deg + east_km / per_degree_east:.5f}",
        "scene_id": scene.scene_id,
        "setting": scene.setting,
        "weather": scene.weather,
        "time_of_day": scene.time_of_day,
        "occlusion": scene.occlusion,
        "blur": scene.blur,
        "driving_side": scene.country.driving_side,
        "script": scene.country.script,
        "neighbourhood": scene.country.cluster,
        "cue_boxes": json.dumps(boxes, separators=(",", ":")),
    }


def make_scene(seed: int, split: str, index: int) -> tuple[Scene, Picture]:
    """Draw the scene at an index; no scene is in two splits."""
    rng = Random(f"{seed}/{split}/{index}")
    country, city = place_of(seed, split, index)
    scene = sample_scene(f"{split}-{index:05d}", country, city, rng)
    return scene, draw(scene, rng)


def place_of(seed: int, split: str, index: int) -> tuple[CountryCues, CityCues]:
    """Choose country and city of a scene, each city in turn.

    Examples:
        >>> len({place_of(42, "val", index)[0].code for index in range(40)})
        40
    """
    known = drawn_countries()
    order = list(range(len(known)))
    Random(f"{seed}/{split}/order").shuffle(order)
    turn, position = divmod(index, len(known))
    country = known[order[position]]
    return country, country.cities[turn % len(country.cities)]


def city_coordinates(country_code: str, city_name: str) -> tuple[float, float]:
    """Look up the coordinates of a city of the drawn world in the gazetteer."""
    city = find_city(country_code, city_name)
    if city is None:
        msg = (
            f"drawn world: the gazetteer has no city {city_name!r} in {country_code}; "
            "expected one. Correct its name in streetclip/demo/countries.toml."
        )
        raise UnknownPlaceError(msg)
    return city.latitude_deg, city.longitude_deg
