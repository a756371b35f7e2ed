"""What a training reports after each epoch is what its saved model scores."""

import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch.nn import functional

from streetclip.config import TrainConfig
from streetclip.data.decoding import decode_image
from streetclip.data.manifest import read_manifest
from streetclip.errors import SelfCheckError
from streetclip.models.loading import load_encoder
from streetclip.progress import no_stages
from streetclip.training import validation
from streetclip.training.checkpoints import TrainingState
from streetclip.training.image_source import Images, ImageSource, validation_groups
from streetclip.training.losses import Objective
from streetclip.training.results import EpochRecord
from streetclip.training.training_data import load_training_data
from streetclip.training.validation import Validator, check_features

from .conftest import COLOURS, PLACES, run_training


@pytest.fixture
def parts(world):
    config = world.config()
    manifests = [read_manifest(path) for path in (config.train_csv, config.val_csv)]
    encoder = load_encoder(str(world.model), device="cpu", precision="fp32")
    return load_training_data(config, *manifests, encoder.text_reader), encoder


def score(data, encoder, *, keep=True):
    paths = dict.fromkeys(("train_csv", "val_csv", "image_dir"), Path("none"))
    config = TrainConfig(**paths, batch_size=4, seed=1)
    source = ImageSource(data.val.paths, encoder.preprocess, num_workers=0, keep=keep)
    origin = SimpleNamespace(config=config, data=data, effective_batch_size=4)
    stepper = SimpleNamespace(encoder=encoder, objective=Objective(encoder, config), group=None)
    validator = Validator(origin, stepper, Images(source, source, None), no_stages)
    return validator.measure(0, TrainingState())


def pixels(encoder, path):
    from streetclip.data.decoding import decode_image

    array = encoder.preprocess(decode_image(path))
    return torch.from_numpy(array).permute(2, 0, 1)[None]


def test_the_loss_is_the_mean_over_groups_of_a_batch(parts):
    data, encoder = parts
    images = torch.cat([encoder.encode_images(pixels(encoder, path)) for path in data.val.paths])
    captions = [data.val.captions[i] for i in data.val.caption_ids_N]
    texts = torch.cat([encoder.encode_texts([caption]) for caption in captions])
    losses = []
    for group in validation_groups(11, group_size=4, seed=1):
        logits = encoder.logit_scale * images[group] @ texts[group].T
        same = torch.tensor([[captions[i] == captions[j] for j in group] for i in group]).float()
        target = same / same.sum(dim=1, keepdim=True)
        both = functional.cross_entropy(logits, target) + functional.cross_entropy(logits.T, target)
        losses.append(both.item() / 2)
    assert len(losses) == 3
    assert score(data, encoder).val_loss == pytest.approx(np.mean(losses), rel=1e-5)


def test_the_country_is_the_prompt_with_the_largest_cosine(parts):
    data, encoder = parts
    prompts = [f"A Street View photo in {name}." for name in data.country_names]
    texts = encoder.encode_texts(prompts)
    correct = 0
    for path, code in zip(data.val.paths, data.val.country_codes, strict=True):
        cosine = encoder.encode_images(pixels(encoder, path)) @ texts.T
        correct += data.country_codes[int(cosine.argmax())] == code
    found = score(data, encoder)
    assert (found.num_correct, found.num_images) == (correct, 11)
    assert found.holdout_num_images is None


def test_an_unreadable_image_is_wrong_and_left_out_of_the_loss(parts):
    data, encoder = parts
    whole = score(data, encoder)
    data.val.paths[10].write_bytes(b"")
    broken = score(data, encoder)
    assert broken.num_images == 11
    assert broken.num_correct in (whole.num_correct, whole.num_correct - 1)
    assert broken.val_loss == pytest.approx(score(data, encoder, keep=False).val_loss, rel=1e-6)
    assert np.isfinite(broken.val_loss)


def test_the_mode_of_the_model_stays_as_it_was(parts):
    data, encoder = parts
    encoder.model.train()
    first = score(data, encoder)
    assert encoder.model.training
    # Dropout would make the second differ.
    assert score(data, encoder) == first


PARTS = {
    "full": {},
    "averaged": {"ema_decay": 0.6},
    "lora": {"train_parts": "lora", "lora_rank": 4, "learning_rate": 3e-2},
    "averaged lora": {
        "train_parts": "lora",
        "lora_rank": 4,
        "ema_decay": 0.6,
        "learning_rate": 3e-2,
    },
}


@pytest.fixture
def kept_epochs(monkeypatch, tmp_path):
    """Keep the model of every epoch, the best or not, in a file of its own."""
    save_best = validation.save_best

    def save_and_keep(encoder, origin, record, before):
        sha256 = save_best(encoder, origin, record, before)
        best = origin.config.output_dir / "best_model.pt"
        shutil.copy(best, tmp_path / f"epoch{record.epoch}.pt")
        return sha256

    monkeypatch.setattr(EpochRecord, "is_better_than", lambda *_: True)
    monkeypatch.setattr(validation, "save_best", save_and_keep)
    return tmp_path


