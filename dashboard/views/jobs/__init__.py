"""The jobs page."""

from dashboard.views.jobs.page import render

__all__ = ["render"]
