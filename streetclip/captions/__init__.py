"""Make captions to train on, and prompts to score by."""

from streetclip.captions.lengths import CLIP_TOKENS, bare_name, estimate_tokens, shorter_captions
from streetclip.captions.patterns import PLACE_FIELDS, fill_pattern
from streetclip.captions.prompts import (
    FULL_PROMPTS,
    PAPER_PROMPTS,
    PromptSet,
    city_prompts,
    country_prompts,
    load_prompts,
    prompts_of_templates,
)
from streetclip.captions.templates import (
    BUILTIN,
    DROPOUT,
    FULL,
    PAPER,
    CaptionTemplate,
    has_choice,
    load_templates,
    make_captions,
)

__all__ = [
    "BUILTIN", "CLIP_TOKENS", "DROPOUT", "FULL", "FULL_PROMPTS", "PAPER", "PAPER_PROMPTS",
    "PLACE_FIELDS", "CaptionTemplate", "PromptSet", "bare_name", "city_prompts",
    "country_prompts", "estimate_tokens", "fill_pattern", "has_choice", "load_prompts",
    "load_templates", "make_captions", "prompts_of_templates", "shorter_captions",
]  # fmt: skip
