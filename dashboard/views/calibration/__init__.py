"""The calibration page."""

from dashboard.views.calibration.page import render

__all__ = ["render"]
