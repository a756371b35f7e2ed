"""Charts, figures and tables: they take values and frames, draw, and return nothing."""
