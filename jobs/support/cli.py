"""Turn config classes into command lines, and outcomes of jobs into exit codes.

Exit codes: 0 done, 2 the user's mistake (one line), 1 a fault, 130 interrupted.
"""

import argparse
import contextlib
import dataclasses
import errno
import logging
import os
import sys
import typing
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from jobs import EXIT_INTERRUPTED
from jobs.support.logs import LOG_FORMAT, output_may_fail
from jobs.support.record import JOB_VARIABLE, Job, is_helper, recorded
from streetclip.config import STORE_VARIABLE, JobConfig
from streetclip.config.options import described, scalar_type, worded
from streetclip.errors import StreetClipError, shown

_LOG = logging.getLogger(__name__)

EXIT_DONE = 0
EXIT_FAULT = 1
EXIT_USER_ERROR = 2
_BAD_PATHS = {errno.ENAMETOOLONG, errno.ELOOP, errno.ENOTDIR, errno.EISDIR}

_METAVARS: dict[Any, str] = {str: "TEXT", int: "N", float: "X", Path: "PATH"}

Config = TypeVar("Config", bound=JobConfig)


class OneLineParser(argparse.ArgumentParser):
    """A parser whose errors are one clear line, and whose flags are never abbreviated."""

    def __init__(self, **options: Any) -> None:
        super().__init__(allow_abbrev=False, **options)

    def error(self, message: str) -> NoReturn:
        """Print what is wrong with the command line, and exit with 2."""
        self.exit(EXIT_USER_ERROR, f"{self.prog}: error: {message} (see {self.prog} --help)\n")

    def _get_values(self, action: argparse.Action, arg_strings: list[str]) -> Any:
        # argparse before 3.13 drops the value "--" of a flag, as in `--test_csv=--`.
        if not action.option_strings or arg_strings != ["--"]:
            return super()._get_values(action, arg_strings)
        value = self._get_value(action, "--")
        self._check_value(action, value)
        return value if action.nargs is None else [value]


def build_config_parser(config_class: type[JobConfig], description: str | None) -> OneLineParser:
    """Make a parser with a flag per config field; it returns only given flags."""
    parser = OneLineParser(description=description)
    if config_class.takes_recipes:
        from streetclip.config.recipes import recipe_names

        parser.add_argument(
            "--recipe",
            default=argparse.SUPPRESS,
            metavar="NAME|FILE",
            help=f"settings by name ({', '.join(recipe_names())}) or from a .toml or .json file, "
            "as the config.json of a run; flags override it, --no_NAME turns a switch off",
        )
    hints = typing.get_type_hints(config_class)
    fields = dataclasses.fields(config_class)
    for field in sorted(fields, key=lambda f: f.default is not dataclasses.MISSING):
        _add_flag(parser, field, hints[field.name], in_recipe=config_class.takes_recipes)
    return parser


def run_job(
    config_class: type[Config],
    description: str | None,
    argv: Sequence[str] | None,
    work: Callable[[Config, Job], None],
) -> int:
    """Parse the flags, do the work, keep the job's record, and return the exit code."""
    parser = build_config_parser(config_class, description)
    flags = vars(parser.parse_args(argv))
    queued = JOB_VARIABLE in os.environ
    with output_may_fail() if queued else contextlib.nullcontext():
        try:
            values, messages = resolve_flags(parser, config_class, flags)
            config = config_class(**values)
            logging.basicConfig(level=config.log_level.upper(), format=LOG_FORMAT, force=True)
            logging.captureWarnings(capture=True)
            for message in messages:
                _LOG.info("%s", message)
            from streetclip.store import explained

            with explained(config.db), recorded(config) as job:
                work(config, job)
        except StreetClipError as error:
            print(f"{parser.prog}: error: {error}", file=sys.stderr)
            return error.exit_code
        except KeyboardInterrupt:
            advice = "nothing half-finished is left; run the same command again."
            if hasattr(config_class, "resume"):
                advice = "what was finished is kept; run the same command with --resume."
            if not is_helper(config_class.kind):
                print(f"\n{parser.prog}: interrupted; {advice}", file=sys.stderr)
            return EXIT_INTERRUPTED
        except BrokenPipeError:
            # The reader of stdout has closed it (as in `| head`); avoid a second error at exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return EXIT_FAULT
        except OSError as error:
            # The system's reason says enough; the job's log keeps the traceback.
            where = shown(error.filename or "a file or connection").strip("'")
            print(f"{parser.prog}: error: {where}: {error.strerror or error}.", file=sys.stderr)
            return EXIT_USER_ERROR if error.errno in _BAD_PATHS else EXIT_FAULT
    return EXIT_DONE


