"""Measure how fast this machine evaluates, in parts, and against what people use instead."""

from collections.abc import Sequence

from jobs.support.cli import run_job
from jobs.support.record import Job
from streetclip.config import BenchmarkConfig


def main(argv: Sequence[str] | None = None) -> int:
    """Run the job and return its exit code."""
    return run_job(BenchmarkConfig, __doc__, argv, _benchmark)


def _benchmark(config: BenchmarkConfig, job: Job) -> None:
    # Torch takes seconds to import; --help and wrong flags must not wait for it.
    from benchmarks.evaluation.report import tables
    from benchmarks.evaluation.rounds import measure_rounds
    from streetclip.files import refuse_existing, write_json

    if not config.overwrite:
        refuse_existing(config.output, advice="Name another file, or add --overwrite.")
    with job.progress("measure", "measurement") as progress:
        report = measure_rounds(config, progress)
    write_json(config.output, report)
    job.add_output(config.output)
    print(f"{tables(report)}\n\nfile    {config.output}")


if __name__ == "__main__":
    raise SystemExit(main())
