"""Encode B images and T texts as unit vectors of D dimensions.

`ImageTower` and `pooled_token_alone` encode images faster with the same bits; `Portions` takes as
many rows at a time as memory allows.
"""

import contextlib
import ctypes
import functools
import logging
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import nn

from streetclip.captions.prompts import PromptSet
from streetclip.errors import ModelError, ResourceError, shown
from streetclip.models.precision import Precision
from streetclip.models.preprocessing import build_inputs, build_preprocess
from streetclip.models.text_reader import TextReader
from streetclip.models.weights import weights_sha256
from streetclip.progress import Progress, no_progress

_LOG = logging.getLogger(__name__)

# CPU math libraries multiply rows in blocks of 4 or 8; leftover rows get other rounding.
_BLOCK_ROWS = 8
_TEXTS_AT_ONCE = 256
# Errors that torch does not raise as `torch.OutOfMemoryError`.
_OUT_OF_MEMORY = (
    "DefaultCPUAllocator: can't allocate memory",
    "DefaultCPUAllocator: not enough memory",
    "MPS backend out of memory",
    "CUBLAS_STATUS_ALLOC_FAILED",
)

# Parameters of mallopt (malloc.h), with glibc's usual limits and ours, in bytes.
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
_USUAL = {_TRIM_THRESHOLD: 2**26, _MMAP_THRESHOLD: 2**25}
_KEPT = {_TRIM_THRESHOLD: 2**30, _MMAP_THRESHOLD: 2**30}


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
        prompts: PromptSet | None = None,
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
        """Hash of the weights; see `weights_sha256`."""
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

    @functools.cached_property
    def embedding_dim(self) -> int:
        """D, the length of a feature vector."""
        return self.encode_texts(["a"]).shape[1]

    def encode_images(self, pixels_BCHW: torch.Tensor) -> torch.Tensor:
        """Encode as `image_features` without gradients; ResourceError if one does not fit."""
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

    def encode_texts(self, texts: Sequence[str], progress: Progress = no_progress) -> torch.Tensor:
        """Encode texts without gradients: TD, float32, of length 1, on `device`.

        Batches hold texts of similar length; longer ones than the model reads are cut off. Raises
        ResourceError where memory does not suffice for a single text.
        """
        order = sorted(range(len(texts)), key=lambda index: (len(texts[index]), texts[index]))
        features = []
        with self._inference():
            for start in range(0, len(order), _TEXTS_AT_ONCE):
                chunk = [texts[index] for index in order[start : start + _TEXTS_AT_ONCE]]
                features.append(self._encode_chunk(chunk))
                progress(start + len(chunk), len(texts))
        if not features:
            return torch.empty(0, self.embedding_dim, device=self.device)
        sorted_TD = torch.cat(features)
        features_TD = torch.empty_like(sorted_TD)
        features_TD[order] = sorted_TD
        return features_TD

    def image_features(self, pixels_BCHW: torch.Tensor) -> torch.Tensor:
        """Encode uint8 pixels with gradients, in the model's mode: BD, float32, of length 1."""
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
    return nn.functional.normalize(features, dim=-1)


class ImageTower(nn.Module):
    """Encode images, with weights cast once inside `fixed_weights`.

    Autocast casts all weights at each call. Nothing may change the weights inside `fixed_weights`.
    """

    def __init__(self, model: Any, dtype: torch.dtype) -> None:
        super().__init__()
        self.model = model
        self.dtype = dtype
        self._is_fixed = False
        self._cast: dict[str, torch.Tensor] | None = None

    def forward(self, **inputs: Any) -> Any:
        """Compute as `get_image_features` does."""
        return self.model.get_image_features(**inputs)

    @contextlib.contextmanager
    def fixed_weights(self) -> Iterator[None]:
        """Cast the weights at most once until the outermost block ends."""
        was_fixed, self._is_fixed = self._is_fixed, True
        try:
            yield
        finally:
            self._is_fixed = was_fixed
            if not was_fixed:
                self._cast = None

    def under_autocast(self, **inputs: Any) -> Any:
        """Compute under autocast, with weights cast once where they are fixed."""
        if not self._is_fixed:
            return self(**inputs)
        if self._cast is None:
            self._cast = {
                f"{name}.{part}": weight.detach().to(self.dtype)
                for name, module in self.named_modules()
                if isinstance(module, (nn.Linear, nn.Conv2d)) and "text_model" not in name
                for part, weight in module.named_parameters(recurse=False)
            }
        return torch.func.functional_call(self, self._cast, (), inputs)


