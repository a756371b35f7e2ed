"""Trainings that stop and resume: the same as without a stop, or refused."""

import dataclasses
import functools
import json
import os
import shutil
import signal

import pandas as pd
import pytest
import torch

from streetclip.errors import ConfigError, ModelError, OutputError, ResourceError
from streetclip.models.loading import load_encoder
from streetclip.store import open_store
from streetclip.training.losses import contrastive_loss

from .conftest import curves_of, run_training, stop_at, weights

BOTH = pytest.mark.parametrize("precision", ["fp32", "bf16"])


@pytest.fixture
def precision():
    """Name one number format, if a test does not ask for both."""
    return "fp32"


@pytest.fixture
def whole(undisturbed, precision):
    return undisturbed(precision)


def assert_equal_to(whole, config, result, encoder):
    whole_result, whole_weights, whole_curves, _ = whole
    assert result.epochs == whole_result.epochs
    assert result.best == whole_result.best
    for name, value in weights(encoder).items():
        assert torch.equal(value, whole_weights[name]), name
    trainings, curves = curves_of(config)
    assert curves.equals(whole_curves)
    assert trainings["state"].tolist() == ["done"]
    best = torch.load(config.output_dir / "best_model.pt", weights_only=True)["model"]
    reference = torch.load(whole_result.checkpoint_path, weights_only=True)["model"]
    assert all(torch.equal(best[name], reference[name]) for name in reference)


# 4 steps an epoch, 12 in all: before the first, mid-epoch, at an epoch's end, after the last.
@pytest.mark.parametrize(
    ("step", "precision"),
    [(0, "fp32"), (1, "fp32"), (4, "fp32"), (6, "fp32"), (6, "bf16"), (12, "fp32")],
)
def test_a_stop_and_a_resume_equal_the_training_without_a_stop(world, whole, step):
    with pytest.raises(KeyboardInterrupt):
        run_training(world.config(), stop_at(step))
    trainings, _ = curves_of(world.config())
    assert trainings["state"].tolist() == ["interrupted"]
    config = world.config(resume=True)
    assert_equal_to(whole, config, *run_training(config))


@BOTH
def test_several_stops_with_workers_and_without_memory_change_nothing(world, whole, monkeypatch):
    monkeypatch.setattr("streetclip.training.image_source.MEMORY_LIMIT_BYTES", 0)
    with pytest.raises(KeyboardInterrupt):
        run_training(world.config(num_workers=2), stop_at(3))
    with pytest.raises(KeyboardInterrupt):
        run_training(world.config(resume=True), stop_at(7))
    config = world.config(resume=True, num_workers=1)
    assert_equal_to(whole, config, *run_training(config))


def test_a_killed_training_goes_on_from_its_last_checkpoint(world, whole):
    def killed(done, total, **numbers):
        if done == 11:
            raise SystemExit

    with pytest.raises(SystemExit):
        run_training(world.config(checkpoint_every=3), killed)
    last = torch.load(world.folder / "out" / "last_checkpoint.pt", weights_only=True)
    assert last["resume"]["step"] == 9
    config = world.config(resume=True)
    assert_equal_to(whole, config, *run_training(config))


def test_a_long_epoch_is_saved_by_the_clock(world, whole):
    def killed(done, total, **numbers):
        if done == 11:
            raise SystemExit

    with pytest.raises(SystemExit):
        run_training(world.config(checkpoint_minutes=1e-9), killed)
    last = torch.load(world.folder / "out" / "last_checkpoint.pt", weights_only=True)
    assert last["resume"]["step"] == 11
    config = world.config(resume=True)
    assert_equal_to(whole, config, *run_training(config))


@BOTH
def test_ctrl_c_within_a_step_waits_for_its_end(world, whole, monkeypatch):
    from streetclip.training import losses

    pressed = []

    def pressing(*arguments, own, **options):
        if own is not None and len(pressed) < 6:  # a step's, not a validation's
            pressed.append(1)
            if len(pressed) == 6:
                os.kill(os.getpid(), signal.SIGINT)
        return contrastive_loss(*arguments, own=own, **options)

    monkeypatch.setattr(losses, "contrastive_loss", pressing)
    with pytest.raises(KeyboardInterrupt):
        run_training(world.config())
    last = torch.load(world.folder / "out" / "last_checkpoint.pt", weights_only=True)
    assert last["resume"]["step"] == 6
    config = world.config(resume=True)
    assert_equal_to(whole, config, *run_training(config))


