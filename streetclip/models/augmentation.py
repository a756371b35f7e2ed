"""Crop, colour and mirror training images at random."""

import math
from dataclasses import dataclass

import numpy as np
import PIL.Image
import PIL.ImageEnhance

from streetclip.config.train_options import DataOptions
from streetclip.errors import ConfigError
from streetclip.models.preprocessing import (
    Crop,
    CropPreprocess,
    FastResizeCrop,
    Preprocess,
    ResizeCrop,
)

# As in Szegedy et al. 2015 (arXiv 1409.4842), section 6; but areas are shares of the largest crop
# that fits, so that crops of panoramas vary in place too.
_LARGEST_STRETCH = 4 / 3
_ENHANCERS = (PIL.ImageEnhance.Brightness, PIL.ImageEnhance.Contrast, PIL.ImageEnhance.Color)
# Streams of random numbers: before and after decoding.
_CROP, _FINISH = 0, 1


@dataclass(frozen=True)
class Augmentation:
    """Change an image differently at each visit; implements `RandomPreprocess`."""

    resize_crop: ResizeCrop  # geometry of the model
    crop_scale: float = 1.0  # least area, share of the largest crop that fits, > 0; 1 is the centre
    colour_jitter: float = 0.0  # brightness, contrast, saturation times 1 ± this at most, 0..1
    horizontal_flip: float = 0.0  # chance of a mirrored image, 0..1
    exact: bool = False  # have every pixel decoded

    def drawn(self, draw: int) -> "Preprocess | DrawnCrop":
        """Get the preprocess of one visit."""
        drawn = DrawnCrop(self, draw)
        return drawn.exactly if self.exact else drawn


@dataclass(frozen=True)
class DrawnCrop(CropPreprocess):
    """Crop and change an image as drawn for one visit."""

    options: Augmentation
    draw: int

    def exactly(self, image: PIL.Image.Image) -> np.ndarray:
        """Prepare an image, with the processor's own resize for centre crops."""
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
        """Mirror and recolour a crop; return uint8 HWC."""
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
    """Add random changes to a preprocess; ConfigError unless a plain resize and crop."""
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
