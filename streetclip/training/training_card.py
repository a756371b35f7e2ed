"""Write the card of a trained model from its checkpoint's record of the training.

The record is untrusted: sections of missing values are left out. Local paths are cut to their name.
"""

import dataclasses
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from streetclip.captions.prompts import PromptSet
from streetclip.config import TrainConfig
from streetclip.config.arguments import to_arguments
from streetclip.config.recipes import read_settings
from streetclip.errors import ConfigError
from streetclip.metrics.intervals import Proportion
from streetclip.models.model_card import (
    card_header,
    code_span,
    is_on_hub,
    licence_of,
    one_line,
    plain_text,
)

_DRAWN = "**Trained on drawn scenes, not on photos: of no use on photos.**"
_LIMITS = (
    "Do not use it to find out where private people are or live, or where they took a photo.",
    "It chooses among the candidates it is given: a place that is none of them is never found.",
    "Images are spread unevenly over the world: expect more errors where there were few.",
    "A high probability is no proof.",
)
_DRAWN_LIMIT = "It knows a world drawn by a program, and nothing of photos."
_OWN_AFFAIR = ("db", "log_level", "output_dir", "run_name", "resume", "device", "num_workers")
_TOO_MANY = 10**15


def model_card(training: Mapping[str, Any], prompts: PromptSet | None, *, source: str = "") -> str:
    """Write the model card, Markdown with the hub's header.

    `training` may be empty; `source` is the model's origin as the user named it.
    """
    base = _text(training, "base_model", "source") or source
    name = _text(training, "config", "run_name") or "StreetCLIP model"
    licence, is_drawn = licence_of(training, source), _at(training, "drawn") is True
    use = ["Finding the country, then the city, of a street-level photo, among given names."]
    if prompts is not None:
        use += [
            f"Ask for countries in these words: {_spans(prompts.country)}",
            f"Ask for cities in these words: {_spans(prompts.city)}",
        ]
    versions = _at(training, "versions")
    pairs = versions.items() if isinstance(versions, Mapping) else ()
    made_with = ", ".join(plain_text(f"{name} {each}") for name, each in pairs)
    sections = [
        f"{card_header(base, licence)}\n\n# {plain_text(name)}",
        "A CLIP-like model for image geolocalization, written by StreetCLIP.",
        _DRAWN if is_drawn else "",
        _section("What it is for", use),
        _section("What it is not for, and its limits", [*_LIMITS, _DRAWN_LIMIT * is_drawn]),
        _section("Training data", _data(training)),
        _section("Recipe", _recipe(training), _command(training)),
        _section("Results", _results(training)),
        _section("Licence", [_licence(base, licence)]),
        _section("Made with", [made_with, _labelled("Commit", training, "commit")]),
    ]
    return "\n\n".join(filter(None, sections)) + "\n"


def _data(training: Mapping[str, Any]) -> list[str]:
    lines = [_file(training, "train", "Training"), _file(training, "val", "Validation")]
    countries = _texts(training, "train_countries")
    if countries:
        lines.append(f"Countries trained on ({len(countries)}): {plain_text(' '.join(countries))}")
    held_out = _texts(training, "config", "holdout_countries")
    if held_out:
        lines.append(f"Held out of training: {_spans(held_out)}")
    return lines


def _file(training: Mapping[str, Any], split: str, label: str) -> str:
    csv, count = _text(training, split, "csv"), _number(training, split, "num_images")
    if not csv or count is None:
        return ""
    skipped = _number(training, split, "num_skipped") or 0
    left_out = f", {skipped:,} bad rows skipped" if skipped else ""
    shown = _number(training, split, "num_shown")
    if shown is not None and shown != count:
        left_out += f", {shown:,} of them shown; the others are of countries held out"
    sha256 = code_span(_text(training, split, "sha256")[:12])
    return f"{label}: {code_span(Path(csv).name)}, {count:,} images{left_out} (sha256 {sha256})"


def _recipe(training: Mapping[str, Any]) -> list[str]:
    lines = []
    base = _text(training, "base_model", "source")
    if base:
        sha256 = code_span(_text(training, "base_model", "sha256")[:12])
        lines.append(f"Base model: {_named(base)} (weights sha256 {sha256})")
    batch = _number(training, "effective_batch_size")
    if batch is not None:
        processes = _number(training, "num_processes") or 1
        shared = f", over {processes:,} processes" if processes > 1 else ""
        lines.append(f"Images of a step: {batch:,}{shared}")
    epoch, step = _number(training, "epoch"), _number(training, "step")
    if epoch is not None and step is not None:
        lines.append(f"The best of its epochs: epoch {epoch:,}, after {step:,} steps")
    return [*lines, _labelled("Precision:", training, "precision")]


