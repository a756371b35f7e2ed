"""The accuracy page."""

from dashboard.views.accuracy.page import render

__all__ = ["render"]
