"""Draw what a dataset shares with the other datasets of the store."""

from typing import Final

import pandas as pd
import streamlit as st

from dashboard.charts import selection_events, tables
from dashboard.images import gallery_view
from dashboard.queries import dataset_queries
from dashboard.queries.dataset_queries import NEAR_KM, Other
from dashboard.shell import formats, html, url_state
from dashboard.shell.page_query import View

_OTHER: Final = "other"  # the URL's parameter: a dataset to measure distances to


def draw(view: View) -> None:
    """Draw a table of the other datasets; a click on one compares its places."""
    others = dataset_queries.others(view)
    if not others:
        html.remark("No other dataset has a run in this store.")
        return
    html.remark(
        f"A model is tested on what it was trained on where two share images, or places less than "
        f"{NEAR_KM:g} km apart. Click a row to compare its places."
    )
    shown = pd.DataFrame(
        {
            "name": [formats.plain(each.name) for each in others],
            "images": [each.num_images for each in others],
            "shared": [each.num_shared for each in others],
        }
    )
    ids = [each.dataset_id for each in others]
    chosen = url_state.page_id(_OTHER)
    tables.show(
        shown,
        {
            "name": tables.text("dataset"),
            "images": tables.whole("images"),
            "shared": tables.whole("also in this dataset"),
        },
        key=selection_events.keyed("data_others", view.run_id, chosen),
        values=ids,
        chosen=chosen,
        on_pick=lambda picked: url_state.change(
            **{_OTHER: None if picked is None else str(picked)}
        ),
    )
    for each in others:
        if each.dataset_id == chosen:
            _near(view, each)


def _near(view: View, other: Other) -> None:
    with st.spinner("Measuring distances"):
        found = dataset_queries.near(view, other)
    name, total = formats.isolated(other.name), len(found.image_ids)
    if not total:
        html.remark(f"No image lies within {NEAR_KM:g} km of one of {name}.")
        return
    html.remark(
        f"{formats.images(total)} within {NEAR_KM:g} km of one of {name}; "
        f"{formats.count(found.num_shared)} of them are in both."
    )
    first = found.image_ids[: gallery_view.PREVIEW_SIZE]
    gallery_view.few(view, first, total, key="data_near", order="file")
