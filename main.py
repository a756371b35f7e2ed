"""The promised command line: `python main.py --mode generate_captions|train|evaluate FLAGS`."""

import importlib
import sys
from collections.abc import Sequence

from jobs.cli import EXIT_USER_ERROR, OneLineParser

MODES = ("generate_captions", "train", "evaluate")


def build_parser() -> OneLineParser:
    """Make the parser of `--mode`; every other flag is the job's own."""
    parser = OneLineParser(
        prog="main.py",
        description="Adapt CLIP to image geolocalization: captions, training, evaluation.",
        epilog="Flags of a mode: python main.py --mode MODE --help",
        add_help=False,
    )
    parser.add_argument("--mode", choices=MODES, help="the job to run")
    parser.add_argument("-h", "--help", action="store_true", help="show this help")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Hand the flags to the job that `--mode` names, and return its exit code."""
    parser = build_parser()
    known, rest = parser.parse_known_args(argv)
    if known.mode is None:
        if known.help:
            parser.print_help()
            return 0
        print(
            f"main.py: error: --mode is missing; expected one of {', '.join(MODES)}. "
            "See main.py --help",
            file=sys.stderr,
        )
        return EXIT_USER_ERROR
    job = importlib.import_module(f"jobs.{known.mode}")
    return int(job.main([*rest, "--help"] if known.help else rest))


if __name__ == "__main__":
    raise SystemExit(main())
