"""Write a Slurm script that evaluates on one machine or several, and submit it.

The flags after -- are those of jobs/evaluate.py. A job that Slurm stops, at its time limit or for
another job, saves what it has; submitted again, it continues there.
"""

import argparse
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from jobs import EXIT_INTERRUPTED, evaluate, launch
from jobs.support.cli import EXIT_DONE, OneLineParser, build_config_parser, resolve_flags
from streetclip.config import EvaluateConfig
from streetclip.config.arguments import to_arguments
from streetclip.errors import ConfigError, ResourceError, StreetClipError, shown
from streetclip.files import refuse_existing, translated_disk_errors, write_text

_SAVING_S = 120  # before its time limit, Slurm asks the job to save and end
_UNWRITABLE = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")

# Quoting in #SBATCH lines differs between versions of Slurm: only values that need none go there.
# `exec`: a TERM of the whole job, as scancel sends it, reaches srun, which hands it on.
# `--kill-on-bad-exit`: where one machine fails, the others are sent TERM, and do not wait.
_TEMPLATE = """\
#!/bin/bash
# Written by jobs/submit_slurm.py. `sbatch FILE` submits it, again to continue where it stopped.
{directives}

set -euo pipefail
cd -- {folder}
nodes=$(scontrol show hostnames "$SLURM_JOB_NODELIST")
head_node=${{nodes%%$'\\n'*}}
port=$((20000 + SLURM_JOB_ID % 10000))
export OMP_NUM_THREADS="${{OMP_NUM_THREADS:-{threads}}}"

exec {srun} \\
    {python} {launcher} \\
    --nnodes={nodes} --nproc_per_node={nproc_per_node} --rdzv_backend=c10d \\
    --rdzv_endpoint="$head_node:$port" --rdzv_id="$SLURM_JOB_ID" \\
    {command}
"""


