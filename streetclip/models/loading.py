"""Load a dual encoder from the hub, a folder, or a file."""

import logging
import math
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import PIL.Image
import torch

from streetclip.captions.prompts import PromptSet
from streetclip.errors import ModelError, ResourceError, shown
from streetclip.files import scratch_folder
from streetclip.hub_ids import is_hub_id
from streetclip.models import open_clip
from streetclip.models.checkpoints import read_notes, read_payload, unpacked_files
from streetclip.models.encoder import DualEncoder
from streetclip.models.hub import TOKENIZER_FILES, fetch_from_hub, missing_part
from streetclip.models.limits import (
    MOST_BYTES,
    MOST_PER_WORD,
    bounded_modules,
    check_size,
    read_settings,
)
from streetclip.models.model_card import read_licence
from streetclip.models.precision import narrowest_tower, resolve_device, resolve_precision
from streetclip.models.transformers_logging import quiet_transformers
from streetclip.models.weights import (
    first_line,
    is_state,
    read_tensors,
    read_weight_file,
    weight_files,
)

_LOG = logging.getLogger(__name__)
_WRAPPERS = ("state_dict", "model_state_dict", "model")
_IMAGE_PROCESSOR_FILES = ("config.json", "preprocessor_config.json", "processor_config.json")
_OLD_TYPE = re.compile(r'("image_processor_type"\s*:\s*"\w+)FeatureExtractor(?=")')

State = dict[str, torch.Tensor]


def load_encoder(
    source: str | Path,
    *,
    base_model: str | Path | None = None,
    device: str = "auto",
    precision: str = "auto",
) -> DualEncoder:
    """Load a model with its tokenizer and image processor, without running its code.

    `source` is a hub id, a Hugging Face folder, the `.pt` of a training, or a bare state dict, also
    under open_clip's names. Only a state dict needs `base_model`: hub id, folder or `.pt` with its
    architecture, tokenizer and image processor. See `resolve_device` and `resolve_precision`.

    Raises:
        ModelError: Missing, damaged, refused, or not a dual encoder.
        ResourceError: Hub id neither cached nor reachable; or too little GPU memory.
        ConfigError: No such device or precision here.
    """
    where = resolve_device(device)
    resolve_precision(precision, where)  # refuse a wrong name before gigabytes are read
    with ExitStack() as stack:  # holds temporary folders
        found = _find(source, base_model, stack)
        config = _read_config(found.folder, found.name)
        model = _build_model(config, found.read_state(), str(source))
        with quiet_transformers():
            tokenizer = _read_tokenizer(found.folder, config, found.name)
            image_processor = _read_image_processor(found.folder, found.name)
    prompts = _read_prompts(found.record.get("prompts"), str(source))
    with _naming(str(source), "configuration"):
        encoder = DualEncoder(
            model,
            tokenizer,
            image_processor,
            source=str(source),
            precision=resolve_precision(precision, where, narrowest_tower(config)),
            prompts=prompts,
            training=_training(found.record),
        )
    _check_image_size(encoder)
    if not math.isfinite(encoder.logit_scale):
        msg = f"{source}: its logit_scale gives {encoder.logit_scale}; expected at most 80."
        raise ModelError(msg)
    try:
        encoder.model.to(where).eval()
    except torch.OutOfMemoryError as error:
        msg = f"{source}: does not fit into the memory of {where}. Free some, or use --device cpu."
        raise ResourceError(msg) from error
    return encoder


@dataclass(frozen=True)
class _Found:
    """Files of a model."""

    name: str  # of the folder's owner, for messages
    folder: Path  # holds config.json, tokenizer and image processor
    read_state: Callable[[], State]  # weights under transformers' names
    record: dict[str, Any]  # prompts and training, as in `streetclip.json`


def _find(source: str | Path, base_model: str | Path | None, stack: ExitStack) -> _Found:
    path, name = Path(source).expanduser(), str(source)
    if path.is_dir():
        return _find_folder(path, name, stack)
    if path.is_file():
        payload = None if path.suffix == ".safetensors" else read_payload(path)
        if payload is None:
            return _find_bare_weights(path, base_model, stack)
        folder = stack.enter_context(unpacked_files(payload, path))
        return _Found(name, folder, lambda: payload["model"], payload)
    if isinstance(source, str) and is_hub_id(source):
        return _find_folder(fetch_from_hub(source), source, stack)
    msg = f"{shown(source)}: there is no such file or folder, and it is no hub id either."
    raise ModelError(msg)


