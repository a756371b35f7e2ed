"""The sigmoid loss of a model without a bias begins at the bias that fits its own setting."""

import importlib.metadata
import importlib.util
import math
import os

import pytest
import torch
from torch.nn import functional

from streetclip.training.losses import (
    Share,
    calibrated_bias,
    contrastive_loss,
    sigmoid_loss,
)

EMBEDDING = 7
DUPLICATES = ("positive", "mask", "ignore")
BATCHES = [
    [0, 1, 0, 2, 0, 1, 3, 3, 2],  # unequal counts
    [4, 3, 2, 1, 0],  # no duplicates, not in the order of the texts
    [0, 0, 0, 1],
    [0, 0, 0],  # nothing to contrast
]


def unit_features(num, seed):
    generator = torch.Generator().manual_seed(seed)
    features = torch.randn(num, EMBEDDING, generator=generator, dtype=torch.float64)
    return functional.normalize(features, dim=-1)


def batch_of(captions, scale=14.3):
    """Images, distinct texts, ids, and scale, all but the ids asking for gradients."""
    return (
        unit_features(len(captions), seed=1).requires_grad_(),
        unit_features(max(captions) + 1, seed=2).requires_grad_(),
        torch.tensor(captions),
        torch.tensor(scale, dtype=torch.float64, requires_grad=True),
    )


def bias_of(value=-3.7):
    return torch.tensor(value, dtype=torch.float64, requires_grad=True)


def relation(captions, i, j, duplicates):
    """What the pair of image i with the caption of image j is: right, wrong, or None, left out."""
    if i == j:
        return "right"
    if captions[i] != captions[j] or duplicates == "ignore":
        return "wrong"
    return "right" if duplicates == "positive" else None


def plain_contrastive_loss(images, texts, ids, scale, duplicates):
    """All N x N pairs, one scalar at a time; targets uniform over the right pairs."""
    captions, n = ids.tolist(), len(ids)
    logit = [[scale * images[i] @ texts[captions[j]] for j in range(n)] for i in range(n)]
    kind = [[relation(captions, i, j, duplicates) for j in range(n)] for i in range(n)]
    total = 0.0
    for i in range(n):
        right = [j for j in range(n) if kind[i][j] == "right"]
        row = sum(logit[i][j].exp() for j in range(n) if kind[i][j])
        column = sum(logit[j][i].exp() for j in range(n) if kind[j][i])
        for j in right:
            total = total - (logit[i][j].exp() / row).log() / len(right)
            total = total - (logit[j][i].exp() / column).log() / len(right)
    return total / (2 * n)


def plain_sigmoid_loss(images, texts, ids, scale, bias, duplicates):
    """Algorithm 1 of SigLIP, one pair at a time."""
    captions, n, total = ids.tolist(), len(ids), 0.0
    for i in range(n):
        for j in range(n):
            kind = relation(captions, i, j, duplicates)
            if kind is not None:
                logit = scale * images[i] @ texts[captions[j]] + bias
                total = total + (1 + (-logit if kind == "right" else logit).exp()).log()
    return total / n


