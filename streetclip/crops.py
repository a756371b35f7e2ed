"""Describe the crop of an image that a model sees, before the image is decoded."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Crop:
    """A part of an image, resized.

    Attributes:
        box: Left, top, right, bottom of the part, in fractional pixels of the whole upright image.
        size: Width and height of the result, in pixels.
        resample: Filter, as PIL numbers them (3: bicubic).
    """

    box: tuple[float, float, float, float]
    size: tuple[int, int]
    resample: int

    @property
    def shrinking(self) -> float:
        """Pixels of the image per pixel of the result, along the axis with fewer.

        Examples:
            >>> Crop((0, 0, 400, 300), size=(100, 50), resample=3).shrinking
            4.0
        """
        left, top, right, bottom = self.box
        return min((right - left) / self.size[0], (bottom - top) / self.size[1])
