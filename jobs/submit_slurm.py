"""Hand an evaluation to Slurm: on one machine or several, with any number of GPUs.

What stands behind -- are the flags of jobs/evaluate.py. A job that Slurm stops, at its time limit
or because others need the machines, saves what it has; run again, it goes on there.
"""

import argparse
import contextlib
import dataclasses
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from jobs import evaluate
from jobs.cli import EXIT_DONE, EXIT_INTERRUPTED, OneLineParser
from jobs.slurm_script import LOG_NAME, SAVING_S, Allocation, sbatch_script
from streetclip.config import EvaluateConfig
from streetclip.config.arguments import to_arguments
from streetclip.errors import ConfigError, OutputError, ResourceError, StreetClipError, shown
from streetclip.files import atomic_path, translated_disk_errors

_TIME = re.compile(r"(?:(\d{1,3})-)?(\d{1,3}):([0-5]\d):([0-5]\d)", re.ASCII)
_LEAST_TIME_S = 300  # Slurm may ask the job to end a minute early
_NAME = re.compile(r"[\w.,:@+-]+", re.ASCII)
_NAME_SAID = "letters, digits and any of . , : @ + - _"
_MEMORY = re.compile(r"\d{1,9}[KMGT]?", re.ASCII)


def build_parser() -> OneLineParser:
    """Make the parser of the flags for Slurm; those of the evaluation have their own."""
    parser = OneLineParser(
        description=__doc__,
        usage="%(prog)s [FLAGS] -- --test_csv PATH --image_dir PATH [FLAGS OF evaluate.py]",
        epilog="The flags of evaluate.py: %(prog)s -- --help",
    )
    add = parser.add_argument
    add("--nodes", type=_whole(1, 1024), default=1, metavar="N", help="machines (default: 1)")
    add("--gpus_per_node", type=_whole(0, 64), default=0, metavar="N", help="(default: 0)")
    add(
        "--nproc_per_node",
        type=_whole(1, 256),
        metavar="N",
        help="processes on each machine (default: one a GPU; without GPUs, 1)",
    )
    add("--time", type=_time, default="04:00:00", metavar="LIMIT", help="(default: %(default)s)")
    add("--partition", type=_matching(_NAME, _NAME_SAID), metavar="NAME", help="where to queue")
    add("--account", type=_matching(_NAME, _NAME_SAID), metavar="NAME", help="who pays")
    add(
        "--cpus_per_task",
        type=_whole(1, 4096),
        metavar="N",
        help="cores of each machine, for all of its processes (default: Slurm's, often one)",
    )
    add("--mem", type=_matching(_MEMORY, "such as 64G"), metavar="SIZE", help="of each machine")
    add("--script", type=Path, metavar="FILE", help="keep the script here")
    add("--dry_run", action="store_true", help="submit nothing; print the script or keep it")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Check the flags, submit, and return the exit code."""
    words = sys.argv[1:] if argv is None else list(argv)
    split = words.index("--") if "--" in words else len(words)
    parser = build_parser()
    flags = parser.parse_args(words[:split])
    if split == len(words):
        parser.error("there is no --; expected the flags of evaluate.py behind it")
    try:
        config = _evaluation(parser.prog, words[split + 1 :])
        script = sbatch_script(_allocation(parser, flags), to_arguments(config), Path.cwd())
        with _kept(flags.script, script):
            if not flags.dry_run:
                _submit(script, config.db.absolute().parent)
            elif flags.script is None:
                print(script, end="")
    except StreetClipError as error:
        print(f"{parser.prog}: error: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        said = "interrupted; `squeue --me` shows whether Slurm has the job"
        print(f"\n{parser.prog}: {said}", file=sys.stderr)
        return EXIT_INTERRUPTED
    if flags.dry_run:
        print(f"{parser.prog}: a dry run, nothing was submitted", file=sys.stderr)
    return EXIT_DONE


def _evaluation(prog: str, words: Sequence[str]) -> EvaluateConfig:
    """What the job will be asked to do, by the evaluation's own parser and checks."""
    parser = evaluate.build_parser()
    parser.prog = f"{prog} --"
    values = vars(parser.parse_args(words))
    frozen: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in values.items()
    }
    return dataclasses.replace(EvaluateConfig(**frozen), resume=True)


