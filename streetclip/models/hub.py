"""Find hub models in the cache of huggingface_hub, or download them."""

import re
from pathlib import Path

from streetclip.errors import ModelError, ResourceError, StreetClipError, shown
from streetclip.models import open_clip
from streetclip.models.model_card import CARD_FILE
from streetclip.models.weights import weight_files

TOKENIZER_FILES = (
    "tokenizer.json", "vocab.json", "vocab.txt", "tokenizer.model", "spiece.model",
    "sentencepiece.bpe.model",
)  # fmt: skip
# The model card states the licence.
_SMALL_FILES = (
    *TOKENIZER_FILES, "config.json", "preprocessor_config.json", "processor_config.json",
    "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "merges.txt",
    "streetclip.json", CARD_FILE,
)  # fmt: skip
_TIMEOUT_S = 10.0


def fetch_from_hub(repo_id: str) -> Path:
    """Find a hub model in the cache, or download it without code.

    A complete copy in the cache (`HF_HOME`, `HF_HUB_CACHE`) is used without network access. Raises
    ResourceError if the hub cannot be reached, ModelError if it refuses.
    """
    import huggingface_hub

    if (cached := find_cached(repo_id)) is not None:
        return cached
    try:
        # One request without retries tests the network.
        info = huggingface_hub.HfApi().model_info(repo_id, timeout=_TIMEOUT_S)
        names = [sibling.rfilename for sibling in info.siblings or []]
        return Path(huggingface_hub.snapshot_download(repo_id, allow_patterns=_wanted(names)))
    except Exception as error:  # the hub lets errors of its HTTP library through
        raise _explained(repo_id, error) from error


def find_cached(repo_id: str) -> Path | None:
    """Find a complete copy of a hub model in the cache, without network access."""
    import huggingface_hub
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    try:
        cached = Path(huggingface_hub.snapshot_download(repo_id, local_files_only=True))
        return cached if missing_part(cached) is None else None
    except HFValidationError as error:
        msg = f"{shown(repo_id)}: is no folder, no file and no hub id ({shown(error)})."
        raise ModelError(msg) from error
    except (LocalEntryNotFoundError, ModelError):  # not cached, or shards are missing
        return None


def missing_part(folder: Path) -> str | None:
    """Name the first part that a model folder lacks; ModelError for missing shards."""

    def has(*names: str) -> bool:
        return any((folder / name).is_file() for name in names)

    if open_clip.is_open_clip_folder(folder):
        if not has(*open_clip.WEIGHT_FILES):
            return " or ".join(open_clip.WEIGHT_FILES)
    elif not has("config.json"):
        return "config.json"
    elif not weight_files(folder):
        return "model.safetensors or pytorch_model.bin"
    elif not has("preprocessor_config.json", "processor_config.json"):
        return "preprocessor_config.json"
    return None if has(*TOKENIZER_FILES) else "tokenizer.json or vocab.json"


def _wanted(names: list[str]) -> list[str]:
    """Choose the small files, and the weights in one format."""
    top = [name for name in names if "/" not in name]
    small = [name for name in top if name in _SMALL_FILES]
    if "config.json" not in top and open_clip.CONFIG_FILE in top:
        weights = [name for name in open_clip.WEIGHT_FILES if name in top][:1]
        return [*small, open_clip.CONFIG_FILE, *weights]
    for stem, suffix in (("model", "safetensors"), ("pytorch_model", "bin")):
        pattern = rf"{stem}([-.].*)?\.{suffix}(\.index\.json)?"
        if weights := [name for name in top if re.fullmatch(pattern, name)]:
            return small + weights
    return small


def _explained(repo_id: str, error: Exception) -> StreetClipError:
    from huggingface_hub import errors

    if isinstance(error, errors.GatedRepoError):
        return ModelError(
            f"{repo_id}: the hub asks for its terms to be accepted first, on the model's page."
        )
    if isinstance(error, errors.RepositoryNotFoundError):
        return ModelError(
            f"{repo_id}: is no folder or file here, and the hub has no such model that you may "
            "read. Check the spelling, or log in with `hf auth login`."
        )
    why = "HF_HUB_OFFLINE is set" if isinstance(error, errors.OfflineModeIsEnabled) else error
    return ResourceError(
        f"{repo_id}: is no folder or file here and not in the hub's cache, and the hub cannot be "
        f"reached ({shown(why)}). Connect to the network, or download the model elsewhere and give "
        "its folder (config.json, weights, tokenizer and preprocessor files)."
    )
