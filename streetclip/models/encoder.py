"""Encode B images and T texts as unit vectors of D dimensions."""

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
    from streetclip.captions.prompts import PromptSet

# CPU math libraries multiply rows in blocks of 4 or 8; leftover rows get other rounding.
_BLOCK_ROWS = 8


class DualEncoder:
    """A CLIP-like model of transformers with its tokenizer and image processor.

    `load_encoder` makes one; ModelError means that the model is no dual encoder.

    On a CPU, rows are padded to a multiple of 8, so that features have the same bits in every
    batch on one thread or two; otherwise they may differ by 1e-7. When memory runs out, half as
    many rows are encoded at a time from then on.

    Attributes:
        model, tokenizer, image_processor: Of transformers; parameters are float32 on `device`.
        source: Where the model came from, as the user named it.
        precision: Number format of its products.
        prompts: Those it was trained with; None for a foreign checkpoint.
        training: Record of its training; of a foreign checkpoint, its licence at most.
        preprocess: PIL image → uint8 HWC, the processor's own resize and crop; picklable.
        fast_preprocess: The same up to rounding; decodes large JPEG files only as far as needed.
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
        needed = ("get_image_features", "get_text_features", "logit_scale")
        missing = [name for name in needed if not hasattr(model, name)]
        if missing:
            msg = (
                f"{source}: is a {type(model).__name__}, which has no {' and no '.join(missing)}; "
                "expected a dual encoder such as CLIP, SigLIP or SigLIP 2."
            )
            raise ModelError(msg)
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
        """Device of the parameters."""
        device: torch.device = self.model.logit_scale.device
        return device

    @property
    def sha256(self) -> str:
        """Hash of the current weights; see `weights_sha256`."""
        return weights_sha256(self.model.state_dict())

    @property
    def logit_scale(self) -> float:
        """Factor of cosines before a softmax."""
        return float(self.model.logit_scale.detach().exp())

    @property
    def logit_bias(self) -> float | None:
        """Bias that SigLIP adds to scaled cosines; None for CLIP."""
        bias = getattr(self.model, "logit_bias", None)
        return None if bias is None else float(bias.detach())

    @cached_property
    def embedding_dim(self) -> int:
        """D, the length of a feature vector."""
        return self.encode_texts(["a"]).shape[1]

    def encode_images(self, pixels_BCHW: torch.Tensor) -> torch.Tensor:
        """Encode images without gradients; see `image_features`.

        Raises ResourceError where memory does not suffice for a single image.
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
        """Cast weights once inside the block; nothing may change them there."""
        return self._image_tower.fixed_weights()

    def encode_texts(
        self, texts: Sequence[str], *, batch_size: int = 256, progress: Progress = no_progress
    ) -> torch.Tensor:
        """Encode texts without gradients: TD, float32, of length 1, on `device`.

        Batches hold texts of similar length; longer ones than the model reads are cut off. Raises
        ResourceError where memory does not suffice for a single text.
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
        """Encode uint8 pixels of `preprocess` with gradients, in the model's mode.

        Returns features BD, float32, of length 1, on `device`.
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
    features = output if isinstance(output, torch.Tensor) else output.pooler_output
    if features.dtype != torch.float64:
        features = features.float()
    return torch.nn.functional.normalize(features, dim=-1)
