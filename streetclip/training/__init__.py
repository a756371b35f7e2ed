"""Training of a dual encoder on images and their captions: loss, loop, checkpoints."""
