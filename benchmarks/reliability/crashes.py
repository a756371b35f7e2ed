"""Jobs stopped at each of their writes: is what they leave whole, and does a rerun finish it?"""

import random
import time
from collections import Counter
from typing import Any

from benchmarks.reliability.place import Place, print_table
from tests.crash.subjects import SUBJECTS, Stage, trimmed
from tests.crash.system_calls import Fault


def crashes(place: Place, options: Any) -> bool:
    """Let every write of a training, an evaluation and others be cut short, fail or be the last."""
    world = place.folder / "few-rows"
    if not world.exists():
        trimmed(place.world, world)
    names = options.subjects or list(SUBJECTS)
    rows, is_good = [], True
    for name in names:
        stage = Stage(SUBJECTS[name], world, place.folder / f"crashes-{name}")
        points, passed, failed = Counter(), Counter(), Counter()
        faults = [Fault(mode, at) for mode in options.modes for at in stage.points(mode)]
        points.update(fault.mode for fault in faults)
        random.Random(options.seed).shuffle(faults)
        print(name, len(faults), "faults", flush=True)
        deadline = time.monotonic() + 60 * options.minutes / len(names)
        for fault in faults:
            if time.monotonic() > deadline:
                break
            problems = stage.problems(fault)
            (failed if problems else passed)[fault.mode] += 1
            if problems:
                print(
                    f"{name}, {fault}: {stage.calls[fault.at - 1]}",
                    *problems,
                    sep="\n  ",
                    flush=True,
                )
        rows += [(name, mode, len(stage.calls), points[mode], passed[mode], failed[mode])
                 for mode in options.modes]  # fmt: skip
        is_good = is_good and not failed
        print_table("Writes that met a fault", _HEAD, rows[-len(options.modes) :])
    print_table("Writes that met a fault, in all", _HEAD, rows)
    return is_good


_HEAD = ("subject", "fault", "writes", "points", "passed", "failed")
