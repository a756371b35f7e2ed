"""Build the drawn world's folder: images, CSVs, candidates and the small model."""

import contextlib
import csv
import multiprocessing
import os
import shutil
import signal
from collections.abc import Generator
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any

from streetclip.config import DemoConfig
from streetclip.demo import MARKER_NAME, read_marker
from streetclip.demo.cues import drawn_countries
from streetclip.demo.splits import SPLITS, city_coordinates, write_scene
from streetclip.errors import OutputError
from streetclip.files import translated_disk_errors, write_json, write_text
from streetclip.gazetteer import countries
from streetclip.progress import Progress, no_progress

WORLD_VERSION = 1
"""Raised whenever the same seed gives other pictures."""

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
_Task = tuple[str, int, str, range]  # image folder, seed, split, indices


def build_world(config: DemoConfig, progress: Progress = no_progress) -> bool:
    """Draw everything into `config.output_dir`; return False if it was kept.

    The marker is written first as unfinished and last as finished: an unfinished world is drawn
    again, a finished one is never touched.

    Raises:
        OutputError: The folder holds a finished world or other files, or cannot be written.
        ResourceError: The disk is full.
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
    if not marker and folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
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
    chunks: dict[str, dict[int, list[_Row]]] = {split: {} for split in SPLITS}
    total, done = sum(num_images(config).values()), 0
    progress(0, total)
    with contextlib.closing(_draw_all(config)) as drawn:
        for split, first, rows in drawn:
            chunks[split][first] = rows
            done += len(rows)
            progress(done, total)
    for split, by_first in chunks.items():
        with (config.output_dir / f"{split}.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, by_first[0][0].keys(), lineterminator="\n")
            writer.writeheader()
            for first in sorted(by_first):
                writer.writerows(by_first[first])


def _draw_all(config: DemoConfig) -> Generator[tuple[str, int, list[_Row]], None, None]:
    folder = str(config.output_dir / "images")
    tasks = [
        (folder, config.seed, split, range(first, min(first + _CHUNK, count)))
        for split, count in num_images(config).items()
        for first in range(0, count, _CHUNK)
    ]
    processes = config.num_workers if config.num_workers >= 0 else len(os.sched_getaffinity(0))
    if processes <= 1 or sum(num_images(config).values()) < _TOO_FEW_FOR_PROCESSES:
        yield from map(_draw_chunk, tasks)
        return
    context = multiprocessing.get_context("spawn")
    # Ctrl-C reaches every process of the terminal; only the parent should answer it.
    pool = ProcessPoolExecutor(processes, context, signal.signal, (signal.SIGINT, signal.SIG_IGN))
    try:
        for future in as_completed([pool.submit(_draw_chunk, task) for task in tasks]):
            yield future.result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _draw_chunk(task: _Task) -> tuple[str, int, list[_Row]]:
    folder, seed, split, indices = task
    rows = [write_scene(Path(folder), seed, split, index) for index in indices]
    return split, indices.start, rows
