"""The training page."""

from dashboard.views.training.page import render

__all__ = ["render"]
