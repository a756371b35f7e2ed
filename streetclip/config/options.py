"""Settings that any job takes: fields with help texts and bounds, checked when a config is made."""

import dataclasses
import math
import types
import typing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from streetclip.errors import ConfigError, shown

DEFAULT_STORE = Path("outputs/streetclip.db")
LOG_LEVELS = ("debug", "info", "warning", "error")


def option(
    default: Any = dataclasses.MISSING,
    *,
    help: str,  # noqa: A002 -- argparse's word
    choices: tuple[str, ...] = (),
    minimum: float | None = None,
    above: float | None = None,
    maximum: float | None = None,
) -> Any:
    """Make a dataclass field with a help text and bounds; without a default it is required.

    `minimum` and `maximum` are allowed values themselves, `above` is not.
    """
    bounds = {"minimum": minimum, "above": above, "maximum": maximum}
    return dataclasses.field(default=default, metadata={"help": help, "choices": choices, **bounds})


def scalar_type(hint: Any) -> Any:
    """Return the type of a value of a field, or of each of several.

    Examples:
        >>> scalar_type(Path | None), scalar_type(tuple[str, ...]), scalar_type(int)
        (<class 'pathlib.Path'>, <class 'str'>, <class 'int'>)
    """
    parts = [each for each in typing.get_args(hint) if each not in (types.NoneType, Ellipsis)]
    return parts[0] if parts else hint


@dataclass(frozen=True, kw_only=True)
class JobConfig:
    """Base of all configs. A subclass's fields become the flags of its job.

    Attributes:
        kind: Name of the job, as its file in `jobs/`.
        takes_recipes: Whether its settings may come from a file, by `--recipe`.
    """

    kind: ClassVar[str] = ""
    takes_recipes: ClassVar[bool] = False

    db: Path = option(DEFAULT_STORE, help="SQLite store: records of jobs, and what pages show")
    log_level: str = option("info", choices=LOG_LEVELS, help="how much to log on stderr")

    def __post_init__(self) -> None:
        """Check every field against its bounds.

        Raises:
            ConfigError: A value is outside of what its field allows.
        """
        for field in dataclasses.fields(self):
            check_bounds(field, getattr(self, field.name))

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON: paths as text, tuples as lists."""
        return {name: _plain(value) for name, value in dataclasses.asdict(self).items()}


def check_bounds(field: "dataclasses.Field[Any]", value: Any) -> None:
    """Check a value against the bounds of its field.

    Raises:
        ConfigError: It is outside; the message names the flag.
    """
    meta, flag = field.metadata, f"--{field.name}"
    for each in value if isinstance(value, tuple) else (value,):
        if meta.get("choices") and each not in meta["choices"]:
            allowed = ", ".join(meta["choices"])
            msg = f"{flag} is {shown(each)}; expected one of {allowed}."
            raise ConfigError(msg)
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        return
    minimum, above, maximum = (meta.get(name) for name in ("minimum", "above", "maximum"))
    within = (
        (minimum is None or value >= minimum)
        and (above is None or value > above)
        and (maximum is None or value <= maximum)
        and (isinstance(value, int) or math.isfinite(value))
    )
    if not within:
        bounds = {"at least": minimum, "above": above, "at most": maximum}
        expected = [f"{words} {bound:g}" for words, bound in bounds.items() if bound is not None]
        msg = f"{flag} is {value:g}; expected {' and '.join(expected) or 'a finite number'}."
        raise ConfigError(msg)


def _plain(value: Any) -> Any:
    if isinstance(value, (tuple, list)):
        return [_plain(each) for each in value]
    return str(value) if isinstance(value, Path) else value