@contextlib.contextmanager
def pooled_token_alone(model: Any) -> Iterator[None]:
    """Compute only the pooled token in CLIP's last vision layer.

    Keys and values of all tokens are kept; `last_hidden_state` is meaningless meanwhile. Other
    architectures are unchanged.
    """
    handles = []
    if model.config.model_type == "clip":
        layer = model.vision_model.encoder.layers[-1]
        # The residual of all tokens is added to the class token's: only the first sum is used.
        handles = [
            module.register_forward_pre_hook(_class_token)
            for module in (layer.self_attn.out_proj, layer.layer_norm2)
        ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _class_token(_module: nn.Module, inputs: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
    (hidden_BTD,) = inputs
    # Of strided rows, the product's kernel, and so its bits, depend on whether weights are trained.
    return (hidden_BTD[:, :1].contiguous(),)


class Portions:
    """Compute as many rows at a time as memory allows.

    Messages name `what` a row is ("image") and the `flag` that sets the rows of a call. `most` is
    the number of rows at a time; None as long as memory sufficed for all.
    """

    def __init__(self, what: str, flag: str | None = None) -> None:
        self.most: int | None = None
        self._what = what
        self._flag = flag

    def __call__(
        self, compute: Callable[[slice], torch.Tensor], num_rows: int, device: torch.device
    ) -> torch.Tensor:
        """Compute all rows in order; halve portions if memory runs out.

        `compute` maps a slice of rows to a result for each. Raises ResourceError where memory does
        not suffice for a single row.
        """
        parts: list[torch.Tensor] = []
        done = 0
        while not parts or done < num_rows:
            size = min(self.most or num_rows, num_rows - done)
            try:
                parts.append(compute(slice(done, done + size)))
                done += size
                continue
            except RuntimeError as error:
                if not is_out_of_memory(error):
                    raise
                if size <= 1:
                    reason = shown(str(error).partition("\n")[0])
                    msg = f"{device}: has too little memory for a single {self._what} next to the "
                    msg += f"model ({reason}). Free some, or use a smaller model."
                    raise ResourceError(msg) from error
            self.most = size // 2
            advice = f" Set {self._flag} {self.most}." if self._flag else ""
            _LOG.warning(
                "%s: too little memory for %d %ss at a time; %d from here on.%s",
                *(device, size, self._what, self.most, advice),
            )
            torch.cuda.empty_cache()  # nothing refers to the failed attempt here
        return torch.cat(parts) if len(parts) > 1 else parts[0]


def is_out_of_memory(error: RuntimeError) -> bool:
    """Return whether a device, CUDA or other, ran out of memory."""
    return isinstance(error, torch.OutOfMemoryError) or any(
        text in str(error) for text in _OUT_OF_MEMORY
    )


@functools.cache
def keep_freed_memory() -> None:
    """Keep freed memory in glibc for the next forward pass.

    Forked processes free memory as usual. Does nothing without glibc.
    """
    libc = ctypes.CDLL(None)
    if hasattr(libc, "mallopt"):

        def limit(num_bytes: Mapping[int, int]) -> None:
            for name, most in num_bytes.items():
                libc.mallopt(name, most)

        limit(_KEPT)
        os.register_at_fork(after_in_child=lambda: limit(_USUAL))
