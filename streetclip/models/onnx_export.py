"""Export the image and the text side of a model to ONNX.

    image_encoder.onnx   output of the image processor → features, B × D, of length 1
    text_encoder.onnx    output of the tokenizer       → features, T × D, of length 1

The number of images and texts is free, and that of tokens where the model allows it.
"""

import contextlib
import importlib.util
import logging
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import torch
from torch import nn

from streetclip.errors import ConfigError, ModelError, StreetClipError
from streetclip.files import atomic_path
from streetclip.models.checkpoints import check_space, write_model_files, write_notes
from streetclip.models.encoder import DualEncoder
from streetclip.models.weights import first_line, size_bytes

IMAGE_GRAPH = "image_encoder.onnx"
TEXT_GRAPH = "text_encoder.onnx"
OUTPUT = "features"

_TALKATIVE = ("torch.onnx", "onnxscript", "onnx_ir")
_NEEDED = ("onnx", "onnxscript")
_MOST_DIFFERENCE = 1e-3  # in features of length 1; float32 gives 1e-7 to 1e-5
_MOST_IN_ONE_FILE = 1_500_000_000  # bytes; a protobuf ends at 2 GB
# None is empty: where a tokenizer then masks every token, attention has no defined value.
_TEXTS = ("A Street View photo in Peru.", "A photo", "In Lyon.", "A Street View photo of it.", "x")


@dataclass(frozen=True)
class OnnxExport:
    """Greatest differences from torch's features; None without onnxruntime."""

    image_difference: float | None
    text_difference: float | None


def check_exporter() -> None:
    """Raise ConfigError where packages for the export are missing."""
    missing = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        msg = (
            f"--format onnx needs {' and '.join(missing)}, not installed here. Run: "
            f"pip install {' '.join(_NEEDED)} onnxruntime"
        )
        raise ConfigError(msg)


def save_onnx(encoder: DualEncoder, path: Path, *, model_card: str) -> OnnxExport:
    """Write two graphs, tokenizer and processor files, card and `streetclip.json`.

    The encoder is on the CPU in float32. An older folder is replaced once the new one is on disk.

    Raises:
        ConfigError: The packages that export are missing.
        ModelError: The architecture cannot be exported.
        StreetClipError: The exported graphs compute something else.
        ResourceError, OutputError: The disk is full or not writable.
    """
    check_exporter()
    check_space(path, 2 * size_bytes(encoder.model.state_dict()))
    with atomic_path(path) as folder:
        folder.mkdir()
        write_model_files(encoder, folder)
        image = _export(encoder, "get_image_features", _images, folder / IMAGE_GRAPH)
        text = _export(encoder, "get_text_features", _texts, folder / TEXT_GRAPH)
        write_notes(
            folder,
            prompts=encoder.prompts,
            model_card=model_card,
            training=encoder.training,
            logit_scale=encoder.logit_scale,
            logit_bias=encoder.logit_bias,
        )
    return OnnxExport(image, text)


class _Graph(nn.Module):
    """One side of a dual encoder, from tensors to unit features."""

    def __init__(self, model: Any, method: str, names: tuple[str, ...]) -> None:
        super().__init__()
        self.model = model
        self._method, self._names = method, names

    def forward(self, *tensors: torch.Tensor) -> torch.Tensor:
        inputs = dict(zip(self._names, tensors, strict=True))
        output = getattr(self.model, self._method)(**inputs)
        return nn.functional.normalize(output.pooler_output, dim=-1)


def _export(encoder: DualEncoder, method: str, make: Any, path: Path) -> float | None:
    """Write one graph; compare it with torch on another number of rows."""
    inputs = make(encoder, 2)
    graph = _Graph(encoder.model, method, tuple(inputs)).eval()
    shapes = (tuple(_free_axes(encoder, value) for value in inputs.values()),)
    try:
        with _quiet_exporter(), torch.no_grad():
            torch.onnx.export(
                graph,
                tuple(inputs.values()),
                path,
                dynamo=True,
                input_names=list(inputs),
                output_names=[OUTPUT],
                dynamic_shapes=shapes,
                external_data=size_bytes(encoder.model.state_dict()) > _MOST_IN_ONE_FILE,
                verbose=False,
            )
    except torch.onnx.OnnxExporterError as error:
        msg = f"{encoder.source}: torch cannot export its {method} to ONNX ({first_line(error)})."
        raise ModelError(msg) from error
    return _difference(graph, make(encoder, len(_TEXTS)), path)


def _free_axes(encoder: DualEncoder, value: torch.Tensor) -> dict[int, Any]:
    """Free the rows of an input, and the tokens unless padded."""
    axes: dict[int, Any] = {0: torch.export.Dim("batch")}
    longest = encoder.text_reader.max_tokens
    if value.dtype == torch.int64 and value.ndim == 2 and value.shape[1] != longest:  # noqa: PLR2004
        axes[1] = torch.export.Dim("length", min=2, max=longest)
    return axes


def _images(encoder: DualEncoder, count: int) -> dict[str, torch.Tensor]:
    random = np.random.default_rng(count)
    noise = random.integers(0, 256, (count, 48, 64, 3), dtype=np.uint8)
    photos = [PIL.Image.fromarray(each) for each in noise]
    return dict(encoder.image_processor(images=photos, return_tensors="pt"))


def _texts(encoder: DualEncoder, count: int) -> dict[str, torch.Tensor]:
    return dict(encoder.text_reader.inputs(_TEXTS[:count]))


def _difference(graph: nn.Module, inputs: Mapping[str, torch.Tensor], path: Path) -> float | None:
    if importlib.util.find_spec("onnxruntime") is None:
        return None
    import onnxruntime

    with torch.no_grad():
        expected = graph(*inputs.values()).numpy()
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    found = session.run([OUTPUT], {name: value.numpy() for name, value in inputs.items()})[0]
    difference = float(np.abs(found - expected).max())
    if not difference <= _MOST_DIFFERENCE:
        msg = (
            f"{path.name}: gives features that differ by {difference:.1e} from torch's; expected "
            f"at most {_MOST_DIFFERENCE:g}. Nothing was kept; try --format huggingface."
        )
        raise StreetClipError(msg)
    return difference


@contextlib.contextmanager
def _quiet_exporter() -> Iterator[None]:
    """Silence the exporter's log and warnings."""
    levels = {name: logging.getLogger(name).level for name in _TALKATIVE}
    for name in levels:
        logging.getLogger(name).setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(action="ignore"):
            yield
    finally:
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)
