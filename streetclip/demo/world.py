"""Building the drawn world's folder: images, CSVs, candidates and the small model."""

import contextlib
import csv
import logging
import multiprocessing
import os
import shutil
import signal
from collections.abc import Generator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from streetclip.config import DemoConfig
from streetclip.demo.atlas import world
from streetclip.demo.marker import MARKER_NAME, read_marker
from streetclip.demo.splits import COLUMNS, SPLITS, city_coordinates, write_scene
from streetclip.errors import OutputError
from streetclip.files import translated_disk_errors, write_json, write_text
from streetclip.gazetteer import countries
from streetclip.progress import Progress, no_progress

WORLD_VERSION = 1
"""Raised whenever the same seed gives other pictures."""

_LOG = logging.getLogger(__name__)
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

_Task = tuple[str, int, str, range]


@dataclass(frozen=True)
class World:
    """A finished world.

    Attributes:
        folder: Where it is.
        num_images: By split.
        num_countries: Countries of the candidates.
        num_cities: Cities of the candidates.
        stood_already: Whether it was kept as it was.
    """

    folder: Path
    num_images: dict[str, int]
    num_countries: int
    num_cities: int
    stood_already: bool = False


def build_world(config: DemoConfig, progress: Progress = no_progress) -> World:
    """Draw everything into `config.output_dir`.

    The marker is written first as unfinished and last as finished: a world that was broken off is
    drawn anew, a finished one is never touched.

    Args:
        config: Folder, counts, seed and processes.
        progress: Told of every few images.

    Raises:
        OutputError: The folder holds a finished world or other files, or cannot be written.
        ResourceError: The disk is full.
    """
    folder = config.output_dir
    if _stands(config):
        return _summary(config, stood_already=True)
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
    return _summary(config)


def candidates() -> dict[str, list[dict[str, Any]]]:
    """The candidates of the drawn world: its own cities, with the gazetteer's coordinates.

    Examples:
        >>> [city["city"] for city in candidates()["Estonia"]]
        ['Tallinn', 'Tartu', 'Narva']
    """
    names = countries()
    return {names[country.code].name: _cities(country.code) for country in world()}


def _cities(country_code: str) -> list[dict[str, Any]]:
    country = next(country for country in world() if country.code == country_code)
    rows = []
    for city in country.cities:
        latitude, longitude = city_coordinates(country_code, city.name)
        place = {"latitude": round(latitude, 5), "longitude": round(longitude, 5)}
        rows.append({"city": city.name, "region": city.region, **place})
    return rows


def _counts(config: DemoConfig) -> dict[str, int]:
    return {"train": config.num_train, "val": config.num_val, "test": config.num_test}


def _marker(config: DemoConfig, *, finished: bool) -> dict[str, Any]:
    return {
        "drawn": True,
        "finished": finished,
        "version": WORLD_VERSION,
        "seed": config.seed,
        "num_images": _counts(config),
    }


def _summary(config: DemoConfig, *, stood_already: bool = False) -> World:
    return World(
        folder=config.output_dir,
        num_images=_counts(config),
        num_countries=len(world()),
        num_cities=sum(len(country.cities) for country in world()),
        stood_already=stood_already,
    )


def _stands(config: DemoConfig) -> bool:
    """Whether the very world that is asked for is there and may be kept.

    Raises:
        OutputError: Something else is there, or keeping was not asked for.
    """
    folder = config.output_dir
    marker = read_marker(folder)
    if marker.get("finished"):
        same = marker == _marker(config, finished=True)
        if config.resume and same:
            return True
        found = "of these settings" if same else f"of other settings ({_told(marker)})"
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


def _told(marker: dict[str, Any]) -> str:
    return ", ".join(f"{name} {marker.get(name)}" for name in ("version", "seed", "num_images"))


def _clear(folder: Path) -> None:
    """Remove what an earlier try left: our own names only."""
    for name in ("images", "model"):
        if (folder / name).exists():
            shutil.rmtree(folder / name)
    for name in (*(f"{split}.csv" for split in SPLITS), "candidates.json", "README.md"):
        (folder / name).unlink(missing_ok=True)


def _write_splits(config: DemoConfig, progress: Progress) -> None:
    rows: dict[str, dict[int, list[dict[str, str]]]] = {split: {} for split in SPLITS}
    total, done = sum(_counts(config).values()), 0
    progress(0, total)
    with contextlib.closing(_draw_all(config)) as drawn:
        for split, first, chunk in drawn:
            rows[split][first] = chunk
            done += len(chunk)
            progress(done, total)
    for split in SPLITS:
        ordered = [row for first in sorted(rows[split]) for row in rows[split][first]]
        _write_csv(config.output_dir / f"{split}.csv", ordered)


def _write_csv(path: Path, rows: list[dict[str, str]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def _tasks(config: DemoConfig) -> list[_Task]:
    folder = str(config.output_dir / "images")
    return [
        (folder, config.seed, split, range(first, min(first + _CHUNK, count)))
        for split, count in _counts(config).items()
        for first in range(0, count, _CHUNK)
    ]


def _draw_all(
    config: DemoConfig,
) -> Generator[tuple[str, int, list[dict[str, str]]], None, None]:
    tasks = _tasks(config)
    processes = config.num_workers if config.num_workers >= 0 else len(os.sched_getaffinity(0))
    if processes <= 1 or sum(_counts(config).values()) < _TOO_FEW_FOR_PROCESSES:
        yield from map(_draw_chunk, tasks)
        return
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(processes, mp_context=context, initializer=_leave_interrupts)
    try:
        for future in as_completed([pool.submit(_draw_chunk, task) for task in tasks]):
            yield future.result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _draw_chunk(task: _Task) -> tuple[str, int, list[dict[str, str]]]:
    folder, seed, split, indices = task
    rows = [write_scene(Path(folder), seed, split, index) for index in indices]
    return split, indices.start, rows


def _leave_interrupts() -> None:
    # Ctrl-C reaches every process of the terminal; only the parent should answer it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
