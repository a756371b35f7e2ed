import pytest
import torch

from streetclip.errors import ConfigError
from streetclip.training.curves import Curves, StepNumbers


def step(number, loss, grad_norm, logit_scale=14.3):
    # SigLIP's logit scale has one element in one dimension.
    return StepNumbers(
        number, torch.tensor(loss), torch.tensor(grad_norm), torch.tensor([logit_scale])
    )


def values(curves):
    return {point.name: point.value for point in curves.points}


def test_a_point_is_the_mean_of_its_window():
    curves = Curves()
    for number, (loss, norm) in enumerate([(1.0, 4.0), (2.0, 8.0), (6.0, 0.0)], start=1):
        curves.add_step(step(number, loss, norm), num_images=5)
    curves.close_window(3, 0.75, lr=0.5)
    assert {point.step for point in curves.points} == {3}
    assert {point.epoch for point in curves.points} == {0.75}
    assert values(curves)["loss"] == 3.0
    assert values(curves)["grad_norm"] == 4.0
    assert values(curves)["lr"] == 0.5
    assert values(curves)["images_per_s"] > 0
    assert curves.epoch_mean() == 3.0


def test_a_window_without_steps_makes_no_point():
    curves = Curves()
    curves.close_window(4, 1.0, lr=0.1)
    assert curves.points == []
    assert curves.epoch_mean() is None


@pytest.mark.parametrize(("loss", "norm"), [(float("nan"), 1.0), (1.0, float("inf"))])
def test_the_step_that_is_not_finite_is_named(loss, norm):
    curves = Curves()
    curves.add_step(step(8, 1.0, 1.0), 5)
    curves.add_step(step(9, loss, norm), 5)
    with pytest.raises(ConfigError, match="step 9"):
        curves.read()


def test_under_loss_scaling_an_overflow_of_the_gradient_is_no_fault():
    curves = Curves(checks_grad_norm=False)
    curves.add_step(step(1, 2.0, float("inf")), 5)
    curves.add_step(step(2, 4.0, 3.0), 5)
    curves.close_window(2, 0.5)
    assert values(curves)["loss"] == 3.0
    assert values(curves)["grad_norm"] == 3.0


@pytest.mark.parametrize("scale", [float("nan"), float("inf"), 401.0, 0.49, 0.0])
def test_a_logit_scale_that_explodes_stops_the_training(scale):
    curves = Curves(max_logit_scale=200.0)
    curves.add_step(step(4, 1.0, 1.0, 200.5), 5)
    curves.add_step(step(5, 1.0, 1.0, scale), 5)
    found = f"step 5: the logit scale became {scale:.4g}; expected 0.5 to 400"
    with pytest.raises(ConfigError, match=found) as raised:
        curves.read()
    for word in ("--learning_rate", "--warmup_fraction", "--precision fp32", "from before it"):
        assert word in str(raised.value)
    assert curves.window == [(1.0, 1.0)]


@pytest.mark.parametrize("scale", [0.51, 1.0, 100.0, 199.0])
def test_a_logit_scale_at_its_bounds_is_no_fault(scale):
    curves = Curves()
    curves.add_step(step(1, 2.0, 3.0, scale), 5)
    curves.read()
    assert curves.window == [(2.0, 3.0)]


def test_numbers_are_fetched_once_a_window(monkeypatch):
    curves, fetched = Curves(), []
    plain = torch.Tensor.tolist
    monkeypatch.setattr(torch.Tensor, "tolist", lambda t: fetched.append(t.shape) or plain(t))
    for number in range(1, 5):
        curves.add_step(step(number, 1.0, 1.0), 5)
    assert fetched == []
    curves.close_window(4, 1.0)
    curves.read()
    assert fetched == [(4, 3)]
