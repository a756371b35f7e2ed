"""Cached reads of the store for every page."""
