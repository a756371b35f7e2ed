"""The confusion page."""

from dashboard.views.confusion.page import render as render
