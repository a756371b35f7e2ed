"""Convert configs to command lines and back."""

import dataclasses
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from streetclip.config import JOB_CONFIGS
from streetclip.config.options import JobConfig, scalar_type


def to_arguments(config: JobConfig) -> tuple[str, ...]:
    """Return the flags that differ from the default, and `--db`, as `--flag=value`.

    Examples:
        >>> from streetclip.config import CaptionConfig
        >>> config = CaptionConfig(test_csv=Path("a b.csv"), templates=("full", "my"), seed=7)
        >>> to_arguments(config)[1:]
        ('--templates=full', '--templates=my', '--test_csv=a b.csv', '--seed=7')
    """
    words: list[str] = []
    for field in dataclasses.fields(config):
        value, flag = getattr(config, field.name), f"--{field.name}"
        if value != field.default or field.name == "db":
            values = value if isinstance(value, tuple) else (value,)
            words += [flag] if value is True else [f"{flag}={each}" for each in values]
    return tuple(words)


def from_parameters(config_class: type[JobConfig], parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Restore types after `JobConfig.to_dict`; ignore unknown names."""
    hints = typing.get_type_hints(config_class)
    names = [field.name for field in dataclasses.fields(config_class)]
    given = {name: parameters[name] for name in names if name in parameters}
    return {name: _typed(value, scalar_type(hints[name])) for name, value in given.items()}


def resume_arguments(kind: str, arguments: tuple[str, ...], *, begun: bool) -> tuple[str, ...]:
    """Return the flags that continue a stopped job.

    A job without `--resume` that had `begun` to write overwrites its output.

    Examples:
        >>> resume_arguments("evaluate", ("--test_csv=a.csv",), begun=False)
        ('--test_csv=a.csv', '--resume')
    """
    names = {field.name for field in dataclasses.fields(JOB_CONFIGS[kind])}
    flag = "--resume" if "resume" in names else "--overwrite"
    if flag in arguments or (flag == "--overwrite" and not (begun and "overwrite" in names)):
        return arguments
    return (*arguments, flag)


def _typed(value: Any, kind: Any) -> Any:
    if isinstance(value, (list, tuple)):
        return tuple(_typed(each, kind) for each in value)
    return Path(value) if kind is Path and value is not None else value
