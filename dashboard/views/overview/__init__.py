"""The overview page."""

from dashboard.views.overview.page import render

__all__ = ["render"]
