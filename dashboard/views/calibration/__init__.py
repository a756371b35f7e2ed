"""The calibration page."""

from dashboard.views.calibration.page import render as render
