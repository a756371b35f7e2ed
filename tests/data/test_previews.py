import contextlib
import shutil
import subprocess
import sys
import threading
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from streetclip.data import previews
from streetclip.data.decoding import decode_image
from streetclip.data.previews import decode_preview
from streetclip.errors import ImageError
from tests.data.photos import GREY_16, MODES, chunk, error_of, png, watch_sizes

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.webp"])
@pytest.mark.parametrize("orientation", [1, 6])
def test_a_reduced_photo_looks_like_the_whole_one(tmp_path, large_photo, name, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    large_photo.save(tmp_path / name, exif=exif, quality=95)
    reduced = decode_preview(tmp_path / name, 480)
    whole = decode_image(tmp_path / name)
    expected = (480, 298) if orientation == 1 else (298, 480)
    assert (reduced.mode, reduced.size) == ("RGB", expected)
    by_area = np.asarray(whole.resize(expected, Image.Resampling.BOX)).astype(int)
    difference = np.abs(np.asarray(reduced).astype(int) - by_area)
    assert difference.mean() < 1.5


def test_a_jpeg_is_not_decoded_at_full_size_to_be_reduced(tmp_path, large_photo, monkeypatch):
    large_photo.save(tmp_path / "a.jpg")
    sizes = watch_sizes(monkeypatch, previews)
    decode_preview(tmp_path / "a.jpg", 480)
    assert sizes == [(551, 342)]


def test_a_small_photo_is_not_enlarged(tmp_path, photo):
    photo.save(tmp_path / "a.png")
    reduced = decode_preview(tmp_path / "a.png", 480)
    np.testing.assert_array_equal(np.asarray(reduced), np.asarray(photo))


@pytest.mark.parametrize("size", [(9000, 2), (2, 9000)])
def test_a_strip_keeps_at_least_one_pixel(tmp_path, size):
    Image.new("RGB", size).save(tmp_path / "a.jpg")
    reduced = decode_preview(tmp_path / "a.jpg", 300)
    assert (max(reduced.size), min(reduced.size)) == (300, 1)


def test_what_cannot_be_decoded_is_told_alike_when_reduced(tmp_path, large_photo):
    for name, content in {"text.jpg": b"<html>", "empty.jpg": b""}.items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / "bomb.png").write_bytes(png(20_000, 20_000, 8, 2, b"never read"))
    large_photo.save(tmp_path / "cut.jpg")
    whole = (tmp_path / "cut.jpg").read_bytes()
    (tmp_path / "cut.jpg").write_bytes(whole[: len(whole) // 3])
    for name in ("text.jpg", "empty.jpg", "bomb.png", "cut.jpg", "missing.jpg"):
        with pytest.raises(ImageError) as caught:
            decode_preview(tmp_path / name, 480)
        assert str(caught.value) == error_of(tmp_path / name)


@pytest.mark.parametrize("num_missing", [1, 2])
@pytest.mark.parametrize("progressive", [False, True])
def test_a_jpeg_without_its_end_is_shown_whole(tmp_path, photo, num_missing, progressive):
    photo.save(tmp_path / "whole.jpg", progressive=progressive)
    path = tmp_path / "cut.jpg"
    path.write_bytes((tmp_path / "whole.jpg").read_bytes()[:-num_missing])
    whole = decode_preview(tmp_path / "whole.jpg", 8)
    np.testing.assert_array_equal(np.asarray(decode_preview(path, 8)), np.asarray(whole))


# In bands


@pytest.fixture
def small_bands(monkeypatch):
    """Everything that can be decoded in bands is, some rows at a time."""
    monkeypatch.setattr(previews, "_PLAIN_PIXELS", 0)
    monkeypatch.setattr(previews, "BAND_PIXELS", 100)


def both_ways(path, monkeypatch, max_side):
    """A preview in bands, and the same with Pillow's own decoder."""
    in_bands = np.asarray(decode_preview(path, max_side))
    monkeypatch.setattr(previews, "_PLAIN_PIXELS", 1 << 40)
    return in_bands, np.asarray(decode_preview(path, max_side))


@pytest.mark.usefixtures("small_bands")
@pytest.mark.parametrize("max_side", [5, 11, 20, 37])
@pytest.mark.parametrize("name", [name for name in MODES if name.endswith("png")])
def test_bands_give_the_pixels_that_pillow_gives(tmp_path, photo, monkeypatch, name, max_side):
    path = tmp_path / name
    photo.convert(MODES[name]).save(path)
    in_bands, plain = both_ways(path, monkeypatch, max_side)
    np.testing.assert_array_equal(in_bands, plain)
    assert in_bands.shape[1] == max_side


@pytest.mark.usefixtures("small_bands")
@pytest.mark.parametrize("bits", [1, 2, 4])
def test_palettes_of_few_bits_come_in_bands(tmp_path, photo, monkeypatch, bits):
    photo.quantize(2**bits).save(tmp_path / "a.png", bits=bits, transparency=1)
    np.testing.assert_array_equal(*both_ways(tmp_path / "a.png", monkeypatch, 20))


@pytest.mark.usefixtures("small_bands")
@pytest.mark.parametrize(("colour", "channels"), [(0, 1), (2, 3), (4, 2), (6, 4)])
@pytest.mark.parametrize("bits", [8, 16])
def test_every_filter_comes_in_bands(tmp_path, monkeypatch, colour, channels, bits):
    """Rows of noise, filtered in turn by none, left, above, their mean, and Paeth."""
    noise = np.random.default_rng(3).integers(0, 256, (31, 1 + 17 * channels * bits // 8), np.uint8)
    noise[:, 0] = np.arange(31) % 5
    (tmp_path / "a.png").write_bytes(png(17, 31, bits, colour, zlib.compress(noise.tobytes())))
    np.testing.assert_array_equal(*both_ways(tmp_path / "a.png", monkeypatch, 31))


@pytest.mark.usefixtures("small_bands")
def test_16_bit_grey_in_bands_is_scaled_not_clipped(tmp_path):
    Image.fromarray(GREY_16).save(tmp_path / "a.png")
    expected = np.asarray(decode_image(tmp_path / "a.png"))
    np.testing.assert_array_equal(np.asarray(decode_preview(tmp_path / "a.png", 3)), expected)


@pytest.mark.usefixtures("small_bands")
@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_turned_photo_in_bands_is_upright(tmp_path, photo, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    photo.save(tmp_path / "a.png", exif=exif)
    shown = np.asarray(decode_preview(tmp_path / "a.png", 37))
    np.testing.assert_array_equal(shown, np.asarray(decode_image(tmp_path / "a.png")))


@pytest.mark.usefixtures("small_bands")
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_a_truncated_png_in_bands_is_an_error(tmp_path, share):
    noise = np.random.default_rng(0).integers(0, 256, (60, 80, 3), np.uint8)
    Image.fromarray(noise).save(tmp_path / "a.png")
    content = (tmp_path / "a.png").read_bytes()
    (tmp_path / "a.png").write_bytes(content[: int(len(content) * share)])
    with pytest.raises(ImageError, match="the file is damaged"):
        decode_preview(tmp_path / "a.png", 40)


@pytest.mark.usefixtures("small_bands")
def test_a_png_with_too_few_rows_is_an_error(tmp_path):
    (tmp_path / "a.png").write_bytes(png(9, 9, 8, 0, zlib.compress(bytes(80))))
    with pytest.raises(ImageError, match="the pixels end too early"):
        decode_preview(tmp_path / "a.png", 9)


@pytest.mark.usefixtures("small_bands")
@pytest.mark.parametrize("seed", range(20))
def test_no_damage_in_bands_raises_anything_but_an_image_error(tmp_path, photo, seed):
    rng = np.random.default_rng(seed)
    photo.quantize(16).save(tmp_path / "a.png") if seed % 2 else photo.save(tmp_path / "a.png")
    content = bytearray((tmp_path / "a.png").read_bytes())
    for position in rng.integers(8, len(content), 3):
        content[position] = rng.integers(256)
    (tmp_path / "a.png").write_bytes(content)
    with contextlib.suppress(ImageError):
        assert decode_preview(tmp_path / "a.png", 20).mode == "RGB"


# Memory


def large_png(path, side):
    """An RGB PNG of side x side pixels that has few bytes."""
    rows = zlib.compressobj()
    row = b"\0" + bytes(range(250)) * (3 * side // 250)
    data = b"".join(rows.compress(row) for _ in range(side)) + rows.flush()
    path.write_bytes(png(side, side, 8, 2, data))


@pytest.mark.slow
def test_four_pngs_of_100_megapixels_take_at_most_300_mb_together(tmp_path):
    """As a gallery and four visitors' detail views decode them, in one process."""
    large_png(tmp_path / "0.png", 10_000)
    assert (tmp_path / "0.png").stat().st_size < 1_500_000
    for i in (1, 2, 3):
        shutil.copy(tmp_path / "0.png", tmp_path / f"{i}.png")
    script = f"""
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from dashboard.images.thumbnails import CARD_SIDE, DETAIL_SIDE, ImageFile, thumbnail
def peak_mb():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024
def width(side, name):
    return thumbnail(ImageFile(Path({str(tmp_path)!r}), name), side).width
before = peak_mb()
sides, names = 4 * [CARD_SIDE] + 4 * [DETAIL_SIDE], 2 * [f"{{i}}.png" for i in range(4)]
with ThreadPoolExecutor(8) as pool:
    assert list(pool.map(width, sides, names)) == sides
print(peak_mb() - before)
"""
    grown_mb = float(run_script(script))
    assert 10 < grown_mb < 300


def run_script(script):
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("name", ["a.webp", "interlaced.png", "a.tiff", "progressive.jpg"])
def test_what_needs_too_much_memory_is_named_with_what_to_do(tmp_path, monkeypatch, name):
    monkeypatch.setattr(previews, "MEMORY_BYTES", 2_000_000)
    path = tmp_path / name
    if name == "interlaced.png":
        header = bytes((0, 0, 4, 0, 0, 0, 4, 0, 8, 2, 0, 0, 1))  # 1024 x 1024
        parts = chunk(b"IHDR", header) + chunk(b"IDAT", b"never read") + chunk(b"IEND", b"")
        path.write_bytes(b"\x89PNG\r\n\x1a\n" + parts)
    else:
        Image.new("RGB", (1024, 1024)).save(path, progressive=True, quality=95)
    kind = "JPEG" if name.endswith("jpg") else path.suffix[1:].upper()
    with pytest.raises(ImageError, match=rf"too large to show \({kind} of .* pixels\)\. Save it"):
        decode_preview(path, 480)


def test_images_wait_for_each_others_memory():
    memory = previews._Memory(100)
    held, order = threading.Event(), []

    def take(name, num_bytes):
        with memory.taken(num_bytes):
            order.append(name)
            held.wait(5)

    first = threading.Thread(target=take, args=("first", 60))
    first.start()
    while not order:
        pass
    second = threading.Thread(target=take, args=("second", 60))
    second.start()
    second.join(0.1)
    assert order == ["first"]
    held.set()
    first.join()
    second.join()
    assert order == ["first", "second"]
