"""The settings of a job as a form holds them: plain texts, made from its config and back into it.

What there is to set, its help, default, choices and bounds are the config class's fields.
"""

import dataclasses
import math
import re
import types
import typing
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from dashboard.shell import formats
from dashboard.views.jobs.allowed_paths import Roots, exists, is_file, is_folder
from streetclip import captions
from streetclip.config import JOB_CONFIGS, JobConfig
from streetclip.config.train_options import (
    DataOptions,
    LossOptions,
    OptimizerOptions,
    PartsOptions,
    SelectionOptions,
)
from streetclip.errors import ConfigError, shown

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
}
"""The jobs that the dashboard starts, as they are called."""

_NOT_SHOWN: Final = ("db", "log_level")  # the dashboard's own store; the log is read on the page
_USUAL: Final = {
    "generate_captions": (
        "train_csv",
        "val_csv",
        "test_csv",
        "output_dir",
        "templates",
        "overwrite",
    ),
    "train": (
        "model_name",
        "output_dir",
        "run_name",
        "num_epochs",
        "batch_size",
        "learning_rate",
        "weight_decay",
    ),
    "evaluate": ("checkpoint_path", "candidates_file", "output_dir", "run_name", "strategy"),
}
_SECTIONS: Final[dict[type[JobConfig], str]] = {
    LossOptions: "Contrast: batch, loss, negatives",
    OptimizerOptions: "Learning rate and optimizer",
    PartsOptions: "Which parts of the model learn",
    DataOptions: "Images and captions shown",
    SelectionOptions: "Best epoch, stopping, checkpoints",
}
_REST: Final = "More settings"
_SUFFIXES: Final = {
    "candidates_file": (".json",),
    "template_file": (".txt",),
    "prompts": (".json",),
    "model_name": (".pt",),
    "checkpoint_path": (".pt",),
}
_BUILT_IN: Final = {
    "prompts": ("auto", captions.PAPER_PROMPTS.name, captions.FULL_PROMPTS.name),
}
_WORDS: Final = {"csv": "CSV", "dir": "folder", "num": "number of"}
_SOURCES: Final = ("model_name", "checkpoint_path", "prompts")
_MOST_NUMBERED: Final = 1000
_MOST_DIGITS: Final = 18  # what SQLite and every reader of JSON keep exactly


@dataclass(frozen=True)
class Setting:
    """One setting of a job.

    Attributes:
        name: The field's, and the flag's without its dashes.
        group: needed, usual or more.
        section: Of those that are more: the title under which it stands.
        widget: What it is set with; a source is a model: a path or a hub id.
        kind: Type of the value, or of each of several.
        default: Of the field; None for none.
        choices: What it may be, if not anything.
        words: What a path may also be: names that are built in.
        suffixes: Of the files that it names.
        help: One line, for people.
    """

    name: str
    group: Literal["needed", "usual", "more"]
    section: str
    widget: Widget
    kind: type
    default: Any
    choices: tuple[str, ...]
    words: tuple[str, ...]
    suffixes: tuple[str, ...]
    help: str

    @property
    def label(self) -> str:
        """What a form calls it, as "Number of epochs"."""
        words = " ".join(_WORDS.get(word, word) for word in self.name.split("_"))
        return words[0].upper() + words[1:]

    @property
    def flag(self) -> str:
        """What the command line calls it."""
        return f"--{self.name}"

    @property
    def is_path(self) -> bool:
        """Whether it names a file or folder."""
        return self.kind is Path or self.widget == "source"

    def names_path(self, text: str, roots: Roots) -> bool:
        """Whether a value is a path, not a built-in name or a model on the hub."""
        if not self.is_path or not text or text in self.words:
            return False
        return self.widget != "source" or bool(self.words) or not roots.is_hub_id(text)


