"""Pixels before and after their journey: RGB from any image, and float input on the device.

Axes: B images of a batch, C channels, H height, W width.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import PIL.Image

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class PixelNormalisation:
    """Rescale and normalise on the device: `(pixel · factor − mean) / std`, in float32.

    Attributes:
        factor: What uint8 values are multiplied by; 1 if the processor does not rescale.
        mean: Of each channel, after rescaling.
        std: Of each channel, after rescaling.
    """

    factor: float
    mean: tuple[float, ...]
    std: tuple[float, ...]

    def __call__(self, pixels_BCHW: "torch.Tensor") -> "torch.Tensor":
        """Turn uint8 pixels into float32 model input, on the pixels' own device."""
        import torch

        options: dict[str, Any] = {"dtype": torch.float32, "device": pixels_BCHW.device}
        mean_C11 = torch.tensor(self.mean, **options).view(-1, 1, 1)
        std_C11 = torch.tensor(self.std, **options).view(-1, 1, 1)
        return (pixels_BCHW.to(torch.float32) * self.factor).sub_(mean_C11).div_(std_C11)


def as_rgb(image: PIL.Image.Image) -> PIL.Image.Image:
    """Make any decoded image RGB; transparency lies over white, as in transformers.

    Examples:
        >>> as_rgb(PIL.Image.new("LA", (1, 1), (0, 0))).getpixel((0, 0))
        (255, 255, 255)
    """
    if image.mode == "RGB" and "transparency" not in image.info:
        return image
    if "A" in image.getbands() or "transparency" in image.info:
        over = image.convert("RGBA")
        white = PIL.Image.new("RGBA", over.size, (255, 255, 255, 255))
        return PIL.Image.alpha_composite(white, over).convert("RGB")
    return image.convert("RGB")
