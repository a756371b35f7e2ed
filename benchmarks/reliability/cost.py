"""What keeping a job's record costs: the heartbeat's thread and the calls of progress."""

import json
import subprocess
import sys
from typing import Any

from benchmarks.reliability.place import Place, print_table
from tests.killing import ROOT

_HEAD = ("job", "seconds", "CPU s", "beats CPU s", "calls", "calls CPU s", "calls s",
         "share of CPU", "share of time")  # fmt: skip

# A job in a process of its own, with clocks around its beats and its bars.
_TIMED = """
import json, sys, time
started, cpu_started = time.perf_counter(), time.process_time()
import importlib
from jobs.support import bars, record

spent = {"beats_cpu_s": 0.0, "calls": 0, "calls_cpu_s": 0.0, "calls_s": 0.0}
beat, call = record.Job._keep_beating, bars.ProgressBar.__call__

def timed_run(self):
    beat(self)
    spent["beats_cpu_s"] += time.thread_time()

def timed_call(self, *arguments, **numbers):
    began, cpu_began = time.perf_counter(), time.thread_time()
    call(self, *arguments, **numbers)
    spent["calls"] += 1
    spent["calls_s"] += time.perf_counter() - began
    spent["calls_cpu_s"] += time.thread_time() - cpu_began

record.Job._keep_beating, bars.ProgressBar.__call__ = timed_run, timed_call
code = importlib.import_module(f"jobs.{sys.argv[1]}").main(sys.argv[2:])
spent |= {"s": time.perf_counter() - started, "cpu_s": time.process_time() - cpu_started}
print(json.dumps(spent))
sys.exit(code)
"""
_MOST = 0.01


def cost(place: Place, options: Any) -> bool:
    """Time a training and an evaluation, each as a process of its own."""
    folder = place.folder / "cost"
    images = place.many_images(options.images)
    jobs = {
        "train": place.training_flags(
            folder / "training", folder / "t.db", num_epochs=options.epochs
        ),
        "evaluate": place.evaluation_flags(images, folder / "evaluation", folder / "e.db"),
    }
    rows = [_row(name, _run(name, flags)) for name, flags in jobs.items()]
    print_table(
        "What the record costs", _HEAD, [(*row[:-2], *map(_percent, row[-2:])) for row in rows]
    )
    return all(share < _MOST for row in rows for share in row[-2:])


def _run(name: str, flags: list[str]) -> dict[str, Any]:
    command = [sys.executable, "-c", _TIMED, name, *flags]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stderr)
    return json.loads(done.stdout.splitlines()[-1])


def _row(name: str, spent: dict[str, Any]) -> tuple[Any, ...]:
    cpu_s = spent["beats_cpu_s"] + spent["calls_cpu_s"]
    # Beats count in full, as if the job waited for each instruction of their thread.
    seconds = spent["beats_cpu_s"] + spent["calls_s"]
    return (name, spent["s"], spent["cpu_s"], spent["beats_cpu_s"], spent["calls"],
            spent["calls_cpu_s"], spent["calls_s"], cpu_s / spent["cpu_s"],
            seconds / spent["s"])  # fmt: skip


def _percent(share: float) -> str:
    return f"{share:.2%}"