def resolve_flags(
    parser: OneLineParser, config_class: type[JobConfig], flags: Mapping[str, Any]
) -> tuple[dict[str, Any], list[str]]:
    """Collect the field values of a config from flags and recipe, and messages to log.

    A missing required setting ends the process; an unusable recipe raises ConfigError.
    """
    given = {name: tuple(v) if isinstance(v, list) else v for name, v in flags.items()}
    source: Any = given.pop("recipe", None)
    fields = {field.name: field for field in dataclasses.fields(config_class)}
    recipe: dict[str, Any] = {}
    if source is not None:
        from streetclip.config.recipes import load_recipe

        recipe = load_recipe(source, config_class)
    values = {"db": _default(fields["db"])} | recipe | given
    required = [name for name, each in fields.items() if each.default is dataclasses.MISSING]
    missing = [f"--{name}" for name in required if name not in values]
    if missing:
        parser.error(f"the following arguments are required: {', '.join(missing)}")
    if source is None:
        return values, []
    sets = {name: each for name, each in recipe.items() if each != fields[name].default}
    messages = [f"recipe {source} sets {_listed(sets)}"]
    overridden = {name: each for name, each in given.items() if name in recipe}
    if overridden:
        messages.append(f"flags override the recipe: {_listed(overridden)}")
    return values, messages


def log_row_problems(problems: Sequence[str], warnings: Sequence[str]) -> None:
    """Log the bad rows that `--on_bad_rows skip` left out, and doubtful rows that are kept."""
    for problem in problems:
        _LOG.warning("skipped %s", problem)
    for warning in warnings:
        _LOG.warning("%s", warning)


def _add_flag(
    parser: OneLineParser, field: "dataclasses.Field[Any]", hint: Any, *, in_recipe: bool
) -> None:
    default = _default(field)
    # Only flags that are given are returned: recipe and config know the rest.
    arguments: dict[str, Any] = {
        "default": argparse.SUPPRESS,
        "help": described(field, default).replace("%", "%%"),  # argparse expands %-signs
        "required": default is dataclasses.MISSING and not in_recipe,
    }
    kind = scalar_type(hint)
    if kind is bool:
        arguments["action"] = "store_true"
        if in_recipe:
            hidden: dict[str, Any] = {"default": argparse.SUPPRESS, "help": argparse.SUPPRESS}
            parser.add_argument(
                f"--no_{field.name}", action="store_false", dest=field.name, **hidden
            )
    else:
        arguments["type"] = kind
        if field.metadata["choices"]:
            arguments["choices"] = field.metadata["choices"]
        else:
            arguments["metavar"] = _METAVARS[kind]
        if typing.get_origin(hint) is tuple:
            # Given once with several values, or several times.
            arguments |= {"nargs": "+", "action": "extend"}
    parser.add_argument(f"--{field.name}", **arguments)


def _default(field: "dataclasses.Field[Any]") -> Any:
    if field.name == "db" and os.environ.get(STORE_VARIABLE):
        return Path(os.environ[STORE_VARIABLE])
    return field.default


def _listed(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {worded(value)}" for name, value in values.items()) or "nothing"
