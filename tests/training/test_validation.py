import numpy as np
import pytest
import torch
from torch.nn import functional

from streetclip.config.train_options import LossOptions
from streetclip.data.manifest import read_manifest
from streetclip.models import load_encoder
from streetclip.training.image_source import ImageSource
from streetclip.training.objective import Objective
from streetclip.training.schedule import validation_groups
from streetclip.training.training_data import load_training_data
from streetclip.training.validation import Validator


@pytest.fixture
def parts(world):
    config = world.config()
    manifests = [read_manifest(path) for path in (config.train_csv, config.val_csv)]
    data = load_training_data(config, *manifests)
    return data, load_encoder(str(world.model), device="cpu", precision="fp32")


def score(data, encoder, *, batch_size=4, seed=1, keep=True):
    images = ImageSource(data.val.paths, encoder.preprocess, num_workers=0, keep=keep)
    validator = Validator(
        data,
        images,
        objective=Objective(encoder, LossOptions()),
        batch_size=batch_size,
        group_size=4,
        seed=seed,
    )
    return validator(encoder)


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
    assert score(data, encoder).loss == pytest.approx(np.mean(losses), rel=1e-5)


def test_the_country_is_the_prompt_with_the_largest_cosine(parts):
    data, encoder = parts
    prompts = [f"A Street View photo in {name}." for name in data.country_names]
    texts = encoder.encode_texts(prompts)
    correct = 0
    for path, code in zip(data.val.paths, data.val.country_codes, strict=True):
        cosine = encoder.encode_images(pixels(encoder, path)) @ texts.T
        correct += data.country_codes[int(cosine.argmax())] == code
    assert score(data, encoder)[1:] == (correct, 11, None, None)


def test_an_unreadable_image_is_wrong_and_left_out_of_the_loss(parts):
    data, encoder = parts
    whole = score(data, encoder)
    data.val.paths[10].write_bytes(b"")
    broken = score(data, encoder)
    assert broken.num_images == 11
    assert broken.num_correct in (whole.num_correct, whole.num_correct - 1)
    assert broken.loss == pytest.approx(score(data, encoder, keep=False).loss, rel=1e-6)
    assert np.isfinite(broken.loss)


def test_the_mode_of_the_model_stays_as_it_was(parts):
    data, encoder = parts
    encoder.model.train()
    first = score(data, encoder)
    assert encoder.model.training
    # Dropout would make the second differ.
    assert score(data, encoder) == first
