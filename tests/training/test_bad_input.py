"""Trainings that meet what they cannot use: images, captions, numbers, too little memory."""

import pytest
import torch

from streetclip.errors import ConfigError, ManifestError, ResourceError
from streetclip.training.image_source import epoch_order
from streetclip.training.losses import contrastive_loss

from .conftest import curves_of, run_training


@pytest.fixture
def precision():
    """Name one number format: nothing here depends on it."""
    return "fp32"


def test_unreadable_images_are_skipped_counted_and_named(world, caplog):
    images = world.folder / "images"
    (images / "train3.png").write_bytes(b"no image")
    (images / "train8.png").unlink()
    (images / "val5.png").write_bytes(b"")
    result, encoder = run_training(world.config())
    assert (result.num_unreadable_train, result.num_unreadable_val) == (2, 1)
    assert {record.num_images for record in result.epochs} == {11}
    assert result.best.num_correct <= 10
    assert "train3.png" in caplog.text
    assert "train8.png" in caplog.text
    assert all(torch.isfinite(value).all() for value in encoder.model.state_dict().values())


def test_unreadable_images_leave_the_same_batches_in_memory_and_from_disk(world, monkeypatch):
    (world.folder / "images" / "train3.png").write_bytes(b"no image")
    kept, kept_encoder = run_training(world.config(num_epochs=2))
    monkeypatch.setattr("streetclip.training.image_source.MEMORY_LIMIT_BYTES", 0)
    streamed, encoder = run_training(world.config(num_epochs=2, output_dir=world.folder / "b"))
    assert streamed.epochs == kept.epochs
    assert encoder.sha256 == kept_encoder.sha256


def test_a_batch_with_less_than_two_readable_images_is_skipped(world):
    order = epoch_order(26, seed=42, epoch=1)
    # Two images of the first batch, one of the second, none of the others.
    readable = {int(order[1]), int(order[4]), int(order[7])}
    for index in set(range(26)) - readable:
        (world.folder / "images" / f"train{index}.png").write_bytes(b"")
    result, _ = run_training(world.config(num_epochs=1))
    assert result.num_skipped_batches == 3
    assert result.epochs[1].step == 4
    _, curves = curves_of(world.config())
    assert curves[curves["name"] == "loss"]["step"].tolist() == [1]


def test_all_training_images_unreadable_is_an_error(world):
    for index in range(26):
        (world.folder / "images" / f"train{index}.png").write_bytes(b"")
    with pytest.raises(ManifestError, match=r"26 of 26 cannot.*--image_dir"):
        run_training(world.config())
    trainings, _ = curves_of(world.config())
    assert trainings["state"].tolist() == ["failed"]
    assert "26 of 26" in trainings["error"].iloc[0]


def test_all_validation_images_unreadable_is_an_error(world):
    for index in range(11):
        (world.folder / "images" / f"val{index}.png").unlink()
    with pytest.raises(ManifestError, match="none of the 11 validation images"):
        run_training(world.config())


@pytest.mark.parametrize("where", ["loss", "gradient"])
def test_a_loss_or_gradient_that_is_no_number_stops_with_the_last_good_checkpoint(
    world, monkeypatch, where
):
    from streetclip.training import losses

    steps = []

    def failing(images, texts, ids, scale, *, own, **options):
        loss = contrastive_loss(images, texts, ids, scale, own=own, **options)
        if own is None:  # a validation's
            return loss
        steps.append(1)
        if len(steps) != 7:
            return loss
        return loss * float("nan") if where == "loss" else loss + (scale * 0).sqrt()

    monkeypatch.setattr(losses, "contrastive_loss", failing)
    with pytest.raises(ConfigError, match=r"step 7.*nan.*--learning_rate"):
        run_training(world.config())
    last = torch.load(world.folder / "out" / "last_checkpoint.pt", weights_only=True)
    assert last["resume"]["step"] == 4
    assert all(torch.isfinite(value).all() for value in last["model"].values())
    assert curves_of(world.config())[0]["state"].tolist() == ["failed"]


def test_too_little_memory_is_told_with_flags_that_compute_the_same(world, monkeypatch):
    from streetclip.models.encoder import DualEncoder

    steps = []
    original = DualEncoder.image_features

    def scarce(self, pixels):
        steps.append(1)
        if len(steps) == 6:
            msg = "DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"
            raise RuntimeError(msg)
        return original(self, pixels)

    monkeypatch.setattr(DualEncoder, "image_features", scarce)
    with pytest.raises(
        ResourceError, match=r"--batch_size 3 --gradient_accumulation_steps 2: the step stays"
    ):
        run_training(world.config())
    monkeypatch.undo()
    config = world.config(resume=True, batch_size=3, gradient_accumulation_steps=2)
    result, _ = run_training(config)
    assert result.epochs[-1].step == 12


def test_a_batch_larger_than_the_data_is_all_of_it(world, caplog):
    result, _ = run_training(world.config(batch_size=64, num_epochs=2))
    assert [record.step for record in result.epochs] == [0, 1, 2]
    assert "a step takes 64 images (--batch_size 64" in caplog.text


def test_equal_captions_are_refused(world):
    rows = (world.folder / "train.csv").read_text(encoding="utf-8").splitlines()
    (world.folder / "train.csv").write_text(
        "\n".join([rows[0], *(row for row in rows if "Paris" in row)]), encoding="utf-8"
    )
    with pytest.raises(ManifestError, match=r"all 7 captions are equal.*nothing to contrast"):
        run_training(world.config())
