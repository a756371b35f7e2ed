"""Measure evaluation in rounds: every task once a round, each in a process of its own."""

from collections.abc import Sequence
from typing import Any

from transformers import AutoConfig

from benchmarks.evaluation import processes
from benchmarks.evaluation.figures import Result
from benchmarks.evaluation.model import model_folder
from benchmarks.evaluation.photos import lay_out
from benchmarks.evaluation.processes import Task
from benchmarks.evaluation.report import build_report, machine_facts
from benchmarks.evaluation.setup import Setup, Way
from streetclip.config import BenchmarkConfig
from streetclip.data.candidates import load_candidates
from streetclip.files import scratch_folder
from streetclip.models.precision import narrowest_tower, resolve_device, resolve_precision
from streetclip.progress import Progress


def measure_rounds(config: BenchmarkConfig, progress: Progress) -> dict[str, Any]:
    """Measure all tasks in all rounds, and build the report."""
    device = resolve_device(config.device)
    candidates = load_candidates(config.candidates_file)
    with scratch_folder() as folder:
        num_distinct = lay_out(config, folder, candidates.country_names[0])
        setup = Setup.of(config, folder, model_folder(config, folder), num_distinct, candidates)
        width = narrowest_tower(AutoConfig.from_pretrained(setup.model_folder))
        precision = resolve_precision(config.precision, device, width)
        names = (precision.name,) if precision.name == "fp32" else (precision.name, "fp32")
        plan = plan_tasks(names, config)
        measured: dict[str, list[Result]] = {name: [] for name in plan}
        total = config.rounds * len(plan)
        progress(0, total)
        for _ in range(config.rounds):
            for name, task in plan.items():
                measured[name].append(processes.run_apart(task, setup))
                progress(sum(map(len, measured.values())), total)
        return build_report(config, setup, machine_facts(device, precision), measured)


def plan_tasks(precisions: Sequence[str], config: BenchmarkConfig) -> dict[str, Task]:
    """List the tasks of a round by name.

    Args:
        precisions: Everything is measured in the first.
        config: Of the benchmark.
    """
    first = precisions[0]
    plan = {}
    # Tasks that are compared follow each other: the machine may be slower in a minute.
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
