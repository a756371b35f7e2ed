"""Restrict queued jobs to their own store and to paths in allowed folders."""

import dataclasses
import os
import typing
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from streetclip.captions.prompts import FULL_PROMPTS, PAPER_PROMPTS
from streetclip.config import JobConfig
from streetclip.config.arguments import from_arguments
from streetclip.config.options import scalar_type
from streetclip.errors import ConfigError, shown
from streetclip.hub_ids import is_hub_id
from streetclip.runtime.job_records import RUNNER_KIND

MODEL_SETTINGS: Final = ("model_name", "checkpoint_path")
"""Settings that are a path or the id of a model on the hub."""

BUILT_IN: Final = {"prompts": ("auto", PAPER_PROMPTS.name, FULL_PROMPTS.name)}
"""Settings that are a path or one of these names."""


@dataclass(frozen=True)
class Roots:
    """Folders that queued jobs may read and write; symbolic links are resolved.

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
                f"lies outside the allowed folders ({', '.join(map(str, self.folders))}). Choose a "
                "path in them, or start the dashboard or run_queue with a further --root DIR."
            )
        else:
            return self.base / text
        msg = f"{flag} is {shown(text)}: {problem}"
        raise ConfigError(msg)

    def check_source(self, flag: str, text: str) -> None:
        """Check a model like `check`, unless it is a hub id; its path must exist."""
        if not self.names_hub_model(text) and not os.path.exists(self.check(flag, text)):  # noqa: PTH110 -- it raises for no text
            msg = f"{flag} is {shown(text)}: no such path and no hub id. Choose it again."
            raise ConfigError(msg)

    def names_hub_model(self, text: str) -> bool:
        """Check whether a text names a model on the hub and no existing path."""
        return is_hub_id(text) and not os.path.exists(self.base / text)  # noqa: PTH110 -- it raises for no text

    def written(self, path: Path) -> str:
        """Write a path for a form, relative to the working folder if possible."""
        return str(path.relative_to(self.base) if path.is_relative_to(self.base) else path)

    def names_path(self, setting: str, text: str) -> bool:
        """Check whether the value of a path setting is no name of another thing."""
        is_hub_model = setting in MODEL_SETTINGS and self.names_hub_model(text)
        return bool(text) and text not in BUILT_IN.get(setting, ()) and not is_hub_model


def allowed_folders(given: Sequence[Path | str], store_path: Path) -> tuple[Path, ...]:
    """Resolve the folders of `--root`.

    Without any, they are `data`, `outputs` and that of the store.
    """
    folders = given or ("data", "outputs", store_path.parent)
    return tuple(map(Path, dict.fromkeys(map(os.path.realpath, folders))))


def check_job(store_path: Path, kind: str, arguments: Sequence[str], roots: Roots) -> None:
    """Check that a job uses its own store, and paths within the roots.

    `arguments` are untrusted; `roots.base` is the working folder of the job. Raises ConfigError.
    """
    if kind == RUNNER_KIND:
        msg = f"kind is {shown(kind)}; expected a job. Start the runner itself in a shell."
        raise ConfigError(msg)
    config = from_arguments(kind, arguments)
    if os.path.realpath(roots.base / config.db) != os.path.realpath(store_path):
        msg = (
            f"--db is {shown(config.db)}; expected {store_path}, the store that holds the job. "
            "Start it again with the form."
        )
        raise ConfigError(msg)
    for setting, path in _paths(config):
        if roots.names_path(setting, path):
            roots.check(f"--{setting}", path)


def _paths(config: JobConfig) -> list[tuple[str, str]]:
    """List the values of the settings that may be paths, but for the store."""
    hints = typing.get_type_hints(type(config))
    found: list[tuple[str, str]] = []
    for name in (each.name for each in dataclasses.fields(config)):
        if name != "db" and (
            scalar_type(hints[name]) is Path or name in {*MODEL_SETTINGS, *BUILT_IN}
        ):
            value: Any = getattr(config, name)
            values = value if isinstance(value, tuple) else (value,)
            found += [(name, str(each)) for each in values if each is not None]
    return found
