"""Kill jobs at random moments, resume them, and compare what they leave in the end.

For tests, which kill a few times, and for the measurements, which kill often.
"""

import os
import random
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Self

import torch

from streetclip.store import (
    RUN_DTYPES,
    dataset_columns,
    get_run,
    list_runs,
    list_trainings,
    open_store,
    run_columns,
    training_curves,
)
from tests import warm

ROOT = Path(__file__).parents[1]
OF_THE_MACHINE = ("images_per_s", "memory_mib")
"""Curves that no two runs share."""

_BAR = b"%|"  # of tqdm: the work has begun
_LONGEST_START_S = 1.0
_SHARE_IN_START = 0.2
_PATIENCE_S = 300.0
_INTERRUPTED = 130  # exit code of a job that saved what it has and ended


def run_job(name: str, arguments: Sequence[str], *, num_processes: int = 1) -> float:
    """Run a job undisturbed, and give how long it worked, in seconds: its start does not count.

    Args:
        name: Of its file in `jobs/`.
        arguments: Its flags.
        num_processes: That share the job, as torchrun starts them.

    Raises:
        RuntimeError: It failed; with its stderr.
    """
    with _Session(name, arguments, num_processes) as session:
        session.wait_for_bar()
        began = time.monotonic()
        session.finish()
        return time.monotonic() - began


def run_killed(
    name: str,
    arguments: Sequence[str],
    *,
    num_kills: int,
    longest_s: float,
    seed: int,
    numbers: Sequence[signal.Signals] = (signal.SIGKILL,),
    num_processes: int = 1,
) -> int:
    """Run a job with `--resume`, kill it and all its processes, and again, until it is done.

    Args:
        name: Of its file in `jobs/`.
        arguments: Its flags.
        num_kills: How often; then it is left alone.
        longest_s: A kill comes within so many seconds of work, evenly at random; one in five comes
            while the job still starts.
        seed: Of the moments.
        numbers: The signals that are sent to all its processes, in turn.
        num_processes: That share the job, as torchrun starts them.

    Returns:
        How often it was killed: fewer times where it was done before.

    Raises:
        RuntimeError: It failed on its own account; with its stderr.
    """
    moments = random.Random(seed)
    for num_done in range(num_kills):
        in_start = moments.random() < _SHARE_IN_START
        delay_s = moments.uniform(0, _LONGEST_START_S if in_start else longest_s)
        with _Session(name, (*arguments, "--resume"), num_processes) as session:
            if not in_start:
                session.wait_for_bar()
            if not session.end_after(delay_s, numbers[num_done % len(numbers)]):
                session.finish()
                return num_done
    run_job(name, (*arguments, "--resume"), num_processes=num_processes)
    return num_kills


class _Session:
    """The processes of one job; those that they start are in a group with them."""

    def __init__(self, name: str, arguments: Sequence[str], num_processes: int) -> None:
        ranks: list[dict[str, str]] = [{}]
        if num_processes > 1:
            port = warm.free_port()
            ranks = [warm.rank_environment(i, num_processes, port) for i in range(num_processes)]
        self._processes = [
            warm.Job(
                [f"jobs/{name}.py", *arguments],
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL if number else subprocess.PIPE,
                env=os.environ | rank,
            )
            for number, rank in enumerate(ranks)
        ]
        self._first = self._processes[0]
        self._stderr = bytearray()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._signal(signal.SIGKILL)
        for process in self._processes:
            process.wait()
        self._reader.join()
        self._first.stderr.close()

    def wait_for_bar(self) -> None:
        """Wait until the work has begun, or the job has ended."""
        deadline = time.monotonic() + _PATIENCE_S
        while _BAR not in self._stderr and self._first.poll() is None:
            if time.monotonic() > deadline:
                msg = f"no bar within {_PATIENCE_S:.0f} s: {self._stderr.decode()}"
                raise RuntimeError(msg)
            time.sleep(0.005)

    def end_after(self, delay_s: float, number: signal.Signals) -> bool:
        """Signal all processes a moment later; False if the job had ended by then."""
        try:
            self._first.wait(delay_s)
        except subprocess.TimeoutExpired:
            self._signal(number)
            return self._first.wait(_PATIENCE_S) in (-number, _INTERRUPTED)
        return False

    def finish(self) -> None:
        """Wait for the end, which must be a good one."""
        statuses = [process.wait(_PATIENCE_S) for process in self._processes]
        self._reader.join()
        if any(statuses):
            msg = f"exit codes {statuses}: {self._stderr.decode()}"
            raise RuntimeError(msg)

    def _signal(self, number: signal.Signals) -> None:
        for process in self._processes:
            if process.poll() is None:
                os.killpg(process.pid, number)

    def _read(self) -> None:
        while piece := self._first.stderr.read1():
            self._stderr += piece


