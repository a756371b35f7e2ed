"""Checkpoints as training writes them, without a training."""

from streetclip.models.checkpoints import build_payload, write_payload


def save_checkpoint(encoder, path, *, prompts=None, training=None):
    """Write a `.pt` of a model."""
    write_payload(path, build_payload(encoder, prompts=prompts, training=training or {}))
