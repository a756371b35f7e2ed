"""The triage page."""

from dashboard.views.triage.page import render as render
