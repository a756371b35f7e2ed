"""Convert configs to command lines and back."""

import dataclasses
import typing
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from streetclip.config import JOB_CONFIGS
from streetclip.config.options import JobConfig, scalar_type
from streetclip.errors import ConfigError, shown


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


def from_arguments(kind: str, arguments: Sequence[str]) -> JobConfig:
    """Build a job's config from flags as `to_arguments` writes them.

    Raises ConfigError for an unknown kind, a flag in another form, or a value out of range.

    Examples:
        >>> from_arguments("check_data", ["--csv=a.csv", "--csv=b.csv"]).csv
        (PosixPath('a.csv'), PosixPath('b.csv'))
    """
    config_class = JOB_CONFIGS.get(kind)
    if config_class is None:
        msg = f"kind is {shown(kind)}, which this version does not have; it cannot be started."
        raise ConfigError(msg)
    fields = {field.name: field for field in dataclasses.fields(config_class)}
    hints = typing.get_type_hints(config_class)
    given: dict[str, list[Any]] = {}
    for word in arguments:
        flag, equals, text = word.partition("=")
        name, scalar = flag.removeprefix("--"), scalar_type(hints.get(flag.removeprefix("--")))
        if flag != f"--{name}" or name not in fields or (scalar is bool) == bool(equals):
            msg = f"argument {shown(word)} of {kind}; expected a flag as --name=value, or --switch."
            raise ConfigError(msg)
        try:
            given.setdefault(name, []).append(True if scalar is bool else scalar(text))
        except ValueError:
            msg = f"{flag} is {shown(text)}; expected a number."
            raise ConfigError(msg) from None
    required = {name for name, each in fields.items() if each.default is dataclasses.MISSING}
    if missing := sorted(required - given.keys()):
        msg = f"{kind}: --{', --'.join(missing)} missing; expected a value. Start it with the form."
        raise ConfigError(msg)
    several = {name for name in given if typing.get_origin(hints[name]) is tuple}
    values: dict[str, Any] = {n: tuple(v) if n in several else v[-1] for n, v in given.items()}
    return config_class(**values)


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
