"""Make form fields from a job's config class, and parse them into a config."""

import contextlib
import dataclasses
import functools
import math
import re
import typing
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from dashboard.shell import formats
from dashboard.views.jobs.allowed_paths import exists, is_file, is_folder
from streetclip.config import JOB_CONFIGS, JobConfig, train_options
from streetclip.config.options import described, scalar_type
from streetclip.errors import ConfigError, shown
from streetclip.runtime import Roots
from streetclip.runtime.allowed_paths import BUILT_IN, MODEL_SETTINGS

Group = Literal["required", "usual", "more"]
Widget = Literal[
    "flag", "choice", "choices", "words", "number", "text", "file", "folder", "output", "source"
]
Draft = dict[str, Any]
"""By setting: a bool of a flag, a list of choices, a text of everything else."""

GENERAL: Final = ""
"""Key of a problem that is no single setting's."""

FORMS: Final = {
    "generate_captions": "Generate captions",
    "train": "Train",
    "evaluate": "Evaluate",
    "predict": "Predict photos",
}
"""Titles of the jobs that the dashboard starts."""

_NOT_SHOWN: Final = ("db", "log_level")  # the dashboard's own store; the log is read on the page
_USUAL: Final = {
    "generate_captions": "train_csv val_csv test_csv output_dir templates overwrite",
    "train": "model_name output_dir run_name num_epochs batch_size learning_rate weight_decay",
    "evaluate": "checkpoint_path candidates_file output_dir run_name strategy",
    "predict": "checkpoint_path candidates_file output_dir recursive top_k",
}
_SECTIONS: Final[dict[type[JobConfig], str]] = {
    train_options.LossOptions: "Contrast: batch, loss, negatives",
    train_options.OptimizerOptions: "Learning rate and optimizer",
    train_options.PartsOptions: "Which parts of the model learn",
    train_options.DataOptions: "Images and captions shown",
    train_options.SelectionOptions: "Best epoch, stopping, checkpoints",
}
_REST: Final = "More settings"
_SUFFIXES: Final = dict.fromkeys(MODEL_SETTINGS, ".pt") | {
    "candidates_file": ".json",
    "prompts": ".json",
    "template_file": ".txt",
}
_WORDS: Final = {"csv": "CSV", "dir": "folder", "num": "number of"}
_MOST_NUMBERED: Final = 1000
_MOST_DIGITS: Final = 18  # what SQLite and every reader of JSON keep exactly


@dataclass(frozen=True)
class Setting:
    """One setting of a job, as a field of the form and a flag."""

    name: str
    group: Group
    section: str
    widget: Widget  # a source is a path or a hub id
    kind: type
    """Of the value, or of each of several."""
    default: Any
    choices: tuple[str, ...]
    words: tuple[str, ...]
    """Built-in names that a path may also be."""
    suffix: str
    """Of the files that it names, "" for any."""
    help: str

    @property
    def label(self) -> str:
        """Label of the field, as "Number of epochs"."""
        words = " ".join(_WORDS.get(word, word) for word in self.name.split("_"))
        return words[0].upper() + words[1:]

    @property
    def flag(self) -> str:
        """Flag on the command line."""
        return f"--{self.name}"

    @property
    def is_path(self) -> bool:
        """Whether it names a file or folder."""
        return self.kind is Path or self.widget == "source"

    def names_path(self, text: str, roots: Roots) -> bool:
        """Check that a value is a path, not a built-in name or hub id."""
        return self.is_path and roots.names_path(self.name, text)


@functools.cache
def settings_of(kind: str) -> tuple[Setting, ...]:
    """List the settings of a job, one of `JOB_CONFIGS`: required, then usual, then the rest."""
    config_class = JOB_CONFIGS[kind]
    hints = typing.get_type_hints(config_class)
    usual = _USUAL.get(kind, "").split()
    sections = {
        name: title
        for options, title in _SECTIONS.items()
        if issubclass(config_class, options)
        for name in options.__annotations__
    }
    settings = []
    for field in dataclasses.fields(config_class):
        if field.name in _NOT_SHOWN:
            continue
        name, hint, choices = field.name, hints[field.name], field.metadata["choices"]
        is_required = field.default is dataclasses.MISSING
        group: Group = "required" if is_required else "usual" if name in usual else "more"
        scalar = scalar_type(hint)
        is_several = typing.get_origin(hint) is tuple
        settings.append(
            Setting(
                name=name,
                group=group,
                section=sections.get(name, _REST),
                widget=_widget(name, scalar, choices, is_several=is_several),
                kind=scalar,
                default=None if is_required else field.default,
                choices=choices,
                words=BUILT_IN.get(name, ()),
                suffix=_SUFFIXES.get(name, ".csv" if name.endswith("csv") else ""),
                help=f"--{name}: {described(field, field.default)}",
            )
        )
    groups = typing.get_args(Group)
    position = {name: number for number, name in enumerate(usual)}
    settings.sort(key=lambda each: (groups.index(each.group), position.get(each.name, 0)))
    return tuple(settings)


def sections_of(settings: Iterable[Setting]) -> dict[str, list[Setting]]:
    """Group the settings that are neither required nor usual by section title."""
    sections: dict[str, list[Setting]] = {title: [] for title in (*_SECTIONS.values(), _REST)}
    for each in settings:
        if each.group == "more":
            sections[each.section].append(each)
    return {title: held for title, held in sections.items() if held}


