"""From a decoded image to the uint8 pixels that a model takes.

Pixels travel as uint8, a quarter of float32, after the image processor's own resize and crop;
rescaling and normalisation happen on the device (`PixelNormalisation`).

Axes: B images of a batch, H height, W width, C channels.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import PIL.Image

from streetclip.crops import Crop
from streetclip.errors import ModelError, shown
from streetclip.models.naflex_patches import FastPatchResize, PatchInputs, PatchResize
from streetclip.models.pixel_values import PixelNormalisation, as_rgb

if TYPE_CHECKING:
    import torch

# Above this many pixels after the resize (an image 140 times longer than wide, at 336 px) only
# the part that the crop keeps is computed: a strip of 1 × 100,000 pixels would take gigabytes.
_MAX_RESIZED_PIXELS = 16_000_000


class Preprocess(Protocol):
    """What turns an RGB image into uint8 pixels HWC; picklable, for decoding processes."""

    def __call__(self, image: PIL.Image.Image) -> np.ndarray:
        """Resize and crop one image."""


@dataclass(frozen=True)
class ResizeCrop:
    """Resize, then crop the centre: what the image processors of CLIP and SigLIP do.

    Attributes:
        resize_to: Height and width in pixels, or the length of the shortest edge.
        resample: Filter, as PIL numbers them (3: bicubic).
        crop_height: Height of the result in pixels.
        crop_width: Width of the result in pixels.

    Examples:
        >>> crop = ResizeCrop(resize_to=8, resample=3, crop_height=8, crop_width=6)
        >>> crop(PIL.Image.new("RGB", (40, 20))).shape
        (8, 6, 3)
    """

    resize_to: int | tuple[int, int]
    resample: int
    crop_height: int
    crop_width: int

    def __call__(self, image: PIL.Image.Image) -> np.ndarray:
        """Resize and crop one image to uint8 HWC."""
        image = as_rgb(image)
        height, width = self.resized_size(image.height, image.width)
        top, left = (height - self.crop_height) // 2, (width - self.crop_width) // 2
        if height * width > _MAX_RESIZED_PIXELS:
            return FastResizeCrop(self)(image)
        resized = image.resize((width, height), PIL.Image.Resampling(self.resample))
        box = (left, top, left + self.crop_width, top + self.crop_height)
        return np.array(resized.crop(box) if box != (0, 0, width, height) else resized)

    def resized_size(self, height: int, width: int) -> tuple[int, int]:
        """Height and width after the resize, rounded as transformers does.

        Examples:
            >>> ResizeCrop(336, 3, 336, 336).resized_size(480, 641)
            (336, 448)
        """
        if isinstance(self.resize_to, tuple):
            return self.resize_to
        edge = self.resize_to
        if width <= height:
            return int(edge * height / width), edge
        return edge, int(edge * width / height)

    def crop_of(self, width: int, height: int) -> Crop:
        """Tell what the crop shows of an image, in its own pixels."""
        resized_height, resized_width = self.resized_size(height, width)
        top = (resized_height - self.crop_height) // 2
        left = (resized_width - self.crop_width) // 2
        down, across = height / resized_height, width / resized_width
        box = (
            left * across,
            top * down,
            min((left + self.crop_width) * across, width),  # rounding must not lead beyond
            min((top + self.crop_height) * down, height),
        )
        return Crop(box, (self.crop_width, self.crop_height), self.resample)


@dataclass(frozen=True)
class FastResizeCrop:
    """`ResizeCrop` with a single resize, of that part alone that the crop keeps.

    The pixels are those of `ResizeCrop` but for rounding. It tells what it needs before an image is
    decoded, so that of a large one no more is decoded (`datasets.images.decode_crop`).

    Attributes:
        exact: What it stands in for.

    Examples:
        >>> fast = FastResizeCrop(ResizeCrop(8, 3, crop_height=8, crop_width=6))
        >>> fast.crop_of(40, 16).box
        (14.0, 0.0, 26.0, 16.0)
    """

    exact: ResizeCrop

    def __call__(self, image: PIL.Image.Image) -> np.ndarray:
        """Resize and crop one image to uint8 HWC."""
        image = as_rgb(image)
        crop = self.crop_of(image.width, image.height)
        return self.finish(
            image.resize(crop.size, PIL.Image.Resampling(crop.resample), box=crop.box)
        )

    def crop_of(self, width: int, height: int) -> Crop:
        """Tell what is needed of an image."""
        return self.exact.crop_of(width, height)

    def finish(self, cropped: PIL.Image.Image) -> np.ndarray:
        """Turn what `crop_of` asked for into uint8 HWC."""
        return np.array(cropped)


@dataclass(frozen=True)
class ProcessorGeometry:
    """Any other image processor's own resize and crop, through the processor itself."""

    image_processor: Any

    def __call__(self, image: PIL.Image.Image) -> np.ndarray:
        """Resize and crop one image to uint8 HWC."""
        outputs = self.image_processor(
            images=as_rgb(image), do_rescale=False, do_normalize=False, return_tensors=None
        )
        pixels_CHW = np.asarray(outputs["pixel_values"][0])
        if pixels_CHW.dtype != np.uint8:
            # Some processors hand on whole numbers as floats.
            pixels_CHW = np.clip(np.rint(pixels_CHW), 0, 255).astype(np.uint8)
        return np.ascontiguousarray(pixels_CHW.transpose(1, 2, 0))


