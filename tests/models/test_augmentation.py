import pickle

import numpy as np
import PIL.Image
import PIL.ImageEnhance
import pytest
from transformers import CLIPImageProcessorPil

from streetclip.config.train_options import DataOptions
from streetclip.data.decoding import decode_crop, decode_image
from streetclip.data.image_batches import FastPreprocess, RandomPreprocess
from streetclip.errors import ConfigError
from streetclip.models.augmentation import Augmentation, build_augmentation
from streetclip.models.loading import load_encoder
from streetclip.models.preprocessing import FastResizeCrop, ResizeCrop, build_preprocess

SQUARE = ResizeCrop(24, 3, 24, 24)
OBLONG = ResizeCrop((20, 12), 2, 20, 12)


def photo(width=160, height=90):
    """Red runs across, green runs down; blue is a chequerboard."""
    y, x = np.mgrid[:height, :width]
    pixels = np.stack([255 * x / width, 255 * y / height, (x // 8 + y // 8) % 2 * 200], axis=-1)
    return PIL.Image.fromarray(pixels.astype(np.uint8))


def boxes(width, height, crop_scale, count=2000):
    """Left, top, right, bottom of so many crops."""
    augmentation = Augmentation(SQUARE, crop_scale=crop_scale)
    return np.array([augmentation.drawn(i).crop_of(width, height).box for i in range(count)])


# Crops


@pytest.mark.parametrize("crop_scale", [0.001, 0.3, 0.9])
@pytest.mark.parametrize("size", [(640, 480), (300, 301), (7, 3), (1, 1), (4000, 2), (2, 900)])
def test_no_crop_reaches_beyond_the_image(size, crop_scale):
    left, top, right, bottom = boxes(*size, crop_scale, count=200).T
    assert ((left >= 0) & (left < right) & (right <= size[0])).all()
    assert ((top >= 0) & (top < bottom) & (bottom <= size[1])).all()


@pytest.mark.parametrize("size", [(1200, 1000), (3000, 500), (400, 900)])
def test_a_crop_has_any_area_shape_and_place_allowed(size):
    left, top, right, bottom = boxes(*size, 0.02).T
    width, height = right - left, bottom - top
    # Of the largest crop of the same shape that fits.
    share = width * height / (np.minimum(size[0], size[1] * width / height) ** 2 * height / width)
    log_ratio = np.log(width / height) / np.log(4 / 3)
    across, down = left / (size[0] - width), top / (size[1] - height)
    drawn = [(share - 0.02) / 0.98, (log_ratio + 1) / 2, across, down]
    for each in drawn:
        # Uniform on [0, 1], within four standard errors.
        assert -1e-9 <= each.min() < 0.01
        assert 0.99 < each.max() <= 1 + 1e-9
        assert each.mean() == pytest.approx(0.5, abs=0.026)
        assert each.var() == pytest.approx(1 / 12, abs=0.007)
    assert np.abs(np.corrcoef(drawn) - np.eye(4)).max() < 0.09


@pytest.mark.parametrize("size", [(640, 480), (900, 900), (4000, 900)])
def test_no_crop_is_smaller_than_asked_for(size):
    left, top, right, bottom = boxes(*size, 0.6).T
    ratio = (right - left) / (bottom - top)
    largest = np.minimum(size[0], size[1] * ratio) ** 2 / ratio
    assert ((right - left) * (bottom - top) / largest).min() >= 0.6 * (1 - 1e-9)


def test_a_panorama_is_cropped_in_another_place_each_time():
    left, _, _, _ = boxes(4000, 900, 0.9).T
    assert left.std() > 800


def test_the_shape_is_that_of_the_model_stretched():
    found = [Augmentation(OBLONG, 0.5).drawn(i).crop_of(500, 400).box for i in range(500)]
    left, top, right, bottom = np.array(found).T
    stretch = (right - left) / (bottom - top) / (12 / 20)
    assert 3 / 4 * (1 - 1e-9) <= stretch.min() < 0.76
    assert 1.32 < stretch.max() <= 4 / 3 * (1 + 1e-9)


def test_the_pixels_are_those_of_the_crop():
    image = photo()
    drawn = Augmentation(SQUARE, crop_scale=0.3).drawn(5)
    crop = drawn.crop_of(*image.size)
    assert (crop.size, crop.resample) == ((24, 24), 3)
    expected = np.asarray(image.resize((24, 24), PIL.Image.Resampling.BICUBIC, box=crop.box))
    np.testing.assert_array_equal(drawn(image), expected)


def test_a_crop_has_the_size_of_the_model():
    assert Augmentation(OBLONG, crop_scale=0.3).drawn(1)(photo()).shape == (20, 12, 3)


@pytest.mark.parametrize("exact", [False, True])
def test_without_a_crop_scale_the_crop_is_the_models_own(exact):
    drawn = Augmentation(SQUARE, horizontal_flip=1, exact=exact).drawn(1)
    plain = SQUARE if exact else FastResizeCrop(SQUARE)
    np.testing.assert_array_equal(drawn(photo()), plain(photo())[:, ::-1])


# Colours and mirroring


@pytest.mark.parametrize("chance", [0.0, 0.25, 1.0])
def test_images_are_mirrored_by_chance(chance):
    augmentation = Augmentation(SQUARE, horizontal_flip=chance)
    plain = FastResizeCrop(SQUARE)(photo())
    mirrored = 0
    for draw in range(400):
        pixels = augmentation.drawn(draw)(photo())
        mirrored += np.array_equal(pixels, plain[:, ::-1])
        assert np.array_equal(pixels, plain) or np.array_equal(pixels, plain[:, ::-1])
    assert mirrored == pytest.approx(400 * chance, abs=35 * (0 < chance < 1))


def factors_and_order(monkeypatch, strength, count=300):
    """What is done to colours in so many visits: name and factor, in order."""
    done = []
    for name in ("Brightness", "Contrast", "Color"):
        enhance = getattr(PIL.ImageEnhance, name).enhance

        def noted(self, factor, name=name, enhance=enhance):
            done.append((name, factor))
            return enhance(self, factor)

        monkeypatch.setattr(getattr(PIL.ImageEnhance, name), "enhance", noted)
    for draw in range(count):
        Augmentation(OBLONG, colour_jitter=strength).drawn(draw)(photo(9, 9))
    return [done[i : i + 3] for i in range(0, len(done), 3)]


@pytest.mark.parametrize("strength", [0.2, 1.0])
def test_colours_change_by_factors_in_any_order(monkeypatch, strength):
    visits = factors_and_order(monkeypatch, strength)
    assert len(visits) == 300
    assert len({tuple(name for name, _ in visit) for visit in visits}) == 6
    for name in ("Brightness", "Contrast", "Color"):
        factors = np.array([dict(visit)[name] for visit in visits])
        assert factors.min() >= 1 - strength
        assert factors.max() <= 1 + strength
        assert factors.mean() == pytest.approx(1, abs=0.15 * strength)
        assert factors.std() == pytest.approx(strength / 3**0.5, rel=0.15)


def test_colours_stay_if_nothing_is_asked_for():
    np.testing.assert_array_equal(
        Augmentation(SQUARE, crop_scale=1.0).drawn(3)(photo()), FastResizeCrop(SQUARE)(photo())
    )


# Draws


def test_what_is_done_depends_on_the_draw_alone():
    augmentation = Augmentation(SQUARE, crop_scale=0.2, colour_jitter=0.5, horizontal_flip=0.5)
    image = photo()
    first = augmentation.drawn(2**64 - 1)(image)
    np.random.seed(1)  # noqa: NPY002 -- global random numbers play no part
    augmentation.drawn(8)(image)
    travelled = pickle.loads(pickle.dumps(augmentation)).drawn(2**64 - 1)
    np.testing.assert_array_equal(travelled(image), first)
    different = {augmentation.drawn(draw)(image).tobytes() for draw in range(50)}
    assert len(different) == 50


def test_colours_do_not_tell_the_crop():
    """Whether an image is mirrored says nothing about where the crop lies."""
    augmentation = Augmentation(SQUARE, crop_scale=0.05, horizontal_flip=0.5)
    ramp = PIL.Image.fromarray(np.arange(24, dtype=np.uint8)[None].repeat(24, 0)).convert("RGB")
    drawn = [augmentation.drawn(i) for i in range(600)]
    flipped = [each.finish(ramp)[0, 0, 0] > 0 for each in drawn]
    left = [each.crop_of(100, 100).box[0] for each in drawn]
    assert abs(np.corrcoef(flipped, left)[0, 1]) < 0.17


# Decoding


def test_a_jpeg_is_decoded_as_coarsely_as_the_crop_allows(tmp_path):
    photo(1600, 900).save(tmp_path / "a.jpg", quality=95)
    fast, exact = (
        Augmentation(SQUARE, crop_scale=0.1, horizontal_flip=0.5, exact=exact)
        for exact in (False, True)
    )
    assert isinstance(fast, RandomPreprocess)
    for draw in range(6):
        assert isinstance(fast.drawn(draw), FastPreprocess)
        assert not isinstance(exact.drawn(draw), FastPreprocess)
        coarse = fast.drawn(draw).finish(decode_crop(tmp_path / "a.jpg", fast.drawn(draw).crop_of))
        whole = exact.drawn(draw)(decode_image(tmp_path / "a.jpg"))
        assert coarse.shape == whole.shape == (24, 24, 3)
        assert np.abs(coarse.astype(int) - whole).mean() < 6  # a chequerboard, 8 pixels a side


# By flags


def test_nothing_is_augmented_by_default():
    fast = FastResizeCrop(SQUARE)
    assert build_augmentation(fast, DataOptions()) is fast
    assert build_augmentation(SQUARE, DataOptions()) is SQUARE


@pytest.mark.parametrize(
    "flag", [{"crop_scale": 0.5}, {"colour_jitter": 0.3}, {"horizontal_flip": 0.2}]
)
def test_each_flag_augments_in_its_way(flag):
    options = DataOptions(**flag)
    assert build_augmentation(FastResizeCrop(SQUARE), options) == Augmentation(SQUARE, **flag)
    assert build_augmentation(SQUARE, options) == Augmentation(SQUARE, **flag, exact=True)


@pytest.mark.parametrize("exact", [False, True])
def test_patches_of_images_of_any_shape_are_not_augmented(naflex_folder, exact):
    encoder = load_encoder(naflex_folder, device="cpu", precision="fp32")
    preprocess = encoder.preprocess if exact else encoder.fast_preprocess
    assert build_augmentation(preprocess, DataOptions()) is preprocess
    with pytest.raises(ConfigError, match=r"--crop_scale 0.5, --colour_jitter 0.1: .*PatchResize"):
        build_augmentation(preprocess, DataOptions(crop_scale=0.5, colour_jitter=0.1))


def test_the_geometry_of_other_processors_is_not_augmented():
    padding = build_preprocess(CLIPImageProcessorPil(size={"shortest_edge": 16}, crop_size=20))
    with pytest.raises(ConfigError, match=r"--horizontal_flip 1: .*ProcessorGeometry"):
        build_augmentation(padding, DataOptions(horizontal_flip=1.0))