def training_differences(output_dir: Path, db: Path, other_dir: Path, other_db: Path) -> list[str]:
    """Name what two finished trainings do not share to the last bit.

    Compared are the weights of `best_model.pt`, the weights, optimizer state and records of
    `last_checkpoint.pt`, and the curves and state in the store; not the speed, nor the memory.

    Args:
        output_dir: Folder of the one.
        db: Its store, which holds no other training.
        other_dir: Folder of the other.
        other_db: Its store, likewise.
    """
    one, other = (
        dict(_outcome(folder, store)) for folder, store in ((output_dir, db), (other_dir, other_db))
    )
    return sorted(name for name in {**one, **other} if one.get(name) != other.get(name))


def _outcome(output_dir: Path, db: Path) -> Iterator[tuple[str, Any]]:
    best = torch.load(output_dir / "best_model.pt", weights_only=True)
    yield from leaves("best_model.pt", best["model"])
    last = torch.load(output_dir / "last_checkpoint.pt", weights_only=True)
    resume = last["resume"]
    kept = ("step", "epochs", "best", "best_sha256", "window", "optimizer", "scaler")
    yield from leaves("last_checkpoint.pt", last["model"])
    yield from leaves("last_checkpoint.pt", {name: resume[name] for name in kept})
    points = [point for point in resume["points"] if point[2] not in OF_THE_MACHINE]
    yield "last_checkpoint.pt points", points
    with open_store(db, read_only=True) as store:
        trainings = list_trainings(store)
        yield "states", trainings["state"].tolist()
        curves = training_curves(store, int(trainings["id"].iloc[0]))
    curves = curves[~curves["name"].isin(OF_THE_MACHINE)]
    yield "curves in the store", list(curves.itertuples(index=False, name=None))


def leaves(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    """Every plain value in nested dicts and lists, by its path; tensors as their bytes."""
    if isinstance(value, torch.Tensor):
        yield name, (value.dtype, tuple(value.shape), value.numpy().tobytes())
    elif isinstance(value, dict | list | tuple):
        pairs = value.items() if isinstance(value, dict) else enumerate(value)
        for key, each in pairs:
            yield from leaves(f"{name} {key}", each)
    else:
        yield name, value


def evaluation_differences(
    output_dir: Path, db: Path, other_dir: Path, other_db: Path
) -> list[str]:
    """Name what two finished evaluations do not share.

    Compared to the last bit are the predictions, their rankings and places, the columns, the
    metrics, and the files but for `config.json`.

    Args:
        output_dir: Folder of the one.
        db: Its store, which holds no other evaluation.
        other_dir: Folder of the other.
        other_db: Its store, likewise.
    """
    one, other = dict(_evaluated(output_dir, db)), dict(_evaluated(other_dir, other_db))
    names = sorted({**one, **other})
    return [name for name in names if one.get(name) != other.get(name)]


_TABLES = ("predictions", "prediction_rankings", "predicted_places")


def _evaluated(output_dir: Path, db: Path) -> Iterator[tuple[str, Any]]:
    for path in sorted(output_dir.rglob("*")):
        if path.is_file() and path.name != "config.json":
            yield str(path.relative_to(output_dir)), path.read_bytes()
    with open_store(db, read_only=True) as store:
        runs = list_runs(store).sort_values("id")
        yield "runs", runs[["name", "state", "num_done", "num_images"]].to_dict("list")
        for run_id in runs["id"].tolist():
            run = get_run(store, run_id)
            yield f"run {run_id} metrics", run["metrics"]
            for table in _TABLES:
                frame = store.frame(f"SELECT * FROM {table} WHERE run_id = ?", (run_id,))
                frame = frame.sort_values(list(frame.columns)).astype(object)
                for column in frame:
                    values = frame[column].where(frame[column].notna(), None).tolist()
                    yield f"run {run_id} {table} {column}", values
            image_ids = dataset_columns(store, run["dataset_id"]).image_ids
            for name, values in run_columns(store, run_id, RUN_DTYPES, image_ids).items():
                yield f"run {run_id} column {name}", values.tobytes()
