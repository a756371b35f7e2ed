"""Load a dual encoder from a hub id, a Hugging Face folder, a `.pt` of ours or bare weights."""

import logging
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from streetclip.errors import ModelError, ResourceError, TemplateError, shown
from streetclip.hub_ids import looks_like_hub_id
from streetclip.models.checkpoints import read_notes, read_payload, unpacked_files
from streetclip.models.encoder import DualEncoder, ModelParts
from streetclip.models.hub import fetch_from_hub, missing_part
from streetclip.models.model_card import read_licence
from streetclip.models.open_clip import (
    WEIGHT_FILES,
    as_transformers_folder,
    is_open_clip_folder,
    is_open_clip_state,
    to_transformers,
)
from streetclip.models.precision import narrowest_tower, resolve_device, resolve_precision
from streetclip.models.processors import first_line, read_processors, unreadable
from streetclip.models.transformers_logging import quiet_transformers
from streetclip.models.weights import is_state, read_folder_weights, read_tensors, read_torch_file

if TYPE_CHECKING:
    from streetclip.captions import PromptSet

_LOG = logging.getLogger(__name__)
_WRAPPERS = ("state_dict", "model_state_dict", "model")


def load_encoder(
    source: str | Path,
    *,
    base_model: str | Path | None = None,
    device: str = "auto",
    precision: str = "auto",
) -> DualEncoder:
    """Load a model with its tokenizer and image processor, ready to encode.

    Code from a checkpoint is never run: no pickles but of tensors, no `trust_remote_code`.

    Args:
        source: Hub id, Hugging Face folder (safetensors, or an old one with `pytorch_model.bin`),
            `.pt` that `save_checkpoint` wrote, or bare weights (a saved state dict), also under
            open_clip's names.
        base_model: For bare weights only: hub id, folder or `.pt` whose architecture, tokenizer
            and image processor they belong to.
        device: See `resolve_device`.
        precision: See `resolve_precision`.

    Raises:
        ModelError: Missing, damaged, refused, or not a dual encoder.
        ResourceError: A hub id that is not in the cache, and no network; or too little GPU memory.
        ConfigError: No such device or precision here.
    """
    where = resolve_device(device)
    resolve_precision(precision, where)  # refuses a wrong name before gigabytes are read
    parts = _read_source(source, base_model)
    how = resolve_precision(precision, where, narrowest_tower(parts.model.config))
    encoder = DualEncoder(parts, source=str(source), precision=how)
    _check_image_size(encoder)
    try:
        encoder.model.to(where).eval()
    except torch.OutOfMemoryError as error:
        msg = f"{source}: does not fit into the memory of {where}. Free some, or take --device cpu."
        raise ResourceError(msg) from error
    return encoder


def _read_source(source: str | Path, base_model: str | Path | None) -> ModelParts:
    path = Path(source).expanduser()
    if path.is_dir():
        return _read_folder(path, str(source))
    if path.is_file():
        return _read_file(path, base_model)
    if isinstance(source, str) and looks_like_hub_id(source):
        return _read_folder(fetch_from_hub(source), source)
    msg = f"{shown(source)}: there is no such file or folder, and it is no hub id either."
    raise ModelError(msg)


def _read_folder(folder: Path, name: str) -> ModelParts:
    missing = missing_part(folder)
    if missing:
        msg = (
            f"{name}: has no {missing}; expected a Hugging Face model folder with configuration, "
            "weights, tokenizer and image processor."
        )
        raise ModelError(msg)
    if is_open_clip_folder(folder):
        return _read_open_clip_folder(folder, name)
    notes = read_notes(folder)
    config = _read_config(folder, name)
    model = _build_model(config, read_folder_weights(folder), name)
    tokenizer, image_processor = read_processors(folder, config, name)
    prompts = _read_prompts(notes.get("prompts"), name)
    training = _training(notes)
    licence = read_licence(folder)
    if licence and "licence" not in training:
        training["licence"] = licence
    return ModelParts(model, tokenizer, image_processor, prompts, training)


def _read_open_clip_folder(folder: Path, name: str) -> ModelParts:
    weights = next(folder / each for each in WEIGHT_FILES if (folder / each).is_file())
    state = to_transformers(read_tensors(weights), str(weights))
    with as_transformers_folder(folder, name) as copy:
        config = _read_config(copy, name)
        model = _build_model(config, state, name)
        tokenizer, image_processor = read_processors(copy, config, name)
    licence = read_licence(folder)
    training = {"licence": licence} if licence else {}
    return ModelParts(model, tokenizer, image_processor, None, training)


