"""The failures page."""

from dashboard.views.failures.page import render as render
