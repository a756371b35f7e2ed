"""Load, save and encode with CLIP-like dual encoders; importing this imports torch."""

from streetclip.models.checkpoints import save_folder
from streetclip.models.encoder import DualEncoder
from streetclip.models.loading import load_encoder
from streetclip.models.precision import (
    Precision,
    narrowest_tower,
    resolve_device,
    resolve_precision,
)
from streetclip.models.prompt_texts import class_features

__all__ = [
    "DualEncoder",
    "Precision",
    "class_features",
    "load_encoder",
    "narrowest_tower",
    "resolve_device",
    "resolve_precision",
    "save_folder",
]