def _widget(name: str, kind: type, choices: tuple[str, ...], *, is_several: bool) -> Widget:
    if is_several:
        return "choices" if choices else "words"
    if choices:
        return "choice"
    if name in MODEL_SETTINGS or name in BUILT_IN:
        return "source"
    if kind is Path:
        is_output = name.startswith("output")
        return "output" if is_output else "folder" if name.endswith("dir") else "file"
    of_kind: dict[type, Widget] = {bool: "flag", int: "number", float: "number"}
    return of_kind.get(kind, "text")


# From values to texts, and back


def draft_of(kind: str, values: Mapping[str, Any]) -> Draft:
    """Write field values, as `from_parameters` returns them, as texts; defaults if missing."""
    return {each.name: _written(each, values.get(each.name)) for each in settings_of(kind)}


def _written(setting: Setting, value: Any) -> Any:
    value = setting.default if value is None else value
    if setting.widget == "flag":
        return bool(value)
    if setting.widget == "choice":
        return value if value in setting.choices else setting.default
    if setting.widget == "choices":
        return [each for each in value if each in setting.choices]
    if setting.widget == "words":
        return formats.sendable("\n".join(value))
    return "" if value is None else formats.sendable(str(value))


def read_draft(
    kind: str, draft: Draft, roots: Roots, db: Path
) -> tuple[JobConfig | None, dict[str, str]]:
    """Parse the untrusted texts of a form into a config that writes the store `db`.

    Problems are by setting, those of no single one under `GENERAL`; with any, the config is None.
    They name the fields by label.
    """
    values: dict[str, Any] = {"db": db}
    problems: dict[str, str] = {}
    settings = settings_of(kind)
    for each in settings:
        try:
            values[each.name] = _read(each, draft.get(each.name), roots)
        except ConfigError as error:
            problems[each.name] = with_labels(kind, str(error))
    if problems:
        return None, problems
    try:
        return JOB_CONFIGS[kind](**values), {}
    except ConfigError as error:
        text = str(error)
        named = (each.name for each in settings if text.startswith(f"{each.flag} "))
        return None, {next(named, GENERAL): with_labels(kind, text)}


def with_labels(kind: str, text: str) -> str:
    """Name the settings of a message by the labels of the form instead of by flags.

    Examples:
        >>> with_labels("train", "--num_epochs is 0; a --root may be added")
        'Number of epochs is 0; a --root may be added'
    """
    labels = {each.flag: each.label for each in settings_of(kind)}
    return re.sub(r"--\w+", lambda found: labels.get(found[0], found[0]), text)


def _read(setting: Setting, value: Any, roots: Roots) -> Any:
    if setting.widget == "flag":
        return bool(value)
    if setting.widget == "choices":
        return tuple(value or ()) or setting.default
    text = value if isinstance(value, str) else ""
    if not text.strip():
        if setting.group == "required":
            msg = f"{setting.flag} is not given; expected {setting.help.partition(': ')[2]}."
            raise ConfigError(msg)
        return setting.default
    if setting.widget == "number":
        return _number(setting, text.strip())
    if setting.widget == "words":
        return tuple(line.strip() for line in text.split("\n") if line.strip())
    if setting.is_path and text not in setting.words:
        _check_exists(setting, text, roots)
    return setting.kind(text)


def _number(setting: Setting, text: str) -> int | float:
    number: int | float = math.nan
    if setting.kind is not int or len(text) <= _MOST_DIGITS:
        with contextlib.suppress(ValueError):
            number = setting.kind(text)
    if not math.isfinite(number):
        expected = "a whole number" if setting.kind is int else "a number, as 0.01 or 1e-6"
        msg = f"{setting.flag} is {shown(text)}; expected {expected}."
        raise ConfigError(msg)
    return number


def _check_exists(setting: Setting, text: str, roots: Roots) -> None:
    """Refuse missing inputs, a file as output folder, and paths outside the roots."""
    if setting.widget == "source" and not setting.words:
        roots.check_source(setting.flag, text)
        return
    path = roots.check(setting.flag, text)
    if setting.widget == "output":
        problem = "is a file; expected a folder. Name another." if is_file(path) else ""
    else:
        is_there, what = (is_folder, "folder") if setting.widget == "folder" else (is_file, "file")
        problem = "" if is_there(path) else f"no {what} is there (any more). Choose it again."
    if problem:
        msg = f"{setting.flag} is {shown(text)}: {problem}"
        raise ConfigError(msg)


def with_new_output(draft: Draft, roots: Roots) -> Draft:
    """Move the output folder of a draft into the roots; number it if it exists."""
    name = str(draft.get("output_dir", ""))
    if not name.strip():
        return draft
    if not roots.hold(Path(name)):
        name = roots.written(roots.folders[0] / Path(name).name)
    if not exists(roots.base / name):
        return draft | {"output_dir": name}
    stem = re.sub(r"_\d{1,4}$", "", name.rstrip("/"))
    numbered = (f"{stem}_{number}" for number in range(2, _MOST_NUMBERED))
    free = next((each for each in numbered if not exists(roots.base / each)), name)
    return draft | {"output_dir": free}