def _find_folder(folder: Path, name: str, stack: ExitStack) -> _Found:
    if missing := missing_part(folder):
        msg = (
            f"{name}: has no {missing}; expected a Hugging Face model folder with configuration, "
            "weights, tokenizer and image processor."
        )
        raise ModelError(msg)
    record = read_notes(folder)
    if licence := read_licence(folder):
        record = record | {"training": {"licence": licence} | _training(record)}
    if open_clip.is_open_clip_folder(folder):
        copy = stack.enter_context(open_clip.as_transformers_folder(folder, name))
        files = (folder / each for each in open_clip.WEIGHT_FILES)
        weights = next(file for file in files if file.is_file())
        state = open_clip.to_transformers(read_tensors(weights), str(weights))
        return _Found(name, copy, lambda: state, record)
    return _Found(
        name,
        folder,
        lambda: {k: v for file in weight_files(folder) for k, v in read_tensors(file).items()},
        record,
    )


def _find_bare_weights(path: Path, base_model: str | Path | None, stack: ExitStack) -> _Found:
    """Find the base model's files; read the weights."""
    state = _bare_state(path)
    is_open_clip = open_clip.is_open_clip_state(state)
    if base_model is None:
        kind = "weights of open_clip" if is_open_clip else "weights"
        msg = f"{path}: holds {kind} only; name the model they belong to with --model_name."
        raise ModelError(msg)
    base = Path(base_model).expanduser()
    if base.is_file():
        payload = read_payload(base)
        if payload is None:
            msg = f"{base}: holds weights only; expected a hub id, a folder or a checkpoint."
            raise ModelError(msg)
        folder = stack.enter_context(unpacked_files(payload, base))
    else:
        folder = base if base.is_dir() else fetch_from_hub(str(base_model))
    if is_open_clip:
        state = open_clip.to_transformers(state, str(path))
        _LOG.warning(
            "%s: weights of open_clip, which do not record their activation; %s has %s. Weights "
            "that OpenAI trained need quick_gelu, most others gelu",
            path,
            base_model,
            _read_config(folder, str(base_model)).text_config.hidden_act,
        )
    return _Found(str(base_model), folder, lambda: state, {})


def _bare_state(path: Path) -> State:
    found = read_weight_file(path)
    candidates = [found]
    if isinstance(found, dict):
        candidates += [found[name] for name in _WRAPPERS if name in found]
    state = next((each for each in candidates if is_state(each)), None)
    if state is None:
        msg = (
            f"{path}: holds no weights that can be recognised; expected a checkpoint of ours or a "
            f"state dict, bare or under {', '.join(_WRAPPERS)}."
        )
        raise ModelError(msg)
    scale = next((name for name in state if name.endswith("logit_scale")), "logit_scale")
    prefix = scale.removesuffix("logit_scale")
    return {name.removeprefix(prefix): value for name, value in state.items()}


def _training(record: dict[str, Any]) -> dict[str, Any]:
    training = record.get("training")
    return training if isinstance(training, dict) else {}  # a foreign file may hold anything


def _read_config(folder: Path, name: str) -> Any:
    from transformers import AutoConfig

    read_settings(folder / "config.json", name)
    with _naming(name, "config.json"), quiet_transformers():
        return AutoConfig.from_pretrained(folder, trust_remote_code=False)


def _build_model(config: Any, state: State, name: str) -> Any:
    from transformers import AutoModel

    with (
        _naming(name, "config.json"),
        bounded_modules(state, name),
        torch.device("meta"),
        quiet_transformers(),
    ):
        model_class = type(AutoModel.from_config(config, trust_remote_code=False))
    try:
        with quiet_transformers():
            model, report = model_class.from_pretrained(
                None, config=config, state_dict=state, dtype=torch.float32, output_loading_info=True
            )
    except Exception as error:
        msg = f"{name}: the weights do not fit the {config.model_type} model of config.json "
        raise ModelError(msg + f"({first_line(error)}).") from error
    missing = sorted(report["missing_keys"])
    if missing:
        msg = (
            f"{name}: lacks {len(missing)} of the {len(model.state_dict())} tensors of a "
            f"{config.model_type} model, {shown(missing[0])} among them. Are these weights of "
            "another architecture?"
        )
        raise ModelError(msg)
    for each, weights in model.named_parameters():
        if each in state and not state[each].is_floating_point():
            kind = f"{state[each].dtype}".removeprefix("torch.")
            msg = f"{name}: its tensor {shown(each)} has {kind} numbers; expected floating point."
            raise ModelError(msg + " Take the model before quantisation.")
        if not torch.stack(weights.detach().aminmax()).isfinite().all():
            msg = f"{name}: its tensor {shown(each)} has NaN or infinite numbers. Its training "
            raise ModelError(msg + "diverged, or the file is damaged; take an earlier checkpoint.")
    return model


