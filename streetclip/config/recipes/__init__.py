"""Recipes: settings of a job in a file, and the settings of a finished run as such a file.

A recipe is a TOML file, or the JSON file that `save_config` wrote: field names and values. Those
that are shipped stand in this folder. Relative paths in a recipe start where those of flags do: in
the working folder.
"""

import dataclasses
import difflib
import json
import math
import shlex
import types
import typing
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from streetclip.config.arguments import from_parameters
from streetclip.config.options import JobConfig, check_bounds
from streetclip.errors import ConfigError, shown
from streetclip.files import write_json

CONFIG_FILE = "config.json"
"""Where in its output folder a run keeps its settings."""

_FOLDER = Path(__file__).parent
_SOURCES = ("model_name", "checkpoint_path")  # texts that may name a local file
_EXPECTED = {
    bool: "true or false",
    int: "a whole number",
    float: "a finite number",
    str: "a text",
    Path: "a path",
}


def recipe_names() -> tuple[str, ...]:
    """Names of the recipes that are shipped.

    Examples:
        >>> recipe_names()
        ('demo', 'lora', 'paper')
    """
    return tuple(sorted(path.stem for path in _FOLDER.glob("*.toml")))


def load_recipe(name_or_path: str, config_class: type[JobConfig]) -> dict[str, Any]:
    """Read the settings of a recipe, checked and typed as fields of a config.

    Args:
        name_or_path: One of `recipe_names()`, or a `.toml` or `.json` file.
        config_class: Whose fields it sets.

    Returns:
        Field values by name; fields that the recipe does not mention are not there.

    Raises:
        ConfigError: There is no such recipe or file, it cannot be read, or it sets what is no
            field, or a field to what it cannot be.

    Examples:
        >>> from streetclip.config import TrainConfig
        >>> load_recipe("demo", TrainConfig)
        {'num_epochs': 10, 'learning_rate': 0.001, 'weight_decay': 0.05}
    """
    path = _path(name_or_path)
    return read_settings(_read(path), config_class, str(path))


def read_settings(
    values: Mapping[str, Any], config_class: type[JobConfig], where: str
) -> dict[str, Any]:
    """Check plain values, as `JobConfig.to_dict` gives them, and type them as fields of a config.

    Args:
        values: By name; not to be trusted.
        config_class: Whose fields they are to be.
        where: They come from, for messages.

    Raises:
        ConfigError: A name is no field's, or a value is not of its type or out of its range.
    """
    fields = {field.name: field for field in dataclasses.fields(config_class)}
    hints = typing.get_type_hints(config_class)
    checked = {}
    for name, value in values.items():
        if name not in fields:
            msg = f"{where}: {shown(name)} is no setting of {config_class.kind}"
            raise ConfigError(msg + _nearest(name, fields))
        checked[name] = _checked(f"{where}: {name}", value, hints[name], fields[name])
    typed = from_parameters(config_class, checked)
    for name, value in typed.items():
        try:
            check_bounds(fields[name], value)
        except ConfigError as error:
            msg = f"{where}: {error}"
            raise ConfigError(msg) from None
    return {name: typed[name] for name in checked}


def save_config(config: JobConfig, path: Path) -> None:
    """Write all settings of a run as a recipe that repeats it, whatever the working folder.

    Paths become absolute, and `resume` false: a repetition starts afresh.

    Args:
        config: What the run does.
        path: JSON file to write, whole or not at all; see `CONFIG_FILE`.

    Raises:
        OutputError: The folder cannot be written.
        ResourceError: The disk is full.
    """
    values = {name: _absolute(name, value) for name, value in _field_values(config)}
    if "resume" in values:
        values["resume"] = False
    write_json(path, dataclasses.replace(config, **values).to_dict())


