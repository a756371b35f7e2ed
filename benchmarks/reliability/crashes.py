"""Jobs stopped at each of their writes: is what they leave whole, and does a rerun finish it?"""

import random
import re
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from benchmarks.reliability.place import Place, print_table
from tests.crash.stage import Stage, trimmed
from tests.crash.subjects import SUBJECTS
from tests.crash.system_calls import Call, Fault, Mode

Trial = tuple[list[Fault], list[Call], Callable[[], list[str]]]
"""Faults that leave the same, the writes of their run, and what finds the problems."""


def crashes(place: Place, options: Any) -> bool:
    """Let every write of a training, an evaluation and others be cut short, fail or be the last."""
    world = place.folder / "few-rows"
    if not world.exists():
        trimmed(place.world, world)
    names = options.subjects or list(SUBJECTS)
    rows, is_good = [], True
    for name in names:
        stage = Stage(SUBJECTS[name], world, place.folder / f"crashes-{name}")
        draw = random.Random(options.seed)
        number, parts = map(int, options.part.split("/"))
        killed = list(_killed(stage, options.modes))
        killed = killed[len(killed) * (number - 1) // parts : len(killed) * number // parts]
        draw.shuffle(killed)
        trials = killed + _refused(stage, options.modes, draw)[number - 1 :: parts]
        points = Counter(fault.mode for faults, _, _ in trials for fault in faults)
        distinct = Counter(faults[0].mode for faults, _, _ in trials)
        print(name, sum(points.values()), "faults,", len(trials), "trials", flush=True)
        passed, failed = _try(name, trials, 60 * options.minutes / len(names))
        print(name, stage.num_reruns, "reruns", flush=True)
        rows += [(name, mode, points[mode], distinct[mode], passed[mode], failed[mode])
                 for mode in options.modes]  # fmt: skip
        is_good = is_good and not failed
        print_table("Writes that met a fault", _HEAD, rows[-len(options.modes) :])
    print_table("Writes that met a fault, in all", _HEAD, rows)
    return is_good


def _try(name: str, trials: Sequence[Trial], seconds: float) -> tuple[Counter[Mode], Counter[Mode]]:
    """Count the faults that passed and failed, until the time is over."""
    passed: Counter[Mode] = Counter()
    failed: Counter[Mode] = Counter()
    began = reported = time.monotonic()
    for number, (faults, calls, find_problems) in enumerate(trials, 1):
        problems = find_problems()
        (failed if problems else passed).update(fault.mode for fault in faults)
        if problems:
            at = calls[faults[0].at - 1]
            print(f"{name}, {', '.join(map(str, faults))}: {at}", *problems, sep="\n  ", flush=True)
        now = time.monotonic()
        if now > reported + _SECONDS_BETWEEN_REPORTS:
            reported = now
            print(f"{name}: {number} of {len(trials)}, {dict(passed)}, failed {dict(failed)}",
                  flush=True)  # fmt: skip
        if now > began + seconds:
            break
    return passed, failed


def _killed(stage: Stage, modes: Sequence[Mode]) -> Iterator[Trial]:
    """A trial for each distinct state that a kill at a write may leave."""
    states, calls = stage.killed_states()
    wanted = {
        Fault(mode, at) for mode in modes if mode in _KILLS for at in stage.points(mode, calls)
    }
    for key, left_by in states.faults.items():
        faults = [fault for fault in left_by if fault in wanted]
        if faults:
            yield faults, calls, lambda key=key: stage.problems_of(states, key)


def _refused(stage: Stage, modes: Sequence[Mode], draw: random.Random) -> list[Trial]:
    """A trial for each write that is refused: first one of each kind, then a second, and so on."""
    of_kind = defaultdict(list)
    for mode in modes:
        for at in stage.points(mode) if mode not in _KILLS else ():
            call = stage.calls[at - 1]
            before = (each for each in stage.calls[at - 2 :: -1] if each.is_main == call.is_main)
            last = next(before, None) if at > 1 else None
            of_kind[(mode, call.is_main, _kind(call), last and _kind(last))].append(Fault(mode, at))
    ranked = []
    for faults in of_kind.values():
        draw.shuffle(faults)
        ranked += [(rank, draw.random(), fault) for rank, fault in enumerate(faults)]
    print(len(of_kind), "kinds of writes that are refused", flush=True)
    return [
        ([fault], stage.calls, lambda fault=fault: stage.problems(fault))
        for _, _, fault in sorted(ranked, key=lambda each: each[:2])
    ]


def _kind(call: Call) -> tuple[str, ...]:
    """What does not vary from step to step: the call, and its files without random names."""
    return (call.name, *(_RANDOM.sub("*", str(path)) for path in call.paths))


_HEAD = ("subject", "fault", "points", "distinct", "passed", "failed")
_KILLS = ("kill", "short")
_RANDOM = re.compile(r"(?<=\.streetclip-)\w{8}|[0-9a-f]{16,}|\d+")
_SECONDS_BETWEEN_REPORTS = 60.0
