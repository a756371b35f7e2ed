"""Evaluate a model on a test file: predictions into the store, metrics on stdout.

Started by torchrun, several processes share the images; the first one does all the rest.
"""

import logging
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from jobs.cli import (
    OneLineParser,
    build_config_parser,
    run_job,
    warn_of_doubtful_rows,
    warn_of_skipped_rows,
)
from jobs.record import Job, recorded_once
from jobs.report import metrics_table
from streetclip.config import EvaluateConfig
from streetclip.launch_env import Ranks

if TYPE_CHECKING:
    from streetclip.evaluation.runner import EvaluatedRun

logger = logging.getLogger(__name__)


def build_parser() -> OneLineParser:
    """Make the parser; its flags are the fields of `EvaluateConfig`."""
    return build_config_parser(EvaluateConfig, __doc__ or "")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the job and return its exit code."""
    return run_job(build_parser(), EvaluateConfig, argv, _evaluate, record=recorded_once)


def _evaluate(config: EvaluateConfig, job: Job) -> None:
    # Torch takes seconds to import; --help and wrong flags should not wait for it.
    from streetclip.demo import is_drawn
    from streetclip.evaluation.inputs import load_inputs
    from streetclip.evaluation.runner import evaluate, help_evaluate
    from streetclip.runtime.distributed import meet

    ranks = Ranks.from_environment(os.environ)
    inputs = load_inputs(config, drawn=is_drawn(config.image_dir), ranks=ranks)
    if ranks.is_first:
        warn_of_skipped_rows(inputs.manifest.problems)
        warn_of_doubtful_rows(inputs.manifest.warnings)
    logger.info("model %s, %s", config.model_source, inputs.encoder.precision.reason)
    logger.info("prompts %s: %s", inputs.prompts.name, inputs.prompts.to_dict())
    with meet(ranks) as group:
        if group is not None and not ranks.is_first:
            help_evaluate(inputs, group)
            return
        for run in evaluate(inputs, job.progress, job_id=job.id, group=group):
            job.add_output(run.output_dir)
            _print_run(config, run)


def _print_run(config: EvaluateConfig, run: "EvaluatedRun") -> None:
    state = "stood already" if run.stood_already else "done"
    print(f"run {run.run_id} · {run.strategy} · {run.metrics['num_images']:,} images · {state}\n")
    print(metrics_table(run.metrics))
    print(f"\nfiles  {run.output_dir}\nstore  {config.db}\n")


if __name__ == "__main__":
    raise SystemExit(main())
