"""The compare page."""

from dashboard.views.compare.page import render as render
