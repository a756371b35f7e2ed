import pickle
import time

import numpy as np
import PIL.Image
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import CLIPImageProcessorPil, SiglipImageProcessorPil

from streetclip.errors import ModelError
from streetclip.models.preprocessing import (
    ProcessorGeometry,
    ResizeCrop,
    build_normalisation,
    build_preprocess,
)


def _processors_pixels(processor, image):
    outputs = processor(images=image, do_rescale=False, do_normalize=False)
    return outputs["pixel_values"][0].transpose(1, 2, 0)


def _image(width, height, seed=0):
    random = np.random.default_rng(seed)
    return PIL.Image.fromarray(random.integers(0, 256, (height, width, 3), dtype=np.uint8))


@settings(max_examples=40, deadline=None)
@given(
    width=st.integers(1, 200),
    height=st.integers(1, 200),
    crop=st.tuples(st.integers(5, 24), st.integers(5, 24)),
    resample=st.sampled_from([2, 3]),
)
def test_pixels_equal_those_of_the_image_processor(width, height, crop, resample):
    processor = CLIPImageProcessorPil(
        size={"shortest_edge": 24},
        crop_size={"height": crop[0], "width": crop[1]},
        resample=resample,
    )
    preprocess = build_preprocess(processor)
    assert isinstance(preprocess, ResizeCrop)
    image = _image(width, height)
    pixels = preprocess(image)
    assert pixels.dtype == np.uint8
    np.testing.assert_array_equal(pixels, _processors_pixels(processor, image))


def test_a_resize_to_both_sides_needs_no_crop():
    processor = SiglipImageProcessorPil(size={"height": 20, "width": 12})
    preprocess = build_preprocess(processor)
    assert isinstance(preprocess, ResizeCrop)
    pixels = preprocess(_image(50, 31))
    assert pixels.shape == (20, 12, 3)
    np.testing.assert_array_equal(pixels, _processors_pixels(processor, _image(50, 31)))


@pytest.mark.parametrize(
    "options",
    [
        {"size": {"shortest_edge": 16}, "crop_size": 20},  # pads with black
        {"size": {"shortest_edge": 16, "longest_edge": 40}, "crop_size": 12},
        {"do_resize": False, "crop_size": 12},
    ],
)
def test_any_other_geometry_is_the_processors_own(options):
    processor = CLIPImageProcessorPil(**options)
    preprocess = build_preprocess(processor)
    assert isinstance(preprocess, ProcessorGeometry)
    image = _image(70, 33)
    np.testing.assert_array_equal(preprocess(image), _processors_pixels(processor, image))


def test_a_processor_that_keeps_sizes_is_refused():
    with pytest.raises(ModelError, match="neither resizes nor crops"):
        build_preprocess(CLIPImageProcessorPil(do_resize=False, do_center_crop=False))


def test_a_strip_of_pixels_takes_neither_gigabytes_nor_seconds():
    preprocess = ResizeCrop(336, 3, 336, 336)
    strip = PIL.Image.fromarray(np.repeat(np.arange(60000)[None] % 251, 1, 0).astype(np.uint8))
    start = time.monotonic()
    pixels = preprocess(strip.convert("RGB"))
    assert pixels.shape == (336, 336, 3)
    assert time.monotonic() - start < 2
    # 336 px show one pixel of the strip, and its half neighbours: the middle one of 60,000.
    assert abs(int(pixels[168, 168, 0]) - 30000 % 251) <= 1


def test_the_centre_alone_looks_as_the_whole_does(monkeypatch):
    image = _image(300, 20)
    whole = ResizeCrop(16, 3, 16, 16)(image)
    monkeypatch.setattr("streetclip.models.preprocessing._MAX_RESIZED_PIXELS", 100)
    centre = ResizeCrop(16, 3, 16, 16)(image)
    assert np.abs(whole.astype(int) - centre).max() <= 1


def test_transparency_lies_over_white_as_in_transformers():
    processor = CLIPImageProcessorPil(size={"shortest_edge": 8}, crop_size=8)
    random = np.random.default_rng(3)
    image = PIL.Image.fromarray(random.integers(0, 256, (13, 9, 4), dtype=np.uint8), "RGBA")
    ours = build_preprocess(processor)(image)
    np.testing.assert_array_equal(ours, _processors_pixels(processor, image))


@pytest.mark.parametrize("mode", ["L", "P", "CMYK", "1", "LA"])
def test_any_mode_becomes_rgb(mode):
    processor = CLIPImageProcessorPil(size={"shortest_edge": 8}, crop_size=8)
    image = _image(9, 13).convert("L" if mode == "LA" else "RGB").convert(mode)
    np.testing.assert_array_equal(
        build_preprocess(processor)(image), _processors_pixels(processor, image)
    )


def test_preprocess_travels_to_a_worker_process(encoder):
    preprocess = pickle.loads(pickle.dumps(encoder.preprocess))
    np.testing.assert_array_equal(preprocess(_image(40, 31)), encoder.preprocess(_image(40, 31)))
    assert len(pickle.dumps(encoder.preprocess)) < 1000


def test_normalised_pixels_equal_those_of_the_image_processor():
    processor = CLIPImageProcessorPil(size={"shortest_edge": 8}, crop_size=8)
    images = [_image(9, 13), _image(30, 8)]
    pixels = np.stack([build_preprocess(processor)(image) for image in images])
    ours = build_normalisation(processor)(torch.from_numpy(pixels).permute(0, 3, 1, 2))
    expected = processor(images=images, return_tensors="pt")["pixel_values"]
    torch.testing.assert_close(ours, expected, rtol=0, atol=1e-6)


def test_a_processor_that_does_not_normalise_only_rescales():
    processor = CLIPImageProcessorPil(do_normalize=False)
    pixels = torch.tensor([0, 51, 255], dtype=torch.uint8).view(1, 3, 1, 1)
    torch.testing.assert_close(
        build_normalisation(processor)(pixels).flatten(), torch.tensor([0.0, 0.2, 1.0])
    )


def test_a_mean_of_one_number_is_refused():
    with pytest.raises(ModelError, match="expected three numbers"):
        build_normalisation(CLIPImageProcessorPil(image_mean=(0.5,)))
