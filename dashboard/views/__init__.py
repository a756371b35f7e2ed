"""Pages of the dashboard, a folder each."""