def build_preprocess(image_processor: Any, *, exact: bool = True) -> Preprocess:
    """Make the resize and crop of an image processor.

    Args:
        image_processor: Of the model.
        exact: Give the processor's own pixels. Else, where the geometry is a plain one, nearly the
            same ones, in a form that tells what it needs before an image is decoded.

    Raises:
        ModelError: The processor leaves images in their own sizes, so that they make no batch.
    """
    if hasattr(image_processor, "max_num_patches"):
        patches = _patch_resize(image_processor)
        return patches if exact else FastPatchResize(patches)
    size = dict(image_processor.size) if image_processor.do_resize else {}
    crop = dict(image_processor.crop_size or {}) if _crops(image_processor) else {}
    if not size and not crop:
        msg = "the image processor neither resizes nor crops; expected pixels of one size."
        raise ModelError(msg)
    plain = _plain_resize_crop(image_processor, size, crop)
    if plain is None:
        return ProcessorGeometry(image_processor)
    return plain if exact else FastResizeCrop(plain)


def build_inputs(image_processor: Any) -> "Callable[[torch.Tensor], dict[str, Any]]":
    """Make what turns a batch of `build_preprocess`'s pixels into the model's inputs.

    Raises:
        ModelError: The processor's normalisation is not one of three channels.
    """
    normalise = build_normalisation(image_processor)
    if hasattr(image_processor, "max_num_patches"):
        return PatchInputs(normalise)
    return lambda pixels_BCHW: {"pixel_values": normalise(pixels_BCHW)}


def build_normalisation(image_processor: Any) -> PixelNormalisation:
    """Read an image processor's rescaling and normalisation.

    Raises:
        ModelError: Mean and standard deviation are not three numbers each.
    """
    factor = float(image_processor.rescale_factor) if image_processor.do_rescale else 1.0
    if not image_processor.do_normalize:
        return PixelNormalisation(factor, (0.0,) * 3, (1.0,) * 3)
    mean, std = tuple(image_processor.image_mean), tuple(image_processor.image_std)
    if len(mean) != 3 or len(std) != 3 or 0 in std:  # noqa: PLR2004 -- red, green, blue
        msg = f"the image processor's mean is {shown(mean)} and std {shown(std)}; "
        raise ModelError(msg + "expected three numbers each, no std of 0.")
    return PixelNormalisation(factor, mean, std)


def _plain_resize_crop(image_processor: Any, size: Any, crop: Any) -> ResizeCrop | None:
    """The fast way, if the processor does nothing but a plain resize and centre crop."""
    from transformers.image_processing_backends import PilBackend

    kind = type(image_processor)
    steps = ("_preprocess", "resize", "center_crop", "process_image")
    if not isinstance(image_processor, PilBackend) or any(
        getattr(kind, step) is not getattr(PilBackend, step) for step in steps
    ):
        return None
    if set(size) == {"shortest_edge"} and set(crop) == {"height", "width"}:
        resize_to: int | tuple[int, int] = size["shortest_edge"]
        shortest = (size["shortest_edge"],) * 2
    elif set(size) == {"height", "width"}:
        resize_to = shortest = (size["height"], size["width"])
        crop = crop or size
    else:
        return None
    if crop["height"] > shortest[0] or crop["width"] > shortest[1]:
        return None  # the processor pads with black
    resample = 2 if image_processor.resample is None else int(image_processor.resample)
    return ResizeCrop(resize_to, resample, crop["height"], crop["width"])


def _patch_resize(image_processor: Any) -> PatchResize:
    resample = 2 if image_processor.resample is None else int(image_processor.resample)
    return PatchResize(image_processor.patch_size, image_processor.max_num_patches, resample)


def _crops(image_processor: Any) -> bool:
    return bool(getattr(image_processor, "do_center_crop", False))
