"""Identify a model by everything that decides its features.

All settings count except those known to decide nothing, so that new settings of transformers
count too. Device, threads, batch size and kind of attention change rounding only (about 1e-7).
"""

import dataclasses
import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from streetclip.files import scratch_folder

if TYPE_CHECKING:
    from streetclip.models.encoder import DualEncoder

# Values of config.json that decide no feature; weights are always read as float32.
_VOLATILE_CONFIG = frozenset(
    {
        "transformers_version", "_name_or_path", "name_or_path", "architectures", "dtype",
        "torch_dtype", "id2label", "label2id", "problem_type", "return_dict",
        "output_hidden_states", "output_attentions", "_commit_hash",
    }
)  # fmt: skip
_VOLATILE_PROCESSOR = frozenset(
    {"transformers_version", "_name_or_path", "_processor_class", "processor_class", "auto_map",
     "_commit_hash", "feature_extractor_type", "image_processor_type"}
)  # fmt: skip
# Arguments that name files or repeat values of the backend.
_VOLATILE_TOKENIZER = frozenset(
    {
        "name_or_path", "is_local", "local_files_only", "vocab_file", "merges_file",
        "tokenizer_file", "tokenizer_object", "special_tokens_map_file", "processor_class",
        "tokenizer_class", "backend", "auto_map", "_commit_hash", "vocab", "merges",
        # State of the last call before saving.
        "max_length", "stride", "truncation_strategy", "padding_strategy", "pad_to_multiple_of",
        "pad_token_type_id", "padding_side", "truncation_side",
    }
)  # fmt: skip


@dataclass(frozen=True)
class ModelIdentity:
    """Hashes of the parts of a model that decide its features."""

    weights: str  # see `weights_sha256`; shown to users
    model_config: str  # activations, heads, layer-norm epsilon, projections
    image_processing: str  # sizes, filter, rescaling, mean and std
    tokenizer: str  # vocabulary, merges, normalisation, special tokens, padding, truncation

    def of_images(self) -> dict[str, str]:
        """Return the parts that decide image features."""
        return {name: each for name, each in self.to_dict().items() if name != "tokenizer"}

    def to_dict(self) -> dict[str, str]:
        """Return all parts by name."""
        return dataclasses.asdict(self)


def identify(encoder: "DualEncoder") -> ModelIdentity:
    """Hash the parts of an encoder."""
    processor, tokenizer = encoder.image_processor, encoder.tokenizer
    image_processing = {
        "class": type(processor).__name__,
        "settings": _without(processor.to_dict(), _VOLATILE_PROCESSOR),
    }
    tokenizing = {
        "class": type(tokenizer).__name__,
        "backend": _backend_values(tokenizer),
        "arguments": _without(dict(tokenizer.init_kwargs), _VOLATILE_TOKENIZER),
        "special_tokens": dict(tokenizer.special_tokens_map),
        "sides": [tokenizer.padding_side, tokenizer.truncation_side],
        "inputs": list(tokenizer.model_input_names),
        "options": encoder.text_reader.options,
    }
    return ModelIdentity(
        weights=encoder.sha256,
        model_config=_digest(_without(encoder.model.config.to_dict(), _VOLATILE_CONFIG)),
        image_processing=_digest(image_processing),
        tokenizer=_digest(tokenizing),
    )


def _backend_values(tokenizer: Any) -> dict[str, Any]:
    """Read a tokenizer's backend, or its files if it has none."""
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is not None:
        values = json.loads(backend.to_str())
        # These two are state of the last call.
        return {k: v for k, v in values.items() if k not in {"padding", "truncation"}}
    with scratch_folder() as folder:
        tokenizer.save_vocabulary(str(folder))
        files = {
            path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()
        }
    return {"vocabulary": tokenizer.get_vocab(), "files": files}


def _without(values: Any, names: frozenset[str]) -> Any:
    """Copy nested plain values without the named keys of any depth."""
    if isinstance(values, dict):
        return {str(k): _without(v, names) for k, v in values.items() if k not in names}
    if isinstance(values, (list, tuple)):
        return [_without(each, names) for each in values]
    return values


def _digest(values: Any) -> str:
    # What JSON cannot hold, such as a tokenizer's AddedToken, has its values in its repr.
    text = json.dumps(values, sort_keys=True, default=repr)
    return hashlib.sha256(text.encode()).hexdigest()
