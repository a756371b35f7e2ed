"""Write a report of a run as one HTML file, and check its figures against gates.

A gate fails when the whole 95 % interval of its figure lies on the wrong side of the bound; against
a baseline the interval is that of the paired difference. If one fails, the exit code is 1.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from jobs.support.cli import run_job
from jobs.support.metrics_table import aligned
from jobs.support.record import Job
from streetclip.config import ReportConfig
from streetclip.errors import GateError

if TYPE_CHECKING:
    from streetclip.results import GateOutcome


def main(argv: Sequence[str] | None = None) -> int:
    """Run the job and return its exit code."""
    return run_job(ReportConfig, __doc__, argv, _report)


def _report(config: ReportConfig, job: Job) -> None:  # noqa: ARG001
    from streetclip.files import refuse_existing, write_json, write_text
    from streetclip.reports.chosen import Chosen
    from streetclip.reports.report import report_html
    from streetclip.results import parse_gate

    gates = [parse_gate(text) for text in config.gate]
    if not config.overwrite:
        outputs = [path for path in (config.output, config.json) if path is not None]
        refuse_existing(*outputs, advice="Replace them with --overwrite.")
    chosen = Chosen.open(config.db, config.run, filters=config.filter, baseline=config.baseline)
    outcomes = [chosen.check(gate) for gate in gates]
    failed = [each.gate for each in outcomes if each.verdict == "failed"]
    if outcomes:
        print(_table(outcomes))
    if config.json is not None:
        write_json(
            config.json,
            {
                "run": chosen.run["id"],
                "baseline": None if chosen.baseline is None else chosen.baseline["id"],
                "filter": config.filter,
                "passed": not failed,
                "gates": [each.to_dict() for each in outcomes],
            },
        )
    if config.output is not None:
        write_text(config.output, report_html(chosen, outcomes))
        print(f"{config.output}: {config.output.stat().st_size / 1e6:,.1f} MB")
    if failed:
        msg = f"{len(failed)} of {len(outcomes)} gates failed: {', '.join(failed)}."
        raise GateError(msg)


def _table(outcomes: "Sequence[GateOutcome]") -> str:
    from streetclip.results.formats import NONE

    rows = [("gate", "measured", "95 % interval", "bound", "n", "verdict")]
    for each in outcomes:
        numbers = (each.measured, each.low, each.high, each.bound)
        measured, low, high, bound = (f"{x:.6g}".replace("nan", NONE) for x in numbers)
        interval = f"{low} to {high}"
        rows.append((each.gate, measured, interval, bound, f"{each.n:,}", each.verdict))
    return aligned(rows)


if __name__ == "__main__":
    raise SystemExit(main())
