import dataclasses
import re
import shlex
from pathlib import Path

import pytest
import yaml

from jobs.support.cli import build_config_parser, resolve_flags
from streetclip.captions.prompts import FULL_PROMPTS
from streetclip.config import TrainConfig
from streetclip.metrics.intervals import wilson_interval
from streetclip.training.training_card import model_card

from .conftest import run_training

CONFIG = TrainConfig(
    train_csv=Path("/home/me/secret place/train.csv"),
    val_csv=Path("/home/me/val.csv"),
    image_dir=Path("/home/me/photos"),
    output_dir=Path("/home/me/out"),
    db=Path("/home/me/s.db"),
    model_name="/home/me/base/best_model.pt",
    run_name="my run",
    learning_rate=3e-5,
    templates=("full", "dropout"),
    holdout_countries=("Fiji", "Peru"),
    gradient_checkpointing=True,
)


@pytest.fixture
def precision():
    """Name one number format: nothing here depends on it."""
    return "fp32"


def record(**changes):
    return {
        "base_model": {"source": "geolocal/StreetCLIP", "sha256": "ab" * 32},
        "licence": {"license": "cc-by-nc-4.0"},
        "train": {"csv": "/home/me/train.csv", "sha256": "cd" * 32, "num_images": 4321,
                  "num_skipped": 17},
        "val": {"csv": "/home/me/val.csv", "sha256": "ef" * 32, "num_images": 97,
                "num_skipped": 0},
        "countries": ["FJ", "FR", "PE"],
        "train_countries": ["FR"],
        "precision": "bf16",
        "drawn": False,
        "num_processes": 3,
        "effective_batch_size": 1152,
        "config": CONFIG.to_dict(),
        "versions": {"torch": "9.9.9"},
        "commit": "0123abc",
        "epoch": 4,
        "step": 1250,
        "metrics": {"val_loss": 1.25, "num_correct": 70, "num_images": 97,
                    "holdout_num_correct": 5, "holdout_num_images": 23},
        "before": {"num_correct": 30, "num_images": 97, "holdout_num_correct": 9,
                   "holdout_num_images": 23},
    } | changes  # fmt: skip


def header_and_body(card):
    assert card.startswith("---\n")
    header, end, body = card[4:].partition("\n---\n")
    assert end
    return yaml.safe_load(header), body


def test_a_card_says_what_a_model_was_made_of():
    header, body = header_and_body(model_card(record(), FULL_PROMPTS))
    assert header["base_model"] == "geolocal/StreetCLIP"
    assert header["license"] == "cc-by-nc-4.0"
    for said in (
        "# my run\n", "`train.csv`, 4,321 images, 17 bad rows skipped (sha256 `cdcdcdcdcdcd`)",
        "`val.csv`, 97 images (sha256", "Countries trained on (1): FR\n",
        "Held out of training: `Fiji`, `Peru`", "`geolocal/StreetCLIP` (weights sha256 `abab",
        "Images of a step: 1,152, over 3 processes", "epoch 4, after 1,250 steps", "`bf16`",
        "Classes: 3 countries", "torch 9.9.9", "Commit `0123abc`", "where private people are",
        "`cc-by-nc-4.0`", "Validation loss: 1.2500", f"`{FULL_PROMPTS.country[0]}`",
    ):  # fmt: skip
        assert said in body, said


def test_images_of_countries_held_out_are_not_counted_as_shown(world):
    config = world.config(num_epochs=1, holdout_countries=("Peru",))
    run_training(config)
    card = (config.output_dir / "best_model" / "README.md").read_text(encoding="utf-8")
    # Every fourth of 26 images is of Peru, beginning with the fourth.
    assert "26 images, 20 of them shown; the others are of countries held out" in card
    assert "Held out of training: `Peru`" in card


