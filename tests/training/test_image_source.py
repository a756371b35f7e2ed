import numpy as np
import PIL.Image
import pytest
import torch

from streetclip.config.train_options import DataOptions
from streetclip.data.decoding import decode_image
from streetclip.models.augmentation import Augmentation
from streetclip.models.loading import load_encoder
from streetclip.models.preprocessing import ResizeCrop
from streetclip.training import image_source
from streetclip.training.image_source import ImageSource, build_training_preprocess

PLAIN = ResizeCrop(8, 3, 8, 8)
AUGMENTED = Augmentation(PLAIN, crop_scale=0.2, colour_jitter=0.4)


@pytest.fixture
def paths(tmp_path):
    """Seven photos of noise; the third cannot be read."""
    random = np.random.default_rng(2)
    found = [tmp_path / f"{number}.png" for number in range(7)]
    for path in found:
        pixels = random.integers(0, 256, (13, 19, 3), dtype=np.uint8)
        PIL.Image.fromarray(pixels).save(path)
    found[2].write_bytes(b"")
    return found


def source(paths, preprocess=AUGMENTED, **changes):
    return ImageSource(paths, preprocess, **({"num_workers": 0, "keep": False} | changes))


def pixels_of(batches):
    """The pixels of each visit to a readable image, in order."""
    return [
        (index, pixels.numpy().tobytes())
        for batch in batches
        for index, pixels in zip(batch.indices_B.tolist(), batch.pixels_BCHW, strict=True)
    ]


@pytest.mark.parametrize("keep", [False, True])
def test_an_image_may_come_more_than_once(paths, keep):
    order = np.array([5, 1, 5, 2, 0, 2, 5])
    batches = list(source(paths, PLAIN, keep=keep).batches(order, 4))
    assert [batch.indices_B.tolist() for batch in batches] == [[5, 1, 5], [0, 5]]
    assert [list(batch.errors) for batch in batches] == [[2], [2]]
    expected = {i: PLAIN(decode_image(paths[i])).transpose(2, 0, 1).tobytes() for i in (0, 1, 5)}
    for index, pixels in pixels_of(batches):
        assert pixels == expected[index]


def test_an_image_looks_different_in_each_epoch(paths):
    order = np.arange(7)
    seen = [dict(pixels_of(source(paths).batches(order, 4, epoch=e))) for e in range(1, 6)]
    for number in (0, 1, 3, 4, 5, 6):
        assert len({epoch[number] for epoch in seen}) == 5


def test_how_it_looks_depends_on_seed_epoch_and_its_number_alone(paths):
    whole = dict(pixels_of(source(paths, seed=4).batches(np.arange(7), 4, epoch=3)))
    # Another order, other batches, in other processes, after a resume.
    other = source(paths, seed=4, num_workers=2)
    found = pixels_of(other.batches(np.array([6, 3, 0]), 2, epoch=3))
    assert [index for index, _ in found] == [6, 3, 0]
    assert all(pixels == whole[index] for index, pixels in found)
    for changes, epoch in (({"seed": 5}, 3), ({"seed": 4}, 4), ({"seed": 3}, 4)):
        found = dict(pixels_of(source(paths, **changes).batches(np.arange(7), 4, epoch=epoch)))
        assert not set(found.values()) & set(whole.values())


def test_augmented_images_are_not_kept(paths, monkeypatch):
    monkeypatch.setattr(ImageSource, "_decode_all", lambda _self: pytest.fail("kept"))
    kept = source(paths, keep=True)
    kept.load()
    first, second = (pixels_of(kept.batches(np.arange(7), 4, epoch=e)) for e in (1, 2))
    assert first != second


def test_decoding_is_told_where_the_model_computes(paths, monkeypatch):
    told = []
    decode = image_source.iterate_batches
    monkeypatch.setattr(
        image_source,
        "iterate_batches",
        lambda *a, **k: (told.append(k["device"]), decode(*a, **k))[1],
    )
    for keep in (False, True):
        found = source(paths, PLAIN, keep=keep, device=torch.device("cpu"))
        list(found.batches(np.arange(3), 2))
    assert told == [torch.device("cpu")] * 2


# By flags


@pytest.fixture(scope="module")
def encoder(tiny_clip):
    return load_encoder(str(tiny_clip), device="cpu", precision="fp32")


def test_training_decodes_as_evaluation_does(encoder, caplog):
    assert build_training_preprocess(encoder, DataOptions()) is encoder.fast_preprocess
    exact = build_training_preprocess(encoder, DataOptions(exact_preprocessing=True))
    assert exact is encoder.preprocess
    assert not caplog.records


def test_augmentation_keeps_to_the_way_of_decoding(encoder):
    for is_exact in (False, True):
        options = DataOptions(crop_scale=0.5, exact_preprocessing=is_exact)
        found = build_training_preprocess(encoder, options)
        assert found == Augmentation(encoder.preprocess, crop_scale=0.5, exact=is_exact)


def test_what_mirroring_does_to_traffic_is_told(encoder, caplog):
    build_training_preprocess(encoder, DataOptions(horizontal_flip=0.5))
    assert "--horizontal_flip 0.5 turns left-hand traffic into right-hand" in caplog.text
