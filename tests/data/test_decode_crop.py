"""A part of an image, resized, for a model to see."""

import contextlib

import numpy as np
import pytest
from PIL import Image

from streetclip.data import decoding
from streetclip.data.decoding import decode_crop, decode_image
from streetclip.errors import ImageError
from tests.data.photos import GREY_16, MODES, error_of, png, watch_sizes


def left_third(size):
    """Wants the left third of an image but for its uppermost tenth, to a size."""

    def crop_of(width, height):
        return (0, height / 10, width / 3, height), size, Image.Resampling.BICUBIC

    return crop_of


def drift(path, crop_of, reference=None):
    """Mean difference from the part of the whole image, in grey levels."""
    whole = decode_image(path) if reference is None else reference
    box, size, resample = crop_of(*whole.size)
    expected = np.asarray(whole.resize(size, Image.Resampling(resample), box))
    found = decode_crop(path, crop_of)
    assert (found.mode, found.size) == ("RGB", size)
    return np.abs(np.asarray(found).astype(int) - expected).mean()


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.tiff", "a.webp"])
def test_a_part_lies_where_it_does_in_the_upright_image(tmp_path, photo, name, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    photo.save(tmp_path / name, exif=exif)
    assert drift(tmp_path / name, left_third((9, 14))) < 0.5  # the order of rounding


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("progressive", [False, True])
def test_a_part_of_a_reduced_jpeg_is_nearly_that_of_the_whole(
    tmp_path, large_photo, progressive, orientation
):
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / "a.jpg"
    large_photo.save(path, exif=exif, quality=90, progressive=progressive)
    # 8 pixels across become one, and more; sides of 2201 and 1365 are no multiples of 4.
    assert drift(path, left_third((57, 40))) < 1.2


@pytest.mark.parametrize("mode", ["L", "CMYK"])
@pytest.mark.parametrize("progressive", [False, True])
def test_a_reduced_jpeg_may_be_grey_or_cmyk(tmp_path, large_photo, mode, progressive):
    path = tmp_path / "a.jpg"
    large_photo.convert(mode).save(path, quality=90, progressive=progressive)
    assert drift(path, left_third((57, 40))) < 1.2


@pytest.mark.parametrize(("name", "mode"), MODES.items())
def test_every_kind_of_file_gives_its_part(tmp_path, photo, name, mode):
    photo.convert(mode).save(tmp_path / name)
    assert drift(tmp_path / name, left_third((9, 14))) == 0


def test_16_bit_grey_gives_its_part(tmp_path):
    Image.fromarray(np.tile(GREY_16, (20, 20))).save(tmp_path / "a.png")
    assert drift(tmp_path / "a.png", left_third((7, 5))) == 0


@pytest.mark.parametrize(
    ("size", "scale"), [((733, 1228), 1), ((200, 300), 1), ((180, 300), 2), ((91, 100), 4)]
)
@pytest.mark.parametrize("orientation", [1, 6])
def test_a_jpeg_is_decoded_no_larger_than_its_part_needs(
    tmp_path, large_photo, monkeypatch, size, scale, orientation
):
    exif = Image.Exif()
    exif[0x0112] = orientation
    upright = large_photo if orientation == 1 else large_photo.transpose(Image.Transpose.ROTATE_90)
    upright.save(tmp_path / "a.jpg", exif=exif)
    sizes = watch_sizes(monkeypatch)
    decode_crop(tmp_path / "a.jpg", left_third(size))
    assert sizes == [tuple(-(-side // scale) for side in upright.size)]


def test_a_part_of_a_strip_or_a_single_pixel_can_be_had(tmp_path):
    for number, size in enumerate([(9000, 2), (2, 9000), (1, 1)]):
        path = tmp_path / f"{number}.jpg"
        Image.new("RGB", size, (10, 200, 30)).save(path)
        assert drift(path, left_third((9, 14))) == 0


def test_what_cannot_be_decoded_is_told_alike_of_a_part(tmp_path, large_photo):
    for name, content in {"text.jpg": b"<html>", "empty.jpg": b""}.items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / "bomb.png").write_bytes(png(20_000, 20_000, 8, 2, b"never read"))
    for name, progressive in {"cut.jpg": False, "cut_progressive.jpg": True}.items():
        large_photo.save(tmp_path / name, progressive=progressive)
        whole = (tmp_path / name).read_bytes()
        (tmp_path / name).write_bytes(whole[: len(whole) * 2 // 3])
    for path in [*tmp_path.iterdir(), tmp_path / "missing.jpg"]:
        with pytest.raises(ImageError) as caught:
            decode_crop(path, left_third((57, 40)))
        assert str(caught.value) == error_of(path)


@pytest.mark.parametrize("seed", range(30))
def test_no_damage_to_a_part_raises_anything_but_an_image_error(tmp_path, large_photo, seed):
    rng = np.random.default_rng(seed)
    path = tmp_path / ["a.jpg", "a.png", "a.tiff"][seed % 3]
    large_photo.resize((300, 200)).save(path, progressive=seed % 2 == 0)
    content = bytearray(path.read_bytes())
    for position in rng.integers(0, len(content), 12):
        content[position] = rng.integers(256)
    path.write_bytes(content)
    with contextlib.suppress(ImageError):
        assert decode_crop(path, left_third((9, 14))).size == (9, 14)


class Turns:
    """Counts how often it is taken, and whether it is held."""

    count, is_held = 0, False

    def __enter__(self):
        self.count, self.is_held = self.count + 1, True

    def __exit__(self, *_):
        self.is_held = False


@pytest.mark.parametrize(
    ("name", "options", "count"),
    [
        ("a.png", {}, 1),
        ("a.jpg", {"progressive": True}, 1),  # all its waves are held in memory
        ("a.jpg", {}, 0),  # reduced, it is small
    ],
)
def test_a_turn_is_held_while_a_large_image_is_in_memory(
    tmp_path, large_photo, monkeypatch, name, options, count
):
    large_photo.save(tmp_path / name, **options)
    monkeypatch.setattr(decoding, "_LARGE_PIXELS", 1_000_000)
    turns, held = Turns(), []
    to_rgb = decoding.to_rgb
    monkeypatch.setattr(
        decoding, "to_rgb", lambda *of: (held.append(turns.is_held), to_rgb(*of))[1]
    )
    decode_crop(tmp_path / name, left_third((57, 40)), turn=turns)
    assert (turns.count, held) == (count, [count == 1])
