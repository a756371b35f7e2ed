"""Crop, colour and mirror training images at random."""

import math
from dataclasses import dataclass

import numpy as np
import PIL.Image
import PIL.ImageEnhance

from streetclip.config.train_options import DataOptions
from streetclip.crops import Crop
from streetclip.errors import ConfigError
from streetclip.models.preprocessing import CropPreprocess, FastResizeCrop, Preprocess, ResizeCrop

# By how much a crop is stretched at most, as in Szegedy et al. 2015 (arXiv 1409.4842), section 6.
# The share of the area is there that of the whole image; here that of the largest crop of its shape
# that fits, so that a panorama, too, is cropped in another place each time.
_LARGEST_STRETCH = 4 / 3
_ENHANCERS = (PIL.ImageEnhance.Brightness, PIL.ImageEnhance.Contrast, PIL.ImageEnhance.Color)
# What is drawn before decoding, and what after: streams of their own.
_CROP, _FINISH = 0, 1


@dataclass(frozen=True)
class Augmentation:
    """A preprocess that shows an image differently at each visit: a `RandomPreprocess`.

    Attributes:
        crop_scale: Least area of a random crop, as a share of the largest crop of its shape that
            fits into the image, above 0; 1 takes the centre crop instead.
        colour_jitter: Brightness, contrast and saturation are multiplied by factors of
            1 ± so much at most, 0..1, in random order.
    """

    resize_crop: ResizeCrop  # geometry of the model
    crop_scale: float = 1.0
    colour_jitter: float = 0.0
    horizontal_flip: float = 0.0  # chance of a mirrored image, 0..1
    exact: bool = False  # have every pixel decoded

    def drawn(self, draw: int) -> "Preprocess | DrawnCrop":
        """Get what is done at the visit of this number."""
        drawn = DrawnCrop(self, draw)
        return drawn.exactly if self.exact else drawn


@dataclass(frozen=True)
class DrawnCrop(CropPreprocess):
    """What is done with an image at one visit."""

    options: Augmentation
    draw: int

    def exactly(self, image: PIL.Image.Image) -> np.ndarray:
        """Do the same, the centre crop by the processor's own resize."""
        if self.options.crop_scale < 1:
            return self(image)
        return self.finish(PIL.Image.fromarray(self.options.resize_crop(image)))

    def crop_of(self, width: int, height: int) -> Crop:
        """Get the centre, or a crop of random area, shape and place."""
        centre = self.options.resize_crop.crop_of(width, height)
        if self.options.crop_scale == 1:
            return centre
        random = np.random.default_rng([self.draw, _CROP])
        stretch, share, across, down = random.random(4).tolist()
        ratio = centre.size[0] / centre.size[1] * _LARGEST_STRETCH ** (2 * stretch - 1)
        least = self.options.crop_scale
        side = math.sqrt(least + (1 - least) * share)
        crop_width = side * min(width, height * ratio)
        crop_height = min(crop_width / ratio, height)  # rounding must not lead beyond
        left, top = (width - crop_width) * across, (height - crop_height) * down
        box = (left, top, min(left + crop_width, width), min(top + crop_height, height))
        return Crop(box, centre.size, centre.resample)

    def finish(self, cropped: PIL.Image.Image) -> np.ndarray:
        """Turn what `crop_of` asked for into uint8 HWC, mirrored and with other colours."""
        random = np.random.default_rng([self.draw, _FINISH])
        if random.random() < self.options.horizontal_flip:
            cropped = cropped.transpose(PIL.Image.Transpose.FLIP_LEFT_RIGHT)
        strength = self.options.colour_jitter
        if strength:
            factors = random.uniform(1 - strength, 1 + strength, len(_ENHANCERS)).tolist()
            for index in random.permutation(len(_ENHANCERS)):
                cropped = _ENHANCERS[index](cropped).enhance(factors[index])
        return np.array(cropped)


def build_augmentation(preprocess: Preprocess, options: DataOptions) -> Preprocess | Augmentation:
    """Add random changes to a preprocess, exact or fast.

    Raises:
        ConfigError: The preprocess is not a plain resize and crop.
    """
    chosen = {
        flag: getattr(options, flag)
        for flag, off in (("crop_scale", 1), ("colour_jitter", 0), ("horizontal_flip", 0))
        if getattr(options, flag) != off
    }
    if not chosen:
        return preprocess
    if isinstance(preprocess, FastResizeCrop):
        return Augmentation(preprocess.exact, **chosen)
    if isinstance(preprocess, ResizeCrop):
        return Augmentation(preprocess, **chosen, exact=True)
    flags = ", ".join(f"--{flag} {value:g}" for flag, value in chosen.items())
    msg = (
        f"{flags}: the model's images are prepared by {type(preprocess).__name__}; expected a "
        "plain resize and crop, which alone can be changed at random. Leave these flags out, or "
        "choose a model with images of one size."
    )
    raise ConfigError(msg)
