import contextlib
import io
import os
import threading
import time
import warnings
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from streetclip.data import decoding
from streetclip.data.decoding import decode_crop, decode_image
from streetclip.errors import ImageError
from tests.data.photos import GREY_16, HEIGHT, MODES, WIDTH, error_of, png


def transformers_reference(path):
    """What `transformers.image_utils.load_image` does with a path."""
    with warnings.catch_warnings(), Image.open(path) as image:
        warnings.simplefilter("ignore")
        return np.asarray(ImageOps.exif_transpose(image).convert("RGB"))


@pytest.mark.parametrize(("name", "mode"), MODES.items())
def test_every_kind_of_file_decodes_as_transformers_does(tmp_path, photo, name, mode):
    path = tmp_path / name
    source = photo.convert(mode)
    if mode.endswith("A"):
        alpha = np.arange(WIDTH * HEIGHT).reshape(HEIGHT, WIDTH) % 256
        source.putalpha(Image.fromarray(alpha.astype(np.uint8)))
    source.save(path)
    decoded = decode_image(path)
    assert decoded.mode == "RGB"
    assert decoded.size == (WIDTH, HEIGHT)
    np.testing.assert_array_equal(np.asarray(decoded), transformers_reference(path))


def test_the_library_transformers_itself_gives_the_same(tmp_path, photo):
    from transformers.image_utils import load_image

    path = tmp_path / "a.png"
    rotated = Image.Exif()
    rotated[0x0112] = 6
    photo.convert("RGBA").save(path, exif=rotated)
    np.testing.assert_array_equal(np.asarray(decode_image(path)), np.asarray(load_image(str(path))))


@pytest.mark.parametrize("transparency", [3, bytes(range(256))])
def test_a_palette_with_transparency_keeps_its_colours(tmp_path, photo, transparency):
    path = tmp_path / "a.png"
    photo.quantize(200).save(path, transparency=transparency)
    np.testing.assert_array_equal(np.asarray(decode_image(path)), transformers_reference(path))


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.tiff", "a.webp"])
def test_a_rotated_photo_is_turned_upright(tmp_path, photo, name, orientation):
    path = tmp_path / name
    exif = Image.Exif()
    exif[0x0112] = orientation
    photo.save(path, exif=exif)
    decoded = decode_image(path)
    assert decoded.size == ((HEIGHT, WIDTH) if orientation >= 5 else (WIDTH, HEIGHT))
    np.testing.assert_array_equal(np.asarray(decoded), transformers_reference(path))


def test_an_upright_photo_is_not_turned_again_by_who_reads_it(tmp_path, photo):
    path = tmp_path / "a.jpg"
    exif = Image.Exif()
    exif[0x0112] = 6
    photo.save(path, exif=exif)
    decoded = decode_image(path)
    np.testing.assert_array_equal(np.asarray(ImageOps.exif_transpose(decoded)), np.asarray(decoded))


def test_an_orientation_that_does_not_exist_is_passed_over(tmp_path, photo):
    exif = Image.Exif()
    exif[0x0112] = 77
    photo.save(tmp_path / "a.jpg", exif=exif)
    assert decode_image(tmp_path / "a.jpg").size == (WIDTH, HEIGHT)


def test_damaged_notes_do_not_cost_the_photo(tmp_path, photo):
    photo.save(tmp_path / "a.jpg", exif=b"Exif\0\0MM\0*\xff\xff\xff\xff\x01\x02")
    assert decode_image(tmp_path / "a.jpg").size == (WIDTH, HEIGHT)


@pytest.mark.parametrize("name", ["a.png", "a.tiff", "a.pgm"])
def test_16_bit_grey_is_scaled_not_clipped(tmp_path, name):
    path = tmp_path / name
    if name.endswith("pgm"):
        path.write_bytes(b"P5 3 2 65535\n" + GREY_16.astype(">u2").tobytes())
    else:
        Image.fromarray(GREY_16).save(path)
    expected = np.repeat([[[0], [0], [1]], [[128], [156], [255]]], 3, axis=-1)
    np.testing.assert_array_equal(np.asarray(decode_image(path)), expected)


def test_16_bit_colour_keeps_its_high_byte(tmp_path):
    row = b"\0" + np.array([0x1234, 0xABCD, 0x00FF], ">u2").tobytes()
    (tmp_path / "a.png").write_bytes(png(1, 1, 16, 2, zlib.compress(row)))
    assert decode_image(tmp_path / "a.png").getpixel((0, 0)) == (0x12, 0xAB, 0x00)


