"""Portions, and processes, give the loss and the gradients of one plain batch."""

from functools import partial

import pytest
import torch

from streetclip.training.step import PortionedFeatures, deal
from tests import warm

from .exactness import gradients_of_plain_batch, gradients_of_step, largest_difference

# Portions, and the passes of a step of 32 images.
CUTS = [(5, 7), (8, 4), (32, 1)]
LOSSES = [(loss, dup) for loss in ("softmax", "sigmoid") for dup in ("positive", "mask", "ignore")]


@pytest.mark.parametrize(
    ("batch_size", "passes", "loss", "duplicates"),
    [(*CUTS[0], *each) for each in LOSSES] + [(*cut, *LOSSES[0]) for cut in CUTS[1:]],
)
def test_accumulated_passes_equal_one_plain_batch(tiny_clip, batch_size, passes, loss, duplicates):
    settings = {"loss": loss, "duplicates": duplicates}
    cut = {"batch_size": batch_size, "gradient_accumulation_steps": passes}
    ours = gradients_of_step(tiny_clip, **settings, **cut)
    theirs = gradients_of_plain_batch(tiny_clip, **settings)
    assert largest_difference(ours, theirs) < 1e-10


def test_negatives_of_a_pass_equal_the_mean_of_plain_batches(tiny_clip):
    cut = {"batch_size": 8, "gradient_accumulation_steps": 4, "duplicates": "ignore"}
    ours = gradients_of_step(tiny_clip, negatives="micro_batch", **cut)
    theirs = gradients_of_plain_batch(tiny_clip, loss="softmax", duplicates="ignore", batch_size=8)
    assert largest_difference(ours, theirs) < 1e-10
    whole = gradients_of_plain_batch(tiny_clip, loss="softmax", duplicates="ignore")
    assert largest_difference(ours, whole) > 1e-2  # which is another loss


@pytest.mark.parametrize("negatives", ["global", "micro_batch"])
def test_unreadable_images_are_left_out_of_their_portions(tiny_clip, negatives):
    gone = (0, 3, 17, *range(24, 31))  # of the last portion one image is left, and no contrast
    cut = {"batch_size": 8, "gradient_accumulation_steps": 4, "negatives": negatives}
    ours = gradients_of_step(tiny_clip, unreadable=gone, **cut)
    size = 32 if negatives == "global" else 8
    plain = partial(gradients_of_plain_batch, tiny_clip, loss="softmax", duplicates="positive")
    theirs = plain(batch_size=size, unreadable=gone)
    if negatives == "micro_batch":
        # The plain mean is over four portions, of which one has nothing to contrast.
        theirs = {name: each * 4 / 3 for name, each in theirs.items()}
    assert largest_difference(ours, theirs) < 1e-10


class KeptFeatures:
    """Encodes each portion once and keeps all that its backward pass needs."""

    def __init__(self, portions, num_columns, device):
        self._with_graph = torch.cat([encode() for encode in portions])
        self.features_ND = self._with_graph.detach()

    def backward(self, gradient_ND):
        self._with_graph.backward(gradient_ND)


def test_dropout_drops_the_same_both_times(tiny_clip, monkeypatch):
    cut = {"batch_size": 8, "gradient_accumulation_steps": 4, "dropout": True}
    ours = gradients_of_step(tiny_clip, **cut)
    monkeypatch.setattr("streetclip.training.step.PortionedFeatures", KeptFeatures)
    assert largest_difference(ours, gradients_of_step(tiny_clip, **cut)) < 1e-10
    without = gradients_of_step(tiny_clip, **(cut | {"dropout": False}))
    assert largest_difference(ours, without) > 1e-3


@pytest.mark.parametrize(
    ("processes", "loss", "duplicates", "negatives"),
    [
        (2, "softmax", "mask", "global"),
        (2, "sigmoid", "positive", "global"),
        (4, "softmax", "ignore", "micro_batch"),
    ],
)
def test_processes_equal_one_plain_batch(
    tiny_clip, tmp_path, processes, loss, duplicates, negatives
):
    arguments = [str(tiny_clip), str(tmp_path / "found"), loss, duplicates, negatives]
    for done in warm.run_group(["tests/training/exactness.py", *arguments], processes):
        assert done.returncode == 0, done.stderr
    theirs = gradients_of_plain_batch(
        tiny_clip,
        loss=loss,
        duplicates=duplicates,
        batch_size=32 if negatives == "global" else 8,
        unreadable=(3, 17),
    )
    for rank in range(processes):
        ours = torch.load(tmp_path / f"found.{rank}", weights_only=True)
        assert largest_difference(ours, theirs) < 1e-10


def linear_portions(weight, inputs, noise=0.0):
    def encode(index):
        torch.manual_seed(index)
        return (inputs[index] @ weight) * (1 + noise * torch.rand(3))

    return [partial(encode, index) for index in range(len(inputs))]


def test_each_portion_is_encoded_twice_but_for_the_last():
    weight = torch.ones(4, 3, requires_grad=True)
    inputs = [torch.rand(n, 4) for n in (2, 5, 3)]
    counts = [0, 0, 0]

    def counted(index, encode):
        counts[index] += 1
        return encode()

    portions = linear_portions(weight, inputs, noise=0.5)
    features = PortionedFeatures(
        [partial(counted, i, encode) for i, encode in enumerate(portions)], 3, weight.device
    )
    assert counts == [1, 1, 1]
    assert not features.features_ND.requires_grad
    gradient = torch.rand(10, 3)
    features.backward(gradient)
    assert counts == [2, 2, 1]
    ours = weight.grad.clone()
    weight.grad = None
    torch.cat([encode() for encode in portions]).backward(gradient)  # the same random numbers
    torch.testing.assert_close(ours, weight.grad)


def test_what_learns_nothing_is_encoded_once():
    counts = []

    def encode():
        counts.append(1)
        return torch.ones(2, 3)

    features = PortionedFeatures([encode, encode], 3, torch.device("cpu"))
    features.backward(torch.ones(4, 3))
    assert len(counts) == 2


def test_no_portion_is_no_row():
    features = PortionedFeatures([], 3, torch.device("cpu"))
    assert features.features_ND.shape == (0, 3)
    features.backward(torch.ones(0, 3))


def test_rows_are_dealt_out_whole():
    assert deal(10, 4) == [3, 3, 2, 2]
    assert deal(2, 3) == [1, 1, 0]