def reproduce_command(config: JobConfig, *, num_processes: int = 1) -> str:
    """The command that repeats a run whose settings `save_config` wrote into its output folder.

    Args:
        config: What the run did; it has an `output_dir`.
        num_processes: Of the run, over all machines; what it learned depends on it.

    Examples:
        >>> from streetclip.config import CaptionConfig
        >>> config = CaptionConfig(test_csv=Path("a.csv"), output_dir=Path("my outputs"))
        >>> print(reproduce_command(config))  # doctest: +NORMALIZE_WHITESPACE
        python jobs/generate_captions.py '--recipe=my outputs/config.json'
        '--output_dir=my outputs-again'
    """
    folder: Path = getattr(config, "output_dir")  # noqa: B009 -- not every config has one
    launcher = "python" if num_processes == 1 else f"torchrun --nproc_per_node {num_processes}"
    again = folder.resolve() if folder.name in ("", "..") else folder
    flags = (f"--recipe={folder / CONFIG_FILE}", f"--output_dir={again}-again")
    return " ".join([launcher, f"jobs/{config.kind}.py", *map(shlex.quote, flags)])


def _path(name_or_path: str) -> Path:
    names = recipe_names()
    if name_or_path in names:
        return _FOLDER / f"{name_or_path}.toml"
    path = Path(name_or_path).expanduser()
    if path.suffix in (".toml", ".json"):
        return path
    msg = (
        f"--recipe is {shown(name_or_path)}; expected one of {', '.join(names)}, or a .toml or "
        f".json file"
    )
    raise ConfigError(msg + _nearest(name_or_path, names))


def _nearest(name: str, names: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, list(names), n=1)
    return f". Is {close[0]} meant?" if close else "."


def _read(path: Path) -> dict[str, Any]:
    import tomllib

    try:
        text = path.read_bytes().decode("utf-8-sig")
        values = json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
    except OSError as error:
        msg = f"{path}: this recipe cannot be read ({error.strerror or error})."
        raise ConfigError(msg) from error
    except (ValueError, RecursionError) as error:
        language = path.suffix[1:].upper()
        msg = f"{path}: is no {language} that can be read ({shown(error)}). Mend the file."
        raise ConfigError(msg) from error
    if not isinstance(values, dict):
        msg = f"{path}: holds a {type(values).__name__}; expected settings by name."
        raise ConfigError(msg)
    return values


def _checked(where: str, value: Any, hint: Any, field: "dataclasses.Field[Any]") -> Any:
    """A value of a field as `JobConfig.to_dict` would give it; refused if it cannot be one."""
    parts = typing.get_args(hint)
    if typing.get_origin(hint) in (types.UnionType, typing.Union):
        if value is None:
            return None
        hint = next(part for part in parts if part is not types.NoneType)
    if typing.get_origin(hint) is not tuple:
        return _scalar(where, value, hint)
    if not isinstance(value, list) or not (value or field.default == ()):
        found = "empty" if value == [] else shown(value)
        msg = f"{where} is {found}; expected a list of at least one, each {_EXPECTED[parts[0]]}."
        raise ConfigError(msg)
    return [_scalar(f"{where}[{index}]", each, parts[0]) for index, each in enumerate(value)]


def _scalar(where: str, value: Any, kind: Any) -> Any:
    if kind is float and type(value) is int and abs(value) < 1 << 53:  # exact as a float
        value = float(value)
    is_right = type(value) is (str if kind is Path else kind)
    if not is_right or (kind is float and not math.isfinite(value)):
        msg = f"{where} is {shown(value)} ({type(value).__name__}); expected {_EXPECTED[kind]}."
        raise ConfigError(msg)
    return value


def _field_values(config: JobConfig) -> Iterable[tuple[str, Any]]:
    return ((field.name, getattr(config, field.name)) for field in dataclasses.fields(config))


def _absolute(name: str, value: Any) -> Any:
    if isinstance(value, tuple):
        return tuple(_absolute(name, each) for each in value)
    if isinstance(value, Path):
        return value.absolute()
    if name in _SOURCES and value is not None:
        path = Path(value).expanduser()
        return str(path.absolute()) if path.exists() else value
    return value
