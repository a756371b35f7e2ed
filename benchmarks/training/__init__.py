"""Measure training against plain transformers; see measure_training.py."""
