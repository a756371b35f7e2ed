"""Measure what the training promises: its speed, its memory, its losses, its exactness.

    python benchmarks/measure_training.py trainer --shape vit-b-32 --batch_size 32
    python benchmarks/measure_training.py trainer --shape demo --steps 300
    python benchmarks/measure_training.py trainer --shape vit-l-14-336 \
        --device cuda --precision bf16 --batch_size 128 --trainer_workers 0 8 16 --peak_tflops 989
    python benchmarks/measure_training.py memory
    python benchmarks/measure_training.py demo --demo data/demo
    python benchmarks/measure_training.py exactness

Each prints a table, and ends with 1 where a promise is not kept. Trainings run as processes of
their own. For measurements only; none of the tests' checks rests on a clock.
"""

import argparse
import os
import signal
import sys
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")
sys.path.insert(0, str(Path(__file__).parents[1]))  # run as a script, tests/ alone is there
from benchmarks.training.exactness import exactness
from benchmarks.training.losses import demo
from benchmarks.training.memory import memory
from benchmarks.training.speed import trainer
from benchmarks.training.variants import VARIANTS
from benchmarks.training.workload import SHAPES

MEASUREMENTS = {each.__name__: each for each in (trainer, memory, demo, exactness)}


def build_parser() -> argparse.ArgumentParser:
    """Make the parser, with one subcommand for each measurement."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="measurement", required=True, metavar="MEASUREMENT")
    parsers = {
        name: commands.add_parser(name, help=(function.__doc__ or "").splitlines()[0])
        for name, function in MEASUREMENTS.items()
    }
    for each in (parsers["trainer"], parsers["memory"]):
        _add_model(each)
    _add_trainer(parsers["trainer"])
    _add_memory(parsers["memory"])
    _add_demo(parsers["demo"])
    return parser


def _add_model(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--shape", choices=SHAPES, default="vit-b-32", help="of random weights")
    parser.add_argument("--device", default="cpu", help="cpu, cuda, cuda:1 …")
    parser.add_argument("--precision", default="fp32", help="auto, fp32, bf16 or fp16")
    parser.add_argument(
        "--num_places", type=int, default=0, help="distinct captions; 0: as many as there are"
    )
    parser.add_argument("--folder", type=Path, help="for files, removed after; default: temporary")
    parser.add_argument("--output", type=Path, help="JSON file of all figures")


def _add_trainer(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--image_dir", type=Path, help="folder of photos; default: drawn ones")
    parser.add_argument("--synthetic", type=int, default=1024, help="pixels a side of drawn ones")
    parser.add_argument("--batch_size", type=int, default=32)
    parser.add_argument("--skipped", type=int, default=5, help="first steps, not timed")
    parser.add_argument("--steps", type=int, default=20, help="that are timed")
    parser.add_argument("--rounds", type=int, default=3, help="times that all is timed, in turn")
    parser.add_argument(
        "--modes", nargs="+", choices=("loop", "decode"), default=["loop", "decode"]
    )
    parser.add_argument("--num_workers", type=int, default=-1, help="that decode for ours")
    parser.add_argument(
        "--trainer_workers", type=int, nargs="+", default=[0, 2],
        help="that decode for the Trainer; the best counts",
    )  # fmt: skip
    parser.add_argument("--exact_preprocessing", action="store_true", help="ours, as the job's")
    parser.add_argument("--peak_tflops", type=float, default=0.0, help="to state a share of it")


def _add_memory(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--effective_batch", type=int, default=512)
    parser.add_argument("--portions", type=int, nargs="+", default=[32, 16])
    parser.add_argument(
        "--plain", type=int, nargs="+", default=[64, 128, 256],
        help="smaller plain batches, from which the effective one is told if it does not fit",
    )  # fmt: skip


def _add_demo(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--demo", type=Path, default=Path("data/demo"), help="of make_demo")
    parser.add_argument("--folder", type=Path, help="kept; default: outputs/losses")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--variants", nargs="+", choices=[*VARIANTS], default=[*VARIANTS])
    parser.add_argument("--seeds", type=int, nargs="+", default=[42, 43, 44])
    parser.add_argument(
        "--learning_rate", nargs="+", default=[], metavar="[VARIANT=]RATE",
        help="peak, of all or of one; default: 1e-3, as in the Makefile",
    )  # fmt: skip
    parser.add_argument(
        "--train_flags", nargs=argparse.REMAINDER, default=[], help="further ones, of the job; last"
    )


def main(arguments: list[str] | None = None) -> int:
    """Measure; 1 if something is not as promised."""
    options = build_parser().parse_args(arguments)
    is_kept = MEASUREMENTS[options.measurement](options)
    if is_kept is None:  # nothing is promised
        return 0
    print("\nas promised" if is_kept else "\nNOT AS PROMISED")
    return 0 if is_kept else 1


if __name__ == "__main__":
    # A TERM clears up, too: processes end, and gigabytes of temporary models go.
    signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))
    raise SystemExit(main())
