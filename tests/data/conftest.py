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
