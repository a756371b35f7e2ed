"""Read recipes, the settings of a job in a TOML or JSON file, and save those of a run.

Shipped recipes are in this folder. Paths are relative to the working folder.
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
from streetclip.config.options import JobConfig, check_bounds, scalar_type
from streetclip.errors import ConfigError, shown
from streetclip.files import write_json

CONFIG_FILE = "config.json"  # settings of a run, in its output folder
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
    """List the shipped recipes."""
    return tuple(sorted(path.stem for path in _FOLDER.glob("*.toml")))


def load_recipe(name_or_path: str, config_class: type[JobConfig]) -> dict[str, Any]:
    """Read the settings of a shipped recipe or a `.toml` or `.json` file, or raise ConfigError.

    Examples:
        >>> from streetclip.config import TrainConfig
        >>> load_recipe("demo", TrainConfig)
        {'num_epochs': 10, 'learning_rate': 0.001, 'weight_decay': 0.05}
    """
    names, path = recipe_names(), Path(name_or_path).expanduser()
    if name_or_path in names:
        path = _FOLDER / f"{name_or_path}.toml"
    elif path.suffix not in (".toml", ".json"):
        msg = (
            f"--recipe is {shown(name_or_path)}; expected one of {', '.join(names)}, or a .toml "
            f"or .json file{_nearest(name_or_path, names)}"
        )
        raise ConfigError(msg)
    return read_settings(_read(path), config_class, str(path))


def read_settings(
    values: Mapping[str, Any], config_class: type[JobConfig], where: str
) -> dict[str, Any]:
    """Check untrusted plain values from `where`, and convert them to the types of fields."""
    fields = {field.name: field for field in dataclasses.fields(config_class)}
    hints = typing.get_type_hints(config_class)
    for name, value in values.items():
        if name not in fields:
            nearest = _nearest(name, fields)
            msg = f"{where}: {shown(name)} is no setting of {config_class.kind}{nearest}"
            raise ConfigError(msg)
        _check_type(f"{where}: {name}", value, hints[name], may_be_empty=fields[name].default == ())
    typed = from_parameters(config_class, values)
    for name, value in typed.items():
        if scalar_type(hints[name]) is float and value is not None:
            typed[name] = float(value)
        try:
            check_bounds(fields[name], value)
        except ConfigError as error:
            msg = f"{where}: {error}"
            raise ConfigError(msg) from None
    return {name: typed[name] for name in values}


def save_config(config: JobConfig, path: Path) -> None:
    """Write all settings of a run as a recipe, with absolute paths and `resume` false."""
    names = [field.name for field in dataclasses.fields(config)]
    values = {name: _absolute(name, getattr(config, name)) for name in names}
    if "resume" in values:
        values["resume"] = False
    write_json(path, dataclasses.replace(config, **values).to_dict())


def reproduce_command(config: JobConfig, *, num_processes: int = 1) -> str:
    """Return the command that repeats a run from the config file in its `output_dir`.

    Examples:
        >>> from streetclip.config import CaptionConfig
        >>> config = CaptionConfig(test_csv=Path("a.csv"), output_dir=Path("my outputs"))
        >>> print(reproduce_command(config))  # doctest: +NORMALIZE_WHITESPACE
        python jobs/generate_captions.py '--recipe=my outputs/config.json'
        '--output_dir=my outputs-again'
    """
    folder: Path = getattr(config, "output_dir")  # noqa: B009 -- not every config has one
    launcher = (
        "python"
        if num_processes == 1
        else f"python jobs/launch.py --nproc_per_node {num_processes}"
    )
    again = folder.resolve() if folder.name in ("", "..") else folder
    flags = (f"--recipe={folder / CONFIG_FILE}", f"--output_dir={again}-again")
    return " ".join([launcher, f"jobs/{config.kind}.py", *map(shlex.quote, flags)])


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
        msg = f"{path}: is no {language} that can be read ({shown(error)}). Correct the file."
        raise ConfigError(msg) from error
    if not isinstance(values, dict):
        msg = f"{path}: holds a {type(values).__name__}; expected settings by name."
        raise ConfigError(msg)
    return values


def _check_type(where: str, value: Any, hint: Any, *, may_be_empty: bool) -> None:
    """Raise ConfigError for a value that `JobConfig.to_dict` cannot return."""
    kind = scalar_type(hint)
    if typing.get_origin(hint) is tuple:
        if not isinstance(value, list) or not (value or may_be_empty):
            found = "empty" if value == [] else shown(value)
            msg = f"{where} is {found}; expected a list of at least one, each {_EXPECTED[kind]}."
            raise ConfigError(msg)
        for index, each in enumerate(value):
            _check_type(f"{where}[{index}]", each, kind, may_be_empty=False)
        return
    if value is None and isinstance(hint, types.UnionType):
        return
    is_exact_float = kind is float and type(value) is int and abs(value) < 1 << 53
    is_allowed = is_exact_float or type(value) is (str if kind is Path else kind)
    if not is_allowed or (kind is float and not math.isfinite(value)):
        msg = f"{where} is {shown(value)} ({type(value).__name__}); expected {_EXPECTED[kind]}."
        raise ConfigError(msg)


def _absolute(name: str, value: Any) -> Any:
    if isinstance(value, tuple):
        return tuple(_absolute(name, each) for each in value)
    if isinstance(value, Path):
        return value.absolute()
    if name in _SOURCES and value is not None:
        path = Path(value).expanduser()
        return str(path.absolute()) if path.exists() else value
    return value
