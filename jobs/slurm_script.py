"""The text of an sbatch script that evaluates with several processes on several machines."""

import re
import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from streetclip.errors import ConfigError, shown

SAVING_S = 120
"""Seconds before its time limit at which Slurm asks the job to save and end."""

LOG_NAME = "slurm-{job_id}.log"
"""Name of the job's log, in the folder that the script is submitted from."""

_UNWRITABLE = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")

# Quoting in #SBATCH lines differs between versions of Slurm: only values that need none go there.
# `exec`: a TERM of the whole job, as scancel sends it, reaches srun, which hands it on.
# `--kill-on-bad-exit`: where one machine fails, the others are sent TERM, and do not wait.
_TEMPLATE = """\
#!/bin/bash
# Written by jobs/submit_slurm.py. `sbatch FILE` submits it, again to go on where it stopped.
{directives}

set -euo pipefail
cd -- {folder}
nodes=$(scontrol show hostnames "$SLURM_JOB_NODELIST")
head_node=${{nodes%%$'\\n'*}}
port=$((20000 + SLURM_JOB_ID % 10000))
export OMP_NUM_THREADS="${{OMP_NUM_THREADS:-{threads}}}"

exec {srun} \\
    {python} -m torch.distributed.run \\
    --nnodes={nodes} --nproc_per_node={nproc_per_node} --rdzv_backend=c10d \\
    --rdzv_endpoint="$head_node:$port" --rdzv_id="$SLURM_JOB_ID" \\
    {command}
"""


@dataclass(frozen=True, kw_only=True)
class Allocation:
    """What is asked of Slurm.

    Attributes:
        nodes: Machines.
        gpus_per_node: GPUs of each; 0 asks for none.
        nproc_per_node: Processes on each.
        time: Limit, as HH:MM:SS or D-HH:MM:SS.
        partition: Where to queue; None leaves it to Slurm, as in all that follow.
        account: Who pays.
        cpus_per_task: Cores of each machine, for all of its processes.
        mem: Memory of each machine, with unit.
    """

    nodes: int
    gpus_per_node: int
    nproc_per_node: int
    time: str
    partition: str | None = None
    account: str | None = None
    cpus_per_task: int | None = None
    mem: str | None = None


def sbatch_script(allocation: Allocation, arguments: Sequence[str], folder: Path) -> str:
    """Make the script: on each machine one torchrun, which runs `jobs/evaluate.py`.

    Args:
        allocation: What is asked of Slurm.
        arguments: Flags of the evaluation.
        folder: Absolute; relative paths among the flags start there.

    Raises:
        ConfigError: A word cannot stand in a script.
    """
    words = [str(Path(__file__).resolve().with_name("evaluate.py")), *arguments]
    cores = () if allocation.cpus_per_task is None else (allocation.cpus_per_task,)
    return _TEMPLATE.format(
        directives="\n".join(f"#SBATCH --{each}" for each in _directives(allocation)),
        folder=_quoted(str(folder)),
        # srun of 22.05 and later does not heed the number that sbatch was given.
        srun=" ".join(
            ["srun --kill-on-bad-exit=1", *(f"--cpus-per-task={count}" for count in cores)]
        ),
        # torchrun would leave one thread to each process.
        threads=max(1, (allocation.cpus_per_task or 1) // allocation.nproc_per_node),
        python=_quoted(sys.executable),
        nodes=allocation.nodes,
        nproc_per_node=allocation.nproc_per_node,
        command=" \\\n    ".join(map(_quoted, words)),
    )


def _directives(allocation: Allocation) -> list[str]:
    values = {
        "job-name": "streetclip-evaluate",
        "nodes": allocation.nodes,
        "ntasks-per-node": 1,
        "gpus-per-node": allocation.gpus_per_node or None,
        "cpus-per-task": allocation.cpus_per_task,
        "mem": allocation.mem,
        "time": allocation.time,
        "partition": allocation.partition,
        "account": allocation.account,
        "output": LOG_NAME.format(job_id="%j"),
        "open-mode": "append",  # what a job said before it was requeued stays
        "signal": f"TERM@{SAVING_S}",  # to all processes of the step
    }
    given = [f"{name}={value}" for name, value in values.items() if value is not None]
    return [*given, "requeue"]


def _quoted(word: str) -> str:
    """A word as bash reads it back.

    Examples:
        >>> print(_quoted("--run_name=it's $5"))
        '--run_name=it'"'"'s $5'
    """
    if _UNWRITABLE.search(word):
        msg = (
            f"{shown(word)} cannot stand in a batch script; expected text without line breaks and "
            "control characters. Rename it."
        )
        raise ConfigError(msg)
    return shlex.quote(word)
