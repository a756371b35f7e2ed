"""The triage page."""

from dashboard.views.triage.page import render

__all__ = ["render"]
