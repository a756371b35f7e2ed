"""Gradients of one step in float64, by our own step and by plain autograd over the whole batch.

Run by torchrun, each process takes its share and the first one writes what came of it:
`torchrun --nproc_per_node 2 tests/training/exactness.py MODEL OUTPUT.pt [LOSS DUPLICATES]`.
"""

import os
import sys
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional

from streetclip.config import TrainConfig
from streetclip.data.image_batches import ImageBatch
from streetclip.launch_env import Ranks
from streetclip.models.loading import load_encoder
from streetclip.runtime.distributed import meet
from streetclip.training.losses import Objective
from streetclip.training.step import StepImages, Stepper

NUM_IMAGES = 32
CAPTIONS = [f"A Street View photo in {name}." for name in ("France", "Georgia", "Peru", "Lyon")]
CAPTIONS += [f"close to the town of {name}" for name in ("Paris", "Tbilisi", "Lima")]
BIAS = -1.5


def encoder_of(model):
    """The model in float64, without dropout."""
    encoder = load_encoder(str(model), device="cpu", precision="fp32")
    encoder.model.double().eval()
    to_inputs = encoder._to_inputs
    encoder._to_inputs = lambda pixels: {k: v.double() for k, v in to_inputs(pixels).items()}
    return encoder


def pixels_and_captions():
    """The images of the step, and the number of each one's caption; some captions are shared."""
    random = np.random.default_rng(5)
    side = 16
    pixels = torch.from_numpy(random.integers(0, 256, (NUM_IMAGES, 3, side, side), np.uint8))
    return pixels, random.integers(0, len(CAPTIONS), NUM_IMAGES)


def captions_of(indices):
    ids, rows = np.unique(pixels_and_captions()[1][indices], return_inverse=True)
    return [CAPTIONS[index] for index in ids], rows


def gradients_of_step(model, group=None, unreadable=(), *, dropout=False, **settings):
    """Loss and gradients of our own step."""
    encoder = encoder_of(model)
    encoder.model.train(dropout)
    paths = dict.fromkeys(("train_csv", "val_csv", "image_dir"), Path("none"))
    config = TrainConfig(**paths, max_grad_norm=1e9, **settings)
    objective = Objective(encoder, config)
    for bias in objective.parameters():
        bias.data = torch.full((), BIAS, dtype=torch.float64)
    learns = [*encoder.model.parameters(), *objective.parameters()]
    stepper = Stepper(
        encoder=encoder,
        objective=objective,
        optimizer=torch.optim.SGD(learns, lr=0.0),
        scaler=torch.amp.GradScaler("cpu", enabled=False),
        config=config,
        max_logit_scale=100.0,
        group=group,
    )
    numbers = stepper(7, step_images(config, group, unreadable), captions_of)
    return result(numbers.loss, encoder, objective)


def step_images(config, group, unreadable):
    pixels, _ = pixels_and_captions()
    world = 1 if group is None else group.ranks.world_size
    rank = 0 if group is None else group.ranks.rank
    share = NUM_IMAGES // world
    own = range(rank * share, (rank + 1) * share)
    portions = []
    for start in range(0, share, config.batch_size):
        numbers = [n for n in own[start : start + config.batch_size] if n not in unreadable]
        indices = np.array(numbers, np.int64)
        portions.append(ImageBatch(indices, pixels[torch.from_numpy(indices)], {}))
    indices = [portion.indices_B for portion in portions]
    heard = [indices] if group is None else group.exchange(indices)
    return StepImages(portions, rank * share, heard)


def result(loss, encoder, objective):
    gradients = {
        name: torch.zeros_like(p) if p.grad is None else p.grad.clone()
        for name, p in encoder.model.named_parameters()
    }
    gradients |= {f"bias{i}": p.grad.clone() for i, p in enumerate(objective.parameters())}
    return {"loss": loss.detach().double(), **gradients}


def gradients_of_plain_batch(model, *, loss, duplicates, batch_size=NUM_IMAGES, unreadable=()):
    """The same by autograd, every caption encoded for every image, N × N logits written out."""
    encoder = encoder_of(model)
    pixels, caption_ids = pixels_and_captions()
    bias = torch.tensor(BIAS, dtype=torch.float64, requires_grad=True)
    losses = []
    for start in range(0, NUM_IMAGES, batch_size):
        rows = [n for n in range(start, start + batch_size) if n not in unreadable]
        images = encoder.image_features(pixels[rows])
        texts = encoder.text_features([CAPTIONS[caption_ids[n]] for n in rows])
        logits = encoder.model.logit_scale.exp() * images @ texts.T
        ids = torch.from_numpy(caption_ids[rows])
        same = ids[:, None] == ids[None, :]
        own = torch.eye(len(rows), dtype=torch.bool)
        plain = plain_sigmoid if loss == "sigmoid" else plain_softmax
        losses.append(plain(logits, same, own, duplicates, bias))
    total = torch.stack(losses).mean()
    total.backward()
    added = [bias] if loss == "sigmoid" else []
    holder = type("Bias", (), {"parameters": lambda self: added})()
    return result(total, encoder, holder)


def plain_softmax(logits, same, own, duplicates, _bias):
    targets = own.double()
    if duplicates == "positive":
        targets = same.double() / same.sum(dim=1, keepdim=True)
    if duplicates == "mask":
        logits = logits.masked_fill(same & ~own, float("-inf"))
        targets = torch.arange(len(logits))
    both = functional.cross_entropy(logits, targets) + functional.cross_entropy(logits.T, targets)
    return both / 2


def plain_sigmoid(logits, same, own, duplicates, bias):
    signs = torch.where(own if duplicates == "ignore" else same, 1.0, -1.0)
    terms = -functional.logsigmoid(signs * (logits + bias))
    if duplicates == "mask":
        terms = terms * ~(same & ~own)
    return terms.sum() / len(logits)


def largest_difference(ours, theirs):
    """Of loss and all gradients: largest deviation, relative to the largest value of each."""
    assert ours.keys() == theirs.keys()
    return max(
        float((ours[name] - each).abs().max() / each.abs().max().clamp(min=1e-30))
        for name, each in theirs.items()
        if float(each.abs().max()) > 1e-12  # what does not count has rounding alone
    )


def main():
    model, output, loss, duplicates, negatives = sys.argv[1:]
    torch.set_num_threads(1)
    with meet(Ranks.from_environment(os.environ)) as group:
        found = gradients_of_step(
            model,
            group,
            batch_size=8,
            gradient_accumulation_steps=NUM_IMAGES // 8 // group.ranks.world_size,
            loss=loss,
            duplicates=duplicates,
            negatives=negatives,
            unreadable=(3, 17),
        )
        torch.save(found, f"{output}.{group.ranks.rank}")


if __name__ == "__main__":
    main()
