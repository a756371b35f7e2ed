import math

import pytest
import torch
from torch.nn import functional

from streetclip.training.loss import contrastive_loss

EMBEDDING = 7


def unit_features(num, seed):
    generator = torch.Generator().manual_seed(seed)
    features = torch.randn(num, EMBEDDING, generator=generator, dtype=torch.float64)
    return functional.normalize(features, dim=-1)


def plain_loss(images, texts_of_images, captions, scale):
    """UniCL, equations 3 and 4, over all N x N pairs, one scalar at a time."""
    n = len(captions)
    logit = [[scale * float(images[i] @ texts_of_images[j]) for j in range(n)] for i in range(n)]
    total = 0.0
    for i in range(n):
        positives = [j for j in range(n) if captions[j] == captions[i]]
        row = sum(math.exp(logit[i][j]) for j in range(n))
        column = sum(math.exp(logit[j][i]) for j in range(n))
        for j in positives:
            total -= math.log(math.exp(logit[i][j]) / row) / len(positives)
            total -= math.log(math.exp(logit[j][i]) / column) / len(positives)
    return total / (2 * n)


@pytest.mark.parametrize(
    "captions", [[0, 1, 0, 2, 0, 1, 3, 3, 2], [0, 0], [4, 3, 2, 1, 0], [0, 1, 1]]
)
@pytest.mark.parametrize("scale", [1.0, 14.3, 100.0])
def test_equals_a_plain_loop_over_all_pairs(captions, scale):
    images = unit_features(len(captions), seed=1)
    texts = unit_features(max(captions) + 1, seed=2)
    ids = torch.tensor(captions)
    expected = plain_loss(images, texts[ids], captions, scale)
    assert contrastive_loss(images, texts, ids, scale).item() == pytest.approx(expected, rel=1e-12)


def test_equals_infonce_when_captions_are_distinct():
    images, texts = unit_features(11, seed=3), unit_features(11, seed=4)
    logits = 20.0 * images @ texts.T
    target = torch.arange(11)
    infonce = (
        functional.cross_entropy(logits, target) + functional.cross_entropy(logits.T, target)
    ) / 2
    assert contrastive_loss(images, texts, target, 20.0).item() == pytest.approx(
        infonce.item(), rel=1e-12
    )


def test_distinct_texts_give_the_loss_and_gradient_of_encoding_every_caption():
    images, texts = unit_features(6, seed=5), unit_features(3, seed=6).requires_grad_()
    ids = torch.tensor([2, 0, 0, 1, 2, 0])
    contrastive_loss(images, texts, ids, 9.0).backward()
    gradient, texts.grad = texts.grad.clone(), None
    all_texts = texts[ids]
    same = (ids[:, None] == ids[None, :]).double()
    target = same / same.sum(dim=1, keepdim=True)
    logits = 9.0 * images @ all_texts.T
    full = (
        functional.cross_entropy(logits, target) + functional.cross_entropy(logits.T, target)
    ) / 2
    full.backward()
    torch.testing.assert_close(gradient, texts.grad, rtol=1e-12, atol=1e-14)


def test_gradients_agree_with_finite_differences():
    ids = torch.tensor([0, 1, 0, 2, 1])
    inputs = (
        unit_features(5, seed=7).requires_grad_(),
        unit_features(3, seed=8).requires_grad_(),
        torch.tensor(5.0, dtype=torch.float64, requires_grad=True),
    )
    assert torch.autograd.gradcheck(lambda i, t, s: contrastive_loss(i, t, ids, s), inputs)


def test_an_image_of_the_same_caption_is_not_pushed_away():
    image = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]], dtype=torch.float64)
    text = torch.eye(2, dtype=torch.float64)
    shared = contrastive_loss(image, text, torch.tensor([0, 0, 1]), 100.0)
    # Perfect features reach the entropy of the targets: two of three rows choose among two.
    assert shared.item() == pytest.approx(2 * math.log(2) / 3, abs=1e-12)


def test_half_precision_features_are_summed_in_float32():
    images, texts = unit_features(6, seed=9), unit_features(6, seed=10)
    loss = contrastive_loss(images.bfloat16(), texts.bfloat16(), torch.arange(6), 50.0)
    assert loss.dtype == torch.float32
    rounded = contrastive_loss(
        images.bfloat16().double(), texts.bfloat16().double(), torch.arange(6), 50.0
    )
    assert loss.item() == pytest.approx(rounded.item(), rel=1e-5)
