"""One measurement in a process of its own: its memory, threads and caches are nobody else's.

The process is told what to do by a JSON file, and leaves a JSON file.
"""

import json
import logging
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil

from benchmarks.evaluation.setup import Setup, Way
from streetclip import errors
from streetclip.files import read_json, scratch_folder, write_json

MEASUREMENTS = (
    "evaluation",
    "second_evaluation",
    "decode",
    "forward",
    "plain_loop",
    "zero_shot_pipeline",
)
"""Functions of `ours` and `transformers_ways`."""

_LOOK_S = 1.0  # between looks at the memory of the processes that decode
_SHOWN_LINES = 20


@dataclass(frozen=True)
class Task:
    """What one process does.

    Attributes:
        measurement: One of `MEASUREMENTS`.
        way: How images become features.
    """

    measurement: str
    way: Way


def run_apart(task: Task, setup: Setup) -> dict[str, Any]:
    """Measure in a process of its own.

    Returns:
        What the function gave, and `decoders_peak_bytes`: the most memory that its own processes
        had to themselves, looked at each second.

    Raises:
        StreetClipError: As the function raised it.
        ResourceError: The process was killed.
        RuntimeError: The process broke; the message has the end of its log.
    """
    with scratch_folder() as folder:
        told, found, log = (folder / name for name in ("task.json", "found.json", "log.txt"))
        write_json(told, {"task": asdict(task), "setup": setup.to_dict()})
        command = [sys.executable, "-m", "benchmarks.evaluation.processes", str(told), str(found)]
        with log.open("wb") as output:
            process = subprocess.Popen(command, stdout=output, stderr=output)
            decoders_peak_bytes = _waited_for(process)
        result = read_json(found) if found.exists() else {}
        if "error" in result:
            raise getattr(errors, result["error"])(result["message"])
        if process.returncode < 0:
            name = signal.Signals(-process.returncode).name
            msg = (
                f"the process that measures {task.measurement} was killed ({name}). Most often "
                "memory ran out: lower --batch_size or --num_workers, and run again."
            )
            raise errors.ResourceError(msg)
        if not result:
            tail = "\n".join(log.read_text(errors="replace").splitlines()[-_SHOWN_LINES:])
            msg = f"{task.measurement} ended with exit code {process.returncode}:\n{tail}"
            raise RuntimeError(msg)
        return result | {"decoders_peak_bytes": decoders_peak_bytes}


def measure(task: Task, setup: Setup) -> dict[str, Any]:
    """Measure in this process."""
    from benchmarks.evaluation import ours, transformers_ways

    functions: dict[str, Callable[[Setup, Way], dict[str, Any]]] = {
        name: getattr(module, name)
        for module in (ours, transformers_ways)
        for name in MEASUREMENTS
        if hasattr(module, name)
    }
    return functions[task.measurement](setup, task.way)


def main(told: Path, found: Path) -> None:
    """Be the process."""
    logging.basicConfig(level="WARNING", stream=sys.stderr)
    told_values = json.loads(told.read_text(encoding="utf-8"))
    values = told_values["task"]
    task = Task(values["measurement"], Way(**values["way"]))
    try:
        write_json(found, measure(task, Setup.from_dict(told_values["setup"])))
    except errors.StreetClipError as error:
        write_json(found, {"error": type(error).__name__, "message": str(error)})


def _waited_for(process: "subprocess.Popen[bytes]") -> int:
    """Wait for the end; gives the most that processes below it had to themselves."""
    peak_bytes = 0
    try:
        while True:
            try:
                process.wait(_LOOK_S)
                return peak_bytes
            except subprocess.TimeoutExpired:
                peak_bytes = max(peak_bytes, _private_bytes(process.pid))
    except BaseException:
        process.kill()  # those that decode end when it does
        process.wait()
        raise


def _private_bytes(pid: int) -> int:
    total = 0
    try:
        for child in psutil.Process(pid).children(recursive=True):
            total += child.memory_full_info().uss
    except psutil.Error:  # it ended while it was looked at
        return 0
    return total


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
