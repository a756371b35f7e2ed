"""The confusion page."""

from dashboard.views.confusion.page import render

__all__ = ["render"]
