"""A step against a plain one: autograd over the whole batch, clipping and AdamW written out."""

import math
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch.nn import functional

from streetclip.config import TrainConfig
from streetclip.data.image_batches import ImageBatch
from streetclip.errors import ResourceError
from streetclip.models.loading import load_encoder
from streetclip.training.losses import Objective
from streetclip.training.step import StepImages, Stepper

SENTENCES = [f"A Street View photo in {name}." for name in ("France", "Georgia", "Peru")]
CAPTION_IDS = np.array([0, 1, 1, 2, 0, 2, 1])
RATE, BETAS, EPSILON, DECAY = 1e-2, (0.9, 0.98), 1e-6, 0.1
PRECISIONS = pytest.mark.parametrize("precision", ["fp32", "bf16"])
# Rows of the passes of a step; the batch size is 3, and some images cannot be read.
CUTS = {
    "one pass": [[0, 1, 2]],
    "unequal": [[0, 1, 2], [3, 4], [5, 6]],
    "one alone": [[0, 1], [3], [4, 5, 6]],
    "one empty": [[], [0, 2, 3], [4, 6]],
}


@pytest.fixture(scope="module")
def pixels():
    random = np.random.default_rng(11)
    return torch.from_numpy(random.integers(0, 256, (len(CAPTION_IDS), 3, 16, 16), np.uint8))


def captions_of(indices):
    ids, rows = np.unique(CAPTION_IDS[indices], return_inverse=True)
    return [SENTENCES[index] for index in ids], rows


def images_of(pixels, rows):
    portions = [ImageBatch(np.array(each, np.int64), pixels[each], {}) for each in rows]
    return StepImages(portions, 0, [[each.indices_B for each in portions]])


def load(model, precision="fp32"):
    """The model in evaluation mode, so that nothing drops out."""
    return load_encoder(str(model), device="cpu", precision=precision)


def stepper_of(encoder, *, scaler=None, average=None, max_logit_scale=100.0, **settings):
    paths = dict.fromkeys(("train_csv", "val_csv", "image_dir"), Path("none"))
    config = TrainConfig(**paths, batch_size=3, **({"max_grad_norm": 0.2} | settings))
    return Stepper(
        encoder=encoder,
        objective=Objective(encoder, config),
        optimizer=torch.optim.AdamW(
            encoder.model.parameters(), RATE, BETAS, EPSILON, weight_decay=DECAY
        ),
        scaler=scaler or torch.amp.GradScaler("cpu", enabled=False),
        config=config,
        max_logit_scale=max_logit_scale,
        average=average,
    )


def weights_of(encoder):
    return {name: each.detach().clone() for name, each in encoder.model.named_parameters()}


class PlainTraining:
    """The same steps, image by image and weight by weight."""

    def __init__(self, encoder, pixels):
        self.encoder, self.pixels, self.num_steps = encoder, pixels, 0
        self.moments = {n: (0.0, 0.0) for n, _ in encoder.model.named_parameters()}

    def loss(self, rows):
        """InfoNCE of all pairs; each image's caption is encoded for itself."""
        images = torch.cat([self.encoder.image_features(self.pixels[[row]]) for row in rows])
        texts = torch.cat(
            [self.encoder.text_features([SENTENCES[CAPTION_IDS[row]]]) for row in rows]
        )
        logits = self.encoder.model.logit_scale.exp() * images @ texts.T
        right = torch.arange(len(rows))
        losses = [functional.cross_entropy(each, right) for each in (logits, logits.T)]
        return sum(losses) / 2

    def step(self, losses):
        """Clip the gradients of the mean loss, and do AdamW's arithmetic."""
        parameters = dict(self.encoder.model.named_parameters())
        mean = sum(losses) / len(losses)
        gradients = torch.autograd.grad(mean, list(parameters.values()), allow_unused=True)
        gradients = {n: g for n, g in zip(parameters, gradients, strict=True) if g is not None}
        norm = math.sqrt(sum(float((g.double() ** 2).sum()) for g in gradients.values()))
        factor = min(1.0, 0.2 / (norm + 1e-6))
        self.num_steps += 1
        with torch.no_grad():
            for name, gradient in gradients.items():
                first, second = self.moments[name]
                first = BETAS[0] * first + (1 - BETAS[0]) * gradient * factor
                second = BETAS[1] * second + (1 - BETAS[1]) * (gradient * factor) ** 2
                self.moments[name] = first, second
                mean_of = first / (1 - BETAS[0] ** self.num_steps)
                root = (second / (1 - BETAS[1] ** self.num_steps)).sqrt() + EPSILON
                parameters[name].mul_(1 - RATE * DECAY).sub_(RATE * mean_of / root)
        return float(mean.detach()), norm