def test_a_full_disk_loses_nothing(world, whole, monkeypatch):
    from streetclip.models import checkpoints

    usage = checkpoints.shutil.disk_usage(world.folder)

    def fill_the_disk(done, total, **numbers):
        if done == 5:
            monkeypatch.setattr(
                checkpoints.shutil, "disk_usage", lambda _: usage._replace(free=100)
            )

    with pytest.raises(ResourceError, match="MiB free"):
        run_training(world.config(), fill_the_disk)
    last = torch.load(world.folder / "out" / "last_checkpoint.pt", weights_only=True)
    assert last["resume"]["step"] == 4
    monkeypatch.undo()
    config = world.config(resume=True)
    assert_equal_to(whole, config, *run_training(config))


def test_a_resume_into_another_store_brings_the_curves_along(world, whole):
    with pytest.raises(KeyboardInterrupt):
        run_training(world.config(), stop_at(5))
    config = world.config(resume=True, db=world.folder / "other.db")
    assert_equal_to(whole, config, *run_training(config))


def test_the_chosen_checkpoint_is_known_while_the_training_runs_and_after_a_resume(world):
    with pytest.raises(KeyboardInterrupt):
        run_training(world.config(), stop_at(6))
    trainings, _ = curves_of(world.config())
    before = trainings["best"].iloc[0]
    assert before["epoch"] == 1
    assert before["sha256"] == load_encoder(before["checkpoint"], device="cpu").sha256
    elsewhere = world.config(resume=True, db=world.folder / "other.db")
    with pytest.raises(KeyboardInterrupt):
        run_training(elsewhere, stop_at(7))
    assert curves_of(elsewhere)[0]["best"].iloc[0] == before


def test_a_second_training_into_the_same_folder_is_refused(world):
    with pytest.raises(KeyboardInterrupt):
        run_training(world.config(), stop_at(2))
    before = (world.folder / "out" / "last_checkpoint.pt").read_bytes()
    with pytest.raises(OutputError, match=r"holds a training already.*--resume"):
        run_training(world.config())
    assert (world.folder / "out" / "last_checkpoint.pt").read_bytes() == before


def test_a_resume_of_a_finished_training_does_nothing(world):
    first, _ = run_training(world.config(num_epochs=1))
    checkpoint = world.folder / "out" / "last_checkpoint.pt"
    before = checkpoint.stat().st_mtime_ns
    again, _ = run_training(world.config(num_epochs=1, resume=True))
    assert again.was_finished
    assert dataclasses.replace(again, was_finished=False) == first
    assert checkpoint.stat().st_mtime_ns == before


@pytest.mark.parametrize("db", ["same", "other"])
def test_a_resume_of_a_finished_training_writes_what_the_store_lacks(world, db):
    """As after a crash between the last checkpoint and its points, or a store that was lost."""
    config = world.config(num_epochs=1)
    run_training(config)
    trainings, curves = curves_of(config)
    with open_store(config.db) as store, store.transaction() as connection:
        connection.execute("UPDATE trainings SET state = 'running', best = NULL")
        connection.execute("DELETE FROM training_points WHERE step > 1")
    again = dataclasses.replace(config, resume=True)
    if db == "other":
        again = dataclasses.replace(again, db=world.folder / "other.db")
    run_training(again)
    trainings_now, curves_now = curves_of(again)
    assert trainings_now["state"].tolist() == ["done"]
    assert trainings_now["best"].tolist() == trainings["best"].tolist()
    pd.testing.assert_frame_equal(curves_now, curves)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"learning_rate": 1e-3}, "--learning_rate was '0.003', is '0.001'"),
        ({"batch_size": 5}, r"the images of a step .* was '6', is '5'"),
        ({"loss": "sigmoid"}, "--loss was 'softmax', is 'sigmoid'"),
        ({"train_parts": "image"}, "--train_parts was 'full', is 'image'"),
        ({"templates": ("paper",)}, "--templates was"),
    ],
)
def test_a_resume_with_other_settings_is_refused_by_name(world, change, named):
    with pytest.raises(KeyboardInterrupt):
        run_training(world.config(), stop_at(2))
    with pytest.raises(ConfigError, match=named):
        run_training(world.config(resume=True, **change))


