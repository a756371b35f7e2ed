"""Load, save and encode with CLIP-like dual encoders."""