def share_that_differs(ours, plain, before):
    """Norm of what the weights differ by, as a share of what was learned."""

    def norm(one, other):
        squares = [((one[name] - other[name]).double() ** 2).sum() for name in one]
        return torch.stack(squares).sum().sqrt().item()

    return norm(ours, plain) / norm(plain, before)


@pytest.mark.parametrize("negatives", ["global", "micro_batch"])
@pytest.mark.parametrize(
    ("cut", "precision"), [*((cut, "fp32") for cut in CUTS), ("unequal", "bf16")]
)
def test_steps_equal_plain_ones(tiny_clip, pixels, precision, negatives, cut):
    rows = CUTS[cut]
    encoder, other = load(tiny_clip, precision), load(tiny_clip, precision)
    stepper, plain = stepper_of(encoder, negatives=negatives), PlainTraining(other, pixels)
    before = weights_of(encoder)
    contrasts = (
        [[row for each in rows for row in each]]
        if negatives == "global"
        else [r for r in rows if len(r) > 1]
    )
    for step in range(3):
        numbers = stepper(step, images_of(pixels, rows), captions_of)
        loss, norm = plain.step([plain.loss(each) for each in contrasts])
        close = 1e-4 if precision == "fp32" else 3e-2
        assert numbers.step == step + 1
        assert numbers.loss.item() == pytest.approx(loss, rel=close)
        assert numbers.grad_norm.item() == pytest.approx(norm, rel=close)
        if precision == "bf16":  # rounding grows with each step, and AdamW divides by the gradient
            break
    if precision == "fp32":
        assert share_that_differs(weights_of(encoder), weights_of(other), before) < 1e-3


@PRECISIONS
def test_a_step_is_clipped_to_the_norm_that_is_allowed(tiny_clip, pixels, precision):
    encoder = load(tiny_clip, precision)
    stepper = stepper_of(encoder, max_grad_norm=0.05)
    stepper.optimizer = torch.optim.SGD(encoder.model.parameters(), 1.0)
    before = weights_of(encoder)
    numbers = stepper(0, images_of(pixels, CUTS["unequal"]), captions_of)
    moved = sum(((w - before[n]).double() ** 2).sum() for n, w in weights_of(encoder).items())
    assert numbers.grad_norm.item() > 0.1
    assert moved.sqrt().item() == pytest.approx(0.05, rel=1e-3)


def test_gradients_of_an_earlier_step_are_forgotten(tiny_clip, pixels):
    encoder = load(tiny_clip)
    stepper = stepper_of(encoder)
    stepper.optimizer = torch.optim.SGD(encoder.model.parameters(), 0.0)
    images = images_of(pixels, CUTS["unequal"])
    norms = [stepper(step, images, captions_of).grad_norm.item() for step in range(2)]
    assert norms[0] == norms[1]


@pytest.mark.parametrize("negatives", ["global", "micro_batch"])
def test_too_few_images_change_nothing(tiny_clip, pixels, negatives):
    encoder = load(tiny_clip)
    averages = []
    stepper = stepper_of(
        encoder, negatives=negatives, average=SimpleNamespace(update=lambda: averages.append(1))
    )
    before = weights_of(encoder)
    few = [[3]] if negatives == "global" else [[3], [], [5]]
    assert stepper(0, images_of(pixels, few), captions_of) is None
    assert all(torch.equal(each, before[name]) for name, each in weights_of(encoder).items())
    assert not averages
    assert not stepper.optimizer.state


def test_the_average_and_the_bound_follow_the_new_weights(tiny_clip, pixels):
    encoder = load(tiny_clip)
    seen = []
    average = SimpleNamespace(update=lambda: seen.append(encoder.model.logit_scale.item()))
    stepper = stepper_of(encoder, average=average, max_logit_scale=5.0)
    numbers = stepper(0, images_of(pixels, CUTS["unequal"]), captions_of)
    assert numbers.logit_scale.item() > 10  # as the step left it
    assert seen == [pytest.approx(math.log(5.0))]