def test_accuracies_have_their_wilson_intervals_and_those_before_training():
    _, body = header_and_body(model_card(record(), None))
    for correct, images in ((70, 97), (30, 97), (5, 23), (9, 23)):
        low, high = (100 * each for each in wilson_interval(correct, images))
        share = 100 * correct / images
        interval = f"95 % interval {low:.1f} to {high:.1f}"
        assert f"{share:.1f} % ({interval}; {correct} of {images})" in body


def test_the_recipe_is_a_command_that_this_version_understands():
    _, body = header_and_body(model_card(record(), None))
    command = body.partition("What differs from the defaults:\n\n")[2].partition("\n\n## ")[0]
    words = shlex.split(command.replace("\\\n", " "))
    assert words[:5] == ["python", "jobs/launch.py", "--nproc_per_node", "3", "jobs/train.py"]
    parser = build_config_parser(TrainConfig, "x")
    values, _ = resolve_flags(parser, TrainConfig, vars(parser.parse_args(words[5:])))
    names = {
        field.name
        for field in dataclasses.fields(TrainConfig)
        if getattr(CONFIG, field.name) != field.default and not isinstance(field.default, Path)
    }
    assert names - {"run_name"} <= set(values)
    assert "output_dir" not in values
    for name in ("learning_rate", "templates", "holdout_countries", "gradient_checkpointing"):
        assert values[name] == getattr(CONFIG, name)


def test_local_paths_are_not_published():
    card = model_card(record(base_model={"source": "/home/me/base/best_model.pt"}), None)
    assert "/home" not in card
    assert "secret" not in card
    assert "a local one, `best_model.pt`" in card


@pytest.mark.parametrize("text", ["x\n---\nlicense: mit\n# y", "`</p><script>`", "a\n\n## b", "\n"])
def test_no_text_of_a_record_becomes_markup(text):
    changes = {"config": CONFIG.to_dict() | {"run_name": text, "holdout_countries": [text]}}
    changes |= {"licence": {"license": text}, "commit": text, "versions": {text: text}}
    changes["train"] = {"csv": text, "sha256": text, "num_images": 3}
    plain = model_card(record(), FULL_PROMPTS)
    card = model_card(record(**changes), FULL_PROMPTS)

    def headings(text):
        return [line for line in text.splitlines() if line.startswith("#") and line[1:2] == "#"]

    assert headings(card) == headings(plain)
    assert set(header_and_body(card)[0]) <= set(header_and_body(plain)[0])
    without_code = re.sub(r"(?<!`)(`+)(?!`)(.+?)(?<!`)\1(?!`)", "", card)
    assert "<script>" not in without_code.replace("\\<", "")


@pytest.mark.parametrize("value", [None, 3, "x", [], [3], {"a": 1}, {"source": 3}, 10**4000, True])
@pytest.mark.parametrize("key", [*record(), None])
def test_a_record_of_any_shape_gives_a_card(key, value):
    training = dict.fromkeys(record(), value) if key is None else record(**{key: value})
    header, body = header_and_body(model_card(training, None, source="a/b"))
    assert header["library_name"] == "transformers"
    assert "where private people are" in body


def test_a_foreign_model_is_named_after_its_source():
    header, body = header_and_body(model_card({}, None, source="openai/clip-vit-base-patch32"))
    assert header["base_model"] == "openai/clip-vit-base-patch32"
    assert "`openai/clip-vit-base-patch32` holds for this model too" in body
    assert "## Training data" not in body


def test_drawn_training_is_said_at_once():
    for drawn, start in ((True, "**Trained on drawn scenes"), (False, "## What it is for")):
        paragraphs = header_and_body(model_card(record(drawn=drawn), None))[1].split("\n\n")
        assert paragraphs[2].startswith(start)


def test_settings_of_another_version_are_left_out_not_refused():
    config = CONFIG.to_dict() | {"of_a_later_version": 3, "num_epochs": 7}
    assert "--num_epochs=7" in model_card(record(config=config), None)
    assert "What differs" not in model_card(record(config=config | {"num_epochs": "x"}), None)
