"""The failures page."""

from dashboard.views.failures.page import render

__all__ = ["render"]
