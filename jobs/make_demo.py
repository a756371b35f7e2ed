"""Draw the demo's world: street scenes of 40 countries, their CSVs, and a small untrained model."""

import time
from collections.abc import Sequence

from jobs.support.cli import run_job
from jobs.support.record import Job
from streetclip.config import DemoConfig


def main(argv: Sequence[str] | None = None) -> int:
    """Run the job and return its exit code."""
    return run_job(DemoConfig, __doc__, argv, _make_demo)


def _make_demo(config: DemoConfig, job: Job) -> None:
    # Drawing and the model need packages that --help should not wait for.
    from streetclip.demo.cues import drawn_countries
    from streetclip.demo.world import build_world, num_images

    start = time.monotonic()
    with job.progress("draw", "image") as progress:
        was_drawn = build_world(config, progress)
    job.add_output(config.output_dir)
    state = f"done in {time.monotonic() - start:.0f} s" if was_drawn else "kept as it was"
    counts = num_images(config)
    print(f"drawn world · {sum(counts.values()):,} images · {state}\n")
    for split, count in counts.items():
        print(f"{split + '.csv':<16}{count:>6,} images")
    known = drawn_countries()
    num_cities = sum(len(country.cities) for country in known)
    print(f"{'candidates.json':<16}{len(known):>6} countries, {num_cities} cities")
    print(f"{'model/':<16}       a small CLIP, untrained")
    print(f"\nfolder {config.output_dir}")


if __name__ == "__main__":
    raise SystemExit(main())
