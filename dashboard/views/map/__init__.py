"""The map page."""

from dashboard.views.map.page import render

__all__ = ["render"]
