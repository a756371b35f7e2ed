"""Export the filtered images as a CSV file that a spreadsheet opens safely."""

import csv
import functools
import io
import json
import math
from collections.abc import Iterator, Sequence
from typing import Final

import pandas as pd
import streamlit as st

from dashboard.images import image_queries
from dashboard.queries import run_queries
from dashboard.queries.store_state import run_reader
from dashboard.shell import formats, html
from dashboard.shell.page_query import View
from streetclip import results, store
from streetclip.data.csv_formulas import defuse

MOST_ROWS: Final = 200_000
"""Most rows of an export; a run's whole `predictions.csv` is in its output folder."""

COLUMNS: Final = (
    "image_filename", "line", "status", "country",
    "true_country", "true_continent", "true_region", "true_city", "pred_country", "pred_city",
    "country_correct", "city_correct", "country_reachable", "city_reachable",
    "country_probability", "city_probability", "true_country_rank", "true_city_rank",
    "true_latitude_deg", "true_longitude_deg", "pred_latitude_deg", "pred_longitude_deg",
    "coordinate_source", "distance_km", "nearest_candidate_km",
)  # fmt: skip
"""Columns named as in `predictions.csv`; tags, note, triage status and attributes follow."""

_NOTED = ("tags", "note", "triage_status")
_CHUNK_ROWS = 5_000


def button(view: View, order: str) -> None:
    """Draw the button that makes the file when it is clicked."""
    num_rows = min(run_queries.num_selected(view), MOST_ROWS)
    st.download_button(
        f"CSV of {formats.count(num_rows)} images",
        data=functools.partial(file_of, view, order),
        file_name=f"streetclip_run_{view.run_id}_{num_rows}_images.csv",
        mime="text/csv",
        key="export",
        icon=":material/download:",
        on_click="ignore",
        help="Truth, prediction, probabilities, distance, tags, note and attributes of the images "
        "that the filters leave, in this order.",
    )


def limit_remark(view: View) -> None:
    """Name what the file leaves out, where there is more than it may hold."""
    if run_queries.num_selected(view) <= MOST_ROWS:
        return
    folder = run_queries.details(view)["output_dir"]
    whole = f"{formats.plain(folder, 500)}/predictions.csv" if folder else "predictions.csv"
    html.remark(
        f"The CSV holds the first {formats.count(MOST_ROWS)} images in this order; {whole} of the "
        "evaluation holds all."
    )


def file_of(view: View, order: str) -> io.BytesIO:
    """Make the file: UTF-8 with a byte order mark, for spreadsheets."""
    made = io.BytesIO()
    text = io.TextIOWrapper(made, encoding="utf-8-sig", errors="replace", newline="")
    csv.writer(text).writerows(_rows(view, order))
    text.flush()
    text.detach()
    made.seek(0)
    return made


def _rows(view: View, order: str) -> Iterator[Sequence[object]]:
    table, mask = run_queries.table(view), run_queries.mask(view)
    image_ids, _ = results.page_of(table, mask, order, 0, MOST_ROWS)
    with run_reader(view) as opened:
        names = store.get_run(opened, view.run_id)["attribute_columns"]
        yield [harmless(name) for name in (*COLUMNS, *_NOTED, *(f"attribute:{n}" for n in names))]
        for start in range(0, len(image_ids), _CHUNK_ROWS):
            chunk = image_ids[start : start + _CHUNK_ROWS].tolist()
            rows = store.image_rows(opened, view.run_id, chunk)
            notes = image_queries.annotations(opened, rows["image_id"].tolist())
            attributes = [json.loads(text) if text else {} for text in rows["attributes"]]
            # By column, which is several times faster than by row.
            columns: list[list[object]] = [
                *(rows[name].tolist() for name in COLUMNS),
                ["; ".join(each["tags"]) for each in notes.values()],
                [each["note"] for each in notes.values()],
                [each["status"] for each in notes.values()],
                *([each.get(name) for each in attributes] for name in names),
            ]
            yield from zip(*(map(harmless, column) for column in columns), strict=True)


def harmless(value: object) -> object:
    """Make a cell as `defuse`; what is missing is blank, and booleans are 0 and 1.

    Examples:
        >>> harmless("=1+1"), harmless(-3.5), harmless(True), harmless(None), harmless(float("nan"))
        ("'=1+1", -3.5, 1, '', '')
    """
    if value is None or value is pd.NA or (isinstance(value, float) and math.isnan(value)):
        return ""
    return int(value) if isinstance(value, bool) else defuse(value)
