"""Charts and maps: each a function of a frame."""
