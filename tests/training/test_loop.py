import threading

import numpy as np
import pytest
import torch

from streetclip.models.loading import load_encoder
from streetclip.store import list_trainings, open_store, training_curves
from streetclip.training.results import why_best

from .conftest import curves_of, run_training, stop_at

BOTH = pytest.mark.parametrize("precision", ["fp32", "bf16"])


@pytest.fixture
def precision():
    """Name one number format, if a test does not ask for both."""
    return "fp32"


@pytest.fixture
def whole(undisturbed, precision):
    return undisturbed(precision)


@BOTH
def test_the_small_world_is_learned(whole):
    result, _, curves, _ = whole
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


def test_the_store_names_the_checkpoint_and_why_it_was_chosen(whole):
    result, _, _, config = whole
    with open_store(config.db, read_only=True) as store:
        best = list_trainings(store)["best"].iloc[0]
    assert best == {
        "epoch": result.best.epoch,
        "step": result.best.step,
        "checkpoint": str(result.checkpoint_path.resolve()),
        "sha256": load_encoder(str(result.checkpoint_path), device="cpu").sha256,
        "reason": why_best(result.epochs, result.best),
    }


def test_a_training_names_the_job_that_does_it(world):
    with pytest.raises(KeyboardInterrupt):
        run_training(world.config(), stop_at(2), job_id=5)
    assert curves_of(world.config())[0]["job_id"].tolist() == [5]
    run_training(world.config(resume=True), job_id=7)
    assert curves_of(world.config())[0]["job_id"].tolist() == [7]


def test_each_window_has_its_rate_and_the_peak_of_memory(whole):
    with open_store(whole[-1].db, read_only=True) as store:
        points = training_curves(store, 1)
    memory = points.loc[points["name"] == "memory_mib", "value"]
    assert len(memory) == 12
    assert memory.is_monotonic_increasing
    assert 50 < memory.iloc[0] < 100_000
    assert (points.loc[points["name"] == "images_per_s", "value"] > 0).all()


@BOTH
def test_the_best_model_evaluates_as_recorded(whole):
    from streetclip.captions.prompts import country_prompts

    result, _, _, _ = whole
    encoder = load_encoder(str(result.checkpoint_path), device="cpu", precision="fp32")
    folder = load_encoder(str(result.checkpoint_path.with_suffix("")), device="cpu")
    assert encoder.sha256 == folder.sha256
    assert country_prompts(encoder.prompts, "Peru") == ["A Street View photo in Peru."]
    assert encoder.training["epoch"] == result.best.epoch
    assert encoder.training["metrics"]["num_correct"] == result.best.num_correct
    assert encoder.training["config"]["batch_size"] == 6
    assert encoder.training["train"]["num_images"] == 26


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
    from streetclip.models.encoder import DualEncoder

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
