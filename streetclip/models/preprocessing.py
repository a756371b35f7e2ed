"""Convert decoded images to uint8 pixels, and these to a model's inputs.

Rescaling and normalisation happen on the device. The `repr` of a preprocess names feature caches.

Images of SigLIP 2's NaFlex variants keep their shape. So that any shapes make one batch,
`PatchResize` lays uint8 patches out as a picture: row 0 holds how many patches high and wide the
image is, each further row one patch.

Axes: B images of a batch, H height, W width, C channels, N patches at most, P pixels of a patch.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import PIL.Image

from streetclip.errors import ModelError, shown

if TYPE_CHECKING:
    import torch

# Of larger images, such as long strips, only the crop is computed, to save memory.
_MAX_RESIZED_PIXELS = 16_000_000

# Converts an image to uint8 HWC; picklable, for decoding processes.
Preprocess = Callable[[PIL.Image.Image], np.ndarray]


class Crop(NamedTuple):
    """A part of an image, resized, described before the image is decoded."""

    box: tuple[float, float, float, float]  # left, top, right, bottom, in pixels of the image
    size: tuple[int, int]  # width and height of the result
    resample: int  # filter, as PIL numbers them (3: bicubic)


class CropPreprocess:
    """Compute the crop before an image is decoded; implements `FastPreprocess`."""

    def __call__(self, image: PIL.Image.Image) -> np.ndarray:
        """Prepare a decoded image."""
        image = as_rgb(image)
        crop = self.crop_of(image.width, image.height)
        filter_ = PIL.Image.Resampling(crop.resample)
        return self.finish(image.resize(crop.size, filter_, box=crop.box))

    def crop_of(self, width: int, height: int) -> Crop:
        """Get the part of an image to decode."""
        raise NotImplementedError

    def finish(self, cropped: PIL.Image.Image) -> np.ndarray:
        """Convert the crop to uint8 HWC."""
        return np.array(cropped)


@dataclass(frozen=True)
class ResizeCrop:
    """Resize, then crop the centre, as CLIP's and SigLIP's processors do."""

    resize_to: int | tuple[int, int]  # shortest edge, or height and width, in pixels
    resample: int  # filter, as PIL numbers them (3: bicubic)
    crop_height: int
    crop_width: int

    def __call__(self, image: PIL.Image.Image) -> np.ndarray:
        """Resize and crop an image to uint8 HWC."""
        image = as_rgb(image)
        height, width = self.resized_size(image.height, image.width)
        if height * width > _MAX_RESIZED_PIXELS:
            return FastResizeCrop(self)(image)
        resized = image.resize((width, height), PIL.Image.Resampling(self.resample))
        top, left = (height - self.crop_height) // 2, (width - self.crop_width) // 2
        box = (left, top, left + self.crop_width, top + self.crop_height)
        return np.array(resized.crop(box) if box != (0, 0, width, height) else resized)

    def resized_size(self, height: int, width: int) -> tuple[int, int]:
        """Get height and width after the resize, rounded as transformers does.

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
        """Get the part of an image that the centre crop shows."""
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
class FastResizeCrop(CropPreprocess):
    """Compute `ResizeCrop` with a single resize, equal up to rounding.

    Examples:
        >>> fast = FastResizeCrop(ResizeCrop(8, 3, crop_height=8, crop_width=6))
        >>> fast.crop_of(40, 16).box
        (14.0, 0.0, 26.0, 16.0)
    """

    exact: ResizeCrop

    def crop_of(self, width: int, height: int) -> Crop:
        """Get what the centre crop shows of an image."""
        return self.exact.crop_of(width, height)


@dataclass(frozen=True)
class PatchResize:
    """Resize to at most `max_num_patches` whole patches, and lay them out."""

    patch_size: int  # side in pixels
    max_num_patches: int
    resample: int

    def __call__(self, image: PIL.Image.Image) -> np.ndarray:
        """Return uint8 (N + 1, P, C): header row, patches, black padding."""
        image = as_rgb(image)
        size = self.resized_size(image.width, image.height)
        return self.lay_out(image.resize(size, PIL.Image.Resampling(self.resample)))

    def resized_size(self, width: int, height: int) -> tuple[int, int]:
        """Get width and height in pixels after the resize."""
        from transformers.models.siglip2.image_processing_pil_siglip2 import (
            get_image_size_for_max_num_patches,
        )

        resized = get_image_size_for_max_num_patches(
            height, width, self.patch_size, self.max_num_patches
        )
        return int(resized[1]), int(resized[0])

    def lay_out(self, resized: PIL.Image.Image) -> np.ndarray:
        """Lay out patches of a resized image: uint8 (N + 1, P, C)."""
        side = self.patch_size
        rows, columns = resized.height // side, resized.width // side
        grid = np.asarray(resized).reshape(rows, side, columns, side, 3).swapaxes(1, 2)
        laid_out = np.zeros((self.max_num_patches + 1, side * side, 3), np.uint8)
        laid_out[0, :2, :2] = divmod(rows, 256), divmod(columns, 256)
        laid_out[1 : 1 + rows * columns] = grid.reshape(rows * columns, side * side, 3)
        return laid_out


@dataclass(frozen=True)
class FastPatchResize(CropPreprocess):
    """`PatchResize` as a `CropPreprocess`; with equal pixels."""

    exact: PatchResize

    def crop_of(self, width: int, height: int) -> Crop:
        """Get the whole image, resized."""
        size = self.exact.resized_size(width, height)
        return Crop((0, 0, width, height), size, self.exact.resample)

    def finish(self, resized: PIL.Image.Image) -> np.ndarray:
        """Lay out the patches of the resized image."""
        return self.exact.lay_out(resized)


