"""The confusion page."""