def test_32_bit_pixels_are_refused_rather_than_guessed_at(tmp_path):
    Image.fromarray(np.ones((4, 5), np.float32)).save(tmp_path / "a.tiff")
    assert "32-bit" in error_of(tmp_path / "a.tiff")


@pytest.mark.parametrize("name", ["a.gif", "a.png", "a.webp", "a.tiff"])
def test_of_an_animation_the_first_frame_is_taken(tmp_path, name):
    frames = [Image.new("RGB", (5, 3), colour) for colour in ("red", "lime", "blue")]
    frames[0].save(tmp_path / name, save_all=True, append_images=frames[1:], lossless=True)
    assert decode_image(tmp_path / name).getpixel((2, 1)) == (255, 0, 0)


def test_a_photo_of_one_pixel_decodes(tmp_path):
    Image.new("RGB", (1, 1), (1, 2, 3)).save(tmp_path / "a.png")
    assert decode_image(tmp_path / "a.png").getpixel((0, 0)) == (1, 2, 3)


def test_the_content_tells_the_format_not_the_name(tmp_path, photo):
    photo.save(tmp_path / "a.jpg", format="PNG")
    np.testing.assert_array_equal(np.asarray(decode_image(tmp_path / "a.jpg")), np.asarray(photo))


# What cannot be decoded


def test_a_missing_file_is_told_with_its_folder(tmp_path):
    message = error_of(tmp_path / "a.jpg")
    assert "'a.jpg': no such file in" in message
    assert str(tmp_path) in message


def test_an_empty_file_is_told(tmp_path):
    (tmp_path / "a.jpg").touch()
    assert "is empty" in error_of(tmp_path / "a.jpg")


def test_a_folder_is_told(tmp_path):
    assert "folder" in error_of(tmp_path)


def test_a_name_that_no_file_can_have_is_told(tmp_path):
    assert "cannot be read" in error_of(tmp_path / ("a" * 300))
    assert "cannot be read" in error_of(Path("a\0b.jpg"))


def test_a_pipe_does_not_hang(tmp_path):
    os.mkfifo(tmp_path / "pipe.jpg")
    assert "device" in error_of(tmp_path / "pipe.jpg")


OTHER_FILES = {
    "an HTML page": b"\n<!DOCTYPE html><html><head><title>403 Forbidden</title>",
    "an HTML page.": b"<html>404</html>",
    "an XML document": b'<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>',
    "JSON text": b'{"error": "not found"}',
    "a Git LFS pointer": b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 12345\n",
    "a link to ../../../blobs/sha1, saved as text": b"../../../blobs/sha1",
    "an HEIC image": b"\0\0\0\x18ftypheic\0\0\0\0mif1heic",
    "a JPEG 2000 image": b"\0\0\0\x0cjP  \r\n\x87\n\0\0\0\x14ftypjp2 ",
    "a JPEG XL image": b"\xff\x0a\xfa\x7f",
    "a video": b"\0\0\0\x18ftypisom\0\0\2\0",
    "a PDF document": b"%PDF-1.7\n",
    "a ZIP archive": b"PK\x03\x04\x14\0",
}


@pytest.mark.parametrize("kind", OTHER_FILES)
def test_a_file_that_is_something_else_is_named_for_what_it_is(tmp_path, kind):
    for name in ("a.jpg", "a.jp2"):
        (tmp_path / name).write_bytes(OTHER_FILES[kind])
        assert f" {kind}" in error_of(tmp_path / name)


def test_unknown_bytes_are_told_to_be_no_image(tmp_path):
    (tmp_path / "a.jpg").write_bytes(b"a picture of a street")
    assert "is not an image, or damaged at its start" in error_of(tmp_path / "a.jpg")


@pytest.mark.parametrize("num_missing", [1, 2])
@pytest.mark.parametrize("progressive", [False, True])
def test_a_jpeg_without_its_end_is_decoded_whole(tmp_path, photo, num_missing, progressive):
    photo.save(tmp_path / "whole.jpg", progressive=progressive)
    whole = np.asarray(decode_image(tmp_path / "whole.jpg"))
    path = tmp_path / "cut.jpg"
    path.write_bytes((tmp_path / "whole.jpg").read_bytes()[:-num_missing])
    np.testing.assert_array_equal(np.asarray(decode_image(path)), whole)
    part = decode_crop(path, lambda *size: ((0, 0, *size), size, Image.Resampling.BILINEAR))
    np.testing.assert_array_equal(np.asarray(part), whole)