def assert_same(loss, expected, inputs):
    """Equal in value and in the gradient of every input."""
    torch.testing.assert_close(loss, expected, rtol=1e-12, atol=1e-13)
    got = torch.autograd.grad(loss, inputs)
    wanted = torch.autograd.grad(expected, inputs)
    for one, other in zip(got, wanted, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("captions", BATCHES)
@pytest.mark.parametrize("scale", [1.0, 14.3, 100.0])
@pytest.mark.parametrize("duplicates", DUPLICATES)
def test_contrastive_loss_equals_a_plain_loop_over_all_pairs(captions, scale, duplicates):
    images, texts, ids, factor = batch_of(captions, scale)
    assert_same(
        contrastive_loss(images, texts, ids, factor, duplicates=duplicates),
        plain_contrastive_loss(images, texts, ids, factor, duplicates),
        (images, texts, factor),
    )


@pytest.mark.parametrize("captions", BATCHES)
@pytest.mark.parametrize("scale", [1.0, 14.3])
@pytest.mark.parametrize("duplicates", DUPLICATES)
def test_sigmoid_loss_equals_a_plain_loop_over_all_pairs(captions, scale, duplicates):
    images, texts, ids, factor = batch_of(captions, scale)
    bias = bias_of()
    assert_same(
        sigmoid_loss(images, texts, ids, factor, bias, duplicates=duplicates),
        plain_sigmoid_loss(images, texts, ids, factor, bias, duplicates),
        (images, texts, factor, bias),
    )


# Several processes

TILES = {
    "two": [Share(slice(0, 5), slice(0, 3)), Share(slice(5, 9), slice(3, 4))],
    "three, the texts elsewhere than the images": [
        Share(slice(0, 1), slice(2, 4)),
        Share(slice(1, 7), slice(0, 0)),
        Share(slice(7, 9), slice(0, 2)),
    ],
    "one without images": [Share(slice(0, 0), slice(0, 1)), Share(slice(0, 9), slice(1, 4))],
}


@pytest.mark.parametrize("shares", TILES.values(), ids=TILES)
@pytest.mark.parametrize("duplicates", DUPLICATES)
def test_the_parts_of_shares_that_tile_add_up_to_the_whole(shares, duplicates):
    images, texts, ids, scale = batch_of(BATCHES[0])
    bias = bias_of()
    assert_same(
        sum(
            contrastive_loss(images, texts, ids, scale, duplicates=duplicates, own=own)
            for own in shares
        ),
        contrastive_loss(images, texts, ids, scale, duplicates=duplicates),
        (images, texts, scale),
    )
    assert_same(
        sum(
            sigmoid_loss(images, texts, ids, scale, bias, duplicates=duplicates, own=own)
            for own in shares
        ),
        sigmoid_loss(images, texts, ids, scale, bias, duplicates=duplicates),
        (images, texts, scale, bias),
    )


@pytest.mark.parametrize("duplicates", DUPLICATES)
def test_a_process_without_texts_or_images_has_a_part_of_zero(duplicates):
    images, texts, ids, scale = batch_of(BATCHES[3])
    nothing = Share(slice(3, 3), slice(1, 1))
    loss = contrastive_loss(images, texts, ids, scale, duplicates=duplicates, own=nothing)
    loss = loss + sigmoid_loss(images, texts, ids, scale, 0.5, duplicates=duplicates, own=nothing)
    assert loss.item() == 0
    assert not torch.autograd.grad(loss, images)[0].any()


# What equal captions come to


def test_infonce_has_the_value_and_gradients_of_soft_targets_over_equal_captions():
    images, texts, ids, scale = batch_of(BATCHES[0])
    assert_same(
        plain_contrastive_loss(images, texts, ids, scale, "ignore"),
        plain_contrastive_loss(images, texts, ids, scale, "positive"),
        (images, texts, scale),
    )


def test_an_image_of_the_same_caption_is_not_pushed_away():
    image = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]], dtype=torch.float64)
    ids, text = torch.tensor([0, 0, 1]), torch.eye(2, dtype=torch.float64)
    shared = contrastive_loss(image, text, ids, 100.0)
    # Perfect features reach the entropy of the targets: two of three rows choose among two.
    assert shared.item() == pytest.approx(2 * math.log(2) / 3, abs=1e-12)
    masked = contrastive_loss(image, text, ids, 100.0, duplicates="mask")
    assert masked.item() == pytest.approx(0, abs=1e-12)


def test_all_treatments_of_duplicates_differ_where_they_can():
    images, texts, ids, scale = batch_of(BATCHES[0])
    softmax = [
        contrastive_loss(images, texts, ids, scale, duplicates=each).item() for each in DUPLICATES
    ]
    sigmoid = [
        sigmoid_loss(images, texts, ids, scale, -3.7, duplicates=each).item() for each in DUPLICATES
    ]
    assert softmax[0] == softmax[2]
    assert softmax[1] < softmax[0] - 0.1
    assert min(abs(a - b) for a in sigmoid for b in sigmoid if a is not b) > 0.1


@pytest.mark.parametrize("duplicates", DUPLICATES)
def test_a_batch_of_one_caption_has_finite_gradients(duplicates):
    images, texts, ids, scale = batch_of(BATCHES[3])
    loss = contrastive_loss(images, texts, ids, scale, duplicates=duplicates)
    for gradient in torch.autograd.grad(loss, (images, texts, scale)):
        assert gradient.isfinite().all()
        assert duplicates != "mask" or not gradient.any()


# Precision


def test_half_precision_features_are_summed_in_float32():
    images, texts = unit_features(6, seed=9).bfloat16(), unit_features(6, seed=10).bfloat16()
    ids = torch.arange(6)
    for loss, *more in ((contrastive_loss, 50.0), (sigmoid_loss, 50.0, -10.0)):
        single = loss(images, texts, ids, *more)
        assert single.dtype == torch.float32
        rounded = loss(images.double(), texts.double(), ids, *more)
        assert rounded.dtype == torch.float64
        assert single.item() == pytest.approx(rounded.item(), rel=1e-5)


