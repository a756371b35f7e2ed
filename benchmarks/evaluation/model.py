"""The model of a benchmark, as a Hugging Face folder; transformers' own ways take nothing else."""

from pathlib import Path
from typing import Any

from streetclip.config import BenchmarkConfig
from streetclip.errors import ModelError, shown
from streetclip.hub_ids import is_hub_id

_TEXT_LENGTH = 77
_SHAPES: dict[str, dict[str, dict[str, int]]] = {
    "vit-b-32": {
        "text": {"hidden_size": 512, "num_attention_heads": 8, "num_hidden_layers": 12},
        "vision": {
            "hidden_size": 768,
            "num_attention_heads": 12,
            "num_hidden_layers": 12,
            "image_size": 224,
            "patch_size": 32,
        },
    },
    "vit-l-14-336": {
        "text": {"hidden_size": 768, "num_attention_heads": 12, "num_hidden_layers": 12},
        "vision": {
            "hidden_size": 1024,
            "num_attention_heads": 16,
            "num_hidden_layers": 24,
            "image_size": 336,
            "patch_size": 14,
        },
    },
}


def model_folder(config: BenchmarkConfig, work: Path) -> Path:
    """Find or make the folder of the model.

    Args:
        config: Which model, or the shape of one.
        work: Folder for what has to be made.

    Raises:
        ModelError: There is no such model.
        ResourceError: It is on the hub alone, and there is no network.
    """
    from streetclip.models.hub import fetch_from_hub

    path = Path(config.model_name).expanduser()
    if path.is_file():
        return _unpacked(config, work / "model")
    if not path.is_dir() and not is_hub_id(config.model_name):
        msg = f"{shown(config.model_name)}: there is no such file or folder, and it is no hub id."
        raise ModelError(msg)
    folder = path if path.is_dir() else fetch_from_hub(config.model_name)
    if config.model_shape != "own":
        return build_random_model(config.model_shape, folder, work / "model")
    return folder.resolve()


def build_random_model(shape: str, tokenizer_folder: Path, folder: Path) -> Path:
    """Make a CLIP of random weights, as fast or slow as a trained one.

    Args:
        shape: One of `streetclip.config.MODEL_SHAPES`.
        tokenizer_folder: Has the tokenizer's files.
        folder: To be made.

    Raises:
        ModelError: The tokenizer cannot be read.
    """
    import torch
    from transformers import CLIPImageProcessorPil, CLIPModel

    from streetclip.models.transformers_logging import quiet_transformers

    tokenizer = _tokenizer(tokenizer_folder)
    size = _SHAPES[shape]["vision"]["image_size"]
    with quiet_transformers(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        CLIPModel(_config(shape, tokenizer)).save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        CLIPImageProcessorPil(
            size={"shortest_edge": size}, crop_size={"height": size, "width": size}
        ).save_pretrained(folder)
    return folder


def _tokenizer(folder: Path) -> Any:
    from transformers import AutoTokenizer

    try:
        return AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
    except (OSError, ValueError, KeyError, TypeError) as error:
        msg = (
            f"{folder}: has no tokenizer that can be read ({shown(error)}); expected the files "
            "beside a model's weights. Name such a folder with --model_name."
        )
        raise ModelError(msg) from error


def _config(shape: str, tokenizer: Any) -> Any:
    """Sizes of the published models; the two towers meet in the width of the text's."""
    from transformers import CLIPConfig

    text, vision = _SHAPES[shape]["text"], _SHAPES[shape]["vision"]
    joint = {"projection_dim": text["hidden_size"]}
    return CLIPConfig(
        text_config={
            **text,
            **joint,
            "intermediate_size": 4 * text["hidden_size"],
            "vocab_size": len(tokenizer),
            "max_position_embeddings": _TEXT_LENGTH,
            "bos_token_id": tokenizer.bos_token_id,
            "eos_token_id": tokenizer.eos_token_id,
            "pad_token_id": tokenizer.pad_token_id,
        },
        vision_config={**vision, **joint, "intermediate_size": 4 * vision["hidden_size"]},
        **joint,
    )


def _unpacked(config: BenchmarkConfig, folder: Path) -> Path:
    """Write a checkpoint file as a folder."""
    from streetclip.models.checkpoints import save_folder
    from streetclip.models.loading import load_encoder

    encoder = load_encoder(config.model_name, device="cpu", precision="fp32")
    save_folder(encoder, folder, prompts=encoder.prompts, model_card="")
    return folder
