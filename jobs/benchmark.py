"""Measure how fast this machine evaluates, in parts, and against what people use instead."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from jobs.cli import OneLineParser, build_config_parser, run_job
from jobs.record import Job
from streetclip.config import BenchmarkConfig

if TYPE_CHECKING:
    import torch

    from benchmarks.evaluation.figures import Result
    from benchmarks.evaluation.processes import Task
    from benchmarks.evaluation.setup import Setup
    from streetclip.models import Precision


def build_parser() -> OneLineParser:
    """Make the parser; its flags are the fields of `BenchmarkConfig`."""
    return build_config_parser(BenchmarkConfig, __doc__ or "")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the job and return its exit code."""
    return run_job(build_parser(), BenchmarkConfig, argv, _benchmark)


def _benchmark(config: BenchmarkConfig, job: Job) -> None:
    # Torch takes seconds to import; --help and wrong flags should not wait for it.
    from benchmarks.evaluation.report import build_report, machine_facts, tables
    from streetclip.files import scratch_folder, write_json
    from streetclip.models import resolve_device

    _refuse_to_overwrite(config)
    device = resolve_device(config.device)
    with scratch_folder() as folder:
        setup = _set_up(config, folder)
        precision = _resolve_precision(config, setup, device)
        names = (precision.name,) if precision.name == "fp32" else (precision.name, "fp32")
        plan = plan_tasks(names, config)
        report = build_report(
            config, setup, machine_facts(device, precision), _measured(plan, setup, config, job)
        )
    write_json(config.output, report)
    job.add_output(config.output)
    print(tables(report))
    print(f"\nfile    {config.output}")


def plan_tasks(precisions: Sequence[str], config: BenchmarkConfig) -> "dict[str, Task]":
    """What is measured in a round, by name.

    Args:
        precisions: The first is the one that everything is measured in.
        config: What was asked for.
    """
    from benchmarks.evaluation.processes import Task
    from benchmarks.evaluation.setup import Way

    first = precisions[0]
    plan = {}
    # What is compared stands together: the machine may be slower in a minute.
    for precision in precisions:
        plan[f"exact_{precision}"] = Task("evaluation", Way(precision, exact=True))
        plan[f"forward_{precision}"] = Task("forward", Way(precision))
        plan[f"default_{precision}"] = Task("evaluation", Way(precision))
    plan["plain_loop"] = Task("plain_loop", Way("fp32"))
    plan["decode_default"] = Task("decode", Way(first))
    plan["decode_exact"] = Task("decode", Way(first, exact=True))
    plan["cache"] = Task("second_evaluation", Way(first))
    if config.pipeline_images:
        plan["pipeline"] = Task("zero_shot_pipeline", Way("fp32"))
    return plan


def _set_up(config: BenchmarkConfig, folder: Path) -> "Setup":
    from benchmarks.evaluation.model import model_folder
    from benchmarks.evaluation.photos import lay_out
    from benchmarks.evaluation.setup import Setup
    from streetclip.data.candidates import load_candidates

    candidates = load_candidates(config.candidates_file)
    num_distinct = lay_out(config, folder, candidates.country_names[0])
    return Setup.of(config, folder, model_folder(config, folder), num_distinct, candidates)


def _resolve_precision(
    config: BenchmarkConfig, setup: "Setup", device: "torch.device"
) -> "Precision":
    from transformers import AutoConfig

    from streetclip.models import narrowest_tower, resolve_precision

    model_config = AutoConfig.from_pretrained(setup.model_folder)
    return resolve_precision(config.precision, device, narrowest_tower(model_config))


def _measured(
    plan: "dict[str, Task]", setup: "Setup", config: BenchmarkConfig, job: Job
) -> "dict[str, list[Result]]":
    from benchmarks.evaluation.processes import run_apart

    measured: dict[str, list[Result]] = {name: [] for name in plan}
    total = config.rounds * len(plan)
    with job.progress("measure", "measurement") as progress:
        progress(0, total)
        for _ in range(config.rounds):
            for name, task in plan.items():
                measured[name].append(run_apart(task, setup))
                progress(sum(map(len, measured.values())), total)
    return measured


def _refuse_to_overwrite(config: BenchmarkConfig) -> None:
    from streetclip.errors import OutputError

    if config.output.exists() and not config.overwrite:
        msg = f"{config.output}: stands already. Name another file, or add --overwrite."
        raise OutputError(msg)


if __name__ == "__main__":
    raise SystemExit(main())
