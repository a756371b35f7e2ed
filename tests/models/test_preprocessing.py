import pickle
import time

import numpy as np
import PIL.Image
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import CLIPImageProcessorPil, SiglipImageProcessorPil

from streetclip.data.decoding import decode_crop, decode_image
from streetclip.data.image_batches import FastPreprocess
from streetclip.errors import ModelError
from streetclip.models.preprocessing import (
    FastPatchResize,
    FastResizeCrop,
    PatchResize,
    ProcessorGeometry,
    ResizeCrop,
    build_inputs,
    build_preprocess,
)
from tests.random_search import examples


def _processors_pixels(processor, image):
    outputs = processor(images=image, do_rescale=False, do_normalize=False)
    return outputs["pixel_values"][0].transpose(1, 2, 0)


def _image(width, height, seed=0):
    random = np.random.default_rng(seed)
    return PIL.Image.fromarray(random.integers(0, 256, (height, width, 3), dtype=np.uint8))


@settings(max_examples=examples(40), deadline=None)
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


# Fast


@settings(max_examples=examples(60), deadline=None)
@given(
    width=st.integers(1, 300),
    height=st.integers(1, 300),
    resize_to=st.sampled_from([24, 17, (24, 30), (31, 25)]),
    crop=st.tuples(st.integers(5, 17), st.integers(5, 17)),
    resample=st.sampled_from([2, 3]),
)
def test_the_fast_way_differs_by_rounding_alone(width, height, resize_to, crop, resample):
    exact = ResizeCrop(resize_to, resample, *crop)
    fast = FastResizeCrop(exact)
    # In the middle of the scale, so that no overshoot is cut off between the two passes, whose
    # order Pillow chooses by the sizes.
    image = _image(width, height).point(lambda value: 64 + value // 2)
    difference = np.abs(fast(image).astype(int) - exact(image))
    assert fast(image).shape == (*crop, 3)
    assert difference.max() <= 2


@given(width=st.integers(1, 5000), height=st.integers(1, 5000), edge=st.integers(1, 400))
def test_no_crop_reaches_beyond_the_image(width, height, edge):
    left, top, right, bottom = ResizeCrop(edge, 3, edge, edge).crop_of(width, height).box
    assert 0 <= left < right <= width
    assert 0 <= top < bottom <= height


def test_the_whole_image_is_the_crop_of_a_resize_to_both_sides():
    crop = FastResizeCrop(ResizeCrop((20, 12), 2, 20, 12)).crop_of(50, 31)
    assert (crop.box, crop.size, crop.resample) == ((0, 0, 50, 31), (12, 20), 2)


def test_the_fast_way_tells_what_it_needs_where_the_geometry_is_known():
    plain = CLIPImageProcessorPil(size={"shortest_edge": 8}, crop_size=8)
    padding = CLIPImageProcessorPil(size={"shortest_edge": 16}, crop_size=20)
    assert isinstance(build_preprocess(plain, exact=False), FastPreprocess)
    assert not isinstance(build_preprocess(plain), FastPreprocess)
    assert isinstance(build_preprocess(padding, exact=False), ProcessorGeometry)


def test_patches_are_made_from_what_they_ask_for():
    exact = PatchResize(patch_size=4, max_num_patches=20, resample=2)
    fast = FastPatchResize(exact)
    image = _image(61, 40)
    crop = fast.crop_of(61, 40)
    assert crop.box == (0, 0, 61, 40)
    np.testing.assert_array_equal(fast.finish(image.resize(crop.size, 2)), exact(image))
    np.testing.assert_array_equal(fast(image), exact(image))


def _scene(random, width, height):
    """Shapes with edges of all directions on a gradient, and the grain of a camera."""
    y, x = np.mgrid[:height, :width].astype(float)
    pixels = 90 + 60 * np.stack([x / width, y / height, (x + y) / (width + height)], axis=-1)
    for _ in range(40):
        angle, offset = random.uniform(0, np.pi), random.uniform(-0.5, 0.5) * min(width, height)
        across = (x - width / 2) * np.cos(angle) + (y - height / 2) * np.sin(angle) - offset
        pixels[np.abs(across) < random.uniform(1, height / 30)] = random.uniform(0, 255, 3)
    pixels += random.normal(0, 3, pixels.shape)
    return PIL.Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))


@pytest.mark.parametrize(
    ("size", "options", "bound"),
    [
        ((640, 640), {}, 0.01),
        ((1280, 960), {"quality": 95}, 1.5),
        ((1001, 1437), {"quality": 60, "subsampling": 0}, 1.5),
        ((1920, 1083), {"progressive": True}, 2.5),
        ((2047, 1151), {"progressive": True, "quality": 95}, 2.5),
    ],
)
def test_the_pixels_of_a_jpeg_drift_by_few_grey_levels(tmp_path, size, options, bound):
    processor = CLIPImageProcessorPil(size={"shortest_edge": 224}, crop_size=224)
    exact, fast = (build_preprocess(processor, exact=exact) for exact in (True, False))
    _scene(np.random.default_rng(8), *size).save(tmp_path / "a.jpg", **options)
    expected = exact(decode_image(tmp_path / "a.jpg")).astype(int)
    found = fast.finish(decode_crop(tmp_path / "a.jpg", fast.crop_of))
    assert found.shape == expected.shape
    assert np.abs(found - expected).mean() < bound


# Any image


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
    ours = build_inputs(processor)(torch.from_numpy(pixels).permute(0, 3, 1, 2))["pixel_values"]
    expected = processor(images=images, return_tensors="pt")["pixel_values"]
    torch.testing.assert_close(ours, expected, rtol=0, atol=1e-6)


def test_a_processor_that_does_not_normalise_only_rescales():
    processor = CLIPImageProcessorPil(do_normalize=False)
    pixels = torch.tensor([0, 51, 255], dtype=torch.uint8).view(1, 3, 1, 1)
    rescaled = build_inputs(processor)(pixels)["pixel_values"].flatten()
    torch.testing.assert_close(rescaled, torch.tensor([0.0, 0.2, 1.0]))


def test_a_mean_of_one_number_is_refused():
    with pytest.raises(ModelError, match="expected three numbers"):
        build_inputs(CLIPImageProcessorPil(image_mean=(0.5,)))