def test_a_resume_with_other_data_or_weights_is_refused_by_name(world, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        run_training(world.config(), stop_at(2))
    encoder = load_encoder(str(world.model), device="cpu")
    encoder.model.logit_scale.data += 0.5
    encoder.model.save_pretrained(tmp_path / "other")
    encoder.tokenizer.save_pretrained(tmp_path / "other")
    encoder.image_processor.save_pretrained(tmp_path / "other")
    with pytest.raises(ConfigError, match="the weights of --model_name"):
        run_training(world.config(resume=True, model_name=str(tmp_path / "other")))
    world.write_split("val", 10)
    with pytest.raises(ConfigError, match="the content of --val_csv"):
        run_training(world.config(resume=True))


@pytest.mark.parametrize(
    ("name", "path", "value", "named"),
    [
        ("config.json", ("vision_config", "hidden_act"), "gelu", "the configuration of"),
        ("config.json", ("text_config", "attention_dropout"), 0.4, "the configuration of"),
        ("preprocessor_config.json", ("image_mean",), [0, 0, 0], "the image processing of"),
        ("tokenizer.json", ("model", "vocab", "."), 1, "the tokenizer of"),
    ],
)
def test_a_resume_with_a_changed_file_of_the_model_is_refused(
    world, tmp_path, name, path, value, named
):
    model = tmp_path / "model"
    shutil.copytree(world.model, model)
    with pytest.raises(KeyboardInterrupt):
        run_training(world.config(model_name=str(model)), stop_at(2))
    values = json.loads((model / name).read_text(encoding="utf-8"))
    *parents, last = path
    functools.reduce(dict.__getitem__, parents, values)[last] = value
    (model / name).write_text(json.dumps(values), encoding="utf-8")
    with pytest.raises(ConfigError, match=rf"as the training differs: {named} --model_name"):
        run_training(world.config(model_name=str(model), resume=True))


@pytest.mark.parametrize(
    ("name", "other"), [("train3.png", "train4.png"), ("val2.png", "val3.png")]
)
def test_a_resume_with_a_changed_image_is_refused(world, name, other):
    with pytest.raises(KeyboardInterrupt):
        run_training(world.config(), stop_at(2))
    images = world.folder / "images"
    for path in images.iterdir():
        os.utime(path, (1, 2))  # as a copy has
    with pytest.raises(KeyboardInterrupt):
        run_training(world.config(resume=True), stop_at(3))
    shutil.copy(images / other, images / name)
    with pytest.raises(ConfigError, match=rf"1 of 37 images changed .*\('{name}'\)"):
        run_training(world.config(resume=True))


def test_a_finished_training_whose_images_changed_is_not_called_finished(world):
    run_training(world.config(num_epochs=1))
    (world.folder / "images" / "train0.png").unlink()
    with pytest.raises(ConfigError, match="1 of 37 images changed"):
        run_training(world.config(num_epochs=1, resume=True))


def test_a_resume_of_an_earlier_version_names_what_that_did_not_record(world):
    with pytest.raises(KeyboardInterrupt):
        run_training(world.config(), stop_at(2))
    path = world.folder / "out" / "last_checkpoint.pt"
    payload = torch.load(path, weights_only=True)
    del payload["resume"]["decisive"]["the tokenizer of --model_name (sha256)"]
    torch.save(payload, path)
    with pytest.raises(ConfigError, match=r"the tokenizer of --model_name .* was not recorded by"):
        run_training(world.config(resume=True))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("decisive", None),
        ("adapters", 7),
        ("optimizer", {"state": {}, "param_groups": []}),
        ("points", [(1, 2)]),
        ("epochs", [{"epoch": 1, "odd": 2}]),
        ("best", "none"),
    ],
)
def test_a_record_that_cannot_be_restored_is_refused_in_one_line(world, key, value):
    run_training(world.config(num_epochs=1))
    path = world.folder / "out" / "last_checkpoint.pt"
    payload = torch.load(path, weights_only=True)
    payload["resume"][key] = value
    torch.save(payload, path)
    with pytest.raises(ModelError, match=r"last_checkpoint\.pt: its record of the training [^\n]+"):
        run_training(world.config(num_epochs=1, resume=True))


def test_a_resume_from_flipped_bytes_is_refused(world):
    run_training(world.config(num_epochs=1))
    path = world.folder / "out" / "last_checkpoint.pt"
    damaged = bytearray(path.read_bytes())
    for offset in (9_000, 10_000, 11_000):
        damaged[offset] ^= 1
    path.write_bytes(damaged)
    with pytest.raises(ModelError, match="does not match its checksum"):
        run_training(world.config(num_epochs=1, resume=True))
