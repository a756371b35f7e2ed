"""SigLIP 2's NaFlex variants: images keep their shape and travel as a list of patches.

So that images of any shape make one batch, `PatchResize` lays the uint8 patches out as a picture:
row 0 holds how many patches high and wide the image is, each further row one patch.

Axes: B images of a batch, N patches at most, P pixels of a patch, C channels.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import PIL.Image

from streetclip.crops import Crop
from streetclip.models.pixel_values import PixelNormalisation, as_rgb

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class PatchResize:
    """Resize to whole patches, at most `max_num_patches`, keeping the shape; then lay them out.

    Attributes:
        patch_size: Side of a patch in pixels.
        max_num_patches: N, most patches of an image.
        resample: Filter, as PIL numbers them (2: bilinear).
    """

    patch_size: int
    max_num_patches: int
    resample: int

    def __call__(self, image: PIL.Image.Image) -> np.ndarray:
        """Return uint8 of shape (N + 1, P, C): the header row, the patches, black padding."""
        image = as_rgb(image)
        size = self.resized_size(image.width, image.height)
        return self.lay_out(image.resize(size, PIL.Image.Resampling(self.resample)))

    def resized_size(self, width: int, height: int) -> tuple[int, int]:
        """Width and height in pixels after the resize."""
        from transformers.models.siglip2.image_processing_pil_siglip2 import (
            get_image_size_for_max_num_patches,
        )

        resized = get_image_size_for_max_num_patches(
            height, width, self.patch_size, self.max_num_patches
        )
        return int(resized[1]), int(resized[0])

    def lay_out(self, resized: PIL.Image.Image) -> np.ndarray:
        """Lay the patches of a resized image out, as the call returns them."""
        side = self.patch_size
        rows, columns = resized.height // side, resized.width // side
        grid = np.asarray(resized).reshape(rows, side, columns, side, 3).swapaxes(1, 2)
        laid_out = np.zeros((self.max_num_patches + 1, side * side, 3), np.uint8)
        laid_out[0, :2, :2] = divmod(rows, 256), divmod(columns, 256)
        laid_out[1 : 1 + rows * columns] = grid.reshape(rows * columns, side * side, 3)
        return laid_out


@dataclass(frozen=True)
class FastPatchResize:
    """`PatchResize` that tells what it needs before an image is decoded.

    Attributes:
        exact: What it stands in for; of a decoded image it makes the same.
    """

    exact: PatchResize

    def __call__(self, image: PIL.Image.Image) -> np.ndarray:
        """Return what `PatchResize` does."""
        return self.exact(image)

    def crop_of(self, width: int, height: int) -> Crop:
        """Tell what is needed of an image: all of it."""
        size = self.exact.resized_size(width, height)
        return Crop((0, 0, width, height), size, self.exact.resample)

    def finish(self, resized: PIL.Image.Image) -> np.ndarray:
        """Lay out the patches of what `crop_of` asked for."""
        return self.exact.lay_out(resized)


@dataclass(frozen=True)
class PatchInputs:
    """Turn what `PatchResize` laid out into the model's inputs, on the device."""

    normalise: PixelNormalisation

    def __call__(self, pixels_BCNP: "torch.Tensor") -> dict[str, Any]:
        """Make normalised patches, their mask, and the shape of each image in patches."""
        import torch

        header_B2C = pixels_BCNP[:, :, 0, :2].transpose(1, 2).to(torch.int64)
        shapes_B2 = header_B2C[:, :, 0] * 256 + header_B2C[:, :, 1]
        patches_BCNP = self.normalise(pixels_BCNP[:, :, 1:])
        patches_BND = patches_BCNP.permute(0, 2, 3, 1).flatten(2)
        positions_N = torch.arange(patches_BND.shape[1], device=patches_BND.device)
        mask_BN = positions_N < shapes_B2.prod(dim=1, keepdim=True)
        return {
            "pixel_values": patches_BND * mask_BN.unsqueeze(-1),
            "pixel_attention_mask": mask_BN.to(torch.int32),
            "spatial_shapes": shapes_B2,
        }