def _allocation(parser: OneLineParser, flags: argparse.Namespace) -> Allocation:
    gpus, processes = flags.gpus_per_node, flags.nproc_per_node
    if gpus and processes not in (None, gpus):
        parser.error(
            f"--nproc_per_node is {processes} for {gpus} GPUs; expected one process a GPU. Leave "
            "--nproc_per_node out"
        )
    names = {field.name for field in dataclasses.fields(Allocation)}
    values = {name: value for name, value in vars(flags).items() if name in names}
    return Allocation(**values | {"nproc_per_node": processes or gpus or 1})


@contextlib.contextmanager
def _kept(path: Path | None, script: str) -> Iterator[None]:
    """Keep the script in a file if what happens meanwhile succeeds."""
    if path is None:
        yield
        return
    if path.exists():
        msg = f"{path}: stands already. Remove it, or name another file with --script."
        raise OutputError(msg)
    with atomic_path(path) as temporary:
        temporary.write_text(script, encoding="utf-8")
        yield


def _submit(script: str, folder: Path) -> None:
    """Hand a script to sbatch, and say what became of it.

    Args:
        script: Its text.
        folder: Where the job's log is to be; made if missing.

    Raises:
        ConfigError: There is no sbatch, or it refuses the job, or Slurm cannot log there.
    """
    sbatch = shutil.which("sbatch")
    if sbatch is None:
        msg = (
            "there is no sbatch on this machine. Run this where jobs are submitted, or write the "
            "script with --dry_run --script FILE."
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
    done = _run_sbatch(sbatch, script, folder)
    said = " ".join(done.stderr.split())
    if done.returncode != 0:
        msg = f"sbatch refused the job (exit code {done.returncode}): {said or 'it said nothing'}"
        raise ConfigError(msg)
    if said:
        print(said, file=sys.stderr)
    job_id = done.stdout.strip().partition(";")[0]  # NUMBER or NUMBER;CLUSTER
    print(f"job {job_id} is Slurm's now · log {folder / LOG_NAME.format(job_id=job_id)}")


def _run_sbatch(sbatch: str, script: str, folder: Path) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(  # noqa: S603 -- an argument list, never a shell
            [sbatch, "--parsable"],
            input=script,
            cwd=folder,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            check=False,
        )
    except OSError as error:
        msg = f"{sbatch}: cannot be started ({error.strerror or error}). Mend it, or ask its admin."
        raise ResourceError(msg) from error


def _whole(least: int, most: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if text.isascii() and text.isdecimal() and least <= int(text) <= most:
            return int(text)
        raise _refusal(text, f"a whole number from {least} to {most}")

    return parse


def _matching(pattern: re.Pattern[str], expected: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if pattern.fullmatch(text):
            return text
        raise _refusal(text, expected)

    return parse


def _time(text: str) -> str:
    found = _TIME.fullmatch(text)
    days, hours, minutes, seconds = (
        (int(part or 0) for part in found.groups()) if found else [0] * 4
    )
    if ((days * 24 + hours) * 60 + minutes) * 60 + seconds < _LEAST_TIME_S:
        raise _refusal(
            text,
            f"HH:MM:SS or D-HH:MM:SS, at least {_LEAST_TIME_S // 60} minutes, of which the last "
            f"{SAVING_S // 60} are for saving",
        )
    return text


def _refusal(text: str, expected: str) -> argparse.ArgumentTypeError:
    return argparse.ArgumentTypeError(f"{shown(text)}; expected {expected}")


if __name__ == "__main__":
    raise SystemExit(main())
