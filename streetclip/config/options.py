"""What any job takes: fields with help texts and bounds, checked when a config is made."""

import dataclasses
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from streetclip.errors import ConfigError, shown

DEFAULT_STORE = Path("outputs/streetclip.db")
LOG_LEVELS = ("debug", "info", "warning", "error")


def option(
    default: Any = dataclasses.MISSING,
    *,
    help: str,  # noqa: A002 -- argparse's word for it
    choices: tuple[str, ...] = (),
    minimum: float | None = None,
    above: float | None = None,
    maximum: float | None = None,
) -> Any:
    """Make a dataclass field with a help text and bounds.

    Args:
        default: Value when the flag is absent; leave it out for a required flag.
        help: One sentence for `--help` and for the form.
        choices: The values allowed, for text fields.
        minimum: Smallest value allowed, itself included.
        above: Bound that the value must exceed.
        maximum: Largest value allowed, itself included.
    """
    metadata = {
        "help": help,
        "choices": choices,
        "minimum": minimum,
        "above": above,
        "maximum": maximum,
    }
    return dataclasses.field(default=default, metadata=metadata)


@dataclass(frozen=True, kw_only=True)
class JobConfig:
    """What every job takes. A subclass's fields become the flags of its job.

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
            ConfigError: A value is outside what its field allows.
        """
        for field in dataclasses.fields(self):
            check_bounds(field, getattr(self, field.name))

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON: paths as text, tuples as lists."""
        return {name: _plain(value) for name, value in dataclasses.asdict(self).items()}


def check_bounds(field: "dataclasses.Field[Any]", value: Any) -> None:
    """Check a value against the bounds of its field.

    Raises:
        ConfigError: It is outside; the message names the flag.
    """
    meta = field.metadata
    flag = f"--{field.name}"
    values = value if isinstance(value, tuple) else (value,)
    for each in values:
        if meta.get("choices") and each not in meta["choices"]:
            allowed = ", ".join(meta["choices"])
            msg = f"{flag} is {shown(each)}; expected one of {allowed}."
            raise ConfigError(msg)
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        _check_number(flag, value, meta)


def _check_number(flag: str, value: float, meta: Any) -> None:
    expected = []
    if meta.get("minimum") is not None:
        expected.append(f"at least {meta['minimum']:g}")
    if meta.get("above") is not None:
        expected.append(f"above {meta['above']:g}")
    if meta.get("maximum") is not None:
        expected.append(f"at most {meta['maximum']:g}")
    within = (
        (meta.get("minimum") is None or value >= meta["minimum"])
        and (meta.get("above") is None or value > meta["above"])
        and (meta.get("maximum") is None or value <= meta["maximum"])
        and (isinstance(value, int) or math.isfinite(value))  # neither NaN nor infinity is kept
    )
    if not within:
        msg = f"{flag} is {value:g}; expected {' and '.join(expected) or 'a finite number'}."
        raise ConfigError(msg)


def _plain(value: Any) -> Any:
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, (tuple, list)):
        return [_plain(each) for each in value]
    return value
