"""The page that predicts photos."""
