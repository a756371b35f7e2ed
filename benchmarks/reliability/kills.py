"""Jobs killed at random moments and resumed: do they end as if nothing had happened?"""

import time
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

from benchmarks.reliability.place import Place, print_table
from tests.killing import evaluation_differences, run_job, run_killed, training_differences

_START_S = 3.0
_MARGIN = 1.5  # a kill comes on average after this share of what would spread them evenly


def kill_training(place: Place, options: Any) -> bool:
    """Kill a training, resume it, and compare weights, curves and records."""

    def flags(out: Path, db: Path) -> list[str]:
        return place.training_flags(
            out, db, "--checkpoint_every=5", f"--precision={options.precision}",
            num_epochs=options.epochs,
        )  # fmt: skip

    return _measure("train", flags, training_differences, place.folder / "kill-training", options)


def kill_evaluation(place: Place, options: Any) -> bool:
    """Kill an evaluation, resume it, and compare predictions and all that follows from them."""
    images = place.many_images(options.images)

    def flags(out: Path, db: Path) -> list[str]:
        return place.evaluation_flags(
            images, out, db, "--strategy=hierarchical", "--strategy=flat",
            f"--precision={options.precision}",
        )  # fmt: skip

    folder = place.folder / "kill-evaluation"
    return _measure("evaluate", flags, evaluation_differences, folder, options)


def _measure(
    name: str,
    flags: Callable[[Path, Path], list[str]],
    differences: Callable[[Path, Path, Path, Path], list[str]],
    folder: Path,
    options: Any,
) -> bool:
    """Rounds of one job each, until it was killed often enough; whether none differs."""
    whole = folder / "whole", folder / "whole.db"
    began = time.monotonic()
    run_job(name, flags(*whole), num_processes=options.processes)
    whole_s = time.monotonic() - began
    # Predictions are stored, and checkpoints written, only so often: a kill sooner gains nothing.
    longest_s = max(5.0, 2 * _MARGIN * max(whole_s - _START_S, 1.0) / options.kills)
    rows, num_kills, is_same = [], 0, True
    for number in count():
        if num_kills >= options.kills:
            break
        other = folder / f"killed-{number}", folder / f"killed-{number}.db"
        began = time.monotonic()
        killed = run_killed(
            name,
            flags(*other),
            num_kills=options.kills - num_kills,
            longest_s=longest_s,
            seed=options.seed + number,
            num_processes=options.processes,
        )
        found = differences(*other, *whole)
        num_kills += killed
        is_same = is_same and not found
        rows.append((number + 1, killed, time.monotonic() - began, ", ".join(found) or "none"))
    print_table(
        f"{name}, {options.precision}, {options.processes} processes: killed {num_kills} times; "
        f"undisturbed {whole_s:.0f} s",
        ("round", "kills", "seconds", "differences from the undisturbed job"),
        rows,
    )
    return is_same
