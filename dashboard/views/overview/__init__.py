"""The overview page."""

from dashboard.views.overview.page import render as render
