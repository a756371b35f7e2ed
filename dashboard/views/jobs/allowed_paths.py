"""What the Jobs page may touch and start: the options after `--`, and the folders they allow."""

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from dashboard.shell import url_state
from streetclip.config import RunQueueConfig
from streetclip.errors import ConfigError, shown
from streetclip.hub_ids import looks_like_hub_id

ROOT_FLAG: Final = "--root"
MAX_JOBS_FLAG: Final = "--max_jobs"
NO_JOBS_FLAG: Final = "--no_jobs"

_DEFAULT_FOLDERS: Final = ("data", "outputs")  # under the working folder


@dataclass(frozen=True)
class Roots:
    """The folders outside which the dashboard neither shows, reads nor writes a file.

    Attributes:
        folders: Absolute, symbolic links resolved; at least one.
        base: What a relative path is relative to: the working folder of the jobs.
    """

    folders: tuple[Path, ...]
    base: Path = field(default_factory=Path.cwd)

    def hold(self, path: Path) -> bool:
        """Whether a path, symbolic links resolved, is one of the folders or lies in one."""
        try:
            resolved = Path(os.path.realpath(self.base / path))
        except (OSError, ValueError):  # a text that can be no path, as with a NUL in it
            return False
        return any(resolved.is_relative_to(folder) for folder in self.folders)

    def check(self, flag: str, text: str) -> Path:
        """Give the absolute path that a text names, if it may be touched.

        Args:
            flag: Whose value it is, for the message.
            text: Untrusted; nothing need stand there yet.

        Raises:
            ConfigError: It leads outside the folders, upwards with `..`, or is no path.
        """
        problem = self._problem(text)
        if problem is not None:
            msg = f"{flag} is {shown(text)}: {problem}"
            raise ConfigError(msg)
        return self.base / text

    def check_source(self, flag: str, text: str) -> Path | None:
        """As `check` for what may also be a hub id, for which it gives None.

        Raises:
            ConfigError: As `check`; also where the text names neither a hub id nor anything there.
        """
        if self.is_hub_id(text):
            return None
        path = self.check(flag, text)
        if not exists(path):
            msg = (
                f"{flag} is {shown(text)}: nothing is there (any more), and it is no hub id. "
                "Choose it again."
            )
            raise ConfigError(msg)
        return path

    def is_hub_id(self, text: str) -> bool:
        """Whether a text names a model on the hub, as nothing of that name is here."""
        return looks_like_hub_id(text) and not exists(self.base / text)

    def written(self, path: Path) -> str:
        """A path as a form shows it: relative to the working folder where it lies in it."""
        return str(path.relative_to(self.base) if path.is_relative_to(self.base) else path)

    def _problem(self, text: str) -> str | None:
        if not text.strip() or "\0" in text:
            return "is no path. Choose a file or folder."
        if ".." in Path(text).parts:
            return "leads upwards with '..'; expected a path without. Write it out."
        if text.startswith("~"):
            return "'~' is not expanded; expected a path. Write the home folder out."
        if not self.hold(Path(text)):
            folders = ", ".join(map(str, self.folders))
            return (
                f"lies outside the folders that this dashboard works in ({folders}). Choose "
                f"a path in them, or start the dashboard with a further {ROOT_FLAG} DIR."
            )
        return None


@dataclass(frozen=True)
class JobOptions:
    """What the dashboard was started with, as far as jobs are concerned.

    Attributes:
        roots: Where inputs and outputs may lie.
        max_jobs: How many jobs may run at the same time.
        may_start: False makes the page one to look at only.
    """

    roots: Roots
    max_jobs: int = 1
    may_start: bool = True


def job_options(store_path: Path, arguments: Sequence[str] | None = None) -> JobOptions:
    """Read the start options: `-- --root DIR … --max_jobs N --no_jobs`.

    Args:
        store_path: Its folder is a root unless roots are given.
        arguments: What followed `--` on Streamlit's command line; default: this process's.

    Raises:
        ConfigError: A root is no folder, or the number is none from 1 to 64.
    """
    words = sys.argv[1:] if arguments is None else arguments
    given = [_root(text) for text in url_state.option_values(words, ROOT_FLAG)]
    defaults = [Path.cwd() / name for name in _DEFAULT_FOLDERS] + [store_path.absolute().parent]
    folders = tuple(dict.fromkeys(Path(os.path.realpath(each)) for each in given or defaults))
    return JobOptions(Roots(folders), _max_jobs(words), NO_JOBS_FLAG not in words)


# Those of `Path` raise where a text can be no path, as for a name that is too long.


def exists(path: Path) -> bool:
    """Whether something stands at a path."""
    return os.path.exists(path)  # noqa: PTH110


def is_file(path: Path) -> bool:
    """Whether a file stands at a path."""
    return os.path.isfile(path)  # noqa: PTH113


def is_folder(path: Path) -> bool:
    """Whether a folder stands at a path."""
    return os.path.isdir(path)  # noqa: PTH112


def _root(text: str) -> Path:
    if not text or not is_folder(Path(text)):
        msg = (
            f"{ROOT_FLAG} is {shown(text)}; expected a folder that is there. Start with: "
            f"streamlit run dashboard/Home.py -- {ROOT_FLAG} data {ROOT_FLAG} outputs"
        )
        raise ConfigError(msg)
    return Path(text)


def _max_jobs(words: Sequence[str]) -> int:
    given = url_state.option_values(words, MAX_JOBS_FLAG)
    if not given:
        return RunQueueConfig().max_jobs
    try:
        return RunQueueConfig(max_jobs=int(given[-1])).max_jobs
    except ValueError:
        msg = f"{MAX_JOBS_FLAG} is {shown(given[-1])}; expected a whole number from 1 on."
        raise ConfigError(msg) from None
