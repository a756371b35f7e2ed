"""Export the filtered images as a file, in the order of the page."""

import functools
import io
from typing import Final

import streamlit as st

from dashboard.queries import run_queries
from dashboard.queries.store_state import run_reader
from dashboard.shell import formats, html
from dashboard.shell.page_query import View
from streetclip import results
from streetclip.reports.exports import WRITERS, portions

MOST_ROWS: Final = 200_000
"""Most images of a file made in a page; jobs/export_predictions.py writes any number."""

_TYPES: Final = {
    "csv": ("CSV", "text/csv", "For spreadsheets: no cell is run as a formula."),
    "parquet": ("Parquet", "application/vnd.apache.parquet", "For programs: typed columns."),
    "geojson": ("GeoJSON", "application/geo+json", "For maps: a point at each predicted place."),
}
"""Title, media type and use of each of `WRITERS`."""


def button(view: View, order: str) -> None:
    """Draw the buttons that make a file when one is clicked."""
    num_rows = min(run_queries.num_selected(view), MOST_ROWS)
    label = f"Export {formats.images(num_rows)}"
    with st.popover(label, icon=":material/download:", key="export", width="content"):
        html.remark(
            "Truth, prediction, probabilities, distance, tags, note and attributes of the images "
            "that the filters leave, in this order."
        )
        for ending, (title, mime, use) in _TYPES.items():
            st.download_button(
                title,
                data=functools.partial(file_of, view, order, ending),
                file_name=f"streetclip_run_{view.run_id}_{num_rows}_images.{ending}",
                mime=mime,
                key=f"export_{ending}",
                on_click="ignore",
                help=use,
                width="stretch",
            )


def limit_remark(view: View) -> None:
    """Name what the file leaves out, where there is more than it may hold."""
    if run_queries.num_selected(view) > MOST_ROWS:
        html.remark(
            f"An export from this page holds the first {formats.count(MOST_ROWS)} images in this "
            f"order; python jobs/export_predictions.py --run {view.run_id} writes all."
        )


def file_of(view: View, order: str, ending: str = "csv") -> io.BytesIO:
    """Make the file, its format one of `WRITERS`."""
    table, mask = run_queries.table(view), run_queries.mask(view)
    image_ids, _ = results.page_of(table, mask, order, 0, MOST_ROWS)
    made = io.BytesIO()
    with run_reader(view) as opened:
        WRITERS[ending](portions(opened, view.run_id, image_ids.tolist()), made)
    made.seek(0)
    return made
