"""A dual encoder: images and texts to unit vectors of one space.

Axes: B images of a batch, T texts, D embedding, C channels, H height, W width.
"""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import torch

from streetclip.errors import ModelError
from streetclip.models.device_memory import Portions, keep_freed_memory
from streetclip.models.inference import ImageTower, pooled_token_alone
from streetclip.models.precision import Precision
from streetclip.models.preprocessing import build_inputs, build_preprocess
from streetclip.models.text_reader import TextReader
from streetclip.models.weights import weights_sha256
from streetclip.progress import Progress, no_progress

if TYPE_CHECKING:
    from streetclip.captions import PromptSet

# On a CPU, math libraries multiply rows in blocks of 4 or 8, and what is left over by other code,
# whose sums end in other bits.
_BLOCK_ROWS = 8


class DualEncoder:
    """A CLIP-like model of transformers with its tokenizer and image processor.

    Features equal those of transformers' own classes; in float32 within 1e-5.

    On a CPU, rows are padded to a multiple of 8, so that an image's features have the same bits in
    every batch, on one thread or two; on other numbers of threads, and between batch sizes on a
    GPU, they may differ by 1e-7. When the device runs out of memory, half as many rows are
    encoded at a time from then on, with a warning; below 8 rows on a CPU that may change features
    by 1e-7.

    `load_encoder` makes one; ModelError means that the model is no dual encoder.

    Attributes:
        model, tokenizer, image_processor: Of transformers; the model is on `device`, its
            parameters in float32.
        source: Where the model came from, as the user named it.
        precision: In which number format it computes, and why.
        prompts: Those it was trained with; None for a foreign checkpoint.
        training: Record of its training; of a foreign checkpoint, its licence at most.
        preprocess: PIL image → uint8 HWC, the processor's own resize and crop; picklable.
        fast_preprocess: The same but for small differences; of large JPEG files it has only as
            much decoded as it needs.
        text_reader: What the model reads of a text.
    """

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        image_processor: Any,
        *,
        source: str,
        precision: Precision,
        prompts: "PromptSet | None" = None,
        training: dict[str, Any] | None = None,
    ) -> None:
        _check_dual_encoder(model, source)
        self.model = model
        self.tokenizer = tokenizer
        self.image_processor = image_processor
        self.source = source
        self.precision = precision
        self.prompts = prompts
        self.training = training or {}
        self.preprocess = build_preprocess(image_processor)
        self.fast_preprocess = build_preprocess(image_processor, exact=False)
        self.text_reader = TextReader.of_model(tokenizer, model.config)
        self._to_inputs = build_inputs(image_processor)
        self._image_tower = ImageTower(model, precision.dtype)
        self._image_portions = Portions("image", "--batch_size")
        self._text_portions = Portions("text")

    @property
    def device(self) -> torch.device:
        """Where the model's parameters are."""
        device: torch.device = self.model.logit_scale.device
        return device

    @property
    def sha256(self) -> str:
        """Hash of the weights as they are now; see `weights_sha256`."""
        return weights_sha256(self.model.state_dict())

    @property
    def logit_scale(self) -> float:
        """What cosines are multiplied by before a softmax: exp of the model's parameter."""
        return float(self.model.logit_scale.detach().exp())

    @property
    def logit_bias(self) -> float | None:
        """What SigLIP adds to the scaled cosines; None for CLIP."""
        bias = getattr(self.model, "logit_bias", None)
        return None if bias is None else float(bias.detach())

    @cached_property
    def embedding_dim(self) -> int:
        """D, the length of a feature vector."""
        return self.encode_texts(["a"]).shape[1]

    def encode_images(self, pixels_BCHW: torch.Tensor) -> torch.Tensor:
        """Encode images, without gradients, in evaluation mode; see `image_features`.

        Raises:
            ResourceError: The device has too little memory for a single image.
        """
        num_images = len(pixels_BCHW)
        if missing := self._rows_missing(num_images):
            pixels_BCHW = torch.cat([pixels_BCHW, pixels_BCHW[-1:].expand(missing, -1, -1, -1)])
        tower = self._image_tower
        compute = tower.under_autocast if self.precision.is_mixed else tower
        with self._inference(), pooled_token_alone(self.model):
            features_BD = self._image_portions(
                lambda rows: self._image_features(pixels_BCHW[rows], compute),
                len(pixels_BCHW),
                self.device,
            )
        return features_BD[:num_images]

    def fixed_weights(self) -> contextlib.AbstractContextManager[None]:
        """Let `encode_images` cast weights once for the whole block, not once a call.

        Nothing may change the weights inside the block: no optimizer step, no swapped average, no
        merged adapter. Outside of such a block weights are always read as they are.
        """
        return self._image_tower.fixed_weights()

    def encode_texts(
        self, texts: Sequence[str], *, batch_size: int = 256, progress: Progress = no_progress
    ) -> torch.Tensor:
        """Encode texts, without gradients, in evaluation mode.

        Texts are sorted by length into batches, so that little is computed on padding. A text
        that is longer than the model reads is cut off (see `text_reader`).

        Returns:
            Text features TD, float32, of length 1, on `device`, in the order of `texts`.

        Raises:
            ResourceError: The device has too little memory for a single text.
        """
        order = sorted(range(len(texts)), key=lambda index: (len(texts[index]), texts[index]))
        features = []
        with self._inference():
            for start in range(0, len(order), batch_size):
                chunk = [texts[index] for index in order[start : start + batch_size]]
                features.append(self._encode_chunk(chunk))
                progress(start + len(chunk), len(texts))
        if not features:
            return torch.empty(0, self.embedding_dim, device=self.device)
        sorted_TD = torch.cat(features)
        features_TD = torch.empty_like(sorted_TD)
        features_TD[order] = sorted_TD
        return features_TD

    def image_features(self, pixels_BCHW: torch.Tensor) -> torch.Tensor:
        """Encode images with gradients, in the model's mode.

        Args:
            pixels_BCHW: uint8, from `preprocess` or `fast_preprocess`; on any device.

        Returns:
            Image features BD, float32, of length 1, on `device`.
        """
        return self._image_features(pixels_BCHW, self._image_tower)

    def text_features(self, texts: Sequence[str]) -> torch.Tensor:
        """Encode one batch of texts with gradients, in the model's mode."""
        inputs = self.text_reader.inputs(texts)
        with self._autocast():
            output = self.model.get_text_features(**inputs.to(self.device))
        return _unit(output)

    def _image_features(
        self, pixels_BCHW: torch.Tensor, compute: Callable[..., Any]
    ) -> torch.Tensor:
        if pixels_BCHW.dtype != torch.uint8:
            msg = f"pixels are {pixels_BCHW.dtype}; expected uint8, as from DualEncoder.preprocess"
            raise TypeError(msg)
        inputs = self._to_inputs(pixels_BCHW.to(self.device, non_blocking=True))
        with self._autocast():
            output = compute(**inputs)
        return _unit(output)

    def _encode_chunk(self, texts: list[str]) -> torch.Tensor:
        filled = texts + [""] * self._rows_missing(len(texts))
        features_TD = self._text_portions(
            lambda rows: self.text_features(filled[rows]), len(filled), self.device
        )
        return features_TD[: len(texts)]

    def _rows_missing(self, num_rows: int) -> int:
        return -num_rows % _BLOCK_ROWS if self.device.type == "cpu" else 0

    def _autocast(self) -> contextlib.AbstractContextManager[None]:
        return torch.autocast(
            self.device.type, dtype=self.precision.dtype, enabled=self.precision.is_mixed
        )

    @contextlib.contextmanager
    def _inference(self) -> Iterator[None]:
        if self.device.type == "cpu":
            keep_freed_memory()
        was_training = self.model.training
        self.model.eval()
        try:
            with torch.no_grad():
                yield
        finally:
            self.model.train(was_training)


def _unit(output: Any) -> torch.Tensor:
    """Scale the features of a transformers output to length 1."""
    features = output if isinstance(output, torch.Tensor) else output.pooler_output
    if features.dtype != torch.float64:
        features = features.float()
    return torch.nn.functional.normalize(features, dim=-1)


def _check_dual_encoder(model: Any, source: str) -> None:
    needed = ("get_image_features", "get_text_features", "logit_scale")
    missing = [name for name in needed if not hasattr(model, name)]
    if missing:
        msg = (
            f"{source}: is a {type(model).__name__}, which has no {' and no '.join(missing)}; "
            "expected a dual encoder such as CLIP, SigLIP or SigLIP 2."
        )
        raise ModelError(msg)