def build_parser() -> OneLineParser:
    """Make the parser of the flags for Slurm."""
    parser = OneLineParser(
        description=__doc__,
        usage="%(prog)s [FLAGS] -- --test_csv PATH --image_dir PATH [FLAGS OF evaluate.py]",
        epilog="The flags of evaluate.py: %(prog)s -- --help",
    )
    count = _matching(r"[1-9]\d{0,3}", "a whole number from 1 to 9999")
    name = _matching(r"[\w.,:@+-]+", "letters, digits and any of . , : @ + - _")
    # Less would leave no time before Slurm asks the job to save and end.
    time = _matching(
        r"(?!(0+-)?0+:0[0-4]:)(\d{1,3}-)?\d{1,3}:[0-5]\d:[0-5]\d",
        f"HH:MM:SS or D-HH:MM:SS, at least 5 minutes, the last {_SAVING_S // 60} of them to save",
    )
    add = parser.add_argument
    add("--nodes", type=count, default="1", metavar="N", help="machines (default: 1)")
    add("--gpus_per_node", type=_matching(r"0|[1-9]\d{0,2}", "a whole number from 0 to 999"),
        default="0", metavar="N", help="GPUs of each machine (default: 0)")  # fmt: skip
    add("--nproc_per_node", type=count, metavar="N",
        help="processes on each machine (default: one per GPU; without GPUs, 1)")  # fmt: skip
    add("--time", type=time, default="04:00:00", metavar="LIMIT",
        help="time limit, HH:MM:SS or D-HH:MM:SS (default: %(default)s)")  # fmt: skip
    add("--partition", type=name, metavar="NAME", help="Slurm partition to queue in")
    add("--account", type=name, metavar="NAME", help="Slurm account to charge")
    add("--cpus_per_task", type=count, metavar="N",
        help="cores of each machine, for all of its processes (default: Slurm's)")  # fmt: skip
    add("--mem", type=_matching(r"\d{1,9}[KMGT]?", "a size such as 64G"), metavar="SIZE",
        help="memory of each machine, such as 64G (default: Slurm's)")  # fmt: skip
    add("--script", type=Path, metavar="FILE", help="new file to write the script to")
    add("--dry_run", action="store_true", help="do not submit; print the script or write it")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Check all flags, write and submit the script, and return the exit code."""
    words = sys.argv[1:] if argv is None else list(argv)
    split = words.index("--") if "--" in words else len(words)
    parser = build_parser()
    flags = parser.parse_args(words[:split])
    if split == len(words):
        parser.error("-- is missing; expected the flags of evaluate.py after it")
    if flags.gpus_per_node != "0" and flags.nproc_per_node not in {None, flags.gpus_per_node}:
        parser.error(
            f"--nproc_per_node is {flags.nproc_per_node} for {flags.gpus_per_node} GPUs; expected "
            "one process a GPU. Leave --nproc_per_node out"
        )
    try:
        # The evaluation's own parser and checks refuse wrong flags before anything is queued.
        evaluate_parser = build_config_parser(EvaluateConfig, evaluate.__doc__)
        evaluate_parser.prog = f"{parser.prog} --"
        values = vars(evaluate_parser.parse_args(words[split + 1 :]))
        settings, _ = resolve_flags(evaluate_parser, EvaluateConfig, values)
        config = EvaluateConfig(**settings | {"resume": True})
        arguments = to_arguments(config)
        script = sbatch_script(flags, arguments, Path.cwd())
        if flags.script is not None:
            refuse_existing(flags.script, advice="Remove it, or name another file with --script.")
        if not flags.dry_run:
            _submit(script, config.db.absolute().parent)
        if flags.script is not None:
            write_text(flags.script, script)
        elif flags.dry_run:
            print(script, end="")
    except StreetClipError as error:
        print(f"{parser.prog}: error: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print(f"\n{parser.prog}: interrupted; see `squeue --me`", file=sys.stderr)
        return EXIT_INTERRUPTED
    if flags.dry_run:
        print(f"{parser.prog}: a dry run, nothing was submitted", file=sys.stderr)
    return EXIT_DONE


def sbatch_script(flags: argparse.Namespace, arguments: Sequence[str], folder: Path) -> str:
    """Make the script: on each machine one launcher, which runs `jobs/evaluate.py` in a folder."""
    gpus, cores = int(flags.gpus_per_node), flags.cpus_per_task
    nproc_per_node = int(flags.nproc_per_node or gpus or 1)
    directives = {
        "job-name": "streetclip-evaluate",
        "nodes": flags.nodes,
        "ntasks-per-node": 1,
        "gpus-per-node": gpus or None,
        "cpus-per-task": cores,
        "mem": flags.mem,
        "time": flags.time,
        "partition": flags.partition,
        "account": flags.account,
        "output": "slurm-%j.log",
        "open-mode": "append",  # keep the log of before a requeue
        "signal": f"TERM@{_SAVING_S}",  # to all processes of the step
        "requeue": "",
    }
    words = [str(Path(evaluate.__file__).resolve()), *arguments]
    lines = [f"#SBATCH --{name}={each}" for name, each in directives.items() if each is not None]
    return _TEMPLATE.format(
        directives="\n".join(line.rstrip("=") for line in lines),
        folder=_quoted(str(folder)),
        # srun of 22.05 and later ignores the number that sbatch was given.
        srun="srun --kill-on-bad-exit=1" + (f" --cpus-per-task={cores}" if cores else ""),
        # torchrun would leave one thread to each process.
        threads=max(1, int(cores or 1) // nproc_per_node),
        python=_quoted(sys.executable),
        launcher=_quoted(str(Path(launch.__file__).resolve())),
        nodes=flags.nodes,
        nproc_per_node=nproc_per_node,
        command=" \\\n    ".join(map(_quoted, words)),
    )


def _submit(script: str, folder: Path) -> None:
    """Pass a script to sbatch; Slurm writes the log to the folder."""
    sbatch = shutil.which("sbatch")
    if sbatch is None:
        msg = (
            "this machine has no sbatch. Run this where jobs are submitted, or write the script "
            "with --dry_run --script FILE."
        )
        raise ConfigError(msg)
    if set("%\\") & set(str(folder)):
        msg = (
            f"{folder}: Slurm takes % and \\ in the folder of a log for patterns. Name a store in "
            "another folder with --db."
        )
        raise ConfigError(msg)
    with translated_disk_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    try:
        done = subprocess.run([sbatch], input=script, cwd=folder, text=True, check=False)  # noqa: S603 -- an argument list, never a shell
    except OSError as error:
        msg = f"{sbatch}: cannot be started ({error.strerror or error}). Ask its administrator."
        raise ResourceError(msg) from error
    if done.returncode != 0:
        msg = f"sbatch refused the job (exit code {done.returncode}), for the reason given above"
        raise ConfigError(msg)
    print(f"log    {folder / 'slurm-NUMBER.log'}")


def _matching(pattern: str, expected: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if re.fullmatch(pattern, text, re.ASCII):
            return text
        msg = f"{shown(text)}; expected {expected}"
        raise argparse.ArgumentTypeError(msg)

    return parse


def _quoted(word: str) -> str:
    if _UNWRITABLE.search(word):
        msg = (
            f"{shown(word)} cannot be written into a batch script; expected text without line "
            "breaks and control characters. Rename it."
        )
        raise ConfigError(msg)
    return shlex.quote(word)


if __name__ == "__main__":
    raise SystemExit(main())