@dataclass(frozen=True)
class ProcessorGeometry:
    """Use any other processor's own resize and crop."""

    image_processor: Any

    def __call__(self, image: PIL.Image.Image) -> np.ndarray:
        """Resize and crop an image to uint8 HWC."""
        outputs = self.image_processor(
            images=as_rgb(image), do_rescale=False, do_normalize=False, return_tensors=None
        )
        pixels_CHW = np.asarray(outputs["pixel_values"][0])
        if pixels_CHW.dtype != np.uint8:  # some processors return floats
            pixels_CHW = np.clip(np.rint(pixels_CHW), 0, 255).astype(np.uint8)
        return np.ascontiguousarray(pixels_CHW.transpose(1, 2, 0))


def build_preprocess(image_processor: Any, *, exact: bool = True) -> Preprocess:
    """Build the resize and crop of an image processor.

    With `exact`, pixels are the processor's own; else, for a plain geometry, equal up to rounding,
    with a crop known before decoding. Raises ModelError if images keep their own sizes.
    """
    if hasattr(image_processor, "max_num_patches"):
        patches = PatchResize(
            image_processor.patch_size, image_processor.max_num_patches, _filter(image_processor)
        )
        return patches if exact else FastPatchResize(patches)
    crops = getattr(image_processor, "do_center_crop", False)
    size = dict(image_processor.size) if image_processor.do_resize else {}
    crop = dict(image_processor.crop_size or {}) if crops else {}
    if not size and not crop:
        msg = "the image processor neither resizes nor crops; expected pixels of one size."
        raise ModelError(msg)
    plain = _plain_resize_crop(image_processor, size, crop)
    if plain is None:
        return ProcessorGeometry(image_processor)
    return plain if exact else FastResizeCrop(plain)


def build_inputs(image_processor: Any) -> "Callable[[torch.Tensor], dict[str, Any]]":
    """Build the conversion of a batch of uint8 pixels to the model's inputs.

    On the pixels' device: `(pixel · factor − mean) / std` in float32. Raises ModelError unless
    mean and std are three numbers each.
    """
    factor = float(image_processor.rescale_factor) if image_processor.do_rescale else 1.0
    mean, std = (0.0,) * 3, (1.0,) * 3
    if image_processor.do_normalize:
        mean, std = (
            tuple(np.ravel(each).tolist())
            for each in (image_processor.image_mean, image_processor.image_std)
        )
    if len(mean) != 3 or len(std) != 3 or 0 in std:  # noqa: PLR2004 -- red, green, blue
        msg = f"the image processor's mean is {shown(mean)} and std {shown(std)}; "
        raise ModelError(msg + "expected three numbers each, no std of 0.")

    def normalise(pixels_BCHW: "torch.Tensor") -> "torch.Tensor":
        floats_BCHW = pixels_BCHW.float()
        mean_C11, std_C11 = (floats_BCHW.new_tensor(each).view(-1, 1, 1) for each in (mean, std))
        return (floats_BCHW * factor).sub_(mean_C11).div_(std_C11)

    if hasattr(image_processor, "max_num_patches"):
        return lambda pixels_BCNP: _patch_inputs(pixels_BCNP, normalise)
    return lambda pixels_BCHW: {"pixel_values": normalise(pixels_BCHW)}


def as_rgb(image: PIL.Image.Image) -> PIL.Image.Image:
    """Convert an image to RGB; transparency lies over white, as in transformers.

    Examples:
        >>> as_rgb(PIL.Image.new("LA", (1, 1), (0, 0))).getpixel((0, 0))
        (255, 255, 255)
    """
    if "A" in image.getbands() or "transparency" in image.info:
        over = image.convert("RGBA")
        white = PIL.Image.new("RGBA", over.size, (255, 255, 255, 255))
        image = PIL.Image.alpha_composite(white, over)
    return image if image.mode == "RGB" else image.convert("RGB")


def _plain_resize_crop(
    image_processor: Any, size: dict[str, int], crop: dict[str, int]
) -> ResizeCrop | None:
    """Read a processor's geometry, if it is a plain resize and crop."""
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
    return ResizeCrop(resize_to, _filter(image_processor), crop["height"], crop["width"])


def _filter(image_processor: Any) -> int:
    return 2 if image_processor.resample is None else int(image_processor.resample)


def _patch_inputs(
    pixels_BCNP: "torch.Tensor", normalise: "Callable[[torch.Tensor], torch.Tensor]"
) -> dict[str, Any]:
    """Make normalised patches, their mask, and the shape of each image in patches."""
    import torch

    header_B2C = pixels_BCNP[:, :, 0, :2].transpose(1, 2).to(torch.int64)
    shapes_B2 = header_B2C[:, :, 0] * 256 + header_B2C[:, :, 1]
    patches_BND = normalise(pixels_BCNP[:, :, 1:]).permute(0, 2, 3, 1).flatten(2)
    positions_N = torch.arange(patches_BND.shape[1], device=patches_BND.device)
    mask_BN = positions_N < shapes_B2.prod(dim=1, keepdim=True)
    return {
        "pixel_values": patches_BND * mask_BN.unsqueeze(-1),
        "pixel_attention_mask": mask_BN.to(torch.int32),
        "spatial_shapes": shapes_B2,
    }
