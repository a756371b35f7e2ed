"""Define and check the fields of job configs: help texts, choices and bounds."""

import dataclasses
import math
import types
import typing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from streetclip.errors import ConfigError, shown

DEFAULT_STORE = Path("outputs/streetclip.db")


def option(
    default: Any = dataclasses.MISSING,
    *,
    help: str,  # noqa: A002 -- argparse's word
    choices: tuple[str, ...] = (),
    minimum: float | None = None,
    above: float | None = None,
    maximum: float | None = None,
) -> Any:
    """Make a config field, required without a default; `minimum` and `maximum` are inclusive."""
    bounds = {"minimum": minimum, "above": above, "maximum": maximum}
    return dataclasses.field(default=default, metadata={"help": help, "choices": choices, **bounds})


def scalar_type(hint: Any) -> Any:
    """Return the type of one value of a field.

    Examples:
        >>> scalar_type(Path | None), scalar_type(tuple[str, ...]), scalar_type(int)
        (<class 'pathlib.Path'>, <class 'str'>, <class 'int'>)
    """
    parts = [each for each in typing.get_args(hint) if each not in (types.NoneType, Ellipsis)]
    return parts[0] if parts else hint


@dataclass(frozen=True, kw_only=True)
class JobConfig:
    """Base of all configs; the fields become the flags of the job `kind`."""

    kind: ClassVar[str] = ""
    takes_recipes: ClassVar[bool] = False  # by --recipe
    is_recorded: ClassVar[bool] = True  # in the store

    db: Path = option(DEFAULT_STORE, help="SQLite store of runs, trainings and jobs")
    log_level: str = option(
        "info", choices=("debug", "info", "warning", "error"), help="least level to log on stderr"
    )

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            check_bounds(field, getattr(self, field.name))

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON: paths as text, tuples as lists."""
        return {name: _plain(value) for name, value in dataclasses.asdict(self).items()}


@dataclass(frozen=True, kw_only=True)
class ManifestOptions(JobConfig):
    """Settings of jobs that read manifests."""

    on_bad_rows: str = option(
        "fail", choices=("fail", "skip"), help="fail: stop if a row is bad; skip: leave it out"
    )


def described(field: "dataclasses.Field[Any]", default: Any) -> str:
    """Describe a field for flags and forms: its help, bounds and default, if any."""
    parts = [field.metadata["help"], _bounds(field)]
    if default not in (dataclasses.MISSING, None, ()) and default is not False:
        parts.append(f"default: {worded(default)}")
    return "; ".join(filter(None, parts))


def worded(value: Any) -> str:
    """Write a value as on a command line."""
    return " ".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _bounds(field: "dataclasses.Field[Any]") -> str:
    words = {"minimum": "at least", "above": "above", "maximum": "at most"}
    bounds = {each: field.metadata[name] for name, each in words.items()}
    return " and ".join(f"{each} {bound:g}" for each, bound in bounds.items() if bound is not None)


def check_bounds(field: "dataclasses.Field[Any]", value: Any) -> None:
    """Raise ConfigError if a value is outside the bounds of its field."""
    meta, flag = field.metadata, f"--{field.name}"
    for each in value if isinstance(value, tuple) else (value,):
        if meta["choices"] and each not in meta["choices"]:
            allowed = ", ".join(meta["choices"])
            msg = f"{flag} is {shown(each)}; expected one of {allowed}."
            raise ConfigError(msg)
        _check_number(field, each)


def _check_number(field: "dataclasses.Field[Any]", value: Any) -> None:
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        return
    minimum, above, maximum = (field.metadata[name] for name in ("minimum", "above", "maximum"))
    within = (
        (minimum is None or value >= minimum)
        and (above is None or value > above)
        and (maximum is None or value <= maximum)
        and (isinstance(value, int) or math.isfinite(value))
    )
    if not within:
        expected = _bounds(field) or "a finite number"
        msg = f"--{field.name} is {value:g}; expected {expected}."
        raise ConfigError(msg)


def _plain(value: Any) -> Any:
    if isinstance(value, (tuple, list)):
        return [_plain(each) for each in value]
    return str(value) if isinstance(value, Path) else value
