"""URL state, filters, theme, formats and HTML: what every page stands on."""
