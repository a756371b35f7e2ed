"""Import the predictions of any model as a run: CSV, JSON Lines or Parquet."""

from collections.abc import Sequence
from typing import Any

from jobs.support.cli import run_job
from jobs.support.metrics_table import metrics_table, two_rules_table
from jobs.support.record import Job
from streetclip.config import ImportPredictionsConfig

_COUNTED = {
    "num_unparsable": "rows name no place that can be parsed; they count as wrong",
    "num_images_without_row": "images have no row; they count as wrong",
    "num_rows_of_other_images": "rows are of images that the test file lacks; they are left out",
    "num_repeated_rows": "further rows of an image are left out",
    "num_bad_coordinates": "rows have coordinates that are no point on the globe; "
    "they are within no distance",
    "num_unknown_countries": "rows name a country that is unknown",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the job and return its exit code."""
    return run_job(ImportPredictionsConfig, __doc__, argv, _import)


def _import(config: ImportPredictionsConfig, job: Job) -> None:
    # pandas takes a second to import; --help and wrong flags must not wait for it.
    from streetclip.evaluation.imports import import_predictions

    run = import_predictions(config, job.progress, job_id=job.id)
    job.add_output(run.output_dir)
    counts: dict[str, Any] = run.metrics["imported"]
    count = run.metrics["num_images"]
    print(f"run {run.run_id} · imported ({counts['format']}) · {count:,} images\n")
    print(metrics_table(run.metrics))
    for name, text in _COUNTED.items():
        if counts[name]:
            print(f"{counts[name]:,} {text}")
    if run.metrics["num_unreadable"]:
        print(f"\n{two_rules_table(run.metrics, run.metrics['answered'])}")
    print(f"\nfiles  {run.output_dir}\nimages {run.image_dir}\nstore  {config.db}")


if __name__ == "__main__":
    raise SystemExit(main())
