"""Restrict the Jobs page to allowed paths; read its start options."""

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from dashboard.shell import rights, url_state
from streetclip.config import RunQueueConfig
from streetclip.errors import ConfigError, shown
from streetclip.hub_ids import is_hub_id

# Unlike those of `Path`, these do not raise for a text that can be no path.
exists, is_file, is_folder = os.path.exists, os.path.isfile, os.path.isdir


@dataclass(frozen=True)
class Roots:
    """Folders that the dashboard may read and write; symbolic links are resolved.

    Relative paths start from `base`, the working folder of the jobs.
    """

    folders: tuple[Path, ...]
    base: Path = field(default_factory=Path.cwd)

    def hold(self, path: Path) -> bool:
        """Check whether a path, symbolic links resolved, lies in one of the folders."""
        try:
            resolved = Path(os.path.realpath(self.base / path))
        except (OSError, ValueError):  # a text that can be no path, as with a NUL in it
            return False
        return any(resolved.is_relative_to(folder) for folder in self.folders)

    def check(self, flag: str, text: str) -> Path:
        """Resolve an untrusted text to a path, existing or not, or raise ConfigError."""
        if not text.strip() or "\0" in text:
            problem = "is no path. Choose a file or folder."
        elif ".." in Path(text).parts:
            problem = "leads upwards with '..'; expected a path without. Write it out."
        elif text.startswith("~"):
            problem = "'~' is not expanded; expected a path. Write the home folder out."
        elif not self.hold(Path(text)):
            problem = (
                "lies outside the folders that this dashboard works in "
                f"({', '.join(map(str, self.folders))}). Choose a path in them, or start the "
                "dashboard with a further --root DIR."
            )
        else:
            return self.base / text
        msg = f"{flag} is {shown(text)}: {problem}"
        raise ConfigError(msg)

    def check_source(self, flag: str, text: str) -> None:
        """Check a model like `check`, unless it is a hub id; its path must exist."""
        if not self.names_hub_model(text) and not exists(self.check(flag, text)):
            msg = f"{flag} is {shown(text)}: no such path and no hub id. Choose it again."
            raise ConfigError(msg)

    def names_hub_model(self, text: str) -> bool:
        """Check whether a text names a model on the hub and no existing path."""
        return is_hub_id(text) and not exists(self.base / text)

    def written(self, path: Path) -> str:
        """Write a path for a form, relative to the working folder if possible."""
        return str(path.relative_to(self.base) if path.is_relative_to(self.base) else path)


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
    folders = [os.path.realpath(each) for each in given or ("data", "outputs", store_path.parent)]
    roots = Roots(tuple(map(Path, dict.fromkeys(folders))))
    most = [RunQueueConfig().max_jobs, *url_state.option_values(words, "--max_jobs")][-1]
    try:
        max_jobs = RunQueueConfig(max_jobs=int(most)).max_jobs  # which checks its bounds
    except ValueError:
        msg = f"--max_jobs is {shown(most)}; expected a whole number from 1 on."
        raise ConfigError(msg) from None
    may_start = not {"--no_jobs", "--read_only"} & set(words) and rights.may_run_jobs()
    return JobOptions(roots, max_jobs, may_start)
