"""Evaluation: features once, hierarchical prediction, and a run written to the store."""