def settings_of(kind: str) -> tuple[Setting, ...]:
    """What can be set for a job: what it needs first, then what is usual, then the rest.

    Args:
        kind: One of `JOB_CONFIGS`.
    """
    config_class = JOB_CONFIGS[kind]
    hints = typing.get_type_hints(config_class)
    usual = _USUAL.get(kind, ())
    fields = [field for field in dataclasses.fields(config_class) if field.name not in _NOT_SHOWN]
    made = [
        _setting(config_class, field, hints[field.name], is_usual=field.name in usual)
        for field in fields
    ]
    order = {"needed": -2, "usual": -1, "more": 0}
    position = {name: number for number, name in enumerate(usual)}
    return tuple(sorted(made, key=lambda each: (order[each.group], position.get(each.name, 0))))


def sections_of(settings: Iterable[Setting]) -> dict[str, list[Setting]]:
    """The settings that are neither needed nor usual, by the titles they stand under."""
    sections: dict[str, list[Setting]] = {title: [] for title in (*_SECTIONS.values(), _REST)}
    for each in settings:
        if each.group == "more":
            sections[each.section].append(each)
    return {title: held for title, held in sections.items() if held}


def draft_of(kind: str, values: Mapping[str, Any]) -> Draft:
    """What a form shows for a config.

    Args:
        kind: Which job.
        values: Field values, as `from_parameters` gives them; what is missing has its default.
    """
    return {each.name: _written(each, values.get(each.name)) for each in settings_of(kind)}


def read_draft(
    kind: str, draft: Draft, roots: Roots, db: Path
) -> tuple[JobConfig | None, dict[str, str]]:
    """Make a form's texts a config, or say what is wrong with each.

    Args:
        kind: Which job.
        draft: Untrusted.
        roots: Where its files may lie.
        db: The store that the job is to write.

    Returns:
        The config, or None; and the problems by setting, those of no single one under `GENERAL`.
    """
    values: dict[str, Any] = {"db": db}
    problems: dict[str, str] = {}
    settings = settings_of(kind)
    for each in settings:
        try:
            values[each.name] = _read(each, draft.get(each.name), roots)
        except ConfigError as error:
            problems[each.name] = str(error)
    if problems:
        return None, problems
    try:
        return JOB_CONFIGS[kind](**values), {}
    except ConfigError as error:
        text = str(error)
        named = (each.name for each in settings if text.startswith(f"{each.flag} "))
        return None, {next(named, GENERAL): text}


def with_new_output(draft: Draft, roots: Roots) -> Draft:
    """The same draft with an output folder in which nothing stands yet: nothing is overwritten."""
    name = str(draft.get("output_dir", ""))
    if not name.strip() or not exists(roots.base / name):
        return draft
    stem = re.sub(r"_\d{1,4}$", "", name.rstrip("/"))
    numbered = (f"{stem}_{number}" for number in range(2, _MOST_NUMBERED))
    free = next((each for each in numbered if not exists(roots.base / each)), name)
    return draft | {"output_dir": free}


def check_paths(kind: str, values: Mapping[str, Any], roots: Roots) -> None:
    """Refuse a job whose files lie outside the roots, wherever it was started.

    Args:
        kind: Which job.
        values: Field values; what is missing has its default.
        roots: With the job's working folder as `base`.

    Raises:
        ConfigError: One lies outside.
    """
    for each in settings_of(kind):
        value = values.get(each.name, each.default)
        paths = value if isinstance(value, tuple) else (value,)
        for path in paths:
            text = "" if path is None else str(path)
            if each.names_path(text, roots):
                roots.check(each.flag, text)


def _setting(
    config_class: type[JobConfig], field: "dataclasses.Field[Any]", hint: Any, *, is_usual: bool
) -> Setting:
    is_needed = field.default is dataclasses.MISSING
    default = None if is_needed else field.default
    kind = _kind(hint)
    choices = field.metadata["choices"]
    group: Literal["needed", "usual", "more"] = (
        "needed" if is_needed else "usual" if is_usual else "more"
    )
    return Setting(
        name=field.name,
        group=group,
        section=_section(config_class, field.name),
        widget=_widget(field.name, kind, choices, is_several=typing.get_origin(hint) is tuple),
        kind=kind,
        default=default,
        choices=choices,
        words=_BUILT_IN.get(field.name, ()),
        suffixes=_SUFFIXES.get(field.name, (".csv",) if field.name.endswith("csv") else ()),
        help=_help(field, default),
    )


