"""Run the promised command line: `python main.py --mode generate_captions|train|evaluate FLAGS`."""

import importlib
from collections.abc import Sequence

from jobs.support.cli import OneLineParser

MODES = ("generate_captions", "train", "evaluate")


def main(argv: Sequence[str] | None = None) -> int:
    """Pass the flags to the job that `--mode` names, and return its exit code."""
    parser = OneLineParser(
        prog="main.py",
        description="Adapt CLIP to image geolocalization: captions, training, evaluation.",
        epilog="Flags of a mode: python main.py --mode MODE --help",
        add_help=False,
    )
    parser.add_argument("--mode", choices=MODES, help="the job to run")
    parser.add_argument("-h", "--help", action="store_true", help="show this help")
    known, rest = parser.parse_known_args(argv)
    if known.mode is not None:
        job = importlib.import_module(f"jobs.{known.mode}")
        return int(job.main([*rest, "--help"] if known.help else rest))
    if not known.help:
        parser.error(f"--mode is missing; expected one of {', '.join(MODES)}")
    parser.print_help()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
