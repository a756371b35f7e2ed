"""What every job shares: a parser made from a config class, a record, exit codes.

Exit codes: 0 done, 2 the user's mistake (one line), 1 a fault, 130 interrupted.
"""

import argparse
import contextlib
import dataclasses
import logging
import os
import sys
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from jobs.logs import output_may_fail
from jobs.record import JOB_VARIABLE, Job, recorded
from streetclip.config import STORE_VARIABLE, JobConfig
from streetclip.errors import StreetClipError

_log = logging.getLogger(__name__)

EXIT_DONE = 0
EXIT_FAULT = 1
EXIT_USER_ERROR = 2
EXIT_INTERRUPTED = 130

Config = TypeVar("Config", bound=JobConfig)
Record = Callable[[JobConfig], contextlib.AbstractContextManager[Job]]


class OneLineParser(argparse.ArgumentParser):
    """A parser whose errors are one clear line, and whose flags are never abbreviated."""

    def __init__(self, **options: Any) -> None:
        super().__init__(allow_abbrev=False, **options)

    def error(self, message: str) -> NoReturn:
        """Say what is wrong with the command line, and exit with 2."""
        self.exit(EXIT_USER_ERROR, f"{self.prog}: error: {message} (see {self.prog} --help)\n")

    def _get_values(self, action: argparse.Action, arg_strings: list[str]) -> Any:
        # argparse before 3.13 drops the value "--" of a flag, as in `--test_csv=--`.
        if not action.option_strings or arg_strings != ["--"]:
            return super()._get_values(action, arg_strings)
        value = self._get_value(action, "--")
        self._check_value(action, value)
        return value if action.nargs is None else [value]


def build_config_parser(config_class: type[JobConfig], description: str) -> OneLineParser:
    """Make a parser with one flag for each field of a config class, and `--recipe` if it has any.

    With recipes the parser tells only of flags that were given: `resolve_flags` adds the rest.
    """
    parser = OneLineParser(description=description)
    if config_class.takes_recipes:
        _add_recipe_flag(parser)
    hints = typing.get_type_hints(config_class)
    fields = dataclasses.fields(config_class)
    for field in sorted(fields, key=lambda f: f.default is not dataclasses.MISSING):
        _add_flag(parser, field, hints[field.name], in_recipe=config_class.takes_recipes)
    return parser


def run_job(
    parser: OneLineParser,
    config_class: type[Config],
    argv: Sequence[str] | None,
    work: Callable[[Config, Job], None],
    *,
    record: Record = recorded,
) -> int:
    """Parse, check, work, keep the job's record, and turn the outcome into an exit code.

    Args:
        parser: Made by `build_config_parser`.
        config_class: What the flags become.
        argv: The flags; None takes those of the process.
        work: The job itself; it is given its record too.
        record: What keeps the record while the job works.
    """
    namespace = parser.parse_args(argv)
    with output_may_fail() if JOB_VARIABLE in os.environ else contextlib.nullcontext():
        return _run(parser, config_class, vars(namespace), work, record)


