import numpy as np
import pytest
from PIL import Image

from tests.data.photos import HEIGHT, WIDTH


@pytest.fixture
def photo():
    """An image without symmetry, so that no turn or swapped axis goes unseen."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    return Image.fromarray(np.stack([x * 6, y * 10, x * y % 256], axis=-1).astype(np.uint8))


@pytest.fixture
def large_photo():
    """As `photo`, of 3 megapixels: 24 shades across, and colours that run down."""
    y, x = np.mgrid[:1365, :2201]
    pixels = np.stack([x // 92 * 10, y // 6, (x + y) // 15], axis=-1)
    return Image.fromarray(pixels.astype(np.uint8))


@pytest.fixture
def write(tmp_path):
    """A function that writes a manifest and gives its path."""

    def _write(content, name="test.csv"):
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return _write


@pytest.fixture
def paths(tmp_path):
    """Eleven images of 5 × 4 pixels whose first channel is their index; 3 and 4 are unreadable."""
    made = []
    for i in range(11):
        path = tmp_path / f"{i}.png"
        pixels = np.zeros((4, 5, 3), np.uint8)
        pixels[..., 0], pixels[..., 1], pixels[..., 2] = i, np.arange(5), np.arange(4)[:, None]
        Image.fromarray(pixels).save(path)
        made.append(path)
    made[3].write_bytes(b"not an image")
    made[4].unlink()
    return made
