"""Adapt CLIP to image geolocalization, evaluate it, and see where and why it is wrong."""

__version__ = "0.6.0"
