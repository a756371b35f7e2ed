"""Whatever is asked for, a resume changes nothing, and what is kept is what was scored."""

import pytest
import torch

from streetclip.captions.prompts import country_prompts
from streetclip.data.decoding import decode_image
from streetclip.data.manifest import read_manifest
from streetclip.models.loading import load_encoder
from streetclip.models.prompt_texts import class_features
from tests.killing import training_differences
from tests.models.conftest import siglip_folder  # noqa: F401 -- a fixture

from .conftest import run_training, stop_at

ASKED = {
    "accumulation": {"batch_size": 3, "gradient_accumulation_steps": 2},
    "passes contrasted alone": {
        "batch_size": 3, "gradient_accumulation_steps": 2, "negatives": "micro_batch",
    },
    "sigmoid": {"loss": "sigmoid", "duplicates": "mask"},
    "lora": {"train_parts": "lora", "lora_rank": 2, "lora_dropout": 0.3, "lora_modules": ("fc1",)},
    "last block": {"train_parts": "last_blocks", "last_blocks": 1, "layer_decay": 0.5},
    "average": {"ema_decay": 0.9, "gradient_checkpointing": True},
    "adapters averaged": {"train_parts": "lora", "lora_rank": 2, "ema_decay": 0.9},
    "images changed": {"crop_scale": 0.5, "colour_jitter": 0.3, "sampler": "country_balanced"},
    "captions drawn anew": {"templates": ("dropout", "paper"), "redraw_captions": True},
    "by loss": {"select_by": "loss", "schedule": "linear"},
    "held out": {"holdout_countries": ("Peru",)},
}  # fmt: skip


# What changes how features are computed is run in both number formats.
COMPUTED = ("accumulation", "sigmoid", "lora", "average", "adapters averaged")
CASES = [(name, "fp32") for name in ASKED] + [(name, "bf16") for name in COMPUTED]


@pytest.fixture
def precision():
    """Name one number format, if a test does not ask for more."""
    return "fp32"


@pytest.mark.parametrize(("name", "precision"), CASES)
def test_a_stop_and_a_resume_change_nothing_and_the_best_model_is_the_one_scored(
    world, name, precision
):
    asked = ASKED[name]
    whole = world.config(output_dir=world.folder / "whole", db=world.folder / "whole.db", **asked)
    result, _ = run_training(whole)
    assert_scored(whole, result)
    stopped = world.config(**asked)
    with pytest.raises(KeyboardInterrupt):
        run_training(stopped, stop_at(6))
    run_training(world.config(resume=True, **asked))
    differences = training_differences(stopped.output_dir, stopped.db, whole.output_dir, whole.db)
    assert differences == []


def assert_scored(config, result):
    """Score both files of the best model again."""
    for name in ("best_model.pt", "best_model"):
        encoder = load_encoder(
            str(config.output_dir / name), device="cpu", precision=config.precision
        )
        frame = read_manifest(config.val_csv).frame
        held_out = frame["country"].isin(config.holdout_countries)
        assert num_correct(encoder, config, frame, ~held_out) == result.best.num_correct
        if config.holdout_countries:
            assert num_correct(encoder, config, frame, held_out) == result.best.holdout_num_correct
            assert result.best.holdout_num_images == held_out.sum() > 0


def num_correct(encoder, config, frame, chosen):
    """Images whose country has the largest cosine, one by one."""
    names = sorted(set(frame["country"]))
    prompts = [country_prompts(encoder.prompts, name) for name in names]
    classes = class_features(encoder, prompts)
    correct = 0
    for _, row in frame[chosen].iterrows():
        pixels = encoder.fast_preprocess(decode_image(config.image_dir / row["image_filename"]))
        image = encoder.encode_images(torch.from_numpy(pixels).permute(2, 0, 1)[None])
        correct += names[int((image @ classes.T).argmax())] == row["country"]
    return correct


def test_a_siglip_learns_with_its_own_loss_scale_and_bias(world, siglip_folder):  # noqa: F811
    config = world.config(model_name=str(siglip_folder), loss="sigmoid", num_epochs=6)
    before = load_encoder(str(siglip_folder), device="cpu")
    result, encoder = run_training(config)
    assert result.epochs[-1].val_loss < 0.8 * result.epochs[0].val_loss
    assert encoder.logit_bias != before.logit_bias
    assert encoder.logit_scale == pytest.approx(before.logit_scale, rel=0.1)
    best = load_encoder(str(config.output_dir / "best_model"), device="cpu")
    assert best.logit_bias is not None


def test_what_is_held_out_is_never_shown(world, monkeypatch):
    from streetclip.models.encoder import DualEncoder

    seen = []
    original = DualEncoder.text_features

    def spy(self, texts):
        seen.extend(texts if self.model.training else ())
        return original(self, texts)

    monkeypatch.setattr(DualEncoder, "text_features", spy)
    run_training(world.config(holdout_countries=("Peru",)))
    assert seen
    assert not [text for text in seen if "Peru" in text]


def test_patience_ends_a_training_and_a_resume_leaves_it_ended(world, caplog):
    # At a learning rate of next to nothing no epoch is better than the first.
    asked = {"learning_rate": 1e-30, "num_epochs": 9, "early_stopping": 2, "weight_decay": 0.0}
    result, _ = run_training(world.config(**asked))
    assert [record.epoch for record in result.epochs] == [0, 1, 2, 3]
    assert result.best.epoch == 1
    assert "no better for 2 epochs" in result.stop_reason
    again, _ = run_training(world.config(resume=True, **asked))
    assert again.was_finished
    assert again.stop_reason == result.stop_reason


def test_a_logit_scale_that_explodes_ends_the_training_with_what_was_good(world, monkeypatch):
    from streetclip.errors import ConfigError
    from streetclip.training import step

    clamp, steps = step.clamp_logit_scale, []

    def exploding(model, most):
        clamp(model, most)
        steps.append(1)
        if len(steps) == 7:
            model.logit_scale.data.fill_(8.0)  # what the next step begins with

    monkeypatch.setattr(step, "clamp_logit_scale", exploding)
    with pytest.raises(
        ConfigError, match=r"step 8: the logit scale became 29\d\d.*--learning_rate"
    ):
        run_training(world.config())
    last = torch.load(world.folder / "out" / "last_checkpoint.pt", weights_only=True)
    assert last["resume"]["step"] == 4
    assert (world.folder / "out" / "best_model.pt").exists()


def test_settings_are_kept_beside_the_model_as_a_recipe(world):
    from streetclip.config import TrainConfig
    from streetclip.config.recipes import load_recipe

    config = world.config(duplicates="mask", ema_decay=0.5)
    run_training(config)
    kept = load_recipe(str(config.output_dir / "config.json"), TrainConfig)
    assert TrainConfig(**kept) == config
