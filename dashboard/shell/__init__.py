"""URL state, filters, theme, formats and HTML that every page uses."""

from streetclip.results import filter_urls as filter_urls
from streetclip.results import formats as formats