@pytest.mark.parametrize("duplicates", DUPLICATES)
def test_logits_far_apart_neither_overflow_nor_vanish(duplicates):
    images, ids = torch.eye(3)[[0, 0, 1]], torch.tensor([1, 1, 0])
    wrong = sigmoid_loss(images, torch.eye(3)[:2], ids, 1000.0, 0.0, duplicates=duplicates)
    assert 0 < wrong < 2000
    assert contrastive_loss(images, torch.eye(3)[:2], ids, 1000.0, duplicates=duplicates) > 300


# Where the bias of the sigmoid loss begins


@pytest.mark.parametrize("captions", BATCHES[:3])
@pytest.mark.parametrize("duplicates", DUPLICATES)
def test_at_the_calibrated_bias_the_mean_probability_is_the_share_of_right_pairs(
    captions, duplicates
):
    images, texts, ids, scale = batch_of(captions)
    bias = calibrated_bias(images, texts, ids, scale, duplicates=duplicates)
    probability, right = [], []
    for i in range(len(ids)):
        for j in range(len(ids)):
            kind = relation(captions, i, j, duplicates)
            if kind is not None:
                logit = (scale * images[i] @ texts[ids[j]]).item() + bias
                probability.append(1 / (1 + math.exp(-logit)))
                right.append(kind == "right")
    assert math.fsum(probability) == pytest.approx(sum(right), rel=1e-9)


@pytest.mark.parametrize("duplicates", DUPLICATES)
def test_the_calibrated_bias_is_finite_where_all_pairs_are_of_one_caption(duplicates):
    images, texts, ids, scale = batch_of(BATCHES[3])
    assert -20 < calibrated_bias(images, texts, ids, scale, duplicates=duplicates) < 25


def test_the_calibrated_bias_is_found_where_gradients_are_off():
    images, texts, ids, scale = batch_of(BATCHES[1])
    with torch.no_grad():
        without = calibrated_bias(images.float(), texts.float(), ids, scale)
    assert without == pytest.approx(calibrated_bias(images, texts, ids, scale), abs=1e-5)


# Against open_clip


@pytest.fixture(scope="module")
def open_clip_loss():
    """Only `open_clip.loss`: the package imports torchvision, which has no CPU build."""
    try:
        installed = importlib.metadata.distribution("open_clip_torch")
    except importlib.metadata.PackageNotFoundError:
        reason = (
            "open_clip_torch is not installed; install it without what it depends on: "
            "pip install --no-deps -r requirements-compare.txt"
        )
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    path = installed.locate_file("open_clip/loss.py")
    spec = importlib.util.spec_from_file_location("open_clip_loss", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def same_caption(ids):
    return (ids[:, None] == ids) & ~torch.eye(len(ids), dtype=torch.bool)


@pytest.mark.parametrize("captions", BATCHES)
@pytest.mark.parametrize("duplicates", DUPLICATES)
def test_contrastive_loss_is_that_of_open_clip(open_clip_loss, captions, duplicates):
    class MaskedLoss(open_clip_loss.ClipLoss):
        def get_logits(self, *features, **more):
            logits = super().get_logits(*features, **more)
            return [each.masked_fill(same_caption(ids), -torch.inf) for each in logits]

    images, texts, ids, scale = batch_of(captions)
    theirs = MaskedLoss() if duplicates == "mask" else open_clip_loss.ClipLoss()
    expected = theirs(images, texts[ids], scale)
    ours = contrastive_loss(images, texts, ids, scale, duplicates=duplicates)
    assert_same(ours, expected, (images, texts, scale))
    single = contrastive_loss(
        images.float(), texts.float(), ids, scale.float(), duplicates=duplicates
    )
    assert single.item() == pytest.approx(expected.item(), rel=1e-6, abs=1e-6)


@pytest.mark.parametrize("captions", BATCHES)
@pytest.mark.parametrize("duplicates", DUPLICATES)
def test_sigmoid_loss_is_that_of_open_clip(open_clip_loss, captions, duplicates):
    class KnowingLoss(open_clip_loss.SigLipLoss):
        def get_logits(self, *features, **more):
            logits = super().get_logits(*features, **more)
            is_masked = same_caption(ids) & (duplicates == "mask")
            return logits.masked_fill(is_masked, -torch.inf)  # z is −1: σ(∞) = 1

        def get_ground_truth(self, *shape, **more):
            labels = super().get_ground_truth(*shape, **more)
            return labels.masked_fill(same_caption(ids), 1) if duplicates == "positive" else labels

    images, texts, ids, scale = batch_of(captions)
    bias = bias_of()
    theirs = open_clip_loss.SigLipLoss() if duplicates == "ignore" else KnowingLoss()
    expected = theirs(images, texts[ids], scale, bias)
    ours = sigmoid_loss(images, texts, ids, scale, bias, duplicates=duplicates)
    assert_same(ours, expected, (images, texts, scale, bias))
