"""Evaluate a model on a test file: predictions into the store, metrics on stdout.

Several processes that launch.py starts share the images; the first one does everything else.
"""

import logging
import os
from collections.abc import Sequence

from jobs.support.cli import log_row_problems, run_job
from jobs.support.metrics_table import metrics_table
from jobs.support.record import Job
from streetclip.config import EvaluateConfig
from streetclip.launch_env import Ranks

_LOG = logging.getLogger(__name__)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the job and return its exit code."""
    return run_job(EvaluateConfig, __doc__, argv, _evaluate)


def _evaluate(config: EvaluateConfig, job: Job) -> None:
    # Torch takes seconds to import; --help and wrong flags must not wait for it.
    from streetclip.demo import is_drawn
    from streetclip.evaluation.preparation import load_inputs
    from streetclip.evaluation.runner import evaluate, help_evaluate
    from streetclip.runtime.distributed import meet

    ranks = Ranks.from_environment(os.environ)
    inputs = load_inputs(config, drawn=is_drawn(config.image_dir), ranks=ranks)
    if ranks.is_first:
        log_row_problems(inputs.manifest.problems, inputs.manifest.warnings)
    _LOG.info("model %s, %s", config.model_source, inputs.encoder.precision.reason)
    _LOG.info("prompts %s: %s", inputs.prompts.name, inputs.prompts.to_dict())
    with meet(ranks) as group:
        if group is not None and not ranks.is_first:
            help_evaluate(inputs, group)
            return
        for run in evaluate(inputs, job.progress, job_id=job.id, group=group):
            job.add_output(run.output_dir)
            state = "existed already" if run.existed_already else "done"
            count = run.metrics["num_images"]
            print(f"run {run.run_id} · {run.strategy} · {count:,} images · {state}\n")
            print(metrics_table(run.metrics))
            print(f"\nfiles  {run.output_dir}\nstore  {config.db}\n")


if __name__ == "__main__":
    raise SystemExit(main())
