"""The accuracy page."""

from dashboard.views.accuracy.page import render as render
