"""Configs as command lines and back: what a job is started with, shown, and started again with."""

import dataclasses
import types
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from streetclip.config import JOB_CONFIGS, JobConfig


def to_arguments(config: JobConfig) -> tuple[str, ...]:
    """The flags that make this config: those that differ from the default, and `--db`.

    Each value stands in one word with its flag, so that no value is taken for a flag.

    Examples:
        >>> from streetclip.config import CaptionConfig
        >>> config = CaptionConfig(test_csv=Path("a b.csv"), templates=("full", "my"), seed=7)
        >>> to_arguments(config)[1:]
        ('--templates=full', '--templates=my', '--test_csv=a b.csv', '--seed=7')
    """
    words: list[str] = []
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        if value != field.default or field.name == "db":
            words += _words(f"--{field.name}", value)
    return tuple(words)


def from_parameters(config_class: type[JobConfig], parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Field values of a stored config (`JobConfig.to_dict()`), typed again.

    Args:
        config_class: Whose fields.
        parameters: Plain values by name; names that are no field any more are left out.
    """
    hints = typing.get_type_hints(config_class)
    names = [field.name for field in dataclasses.fields(config_class)]
    return {name: _typed(parameters[name], hints[name]) for name in names if name in parameters}


def resume_arguments(kind: str, arguments: tuple[str, ...], *, begun: bool) -> tuple[str, ...]:
    """The flags with which a job that was stopped goes on.

    Args:
        kind: Which job.
        arguments: What it was started with.
        begun: Whether it had begun to write, past its check that nothing is overwritten. Captions
            are written anew; what they replace is then their own.

    Examples:
        >>> resume_arguments("evaluate", ("--test_csv=a.csv",), begun=False)
        ('--test_csv=a.csv', '--resume')
    """
    names = {field.name for field in dataclasses.fields(JOB_CONFIGS[kind])}
    if "resume" in names:
        flag = "--resume"
    elif "overwrite" in names and begun:
        flag = "--overwrite"
    else:
        return arguments
    return arguments if flag in arguments else (*arguments, flag)


def _words(flag: str, value: Any) -> list[str]:
    if value is True:
        return [flag]
    values = value if isinstance(value, tuple) else (value,)
    return [f"{flag}={each}" for each in values]


def _typed(value: Any, hint: Any) -> Any:
    if typing.get_origin(hint) in (types.UnionType, typing.Union):
        hint = next(part for part in typing.get_args(hint) if part is not types.NoneType)
    if value is None:
        return None
    if typing.get_origin(hint) is tuple:
        return tuple(_typed(each, typing.get_args(hint)[0]) for each in value)
    return Path(value) if hint is Path else value
