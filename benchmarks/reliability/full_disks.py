"""Jobs whose disk fills up at random moments, with their store, log and outputs on it."""

import contextlib
import random
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from benchmarks.reliability.place import Place, print_table
from streetclip import runtime, store
from tests.disks import fill, free_space, is_whole, limit_file_size, mounted
from tests.killing import ROOT, evaluation_differences, run_job, training_differences

_MEGABYTES = 48
_LEFT = (0, 4096, 40_000, 400_000, 2_000_000, 5_000_000)
_LIMITS = (100_000, 400_000, 1_000_000, 3_000_000)
_HEAD = ("job", "after s", "left", "exit", "record", "what it said", "store", "resumed", "differs")


def disk_full(place: Place, options: Any) -> bool:
    """Fill the disk, look at what the job says and leaves, make room, resume, compare."""
    images = place.many_images(1000)
    # Predictions are stored every two seconds.
    kinds: list[tuple[str, Callable[[Path], list[str]], Callable[..., list[str]]]] = [
        ("train", lambda at: place.training_flags(
            at / "out", at / "s.db", "--checkpoint_every=3", num_epochs=4), training_differences),
        ("evaluate", lambda at: place.evaluation_flags(
            images, at / "out", at / "s.db"), evaluation_differences),
    ]  # fmt: skip
    draw, rows, is_good = random.Random(options.seed), [], True
    for name, flags, differences in kinds:
        whole = place.folder / f"full-disk-{name}"
        began = time.monotonic()
        run_job(name, flags(whole))
        whole_s = time.monotonic() - began
        for number in range(options.times):
            with _disk(place.folder / f"disk-{name}-{number}") as (disk, is_mounted):
                left = draw.choice(_LEFT if is_mounted else _LIMITS)
                delay_s = draw.uniform(0, whole_s)
                row = _fill_and_resume(name, flags(disk), disk, is_mounted, left, delay_s)
                found = differences(disk / "out", disk / "s.db", whole / "out", whole / "s.db")
            rows.append((name, delay_s, left, *row, ", ".join(found) or "no"))
            is_good = is_good and not found and _is_told(row)
    print_table(
        "Disks filled at random moments (limits on files where none can be mounted)", _HEAD, rows
    )
    return is_good


@contextlib.contextmanager
def _disk(folder: Path) -> Iterator[tuple[Path, bool]]:
    folder.mkdir()
    with contextlib.ExitStack() as stack:
        try:
            yield stack.enter_context(mounted(folder, megabytes=_MEGABYTES)), True
        except PermissionError:
            yield folder, False


def _fill_and_resume(
    name: str, flags: list[str], disk: Path, is_mounted: bool, left: int, delay_s: float
) -> tuple[str, ...]:
    command = [sys.executable, f"jobs/{name}.py", *flags]
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(delay_s)
        if is_mounted:
            fill(disk, leave_bytes=left)
        elif process.poll() is None:
            limit_file_size(process.pid, left)
        _, errors = process.communicate()
    health = "whole" if not (disk / "s.db").exists() or is_whole(disk / "s.db") else "DAMAGED"
    free_space(disk)
    record = _state(disk / "s.db")
    run_job(name, [*flags, "--resume"])
    return str(process.returncode), record, _said(errors), health, _state(disk / "s.db")


def _state(db: Path) -> str:
    if not db.exists():
        return "none"
    with store.open_store(db) as opened:
        runtime.interrupt_dead_jobs(opened)
        return " ".join(runtime.list_jobs(opened)["state"]) or "none"


def _said(errors: str) -> str:
    if "Traceback" in errors or "Logging error" in errors:
        return "TRACEBACK: " + errors.strip().splitlines()[-1]
    lines = [line for line in errors.splitlines() if ": error: " in line]
    return " / ".join(
        re.sub(r"^.*: error: \S*/|\. (Free|what).*$", "", line)[:70] for line in lines
    )


def _is_told(row: tuple[str, ...]) -> bool:
    code, _, said, health, state = row
    is_told = code == "0" or (code == "1" and "disk" in said and "/" not in said)
    return is_told and "TRACEBACK" not in said and health == "whole" and state == "done"
