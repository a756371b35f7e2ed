"""URL state, filters, theme, formats and HTML that every page uses."""
