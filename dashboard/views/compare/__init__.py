"""The compare page."""

from dashboard.views.compare.page import render

__all__ = ["render"]
