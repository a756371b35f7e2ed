"""Draw the Data page: what a run's dataset holds, lacks, and shares with others."""

from functools import partial
from typing import Final

import altair as alt
import numpy as np
import pandas as pd
import streamlit as st

from dashboard.charts import channels, selection_events, tables
from dashboard.charts.channels import role, row_names, tooltip
from dashboard.charts.choropleth import HEIGHT, choropleth
from dashboard.images import gallery_view
from dashboard.queries import dataset_queries, run_queries
from dashboard.shell import formats, html, url_state
from dashboard.shell.page_query import View
from dashboard.views import frame
from dashboard.views.data import other_datasets
from streetclip.captions.templates import BUILTIN, CaptionTemplate, make_captions

_MOST_BARS: Final = 15
_MOST_EXAMPLES: Final = gallery_view.PREVIEW_SIZE
_MOST_LISTED: Final = 500
_NUM_CAPTIONS: Final = 3
_TITLES: Final = ("country", "region", "city")


def render() -> None:
    """Draw the page."""
    frame.show("Data", _body)


def _body(view: View) -> None:
    if frame.is_empty(view):
        return
    places = dataset_queries.places(view)
    _facts(view, places)
    st.header("Images by true country", anchor=False)
    countries = places.groupby("country", as_index=False)[["n"]].sum()
    left, right = st.columns([3, 2], gap="medium")
    with left:
        _map(view, countries)
    with right:
        _bars(view, countries)
    st.header("Coordinates outside their country", anchor=False)
    outside = st.container()  # filled last: its first check of a large dataset takes seconds
    st.header("True places that no candidate names", anchor=False)
    _unnamed(view)
    st.header("Captions by template", anchor=False)
    _captions(places)
    st.header("Other datasets of this store", anchor=False)
    other_datasets.draw(view)
    with outside:
        _misplaced(view)


def _facts(view: View, places: pd.DataFrame) -> None:
    """List how many images there are, and of how many a label or the coordinates are missing."""
    run = run_queries.details(view)
    n, located = int(places["n"].sum()), int(places["with_coordinates"].sum())
    on_city = dataset_queries.num_on_one_point(view)
    blank = {level: int(places.loc[places[level] == "", "n"].sum()) for level in ("region", "city")}
    cities = places.loc[places["city"] != "", list(_TITLES)].drop_duplicates()
    num_countries = formats.counted(places["country"].nunique(), "country", "countries")
    num_cities = formats.counted(len(cities), "city", "cities")
    html.definitions(
        ("Images", f"{formats.count(n)}, of {num_countries} and {num_cities}"),
        ("Rows left out", f"{formats.count(run['num_skipped'])} bad rows of {run['csv_path']}"),
        ("No city label", formats.images(blank["city"])),
        ("No region label", formats.images(blank["region"])),
        ("No coordinates", f"{formats.images(n - located)}, neither their own nor their city's"),
        ("On one point", f"{formats.images(on_city)} share one point with all of their city"),
    )


def _map(view: View, countries: pd.DataFrame) -> None:
    most = np.log10(max(2, int(countries["n"].max())))
    choropleth(
        pd.DataFrame(
            {
                "country": countries["country"],
                "value": np.log10(countries["n"]),
                "n": countries["n"],
                "label": countries["n"].map(formats.count),
                "interval": "",
            }
        ),
        key=selection_events.keyed("data_world", view.selection),
        title="images, log scale",
        domain=(0.0, float(most)),
        words=lambda value: formats.count(None if value is None else 10**value),
        on_select=partial(frame.filter_country, view),
    )


