"""Make captions to train on, and prompts to score by."""