def _read_tokenizer(folder: Path, config: Any, name: str) -> Any:
    from transformers import AutoTokenizer

    words = getattr(getattr(config, "text_config", config), "vocab_size", None) or 0
    for file in filter(Path.is_file, map(folder.joinpath, TOKENIZER_FILES)):
        check_size(file, name, MOST_BYTES + MOST_PER_WORD * words)
    if (folder / "tokenizer_config.json").is_file():
        read_settings(folder / "tokenizer_config.json", name)
    with _naming(name, "tokenizer"):
        try:
            tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
            return _as_trained(tokenizer, config, folder)
        except ImportError as error:
            msg = f"{name}: its tokenizer needs a package that is not installed "
            raise ModelError(msg + f"({first_line(error)}). Install it, then try again.") from error


def _as_trained(tokenizer: Any, config: Any, folder: Path) -> Any:
    """Make a SigLIP tokenizer lower-case texts, unless its files refuse it.

    The fixed-size SigLIP 2 names a plain `GemmaTokenizer`, which keeps capitals; `Siglip2Tokenizer`
    adds the missing step (transformers pull request 43101).
    """
    if "siglip" not in config.model_type or tokenizer.init_kwargs.get("do_lower_case") is False:
        return tokenizer
    upper, lower = tokenizer(["A Road In FRANCE", "a road in france"])["input_ids"]
    if upper == lower:
        return tokenizer
    from tokenizers import normalizers
    from transformers import GemmaTokenizer, Siglip2Tokenizer

    if isinstance(tokenizer, GemmaTokenizer):
        return Siglip2Tokenizer.from_pretrained(folder, trust_remote_code=False)
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None:
        _LOG.warning(
            "the tokenizer (%s) keeps capitals, but SigLIP models were trained on lower-case text; "
            "write captions and prompts in lower case",
            type(tokenizer).__name__,
        )
        return tokenizer
    steps = [normalizers.Lowercase(), *([backend.normalizer] if backend.normalizer else [])]
    backend.normalizer = normalizers.Sequence(steps)
    return tokenizer


def _read_image_processor(folder: Path, name: str) -> Any:
    """Load an image processor, renaming the `FeatureExtractor` of transformers < 4.26."""
    from transformers import AutoImageProcessor

    options = {"trust_remote_code": False, "backend": "pil"}
    files = [folder / each for each in _IMAGE_PROCESSOR_FILES if (folder / each).is_file()]
    for file in files:
        read_settings(file, name)
    with _naming(name, "image processor"):
        texts = [file.read_text(encoding="utf-8") for file in files]
        renamed = [_OLD_TYPE.sub(r"\1ImageProcessor", text) for text in texts]
        if renamed == texts:
            return AutoImageProcessor.from_pretrained(folder, **options)
        with scratch_folder() as copy:
            for file, text in zip(files, renamed, strict=True):
                (copy / file.name).write_text(text, encoding="utf-8")
            return AutoImageProcessor.from_pretrained(copy, **options)


def _read_prompts(value: Any, name: str) -> PromptSet | None:
    if value is None:
        return None
    with _naming(name, "record of prompts"):
        return PromptSet.from_dict(value)


def _check_image_size(encoder: DualEncoder) -> None:
    """Refuse an image processor of another size than the model's."""
    vision = getattr(encoder.model.config, "vision_config", None)
    expected = getattr(vision, "image_size", None)
    if not isinstance(expected, int):
        return
    with _naming(encoder.source, "image processor"):
        found = encoder.preprocess(PIL.Image.new("RGB", (4, 3))).shape[:2]
    if found != (expected, expected):
        msg = (
            f"{encoder.source}: the image processor makes {found[0]} × {found[1]} pixels, but the "
            f"model takes {expected} × {expected}. Fix preprocessor_config.json."
        )
        raise ModelError(msg)


@contextmanager
def _naming(name: str, part: str) -> Iterator[None]:
    """Raise what libraries raise over a part of a model as ModelError.

    They raise any error over a file that they do not expect; tokenizers even bare Exception.
    """
    try:
        yield
    except (ModelError, ResourceError):
        raise
    except Exception as error:
        msg = f"{name}: its {part} cannot be read ({first_line(error)})."
        raise ModelError(msg) from error
