"""Tokenizers that treat texts as their model was trained."""

import logging
from pathlib import Path
from typing import Any

_LOG = logging.getLogger(__name__)
_UPPER, _LOWER = "A Road In FRANCE", "a road in france"


def as_trained(tokenizer: Any, config: Any, folder: Path) -> Any:
    """Make the tokenizer of a SigLIP lower-case texts, as all SigLIP models were trained.

    SigLIP's own tokenizers do so: `SiglipTokenizer`, and `Siglip2Tokenizer`, which transformers
    takes for NaFlex models. The fixed-size SigLIP 2 has a SigLIP configuration with a plain
    `GemmaTokenizer`, which keeps capitals; `Siglip2Tokenizer` is that tokenizer with the missing
    step (transformers pull request 43101). Saved with the model, it keeps its class.

    Args:
        tokenizer: As AutoTokenizer loads it.
        config: Of the model.
        folder: Which holds the tokenizer's files.

    Returns:
        The tokenizer itself if the model is no SigLIP, if it lower-cases already, or if its files
        say `"do_lower_case": false`.
    """
    if "siglip" not in config.model_type or not _keeps_case(tokenizer):
        return tokenizer
    if tokenizer.init_kwargs.get("do_lower_case") is False:
        return tokenizer
    from transformers import GemmaTokenizer, Siglip2Tokenizer

    if isinstance(tokenizer, GemmaTokenizer):
        return Siglip2Tokenizer.from_pretrained(folder, trust_remote_code=False)
    return _with_lower_case(tokenizer)


def _keeps_case(tokenizer: Any) -> bool:
    upper, lower = tokenizer([_UPPER, _LOWER])["input_ids"]
    return bool(upper != lower)


def _with_lower_case(tokenizer: Any) -> Any:
    """Put lower-casing before the tokenizer's own normalisation."""
    from tokenizers import normalizers

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
