"""The drawn world: street scenes of real countries that are drawn, not photographed."""

from streetclip.demo.marker import MARKER_NAME, is_drawn, read_marker

__all__ = ["MARKER_NAME", "is_drawn", "read_marker"]