def _read_file(path: Path, base_model: str | Path | None) -> ModelParts:
    payload = None if path.suffix == ".safetensors" else read_payload(path)
    if payload is None:
        return _read_bare_weights(path, base_model)
    with unpacked_files(payload, path) as folder:
        config = _read_config(folder, str(path))
        model = _build_model(config, payload["model"], str(path))
        tokenizer, image_processor = read_processors(folder, config, str(path))
    prompts = _read_prompts(payload.get("prompts"), str(path))
    return ModelParts(model, tokenizer, image_processor, prompts, _training(payload))


def _read_bare_weights(path: Path, base_model: str | Path | None) -> ModelParts:
    state = _bare_state(path)
    is_open_clip = is_open_clip_state(state)
    if base_model is None:
        kind = "weights of open_clip" if is_open_clip else "weights"
        msg = f"{path}: holds {kind} only; name the model they belong to with --model_name."
        raise ModelError(msg)
    if is_open_clip:
        state = to_transformers(state, str(path))
    with ExitStack() as stack:
        base = Path(base_model).expanduser()
        if base.is_file():
            payload = read_payload(base)
            if payload is None:
                msg = f"{base}: holds weights only; expected a hub id, a folder or a checkpoint."
                raise ModelError(msg)
            folder = stack.enter_context(unpacked_files(payload, base))
        else:
            folder = base if base.is_dir() else fetch_from_hub(str(base_model))
        config = _read_config(folder, str(base_model))
        model = _build_model(config, state, str(path))
        tokenizer, image_processor = read_processors(folder, config, str(base_model))
    if is_open_clip:
        _LOG.warning(
            "%s: weights of open_clip, which do not tell their activation; %s has %s. Weights that "
            "OpenAI trained need quick_gelu, most others gelu",
            path,
            base_model,
            config.text_config.hidden_act,
        )
    return ModelParts(model, tokenizer, image_processor, None, {})


def _bare_state(path: Path) -> dict[str, torch.Tensor]:
    """Find the state dict in a foreign file, and take the wrappers' prefix off its names."""
    found = read_tensors(path) if path.suffix == ".safetensors" else read_torch_file(path)
    candidates = [found]
    if isinstance(found, dict):
        candidates += [found[name] for name in _WRAPPERS if name in found]
    state = next((dict(each) for each in candidates if is_state(each)), None)
    if state is None:
        msg = (
            f"{path}: holds no weights that can be recognised; expected a checkpoint of ours or a "
            f"state dict, bare or under {', '.join(_WRAPPERS)}."
        )
        raise ModelError(msg)
    scale = next((name for name in state if name.endswith("logit_scale")), "logit_scale")
    prefix = scale.removesuffix("logit_scale")
    return {name.removeprefix(prefix): value for name, value in state.items()}


def _read_config(folder: Path, name: str) -> Any:
    from transformers import AutoConfig

    try:
        with quiet_transformers():
            return AutoConfig.from_pretrained(folder, trust_remote_code=False)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise unreadable(name, "config.json", error) from error


def _build_model(config: Any, state: dict[str, torch.Tensor], name: str) -> Any:
    """Make the model of a configuration with these weights, all of them, in float32."""
    model_class = _model_class(config, name)
    try:
        with quiet_transformers():
            model, report = model_class.from_pretrained(
                None,
                config=config,
                state_dict=state,
                dtype=torch.float32,
                output_loading_info=True,
            )
    except (RuntimeError, ValueError, KeyError, TypeError) as error:
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
    return model


def _model_class(config: Any, name: str) -> Any:
    from transformers import AutoModel

    try:
        with torch.device("meta"), quiet_transformers():
            model = AutoModel.from_config(config, trust_remote_code=False)
    except (ValueError, KeyError, TypeError, ImportError) as error:
        raise unreadable(name, "config.json", error) from error
    return type(model)


def _read_prompts(value: Any, name: str) -> "PromptSet | None":
    if value is None:
        return None
    from streetclip.captions import PromptSet

    try:
        return PromptSet.from_dict(value)
    except (TemplateError, TypeError, AttributeError) as error:
        raise unreadable(name, "record of prompts", error) from error


def _training(record: dict[str, Any]) -> dict[str, Any]:
    """What a checkpoint says about its training; nothing where a stranger's says it otherwise."""
    training = record.get("training")
    return training if isinstance(training, dict) else {}


def _check_image_size(encoder: DualEncoder) -> None:
    """Refuse an image processor that makes pixels of another size than the model takes."""
    import PIL.Image

    vision = getattr(encoder.model.config, "vision_config", None)
    expected = getattr(vision, "image_size", None)
    if not isinstance(expected, int):
        return
    found = encoder.preprocess(PIL.Image.new("RGB", (4, 3))).shape[:2]
    if found != (expected, expected):
        msg = (
            f"{encoder.source}: the image processor makes {found[0]} × {found[1]} pixels, but the "
            f"model takes {expected} × {expected}. Mend preprocessor_config.json."
        )
        raise ModelError(msg)