def _section(config_class: type[JobConfig], name: str) -> str:
    """The title of the options that a setting belongs to."""
    for options, title in _SECTIONS.items():
        if issubclass(config_class, options) and name in options.__annotations__:
            return title
    return _REST


def _widget(name: str, kind: type, choices: tuple[str, ...], *, is_several: bool) -> Widget:
    if choices or is_several:
        return "choice" if not is_several else "choices" if choices else "words"
    if name in _SOURCES:
        return "source"
    if kind is Path:
        is_output = name.startswith("output")
        return "output" if is_output else "folder" if name.endswith("dir") else "file"
    of_kind: dict[type, Widget] = {bool: "flag", int: "number", float: "number"}
    return of_kind.get(kind, "text")


def _kind(hint: Any) -> Any:
    """The scalar type behind `T`, `T | None` and `tuple[T, ...]`."""
    parts = [each for each in typing.get_args(hint) if each not in (types.NoneType, Ellipsis)]
    return parts[0] if parts else hint


def _help(field: "dataclasses.Field[Any]", default: Any) -> str:
    meta = field.metadata
    bounds = [
        f"{words} {meta[name]:g}"
        for name, words in (("minimum", "at least"), ("above", "above"), ("maximum", "at most"))
        if meta[name] is not None
    ]
    is_said = default not in (None, False, ())
    shown_default = " ".join(default) if isinstance(default, tuple) else default
    parts = [meta["help"], " and ".join(bounds), f"default: {shown_default}" * is_said]
    return f"--{field.name}: {'; '.join(filter(None, parts))}"


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


def _read(setting: Setting, value: Any, roots: Roots) -> Any:
    if setting.widget == "flag":
        return bool(value)
    if setting.widget == "choices":
        return tuple(value or ()) or setting.default
    text = value if isinstance(value, str) else ""
    if not text.strip():
        return _absent(setting)
    if setting.widget == "number":
        return _number(setting, text.strip())
    if setting.widget == "words":
        return tuple(line.strip() for line in text.split("\n") if line.strip())
    return _path(setting, text, roots) if setting.is_path else text


def _absent(setting: Setting) -> Any:
    if setting.group == "needed":
        msg = f"{setting.flag} is not given; expected {setting.help.partition(': ')[2]}."
        raise ConfigError(msg)
    return setting.default


def _number(setting: Setting, text: str) -> int | float:
    expected = "a whole number" if setting.kind is int else "a number, as 0.01 or 1e-6"
    try:
        number: int | float = setting.kind(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number) or (setting.kind is int and len(text) > _MOST_DIGITS):
        msg = f"{setting.flag} is {shown(text)}; expected {expected}."
        raise ConfigError(msg)
    return number


def _path(setting: Setting, text: str, roots: Roots) -> Any:
    if text in setting.words:
        return text
    if setting.widget == "source" and not setting.words:
        roots.check_source(setting.flag, text)
    else:
        _check_there(setting, text, roots.check(setting.flag, text))
    return setting.kind(text)


def _check_there(setting: Setting, text: str, path: Path) -> None:
    """Refuse an input that is not there, and an output folder that is a file."""
    if setting.widget == "output":
        if is_file(path):
            msg = f"{setting.flag} is {shown(text)}: is a file; expected a folder. Name another."
            raise ConfigError(msg)
    elif not (is_folder(path) if setting.widget == "folder" else is_file(path)):
        what = "folder" if setting.widget == "folder" else "file"
        msg = f"{setting.flag} is {shown(text)}: no {what} is there (any more). Choose it again."
        raise ConfigError(msg)
