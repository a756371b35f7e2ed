"""Measure what jobs promise: kills, contention, claims, full disks, restarts, and what it costs.

    python benchmarks/measure_jobs.py kill_training [--kills 20]
    python benchmarks/measure_jobs.py contention --minutes 5

Each prints a table, and ends with 1 where a promise is not kept. Jobs run as processes of their
own on a drawn world, on the CPU. For measurements only; the tests do the same, shortly.
"""

import argparse
import os
import sys
import tempfile
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")
sys.path.insert(0, str(Path(__file__).parents[1]))  # run as a script, tests/ alone is there
from benchmarks.reliability.claims import claims
from benchmarks.reliability.contention import contention
from benchmarks.reliability.cost import cost
from benchmarks.reliability.crashes import crashes
from benchmarks.reliability.full_disks import disk_full
from benchmarks.reliability.kills import kill_evaluation, kill_training
from benchmarks.reliability.place import Place
from benchmarks.reliability.restart import restart
from tests.crash.subjects import SUBJECTS
from tests.crash.system_calls import MODES

MEASUREMENTS = {
    each.__name__: each
    for each in (
        kill_training,
        kill_evaluation,
        crashes,
        contention,
        claims,
        disk_full,
        restart,
        cost,
    )
}


def build_parser() -> argparse.ArgumentParser:
    """Make the parser, with one subcommand for each measurement."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--folder", type=Path, help="where to work, empty; default: a temporary one"
    )
    parser.add_argument("--seed", type=int, default=1, help="of every random moment")
    commands = parser.add_subparsers(dest="measurement", required=True, metavar="MEASUREMENT")
    parsers = {
        name: commands.add_parser(name, help=(function.__doc__ or "").splitlines()[0])
        for name, function in MEASUREMENTS.items()
    }
    for name in ("kill_training", "kill_evaluation"):
        parsers[name].add_argument("--kills", type=int, default=20, help="in all")
        parsers[name].add_argument("--precision", choices=("fp32", "bf16"), default="fp32")
        parsers[name].add_argument("--processes", type=int, default=1, help="that share the job")
    parsers["kill_training"].add_argument("--epochs", type=int, default=12, help="of 25 steps each")
    parsers["cost"].add_argument("--epochs", type=int, default=20, help="of 25 steps each")
    for name, images in (("kill_evaluation", 8000), ("contention", 2000), ("cost", 8000)):
        parsers[name].add_argument("--images", type=int, default=images, help="of an evaluation")
    parsers["contention"].add_argument("--minutes", type=float, default=5.0, help="to fill")
    parsers["claims"].add_argument("--runners", type=int, default=8, help="at the same time")
    parsers["claims"].add_argument("--jobs", type=int, default=200, help="claimed, but not run")
    parsers["claims"].add_argument("--real_jobs", type=int, default=200, help="claimed and run")
    parsers["disk_full"].add_argument("--times", type=int, default=10, help="for each kind of job")
    every = parsers["crashes"]
    every.add_argument("--subjects", nargs="+", choices=sorted(SUBJECTS), help="default: all")
    every.add_argument("--modes", nargs="+", choices=MODES, default=MODES, help="default: all")
    every.add_argument("--minutes", type=float, default=600.0, help="then stop, in random order")
    every.add_argument("--part", default="1/1", help="of all trials: 2/3 is the second of three")
    return parser


def main(arguments: list[str] | None = None) -> int:
    """Measure; 0 if all is as promised."""
    options = build_parser().parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="streetclip-measure-") as temporary:
        place = Place((options.folder or Path(temporary)).absolute())
        is_kept = MEASUREMENTS[options.measurement](place, options)
    print("as promised" if is_kept else "NOT AS PROMISED")
    return 0 if is_kept else 1


if __name__ == "__main__":
    raise SystemExit(main())