def _bars(view: View, countries: pd.DataFrame) -> None:
    ordered = countries.sort_values(["n", "country"], ascending=[False, True])
    rows = pd.DataFrame(
        {
            "code": ordered["country"],
            "country": ordered["country"].map(formats.country),
            "n": ordered["n"],
            "label": ordered["n"].map(formats.count),
        }
    )
    first, key = rows.head(_MOST_BARS), selection_events.keyed("data_bars", view.selection)
    y = row_names("country")
    bar = alt.Chart(first).mark_bar(height=alt.RelativeBandSize(band=0.62))
    bar = bar.encode(
        alt.X("n:Q", title="images", axis=alt.Axis(tickCount=5, tickMinStep=1)),
        y,
        role("correct"),
        tooltip=tooltip(country="true country", label="images"),
    )
    text = alt.Chart(first).mark_text(align="left", dx=6)
    text = text.encode(alt.XValue("width"), y, role("ink"), alt.Text("label:N"))
    listed = zip(first["country"], first["label"], strict=True)
    channels.show(
        [selection_events.clickable(bar.encode(alt.Detail("code:N")), "code"), text],
        key=key,
        alt_text=f"Images by true country: {', '.join(' '.join(each) for each in listed)}.",
        height=HEIGHT,
        on_select=selection_events.picker(key, "code", partial(frame.filter_country, view)),
    )
    if len(rows) > len(first):
        html.remark(f"The {len(first)} of {len(rows)} countries with most images.")
    with st.expander("Table: images by country", key="data_table"):
        columns = {"country": tables.text("true country"), "n": tables.whole("images")}
        tables.show(rows, columns, key=f"{key}_rows")


def _misplaced(view: View) -> None:
    with st.spinner("Checking the coordinates"):
        found = dataset_queries.misplaced(view, _MOST_EXAMPLES)
    if not found.kinds:
        html.remark("No image lies far outside the country of its label.")
        return
    for kind, n in found.kinds.items():
        html.draw(html.tag("p", f"{formats.images(n)}: {kind}.", css="sc-line"))
    total, examples = sum(found.kinds.values()), found.examples
    gallery_view.few(view, [*examples], total, key="data_misplaced", order="file", lines=examples)


def _unnamed(view: View) -> None:
    rows = dataset_queries.unnamed_places(view)
    if rows.empty:
        html.remark("Each true place with a city is among the candidates.")
        return
    listed = rows.head(_MOST_LISTED)
    cut = f"; the first {_MOST_LISTED} are listed" if len(rows) > len(listed) else ""
    places = formats.counted(len(rows), "place", "places")
    images = formats.images(int(rows["n"].sum()))
    html.remark(f"{places} with {images}: their city counts as wrong{cut}. Click a row to filter.")
    why = np.where(listed["country_reachable"] > 0, "city is no candidate", "nor is its country")
    shown = pd.DataFrame(
        {
            "country": listed["country"].map(formats.country),
            "region": listed["region"].map(formats.plain),
            "city": listed["city"].map(formats.plain),
            "n": listed["n"],
            "why": why,
        }
    )

    def pick(position: int | None) -> None:
        names = [None] * 3 if position is None else listed.iloc[position][list(_TITLES)]
        chosen = view.but(**dict(zip(_TITLES, names, strict=True)))
        url_state.change_filters(chosen.selection, view.defaults)

    tables.show(
        shown,
        tables.columns_of(shown, n=tables.whole("images"), why=tables.text("because")),
        key=selection_events.keyed("data_unnamed", view.selection),
        values=range(len(listed)),
        on_pick=pick,
    )


def _captions(places: pd.DataFrame) -> None:
    """Draw captions of the most frequent places, and of one that lacks a region or city."""
    ordered = places.sort_values("n", ascending=False, kind="stable")
    is_partly_blank = (ordered["region"] == "") | (ordered["city"] == "")
    chosen = pd.concat([ordered[is_partly_blank].head(1), ordered])
    chosen = chosen.drop_duplicates("country").head(_NUM_CAPTIONS)
    columns = {level: chosen[level].map(formats.plain).tolist() for level in ("city", "region")}
    columns |= {
        "country": chosen["country"].map(formats.country).tolist(),
        "continent": chosen["continent"].tolist(),
        "image_filename": [f"example {i}" for i in range(len(chosen))],
    }
    for name, template in BUILTIN.items():
        html.definitions((name, [template.pattern, *_examples(template, columns)]))
    html.remark(
        "First the pattern, then examples; a number in it is the chance that a part is kept."
    )


def _examples(template: CaptionTemplate, columns: dict[str, list[str]]) -> list[str]:
    made = make_captions([template], columns, seed=42)
    return list(dict.fromkeys(caption for caption, _ in made))