def test_what_drops_out_depends_on_seed_and_step_alone(tiny_clip, pixels):
    losses = {}
    for seed, step, cut in [
        (1, 0, "unequal"),
        (1, 0, "unequal"),
        (1, 1, "unequal"),
        (2, 0, "unequal"),
    ]:
        encoder = load(tiny_clip)
        encoder.model.train()
        stepper = stepper_of(encoder, seed=seed)
        torch.manual_seed(len(losses))  # of the caller
        loss = stepper(step, images_of(pixels, CUTS[cut]), captions_of).loss.item()
        losses.setdefault((seed, step), set()).add(loss)
    assert [len(each) for each in losses.values()] == [1, 1, 1]
    assert len(set.union(*losses.values())) == 3


# The scaler of float16, with a device that stands in for a GPU


def scaler_of(scale, growth_interval=100):
    return torch.amp.GradScaler("cpu", init_scale=scale, growth_interval=growth_interval)


def test_a_scale_of_the_loss_changes_no_weight(tiny_clip, pixels):
    found = []
    for scaler in (None, scaler_of(2.0**10)):
        encoder = load(tiny_clip)
        stepper = stepper_of(encoder, scaler=scaler)
        numbers = stepper(0, images_of(pixels, CUTS["unequal"]), captions_of)
        found.append((numbers.loss, numbers.grad_norm, weights_of(encoder)))
    assert found[0][0] == found[1][0]
    assert found[0][1].item() == pytest.approx(found[1][1].item(), rel=1e-6)
    before = weights_of(load(tiny_clip))
    assert share_that_differs(found[1][2], found[0][2], before) < 1e-4


def test_a_step_that_overflows_is_left_out_and_halves_the_scale(tiny_clip, pixels):
    encoder = load(tiny_clip)
    stepper = stepper_of(encoder, scaler=scaler_of(2.0**127))
    before = weights_of(encoder)
    images = images_of(pixels, CUTS["unequal"])
    numbers = stepper(0, images, captions_of)
    assert not math.isfinite(numbers.grad_norm)  # by which the curves know it
    assert math.isfinite(numbers.loss)
    assert numbers.step == 1  # it counts: the schedule goes on
    assert all(torch.equal(each, before[name]) for name, each in weights_of(encoder).items())
    assert not stepper.optimizer.state
    assert stepper.scaler.get_scale() == 2.0**126
    stepper.scaler.update(2.0**10)
    assert math.isfinite(stepper(1, images, captions_of).grad_norm)
    assert any(not torch.equal(each, before[name]) for name, each in weights_of(encoder).items())


def test_the_scale_grows_after_steps_that_went_well(tiny_clip, pixels):
    stepper = stepper_of(load(tiny_clip), scaler=scaler_of(2.0**10, growth_interval=2))
    scales = []
    for step in range(4):
        stepper(step, images_of(pixels, CUTS["one pass"]), captions_of)
        scales.append(stepper.scaler.get_scale())
    assert scales == [2.0**10, 2.0**11, 2.0**11, 2.0**12]


# Too little memory


@pytest.mark.parametrize(
    ("settings", "advice"),
    [
        ({"batch_size": 8}, "Take --batch_size 4 --gradient_accumulation_steps 2"),
        ({"batch_size": 3}, "--gradient_checkpointing and --train_parts save more"),
        ({"batch_size": 8, "negatives": "micro_batch"}, "--gradient_checkpointing"),
    ],
)
def test_too_little_memory_is_told_with_what_helps(tiny_clip, pixels, settings, advice):
    stepper = stepper_of(load(tiny_clip))
    paths = dict.fromkeys(("train_csv", "val_csv", "image_dir"), Path("none"))
    stepper.config = TrainConfig(**paths, **settings)

    def full(*_, **__):
        msg = "CUDA out of memory"
        raise torch.OutOfMemoryError(msg)

    stepper.objective = full
    with pytest.raises(ResourceError, match=advice) as caught:
        stepper(0, images_of(pixels, CUTS["one pass"]), captions_of)
    keeps_the_step = settings["batch_size"] >= 4 and "negatives" not in settings
    assert ("the step stays the same" in str(caught.value)) == keeps_the_step


def test_another_fault_is_not_taken_for_a_lack_of_memory(tiny_clip, pixels):
    stepper = stepper_of(load(tiny_clip))

    def broken(*_, **__):
        msg = "shapes do not fit"
        raise RuntimeError(msg)

    stepper.objective = broken
    with pytest.raises(RuntimeError, match="shapes do not fit"):
        stepper(0, images_of(pixels, CUTS["one pass"]), captions_of)
