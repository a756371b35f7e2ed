import io
import struct

import numpy as np
import pytest
from PIL import Image

from streetclip.data import jpeg
from streetclip.data.jpeg import open_reduced, reduced_scale, with_end, without_fine_passes


def photo(width=203, height=150):
    """Waves of all lengths and a little noise, as a photo has them."""
    random = np.random.default_rng(5)
    y, x = np.mgrid[:height, :width].astype(float)
    waves = [np.sin(x / 17 + y / 40), np.sin(x / 5 - y / 9), np.sin(x * y / 900)]
    pixels = 128 + 55 * np.stack(waves, axis=-1) + random.normal(0, 2, (height, width, 3))
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))


def encoded(image, **options):
    stream = io.BytesIO()
    image.save(stream, "JPEG", **({"progressive": True, "quality": 80} | options))
    return stream.getvalue()


def passes(content):
    """First wave, previous bit and bit of each pass, found without the module's own reading."""
    found = []
    for start in (i for i in range(len(content) - 1) if content[i : i + 2] == b"\xff\xda"):
        (length,) = struct.unpack(">H", content[start + 2 : start + 4])
        first_wave, _, bits = content[start + 2 + length - 3 : start + 2 + length]
        found.append((first_wave, bits >> 4, bits & 15))
    return found


def drift(content, other):
    """Mean difference in grey levels where 4 × 4 pixels become one, as they do at least."""
    reduced = [Image.open(io.BytesIO(each)).convert("RGB").reduce(4) for each in (content, other)]
    return np.abs(np.subtract(*(np.asarray(each).astype(int) for each in reduced))).mean()


@pytest.mark.parametrize(
    ("shrinking", "scale"), [(0.3, 1), (3.99, 1), (4, 2), (7.9, 2), (8, 4), (16, 8), (900, 8)]
)
def test_two_decoded_pixels_become_one_at_least(shrinking, scale):
    assert reduced_scale(shrinking) == scale


def test_passes_that_refine_waves_are_left_out():
    content = encoded(photo())
    coarse = without_fine_passes(content)
    assert [each for each in passes(content) if each[0] > 0 and each[1] > 0] != []
    assert passes(coarse) == [each for each in passes(content) if each[0] == 0 or each[1] == 0]
    assert len(coarse) < 0.7 * len(content)


def test_what_is_left_is_nearly_the_same_image():
    content = encoded(photo())
    assert 0 < drift(without_fine_passes(content), content) < 2.5


@pytest.mark.parametrize(("quality", "bits"), [(90, {2}), (50, {2, 1}), (10, {2, 1, 0})])
def test_the_coarser_the_steps_the_more_bits_are_kept(quality, bits):
    coarse = without_fine_passes(encoded(photo().convert("L"), quality=quality))
    content = encoded(photo().convert("L"), quality=quality)
    if coarse is None:
        coarse = content
    assert {bit for first_wave, _, bit in passes(coarse) if first_wave > 0} == bits


@pytest.mark.parametrize("mode", ["L", "CMYK"])
def test_any_number_of_colour_components_can_be_read(mode):
    content = encoded(photo().convert(mode))
    coarse = without_fine_passes(content)
    assert len(coarse) < len(content)
    assert drift(coarse, content) < 2.5


def test_restart_markers_are_no_end_of_a_pass():
    content = encoded(photo(), restart_marker_blocks=3)
    assert b"\xff\xd0" in content
    coarse = without_fine_passes(content)
    assert drift(coarse, content) < 2.5


def test_profiles_and_further_frames_are_left_out():
    coarse = without_fine_passes(encoded(photo(), icc_profile=b"profile" * 99))
    assert b"profile" not in coarse
    assert "icc_profile" not in Image.open(io.BytesIO(coarse)).info


def test_what_the_camera_noted_is_kept():
    exif = Image.Exif()
    exif[0x0112] = 6
    coarse = without_fine_passes(encoded(photo(), exif=exif))
    assert Image.open(io.BytesIO(coarse)).getexif()[0x0112] == 6


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xd8",
        b"\xff\xd8\xff",
        b"\xff\xd8\xff\xda\xff",
        b"GIF89a" * 9,
        encoded(photo(), progressive=False),
        encoded(photo()) [:-2],
        encoded(photo())[:4000],
    ],
    ids=["empty", "start", "half", "no header", "gif", "baseline", "no end", "cut"],
)  # fmt: skip
def test_of_anything_unusual_nothing_is_left_out(content):
    assert without_fine_passes(content) is None


@pytest.mark.parametrize("seed", range(40))
def test_damage_raises_nothing(seed):
    random = np.random.default_rng(seed)
    content = bytearray(encoded(photo(40, 30)))
    for position in random.integers(0, len(content), 9):
        content[position] = random.integers(256)
    coarse = without_fine_passes(bytes(content))
    assert coarse is None or len(coarse) <= len(content)


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("scale", [1, 2, 4, 8])
def test_a_reduced_image_has_rounded_up_sides_and_tells_its_scale(scale, progressive):
    image = Image.open(io.BytesIO(encoded(photo(203, 150), progressive=progressive)))
    reduced, found = open_reduced(image, scale)
    assert found == scale
    assert reduced.size == (-(-203 // scale), -(-150 // scale))
    reduced.load()


@pytest.mark.parametrize("size", [(1, 9), (9, 1), (17, 16), (7, 31)])
def test_the_scale_of_a_tiny_image_is_told_rightly(size):
    reduced, scale = open_reduced(Image.open(io.BytesIO(encoded(photo(*size)))), 8)
    reduced.load()
    assert reduced.size == (-(-size[0] // scale), -(-size[1] // scale))


def test_other_formats_are_left_as_they_are():
    stream = io.BytesIO()
    photo().save(stream, "PNG")
    image = Image.open(stream)
    assert open_reduced(image, 8) == (image, 1)


def test_of_an_mpo_the_first_frame_is_reduced():
    stream = io.BytesIO()
    frames = {"save_all": True, "append_images": [photo().rotate(180)]}
    photo().save(stream, "MPO", progressive=True, **frames)
    image = Image.open(stream)
    assert image.format == "MPO"
    reduced, scale = open_reduced(image, 4)
    assert (scale, reduced.size) == (4, (51, 38))
    difference = np.abs(np.asarray(reduced).astype(int) - np.asarray(photo().reduce(4)))
    assert difference.mean() < 4


def test_at_full_scale_no_pass_is_left_out(monkeypatch):
    monkeypatch.setattr(jpeg, "without_fine_passes", lambda _: pytest.fail("left out"))
    open_reduced(Image.open(io.BytesIO(encoded(photo()))), 1)


KINDS = {
    "baseline": {"progressive": False},
    "progressive": {},
    "with restart intervals": {"progressive": False, "restart_marker_blocks": 3},
}


@pytest.mark.parametrize("kind", KINDS)
def test_only_a_jpeg_that_lost_its_end_alone_is_completed(kind):
    content = encoded(photo(61, 47), **KINDS[kind])
    assert with_end(content[:-1]) == with_end(content[:-2]) == content
    completed = [n for n in range(3, 300) if with_end(content[:-n]) is not None]
    # The last coded byte may be nothing but padding.
    assert completed in ([], [3])


def test_what_is_whole_or_no_jpeg_is_not_completed():
    content = encoded(photo(61, 47))
    assert with_end(content) is None
    assert with_end(b"") is None
    assert with_end(b"\xff\xd8") is None
    assert with_end(b"\x89PNG" + content[:-2]) is None