def _command(training: Mapping[str, Any]) -> str:
    """Show the settings that differ from the defaults, if they are valid."""
    values = _at(training, "config")
    if not isinstance(values, Mapping):
        return ""
    names = {field.name for field in dataclasses.fields(TrainConfig)} - {*_OWN_AFFAIR}
    known = {name: value for name, value in values.items() if name in names}
    try:
        config = TrainConfig(**read_settings(known, TrainConfig, "record"))
    except (ConfigError, TypeError):
        return ""
    paths: dict[str, Any] = {
        name: value.name
        for name in names
        if isinstance(value := getattr(config, name), Path) and name not in _OWN_AFFAIR
    }
    if not is_on_hub(config.model_name):
        paths["model_name"] = Path(config.model_name).name
    short = dataclasses.replace(config, **paths)
    words = [word for word in to_arguments(short) if not word.startswith("--db=")]
    processes = _number(training, "num_processes") or 1
    launcher = "python" if processes == 1 else f"python jobs/launch.py --nproc_per_node {processes}"
    lines = [f"{launcher} jobs/train.py", *(f"    {shlex.quote(one_line(word))}" for word in words)]
    return "What differs from the defaults:\n\n    " + " \\\n    ".join(lines)


def _results(training: Mapping[str, Any]) -> list[str]:
    lines = []
    for prefix, label in (("", "the validation images"), ("holdout_", "countries held out")):
        after = _share(training, "metrics", prefix)
        before = _share(training, "before", prefix)
        if after:
            compared = f"; before training {before}" if before else ""
            lines.append(f"Zero-shot country accuracy, {label}: {after}{compared}")
    loss = _number(training, "metrics", "val_loss")
    if loss is not None:
        lines.append(f"Validation loss: {loss:.4f}")
    if lines:
        candidates = _texts(training, "countries")
        lines.append(
            f"Classes: {len(candidates):,} countries. The epoch was chosen by these images, so "
            "that others are found a little less well; intervals are Wilson's."
        )
    return lines


def _share(training: Mapping[str, Any], when: str, prefix: str) -> str:
    counts = (_number(training, when, f"{prefix}num_{each}") for each in ("correct", "images"))
    correct, images = counts
    if not (isinstance(correct, int) and isinstance(images, int) and 0 <= correct <= images):
        return ""
    share = Proportion(correct, images)
    if share.value is None or share.low is None or share.high is None:  # of no image
        return ""
    interval = f"95 % interval {100 * share.low:.1f} to {100 * share.high:.1f}"
    return f"{100 * share.value:.1f} % ({interval}; {correct:,} of {images:,})"


def _licence(base: str, licence: Mapping[str, str]) -> str:
    if licence:
        terms = ", ".join(code_span(value) for value in licence.values())
        return f"That of the base model, which holds for this one too: {terms}"
    owner = _named(base) if base else "the base model"
    return f"That of {owner} holds for this model too; its card states none, so ask its authors."


def _labelled(label: str, training: Mapping[str, Any], name: str) -> str:
    value = _text(training, name)
    return f"{label} {code_span(value)}" if value else ""


def _section(title: str, lines: list[str], more: str = "") -> str:
    items = "\n".join(f"- {line}" for line in lines if line)
    body = "\n\n".join(filter(None, (items, more)))
    return f"## {title}\n\n{body}" if body else ""


def _named(source: str) -> str:
    return (
        code_span(source) if is_on_hub(source) else f"a local one, {code_span(Path(source).name)}"
    )


def _spans(texts: tuple[str, ...] | list[str]) -> str:
    return ", ".join(map(code_span, texts))


def _at(record: object, *names: str) -> Any:
    for name in names:
        record = record.get(name) if isinstance(record, Mapping) else None
    return record


def _text(record: object, *names: str) -> str:
    value = _at(record, *names)
    return value if isinstance(value, str) else ""


def _texts(record: object, *names: str) -> list[str]:
    value = _at(record, *names)
    return [each for each in value if isinstance(each, str)] if isinstance(value, list) else []


def _number(record: object, *names: str) -> int | float | None:
    value = _at(record, *names)
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return value if is_number and abs(value) < _TOO_MANY else None