def _run(
    parser: OneLineParser,
    config_class: type[Config],
    flags: dict[str, Any],
    work: Callable[[Config, Job], None],
    record: Record,
) -> int:
    try:
        values, said = resolve_flags(parser, config_class, flags)
        config = config_class(**values)
        _set_up_logging(config.log_level)
        for line in said:
            _log.info("%s", line)
        with record(config) as job:
            work(config, job)
    except StreetClipError as error:
        print(f"{parser.prog}: error: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print(f"\n{parser.prog}: interrupted; {_way_on(config_class)}", file=sys.stderr)
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        # The reader of stdout went away (as in `| head`); keep the interpreter from complaining.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_FAULT
    return EXIT_DONE


def resolve_flags(
    parser: OneLineParser, config_class: type[JobConfig], flags: Mapping[str, Any]
) -> tuple[dict[str, Any], list[str]]:
    """Field values of a config: what flags say, else the recipe; the rest has its default.

    Args:
        parser: Made by `build_config_parser`; ends the process where a needed setting is missing.
        config_class: What they are settings of.
        flags: What the parser made of the command line.

    Returns:
        The values, and what is to be logged of the recipe.

    Raises:
        ConfigError: The recipe cannot be used.
    """
    given = {name: _frozen(value) for name, value in flags.items() if name != "recipe"}
    if not config_class.takes_recipes:
        return given, []
    from streetclip.config.recipes import load_recipe

    recipe = load_recipe(flags["recipe"], config_class) if "recipe" in flags else {}
    fields = {field.name: field for field in dataclasses.fields(config_class)}
    values = {"db": _default(fields["db"])} | recipe | given
    needed = [name for name, each in fields.items() if each.default is dataclasses.MISSING]
    missing = [f"--{name}" for name in needed if name not in values]
    if missing:
        parser.error(f"the following arguments are required: {', '.join(missing)}")
    if "recipe" not in flags:
        return values, []
    sets = {name: each for name, each in recipe.items() if each != fields[name].default}
    said = [f"recipe {flags['recipe']} sets {_listed(sets)}"]
    overridden = {name: each for name, each in given.items() if name in recipe}
    if overridden:
        said.append(f"flags go before the recipe: {_listed(overridden)}")
    return values, said


def warn_of_skipped_rows(problems: Sequence[str]) -> None:
    """Log what is wrong with the rows that `--on_bad_rows skip` left out."""
    for problem in problems:
        _log.warning("skipped %s", problem)


def warn_of_doubtful_rows(warnings: Sequence[str]) -> None:
    """Log what is doubtful about rows that are kept."""
    for warning in warnings:
        _log.warning("%s", warning)


def _add_recipe_flag(parser: OneLineParser) -> None:
    from streetclip.config.recipes import recipe_names

    parser.add_argument(
        "--recipe",
        default=argparse.SUPPRESS,
        metavar="NAME|FILE",
        help=f"settings by name ({', '.join(recipe_names())}) or from a .toml or .json file, as "
        "the config.json of a run; flags go before it, --no_NAME takes a switch back",
    )


def _add_flag(
    parser: OneLineParser, field: "dataclasses.Field[Any]", hint: Any, *, in_recipe: bool
) -> None:
    default = _default(field)
    arguments: dict[str, Any] = {"help": _help_text(field, default), "default": default}
    if default is dataclasses.MISSING:
        arguments["required"] = True
        arguments["default"] = argparse.SUPPRESS
    if field.metadata["choices"]:
        arguments["choices"] = field.metadata["choices"]
    kind = _kind(hint)
    if kind is bool:
        arguments["action"] = "store_true"
    else:
        arguments["type"] = kind
        arguments["metavar"] = None if "choices" in arguments else _METAVARS[kind]
        if typing.get_origin(hint) is tuple:
            # Given once with several values, or several times; the config knows the default.
            arguments |= {"nargs": "+", "action": "extend", "default": argparse.SUPPRESS}
    if in_recipe:
        arguments |= {"required": False, "default": argparse.SUPPRESS}
        if kind is bool:
            parser.add_argument(
                f"--no_{field.name}",
                action="store_false",
                dest=field.name,
                default=argparse.SUPPRESS,
                help=argparse.SUPPRESS,
            )
    parser.add_argument(f"--{field.name}", **arguments)


def _default(field: "dataclasses.Field[Any]") -> Any:
    if field.name == "db" and os.environ.get(STORE_VARIABLE):
        return Path(os.environ[STORE_VARIABLE])
    return field.default


_METAVARS: dict[Any, str] = {str: "TEXT", int: "N", float: "X", Path: "PATH"}


def _way_on(config_class: type[JobConfig]) -> str:
    if "resume" in {field.name for field in dataclasses.fields(config_class)}:
        return "what was finished is kept, and the same command with --resume goes on there."
    return "nothing half-finished is left; run the same command again."


def _help_text(field: "dataclasses.Field[Any]", default: Any) -> str:
    text: str = field.metadata["help"]
    if default not in (dataclasses.MISSING, None, False, ()):
        text += f" (default: {' '.join(default) if isinstance(default, tuple) else default})"
    return text.replace("%", "%%")  # argparse expands %-signs


def _listed(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {_worded(value)}" for name, value in values.items()) or "nothing"


def _worded(value: Any) -> str:
    return " ".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _kind(hint: Any) -> Any:
    """The scalar type behind `T`, `T | None` and `tuple[T, ...]`."""
    if typing.get_origin(hint) in (types.UnionType, typing.Union):
        return next(part for part in typing.get_args(hint) if part is not types.NoneType)
    if typing.get_origin(hint) is tuple:
        return typing.get_args(hint)[0]
    return hint


def _set_up_logging(level: str) -> None:
    logging.basicConfig(
        level=level.upper(), format="%(levelname)s %(message)s", stream=sys.stderr, force=True
    )
    logging.captureWarnings(capture=True)