def test_a_format_that_runs_other_programs_is_refused(tmp_path, photo):
    photo.save(tmp_path / "a.eps")
    assert "is not an image" in error_of(tmp_path / "a.eps")


@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.webp", "a.gif", "a.bmp", "a.tiff", "a.ppm"])
@pytest.mark.parametrize("share", [0.05, 0.4, 0.7])
def test_a_truncated_file_is_an_error_not_a_grey_half(tmp_path, name, share):
    noise = np.random.default_rng(0).integers(0, 256, (60, 80, 3), np.uint8)
    stream = io.BytesIO()
    path = tmp_path / name
    Image.fromarray(noise).save(path)
    stream.write(path.read_bytes())
    path.write_bytes(stream.getvalue()[: int(len(stream.getvalue()) * share)])
    assert "damaged" in error_of(path)


@pytest.mark.parametrize(("width", "height"), [(20_000, 10_001), (60_000, 60_000)])
def test_a_decompression_bomb_is_refused_from_its_header(tmp_path, width, height):
    (tmp_path / "a.png").write_bytes(png(width, height, 8, 2, b"never read"))
    assert "more than 200 million pixels" in error_of(tmp_path / "a.png")


def test_large_photos_below_the_limit_neither_fail_nor_warn(tmp_path):
    # Pillow by itself warns above 89 million pixels.
    Image.new("1", (12_000, 10_000)).save(tmp_path / "a.png")
    assert decode_image(tmp_path / "a.png").size == (12_000, 10_000)


def test_pillows_own_limit_is_left_as_it_was(tmp_path, photo):
    before = Image.MAX_IMAGE_PIXELS
    photo.save(tmp_path / "a.png")
    decode_image(tmp_path / "a.png")
    assert before == Image.MAX_IMAGE_PIXELS


def test_control_characters_of_a_name_do_not_reach_the_message(tmp_path):
    assert "\x1b" not in error_of(tmp_path / "a\x1b[31m.jpg")


@pytest.mark.parametrize("seed", range(30))
def test_no_damage_raises_anything_but_an_image_error(tmp_path, photo, seed):
    rng = np.random.default_rng(seed)
    name = ["a.jpg", "a.png", "a.webp", "a.gif", "a.tiff", "a.bmp"][seed % 6]
    path = tmp_path / name
    photo.save(path)
    content = bytearray(path.read_bytes())
    for position in rng.integers(0, len(content), 12):
        content[position] = rng.integers(256)
    path.write_bytes(content)
    with contextlib.suppress(ImageError):
        assert decode_image(path).mode == "RGB"


def test_the_limit_is_that_of_the_documentation():
    assert decoding.MAX_PIXELS == 200_000_000


# Several threads


def decode_in_threads(path, count):
    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(decode_image, [path] * count))


def test_threads_decode_at_the_same_time(tmp_path, photo, monkeypatch):
    photo.save(tmp_path / "a.jpg")
    together = threading.Barrier(3, timeout=20)
    to_rgb = decoding.to_rgb

    def meet(image, where):
        together.wait()
        return to_rgb(image, where)

    monkeypatch.setattr(decoding, "to_rgb", meet)
    assert len(decode_in_threads(tmp_path / "a.jpg", 3)) == 3


def test_large_images_are_decoded_one_at_a_time(tmp_path, photo, monkeypatch):
    photo.save(tmp_path / "a.jpg")
    inside, most = [], []
    to_rgb = decoding.to_rgb

    def watched(image, where):
        inside.append(image)
        most.append(len(inside))
        time.sleep(0.01)
        inside.pop()
        return to_rgb(image, where)

    monkeypatch.setattr(decoding, "to_rgb", watched)
    monkeypatch.setattr(decoding, "_LARGE_PIXELS", WIDTH * HEIGHT)
    decode_in_threads(tmp_path / "a.jpg", 4)
    assert most == [1] * 4


def test_after_many_threads_the_settings_of_the_process_are_as_before(tmp_path, photo):
    photo.save(tmp_path / "good.jpg")
    (tmp_path / "bad.jpg").write_text("<html>")
    limit, filters = Image.MAX_IMAGE_PIXELS, list(warnings.filters)

    def decode(name):
        with contextlib.suppress(ImageError):
            decode_image(tmp_path / name)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(decode, ["good.jpg", "bad.jpg"] * 20))
    assert limit == Image.MAX_IMAGE_PIXELS
    assert warnings.filters == filters
