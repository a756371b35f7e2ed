"""Tokenise texts as a model does, and identify what it reads."""

from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

from streetclip.models.transformers_logging import quiet_transformers

_BATCH = 4096  # texts that are tokenised at once


@dataclass(frozen=True, slots=True)
class TextReading:
    """How a model reads a text; equal keys have equal features."""

    num_tokens: int  # of the whole text, special ones included
    key: bytes  # identity of the tokens that are read
    whole_key: bytes  # identity of all tokens; `key` where nothing is cut off


class TextReader:
    """A tokenizer, and how the model has it pad and truncate."""

    def __init__(self, tokenizer: Any, options: Mapping[str, Any]) -> None:
        self._tokenizer = tokenizer
        self.options = dict(options)

    @classmethod
    def of_model(cls, tokenizer: Any, config: Any) -> "TextReader":
        """Pad and truncate as transformers does for the architecture."""
        text_config = getattr(config, "text_config", config)
        longest = min(int(text_config.max_position_embeddings), int(tokenizer.model_max_length))
        # SigLIP was trained on texts padded to full length and pools the last position.
        padding = "max_length" if "siglip" in config.model_type else "longest"
        return cls(tokenizer, {"padding": padding, "truncation": True, "max_length": longest})

    @property
    def max_tokens(self) -> int:
        """Most tokens that the model reads of a text, special ones included."""
        return int(self.options["max_length"])

    def inputs(self, texts: Sequence[str]) -> Any:
        """Tokenise texts as the model's input tensors."""
        return self._tokenizer(list(texts), return_tensors="pt", **self.options)

    def read(self, texts: Sequence[str]) -> list[TextReading]:
        """Count the tokens of each text; identify those that are read."""
        starts = range(0, len(texts), _BATCH)
        return [each for i in starts for each in self._read_batch(list(texts[i : i + _BATCH]))]

    def fit(self, texts: Sequence[str]) -> list[bool]:
        """Return for each text whether the model reads all of it."""
        return [reading.num_tokens <= self.max_tokens for reading in self.read(texts)]

    def _read_batch(self, texts: list[str]) -> list[TextReading]:
        ids = self._token_ids(texts, truncation=False)
        keys = [_key(each) for each in ids]
        read_keys = keys.copy()
        # The tokenizer decides where special tokens go in a text that is cut off.
        cut_off = [i for i, each in enumerate(ids) if len(each) > self.max_tokens]
        if cut_off:
            long_texts = [texts[i] for i in cut_off]
            read = self._token_ids(long_texts, truncation=True, max_length=self.max_tokens)
            for i, each in zip(cut_off, read, strict=True):
                read_keys[i] = _key(each)
        return list(map(TextReading, map(len, ids), read_keys, keys))

    def _token_ids(self, texts: list[str], **options: Any) -> list[list[int]]:
        with quiet_transformers():  # it warns of long texts; we do so with file and line
            found = self._tokenizer(
                texts, padding=False, return_attention_mask=False, verbose=False, **options
            )
        ids: list[list[int]] = found["input_ids"]
        return ids


def _key(token_ids: Sequence[int]) -> bytes:
    return blake2b(array("q", token_ids).tobytes(), digest_size=16).digest()