@pytest.mark.parametrize(
    ("name", "precision"), [*((name, "bf16") for name in PARTS), ("averaged lora", "fp32")]
)
def test_each_epoch_scores_what_its_checkpoint_scores_when_loaded_afresh(
    world, kept_epochs, precision, name
):
    world.write_split("val", 33)
    result, _ = run_training(world.config(num_epochs=3, **PARTS[name]))
    losses = []
    for record in result.epochs[1:]:
        num_correct, loss = score_plainly(world, kept_epochs / f"epoch{record.epoch}.pt", precision)
        assert record.num_images == 33
        assert record.num_correct == num_correct
        assert record.val_loss == pytest.approx(loss, rel=1e-5 if precision == "fp32" else 2e-2)
        losses.append(record.val_loss)
    assert len(set(losses)) == 3
    assert min(losses) < result.epochs[0].val_loss


def score_plainly(world, checkpoint, precision):
    """Count correct countries and compute the loss, one image at a time, without our encoders."""
    encoder = load_encoder(str(checkpoint), device="cpu", precision=precision)
    model, tokenizer = encoder.model, encoder.tokenizer
    images, captions, countries = [], [], []
    for index in range(33):
        city, region, country, _ = PLACES[index % len(PLACES)]
        pixels = encoder.preprocess(decode_image(world.folder / "images" / f"val{index}.png"))
        values = (pixels.astype(np.float32) / 255 - MEAN) / STD
        inputs = torch.from_numpy(values).permute(2, 0, 1)[None].float()
        images.append(features(model.get_image_features, precision, pixel_values=inputs))
        captions.append(
            f"A Street View photo close to the town of {city} "
            + (f"in the region of {region} " if region else "")
            + f"in {country}."
        )
        countries.append(country)

    def encode_text(text):
        return features(model.get_text_features, precision, **tokenizer(text, return_tensors="pt"))

    names = sorted(COLOURS)
    prompts = torch.cat([encode_text(f"A Street View photo in {name}.") for name in names])
    predicted = [names[int((image @ prompts.T).argmax())] for image in images]
    num_correct = sum(a == b for a, b in zip(predicted, countries, strict=True))
    texts = {caption: encode_text(caption) for caption in set(captions)}
    losses = []
    for group in validation_groups(33, group_size=6, seed=42):
        rows = torch.cat([images[i] for i in group])
        columns = torch.cat([texts[captions[i]] for i in group])
        logits = model.logit_scale.exp() * rows @ columns.T
        same = torch.tensor([[captions[i] == captions[j] for j in group] for i in group]).float()
        target = same / same.sum(dim=1, keepdim=True)
        both = functional.cross_entropy(logits, target) + functional.cross_entropy(logits.T, target)
        losses.append(both.item() / 2)
    return num_correct, np.mean(losses)


MEAN = np.array([0.48145466, 0.4578275, 0.40821073])
STD = np.array([0.26862954, 0.26130258, 0.27577711])


@torch.no_grad()
def features(compute, precision, **inputs):
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=precision == "bf16"):
        return functional.normalize(compute(**inputs).pooler_output.float(), dim=-1)


@pytest.mark.parametrize("precision", ["bf16"], indirect=True)  # float32 casts nothing
def test_the_first_epoch_with_stale_weights_stops_the_training(world, monkeypatch):
    """As if weights cast before the training were used for ever after."""
    from streetclip.models.encoder import ImageTower

    opened = []

    def for_ever(self):
        block = fixed_weights(self)
        if not opened:
            opened.append(block)
            block.__enter__()
        return block if len(opened) > 1 else fixed_weights(self)

    fixed_weights = ImageTower.fixed_weights
    monkeypatch.setattr(ImageTower, "fixed_weights", for_ever)
    with pytest.raises(SelfCheckError, match="did not measure the model's present weights"):
        run_training(world.config())
    assert not (world.folder / "out" / "best_model.pt").exists()


@pytest.fixture
def encoder(tiny_clip, precision):
    return load_encoder(tiny_clip, device="cpu", precision=precision)


@pytest.mark.parametrize("num_images", [3, 8, 21])
def test_features_of_the_present_weights_pass(encoder, num_images):
    pixels = torch.randint(0, 256, (num_images, 3, 16, 16), dtype=torch.uint8)
    encoder.model.train()
    check_features(encoder, pixels, encoder.encode_images(pixels))
    assert encoder.model.training


def test_features_of_other_weights_or_without_a_value_do_not_pass(encoder):
    pixels = torch.randint(0, 256, (9, 3, 16, 16), dtype=torch.uint8)
    features_BD = encoder.encode_images(pixels)
    with pytest.raises(SelfCheckError):
        check_features(encoder, pixels, torch.full_like(features_BD, float("nan")))
    with torch.no_grad():
        encoder.model.visual_projection.weight.add_(
            0.05 * torch.randn_like(encoder.model.visual_projection.weight)
        )
    with pytest.raises(SelfCheckError, match=r"of 8 images differ .* please report it"):
        check_features(encoder, pixels, features_BD)
