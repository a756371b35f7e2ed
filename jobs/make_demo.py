"""Draw the demo's world: street scenes of 40 countries, their CSVs, and a small untrained model."""

import time
from collections.abc import Sequence

from jobs.support.cli import build_config_parser, run_job
from jobs.support.record import Job
from streetclip.config import DemoConfig


def main(argv: Sequence[str] | None = None) -> int:
    """Run the job and return its exit code."""
    return run_job(build_config_parser(DemoConfig, __doc__), DemoConfig, argv, _make_demo)


def _make_demo(config: DemoConfig, job: Job) -> None:
    # --help must not wait for the packages that draw and make the model.
    from streetclip.demo.world import build_world

    start = time.monotonic()
    with job.progress("draw", "image") as progress:
        world = build_world(config, progress)
    job.add_output(world.folder)
    state = (
        "existed already" if world.stood_already else f"done in {time.monotonic() - start:.0f} s"
    )
    print(f"drawn world · {sum(world.num_images.values()):,} images · {state}\n")
    for split, count in world.num_images.items():
        print(f"{split + '.csv':<16}{count:>6,} images")
    print(f"{'candidates.json':<16}{world.num_countries:>6} countries, {world.num_cities} cities")
    print(f"{'model/':<16}       a small CLIP, untrained")
    print(f"\nfolder {world.folder}")


if __name__ == "__main__":
    raise SystemExit(main())
