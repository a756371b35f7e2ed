"""Two evaluations and a training write one store while a reader pages through it."""

import contextlib
import sqlite3
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

from benchmarks.reliability.place import Place, print_table, quantile
from streetclip import runtime, store
from streetclip.errors import StoreError
from streetclip.store import RUN_DTYPES
from tests.disks import is_whole
from tests.killing import ROOT

_PAGE = 60  # images, as on the Failures page


def contention(place: Place, options: Any) -> bool:
    """Fill some minutes with jobs and reads; count errors and rows."""
    folder = place.folder / "contention"
    db = folder / "streetclip.db"
    images = place.many_images(options.images)
    deadline = time.monotonic() + 60 * options.minutes
    writers = [
        _Writer(
            "evaluate", deadline, lambda out: place.evaluation_flags(images, out, db), folder / "a"
        ),
        _Writer(
            "evaluate", deadline, lambda out: place.evaluation_flags(images, out, db), folder / "b"
        ),
        _Writer("train", deadline, lambda out: place.training_flags(out, db), folder / "t"),
    ]
    reader = _Reader(db)
    for each in (*writers, reader):
        each.start()
    for each in writers:
        each.join()
    reader.stop()
    problems = [each for writer in writers for each in writer.problems] + reader.problems
    problems += _problems(db, writers)
    jobs = Counter((writer.name_of_job, code) for writer in writers for code in writer.codes)
    print_table(
        f"One store, {options.minutes:g} min and the jobs' ends",
        ("job", "exit code", "times"),
        [(name, code, number) for (name, code), number in sorted(jobs.items())],
    )
    print_table(
        f"Reads during it: {len(reader.seconds):,}",
        ("median ms", "95 % ms", "99 % ms", "worst ms", "errors"),
        [
            (
                *(1000 * quantile(reader.seconds, each) for each in (0.5, 0.95, 0.99, 1)),
                len(reader.problems),
            )
        ],
    )
    print_table("What is there at the end", ("rows of", "number"), _numbers(db))
    for each in problems:
        print("PROBLEM", each)
    return not problems


class _Writer(threading.Thread):
    """Runs one job after the other, each into a folder of its own."""

    def __init__(
        self, name: str, deadline: float, flags: Callable[[Path], list[str]], folder: Path
    ) -> None:
        super().__init__()
        self.name_of_job, self.codes, self.problems = name, [], []
        self._deadline, self._flags, self._folder = deadline, flags, folder

    def run(self) -> None:
        for number in count():
            if time.monotonic() > self._deadline:
                return
            command = [sys.executable, f"jobs/{self.name_of_job}.py"]
            command += self._flags(self._folder / str(number))
            done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
            self.codes.append(done.returncode)
            if done.returncode or "locked" in done.stderr or "could not be" in done.stderr:
                self.problems.append(done.stderr[-500:])


class _Reader(threading.Thread):
    """Looks at one thing after the other, as pages do, each time by a connection of its own."""

    def __init__(self, db: Path) -> None:
        super().__init__()
        self.seconds, self.problems = [], []
        self._db, self._stopped = db, threading.Event()

    def stop(self) -> None:
        self._stopped.set()
        self.join()

    def run(self) -> None:
        while not _is_made(self._db):
            time.sleep(0.1)
        for number in count():
            if self._stopped.is_set():
                return
            began = time.monotonic()
            try:
                with store.open_store(self._db, read_only=True, busy_timeout_s=5.0) as opened:
                    _look(opened, number)
            except Exception as error:  # noqa: BLE001 -- whatever it is, it is counted
                self.problems.append(f"reader: {type(error).__name__}: {error}")
            self.seconds.append(time.monotonic() - began)
            time.sleep(0.02)


def _is_made(db: Path) -> bool:
    with contextlib.suppress(StoreError), store.open_store(db, read_only=True):
        return True
    return False


def _look(opened: store.Store, number: int) -> None:
    """One page: runs and jobs, figures of a run, a page of its images, curves of a training."""
    with opened.snapshot():
        runs = store.list_runs(opened)
        runtime.list_jobs(opened)
        if len(runs):
            run = runs.iloc[number % len(runs)]
            run_id = int(run["id"])
            image_ids = store.dataset_columns(
                opened, store.get_run(opened, run_id)["dataset_id"]
            ).image_ids
            columns = store.run_columns(opened, run_id, RUN_DTYPES, image_ids)
            assert columns["done"].sum() == run["num_done"], "columns and rows differ"
            start = number * _PAGE % len(image_ids)
            store.image_rows(opened, run_id, image_ids[start : start + _PAGE].tolist())
        for training_id in store.list_trainings(opened)["id"].tolist()[:1]:
            store.training_curves(opened, training_id)


def _numbers(db: Path) -> list[tuple[str, int]]:
    tables = ("jobs", "runs", "predictions", "trainings", "training_points")
    with contextlib.closing(sqlite3.connect(db)) as connection:
        return [
            (table, connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0])
            for table in tables
        ]


def _problems(db: Path, writers: list[_Writer]) -> list[str]:
    """What is missing, doubled, or not done."""
    found = [] if is_whole(db) else ["SQLite finds the store damaged"]
    num_jobs = sum(len(writer.codes) for writer in writers)
    with store.open_store(db, read_only=True) as opened:
        jobs = runtime.list_jobs(opened, limit=10_000)
        if len(jobs) != num_jobs or set(jobs["state"]) != {"done"}:
            found.append(f"jobs: {jobs['state'].value_counts().to_dict()} of {num_jobs}")
        for run in store.list_runs(opened).to_dict("records"):
            rows = len(store.read_predictions(opened, run["id"]))
            if run["state"] != "done" or not rows == run["num_done"] == run["num_images"]:
                found.append(f"run {run['id']}: {run['state']}, {rows} rows, n {run['num_done']}")
        curves = {
            len(store.training_curves(opened, training_id))
            for training_id in store.list_trainings(opened)["id"].tolist()
        }
        if len(curves) > 1:  # the same training again and again
            found.append(f"trainings have {curves} points")
    return found
