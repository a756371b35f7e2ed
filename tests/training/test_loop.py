import dataclasses
import functools
import json
import os
import shutil
import signal
import threading

import numpy as np
import pytest
import torch

from streetclip.errors import ConfigError, OutputError, ResourceError
from streetclip.models import load_encoder
from streetclip.store import list_trainings, open_store, training_curves
from streetclip.training.losses import contrastive_loss
from streetclip.training.results import why_best

from .conftest import run_training


def stop_at(step):
    """A progress that presses Ctrl-C when a step is done."""

    def progress(done, total, **numbers):
        if done == step:
            raise KeyboardInterrupt

    return progress


def curves_of(config):
    with open_store(config.db, read_only=True) as store:
        trainings = list_trainings(store)
        frame = training_curves(store, int(trainings["id"].iloc[0]))
    of_the_machine = frame["name"].isin(["images_per_s", "memory_mib"])
    return trainings, frame[~of_the_machine].reset_index(drop=True)


def weights(encoder):
    return {name: value.clone() for name, value in encoder.model.state_dict().items()}


@pytest.fixture
def whole(world):
    """A training without a stop: its result, weights and curves."""
    config = world.config(output_dir=world.folder / "whole", db=world.folder / "whole.db")
    result, encoder = run_training(config)
    return result, weights(encoder), curves_of(config)[1]


def assert_equal_to(whole, config, result, encoder):
    whole_result, whole_weights, whole_curves = whole
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
@pytest.mark.parametrize("step", [0, 1, 4, 6, 12])
def test_a_stop_and_a_resume_equal_the_training_without_a_stop(world, whole, step):
    with pytest.raises(KeyboardInterrupt):
        run_training(world.config(), stop_at(step))
    trainings, _ = curves_of(world.config())
    assert trainings["state"].tolist() == ["interrupted"]
    config = world.config(resume=True)
    assert_equal_to(whole, config, *run_training(config))


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


def test_ctrl_c_within_a_step_waits_for_its_end(world, whole, monkeypatch):
    from streetclip.training import objective

    pressed = []

    def pressing(*arguments, own, **options):
        if own is not None and len(pressed) < 6:  # a step's, not a validation's
            pressed.append(1)
            if len(pressed) == 6:
                os.kill(os.getpid(), signal.SIGINT)
        return contrastive_loss(*arguments, own=own, **options)

    monkeypatch.setattr(objective, "contrastive_loss", pressing)
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


def test_the_small_world_is_learned(whole):
    result, _, curves = whole
    assert [record.epoch for record in result.epochs] == [0, 1, 2, 3]
    assert [record.step for record in result.epochs] == [0, 4, 8, 12]
    assert result.epochs[0].train_loss is None
    assert result.best.num_correct > result.epochs[0].num_correct
    assert result.best.val_loss < result.epochs[0].val_loss - 1
    counts = curves.groupby("name").size().to_dict()
    assert counts == {
        "grad_norm": 12, "logit_scale": 12, "loss": 12, "lr": 12,
        "val_country_accuracy": 4, "val_loss": 4, "val_num_correct": 4, "val_num_images": 4,
    }  # fmt: skip
    losses = curves[curves["name"] == "loss"]
    first_epoch = losses[losses["epoch"] <= 1]["value"]
    assert result.epochs[1].train_loss == pytest.approx(first_epoch.mean())


def test_more_epochs_find_every_country(world):
    result, _ = run_training(world.config(num_epochs=12))
    assert result.epochs[0].num_correct == 0
    assert result.best.num_correct == 11


def test_the_store_names_the_checkpoint_and_why_it_was_chosen(world, whole):
    result, _, _ = whole
    with open_store(world.folder / "whole.db", read_only=True) as store:
        best = list_trainings(store)["best"].iloc[0]
    assert best == {
        "epoch": result.best.epoch,
        "step": result.best.step,
        "checkpoint": str(result.checkpoint_path.resolve()),
        "sha256": load_encoder(str(result.checkpoint_path), device="cpu").sha256,
        "reason": why_best(result.epochs, result.best),
    }


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


def test_a_training_names_the_job_that_does_it(world):
    with pytest.raises(KeyboardInterrupt):
        run_training(world.config(), stop_at(2), job_id=5)
    assert curves_of(world.config())[0]["job_id"].tolist() == [5]
    run_training(world.config(resume=True), job_id=7)
    assert curves_of(world.config())[0]["job_id"].tolist() == [7]


def test_each_window_has_its_rate_and_the_peak_of_memory(world, whole):
    with open_store(world.folder / "whole.db", read_only=True) as store:
        points = training_curves(store, 1)
    memory = points.loc[points["name"] == "memory_mib", "value"]
    assert len(memory) == 12
    assert memory.is_monotonic_increasing
    assert 50 < memory.iloc[0] < 100_000
    assert (points.loc[points["name"] == "images_per_s", "value"] > 0).all()


def test_the_best_model_evaluates_as_recorded(whole):
    from streetclip.captions import country_prompts

    result, _, _ = whole
    encoder = load_encoder(str(result.checkpoint_path), device="cpu", precision="fp32")
    folder = load_encoder(str(result.checkpoint_path.with_suffix("")), device="cpu")
    assert encoder.sha256 == folder.sha256
    assert country_prompts(encoder.prompts, "Peru") == ["A Street View photo in Peru."]
    assert encoder.training["epoch"] == result.best.epoch
    assert encoder.training["metrics"]["num_correct"] == result.best.num_correct
    assert encoder.training["config"]["batch_size"] == 6
    assert encoder.training["train"]["num_images"] == 26


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
    with pytest.raises(ConfigError, match=r"earlier version .* did not record the tokenizer of"):
        run_training(world.config(resume=True))


def test_a_training_outside_the_main_thread_works(world):
    results = []
    config = world.config(num_epochs=1)
    thread = threading.Thread(target=lambda: results.append(run_training(config)))
    thread.start()
    thread.join()
    assert results[0][0].best.epoch == 1


def test_training_leaves_the_callers_random_numbers_alone(world):
    torch.manual_seed(11)
    expected = torch.rand(3)
    torch.manual_seed(11)
    run_training(world.config(num_epochs=1))
    assert torch.equal(torch.rand(3), expected)


def test_the_logit_scale_stays_within_its_bounds(world):
    config = world.config(learning_rate=0.9, warmup_fraction=0.0, num_epochs=2)
    run_training(config)
    _, curves = curves_of(config)
    scales = curves[curves["name"] == "logit_scale"]["value"]
    # At this rate it falls by far more than it is above its lower bound.
    assert scales.min() == 1.0


def test_only_distinct_captions_are_encoded(world, monkeypatch):
    from streetclip.models import DualEncoder

    seen = []
    original = DualEncoder.text_features

    def spy(self, texts):
        if self.model.training:
            seen.append(list(texts))
        return original(self, texts)

    monkeypatch.setattr(DualEncoder, "text_features", spy)
    run_training(world.config(num_epochs=1))
    assert len(seen) == 4
    assert all(len(texts) == len(set(texts)) <= 4 for texts in seen)
    assert len(np.unique([text for texts in seen for text in texts])) == 4
