"""Read the start options of the Jobs page: allowed folders, jobs at once."""

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dashboard.shell import html, rights, url_state
from streetclip.config import RunQueueConfig
from streetclip.errors import ConfigError, shown
from streetclip.runtime import Roots, allowed_folders

# Unlike those of `Path`, these do not raise for a text that can be no path.
exists, is_file, is_folder = os.path.exists, os.path.isfile, os.path.isdir


@dataclass(frozen=True)
class JobOptions:
    """Start options of the dashboard that concern jobs."""

    roots: Roots
    max_jobs: int = 1
    may_start: bool = True


def job_options(store_path: Path, arguments: Sequence[str] | None = None) -> JobOptions:
    """Read `--root DIR … --max_jobs N --no_jobs`, by default from this process's arguments.

    Without `--root`, the folders are `data`, `outputs` and that of the store. Nobody starts jobs
    without the right to. Wrong values raise ConfigError.
    """
    words = sys.argv[1:] if arguments is None else arguments
    given = url_state.option_values(words, "--root")
    for text in given:
        if not text or not is_folder(text):
            msg = (
                f"--root is {shown(text)}; expected an existing folder. Start with: "
                "streamlit run dashboard/Home.py -- --root data --root outputs"
            )
            raise ConfigError(msg)
    roots = Roots(allowed_folders(given, store_path))
    most = (url_state.option_values(words, "--max_jobs") or [str(RunQueueConfig().max_jobs)])[-1]
    try:
        max_jobs = RunQueueConfig(max_jobs=int(most)).max_jobs  # which checks its bounds
    except ValueError:
        msg = f"--max_jobs is {shown(most)}; expected a whole number from 1 on."
        raise ConfigError(msg) from None
    may_start = not {"--no_jobs", "--read_only"} & set(words) and rights.may_run_jobs()
    return JobOptions(roots, max_jobs, may_start and not rights.is_store_read_only())


def refusal(title: str) -> None:
    """Draw why nobody may start anything here."""
    html.notice(
        title,
        "The dashboard was started with --no_jobs or --read_only, your link allows no jobs, or the "
        "store is read-only.",
    )
