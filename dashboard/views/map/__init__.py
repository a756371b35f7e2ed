"""The map page."""

from dashboard.views.map.page import render as render
