"""Measure whether pages, files and tables agree on the figures of random runs.

    python benchmarks/measure_agreement.py [--runs 200] [--seed 0]

Each run is drawn, written as an evaluation writes it, and looked at under random filters; every
figure is computed a second time in plain Python from predictions.csv. Prints what was compared,
and each disagreement and each value above its ceiling; ends with 1 if there is one.
"""

import argparse
import logging
import sys
import tempfile
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # run as a script, tests/ alone is there
from tests.agreement.checks import Checker, DisagreementError, check_run
from tests.agreement.drawn_runs import draw_run, draw_selections


def build_parser() -> argparse.ArgumentParser:
    """Make the parser."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=200, help="to draw")
    parser.add_argument("--seed", type=int, default=0, help="of the first run")
    parser.add_argument("--images", type=int, default=60, help="of a run at most")
    parser.add_argument("--filters", type=int, default=4, help="of each run, with none at all")
    return parser


def main(arguments: list[str] | None = None) -> int:
    """Measure; 0 if everything agrees."""
    options = build_parser().parse_args(arguments)
    logging.disable(logging.WARNING)  # Streamlit's, that no server is running
    checker, kinds, failures = Checker(), Counter(), []
    for seed in range(options.seed, options.seed + options.runs):
        with tempfile.TemporaryDirectory(prefix="streetclip-measure-") as folder:
            drawn = draw_run(Path(folder), seed, most_images=options.images)
            kinds[drawn.kind] += 1
            try:
                check_run(drawn, draw_selections(drawn, seed, options.filters), checker)
            except DisagreementError as error:
                failures.append(f"seed {seed}: {error}")
    print("runs        ", ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items())))
    print(f"figures      {checker.num_figures:,} compared")
    print(f"ceilings     {checker.num_ceilings:,} held against")
    print(f"disagreements {len(failures)}")
    print("\n".join(failures))
    return 1 if failures else 0


if __name__ == "__main__":
    raise SystemExit(main())
