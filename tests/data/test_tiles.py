import io
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from streetclip.data import tiles
from streetclip.data.decoding import decode_image
from streetclip.data.tiles import cut_tiles
from streetclip.errors import ImageError
from tests.data.test_previews import large_png

ROOT = Path(__file__).parents[2]
SIDE = 16


@pytest.fixture(autouse=True)
def small_tiles(monkeypatch):
    monkeypatch.setattr(tiles, "TILE_SIDE", SIDE)


@pytest.fixture
def smooth():
    """A photo without fine detail, each quarter of it different."""
    across, down = np.meshgrid(np.linspace(0, 200, 104), np.linspace(0, 250, 72))
    return Image.fromarray(np.dstack([across, down, 255 - across]).astype(np.uint8))


def joined(cut, size):
    """The tiles put together; each must have the size that its place leaves."""
    whole = Image.new("RGB", size)
    for (column, row), jpeg in cut.items():
        with Image.open(io.BytesIO(jpeg)) as tile:
            left, top = column * SIDE, row * SIDE
            assert tile.size == (min(SIDE, size[0] - left), min(SIDE, size[1] - top))
            whole.paste(tile.convert("RGB"), (left, top))
    assert len(cut) == -(-size[0] // SIDE) * -(-size[1] // SIDE)
    return np.asarray(whole).astype(int)


@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.webp"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_tiles_make_the_upright_photo(tmp_path, smooth, name, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    smooth.save(tmp_path / name, exif=exif, quality=95)
    whole = decode_image(tmp_path / name)
    for scale in (1, 2, 4):
        reduced = whole.reduce(scale)
        cut = cut_tiles(tmp_path / name, scale)
        assert list(cut) == ([scale] if name == "a.jpg" else [1, 2, 4, 8])
        found = joined(cut[scale], reduced.size)
        assert np.abs(found - np.asarray(reduced).astype(int)).mean() < (2 if scale == 1 else 5)


@pytest.mark.parametrize("colour_scale", [2, 4])
@pytest.mark.parametrize("size", [(104, 72), (101, 71)])
def test_a_jpeg_too_large_as_rgb_is_decoded_by_brightness_and_colour(
    tmp_path, smooth, monkeypatch, colour_scale, size
):
    smooth.resize(size).save(tmp_path / "a.jpg", quality=95, subsampling=0)
    monkeypatch.setattr(tiles, "_COLOUR_SCALES", (colour_scale,))
    monkeypatch.setattr(tiles, "BAND_PIXELS", 500)
    whole = np.asarray(decode_image(tmp_path / "a.jpg")).astype(int)
    with Image.open(tmp_path / "a.jpg") as image:
        needed_bytes = tiles._split_bytes(image, colour_scale) + tiles._row_bytes(size[0])
    monkeypatch.setattr(tiles, "MEMORY_BYTES", needed_bytes)
    monkeypatch.setattr(tiles, "reduced_bands", None)  # not decoded as RGB
    assert np.abs(joined(cut_tiles(tmp_path / "a.jpg", 1)[1], size) - whole).mean() < 2


def test_what_needs_too_much_memory_at_full_size_is_refused(tmp_path, smooth, monkeypatch):
    smooth.convert("CMYK").save(tmp_path / "a.jpg")
    monkeypatch.setattr("streetclip.data.previews.MEMORY_BYTES", 100_000)
    with pytest.raises(ImageError, match=r"too large to show \(JPEG of 104 × 72 pixels\)"):
        cut_tiles(tmp_path / "a.jpg", 1)


def test_a_jpeg_without_its_end_is_cut_and_a_damaged_one_refused(tmp_path, smooth):
    smooth.save(tmp_path / "a.jpg")
    content = (tmp_path / "a.jpg").read_bytes()
    (tmp_path / "a.jpg").write_bytes(content[:-1])
    assert len(cut_tiles(tmp_path / "a.jpg", 1)[1]) == 35
    (tmp_path / "a.jpg").write_bytes(content[: len(content) // 2])
    with pytest.raises(ImageError, match="the file is damaged"):
        cut_tiles(tmp_path / "a.jpg", 1)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["a.jpg", "a.png"])
def test_100_megapixels_are_cut_in_seconds_and_within_300_mb(tmp_path, name):
    """Measured alone: 1.4 s and 200 MB for a JPEG of 26 MB."""
    large_png(tmp_path / "a.png", 10_000)
    if name == "a.jpg":
        few = np.random.default_rng(0).integers(0, 256, (500, 1000, 3), np.uint8)
        photo = Image.fromarray(few).resize((14_000, 7_000), Image.Resampling.BILINEAR)
        photo.save(tmp_path / name, quality=90)
    script = f"""
import time
from pathlib import Path
from streetclip.data.tiles import cut_tiles
def peak_mb():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024
before = peak_mb()
started = time.process_time()
print(len(cut_tiles(Path({str(tmp_path / name)!r}), 1)[1]))
print(time.process_time() - started, peak_mb() - before)
"""
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    num_tiles, cpu_s, grown_mb = map(float, done.stdout.split())
    assert num_tiles == {"a.jpg": 28 * 14, "a.png": 20 * 20}[name]
    assert cpu_s < 15  # twice on a machine that is busy
    assert 20 < grown_mb < 300
