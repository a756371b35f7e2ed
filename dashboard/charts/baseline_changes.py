"""Draw what changed from the baseline: images gained and lost, by country."""

from collections.abc import Callable, Mapping

import altair as alt
import pandas as pd
import streamlit as st

from dashboard.charts import channels, tables
from dashboard.charts.channels import by_role, role, tooltip
from dashboard.shell import formats, html, theme

OUTCOMES: Mapping[str, str] = {
    "both_right": "both correct",
    "gained": "gained",
    "lost": "lost",
    "both_wrong": "both wrong",
}
"""Outcomes of an image from baseline to run, in the order of the bar."""

_BAR_PIXELS, _TEXT_TOP, _LINE_PIXELS = 26, 44, 17
_HEIGHT = 104


def compared_images(name: str, num_common: int, num_chosen: int) -> None:
    """Name the baseline and count the images that both runs have."""
    common, chosen = formats.count(num_common), formats.count(num_chosen)
    what = f" over the {common} of {chosen} images that both runs have."
    if not num_common:
        what = " cannot be compared: it has none of these images. Choose another baseline."
    elif num_common == num_chosen:
        what = f" over the same {common} images."
    baseline = html.tag("strong", html.name(name))
    html.draw(html.tag("p", "Against baseline ", baseline, what, css="sc-line"))


def outcome_bar(outcomes: Mapping[str, int]) -> None:
    """Draw the images of two runs as one bar, unchanged outcomes pale."""
    n = pd.Series({name: outcomes[name] for name in OUTCOMES})
    shares = n / max(n.sum(), 1)
    rows = pd.DataFrame(
        {
            "name": list(OUTCOMES.values()),
            "count": n.map(formats.count),
            "share": shares.map(formats.share),
            "start": shares.cumsum() - shares,
            "stop": shares.cumsum(),
            "slot": [0.0, 0.25, 0.5, 0.75],
            "role": ["correct", "correct", "wrong", "wrong"],
            "opacity": [theme.PALE_OPACITY, 1.0, 1.0, theme.PALE_OPACITY],
        }
    )
    chart = alt.Chart(rows)
    across = alt.Scale(domain=[0, 1], nice=False)
    slot = alt.X("slot:Q", scale=across, axis=None)
    colour, opacity = by_role("role"), alt.Opacity("opacity:Q", scale=None)
    edges = alt.X("start:Q", scale=across, axis=None), alt.X2("stop:Q")
    layers = [
        chart.mark_rect().encode(
            *edges,
            alt.YValue(0),
            alt.Y2Value(_BAR_PIXELS),
            colour,
            opacity,
            tooltip=tooltip(name="images", count="n", share="share"),
        ),
        chart.mark_square(size=90, xOffset=6).encode(slot, alt.YValue(_TEXT_TOP), colour, opacity),
    ]
    for line, (field, shift, ink) in enumerate(
        (("name", 18, "ink"), ("count", 0, "ink"), ("share", 0, "muted"))
    ):
        text = chart.mark_text(align="left", baseline="middle", dx=shift)
        y = alt.YValue(_TEXT_TOP + _LINE_PIXELS * line)
        layers.append(text.encode(slot, y, role(ink), alt.Text(f"{field}:N")))
    parts = zip(rows["name"], rows["count"], rows["share"], strict=True)
    words = ", ".join(f"{name} {count} ({share})" for name, count, share in parts)
    text = f"The country of the images in the run and in the baseline: {words}."
    channels.show(layers, key="outcome_bar", alt_text=text, height=_HEIGHT)


def changed_countries(
    countries: pd.DataFrame, *, top: int, key: str, on_click: Callable[[str], None]
) -> None:
    """Draw the `top` countries that gained and that lost most images.

    `countries`: country (ISO code), n, difference, low, high, gained, lost.
    """
    net = countries["gained"] - countries["lost"]
    ordered = countries.assign(net=net).sort_values("net", kind="stable")
    best = ordered[ordered["net"] > 0].iloc[::-1].head(top)
    worst = ordered[ordered["net"] < 0].head(top)
    left, right = st.columns(2, gap="medium")
    for column, what, rows in ((left, "gained", best), (right, "lost", worst)):
        with column:
            title = html.tag("strong", f"Countries that {what} most")
            html.draw(html.tag("p", title, css="sc-line"))
            if rows.empty:
                html.remark(f"No country {what}.")
            else:
                _changed(rows, f"{what}_{key}", on_click)


def _changed(rows: pd.DataFrame, key: str, on_click: Callable[[str], None]) -> None:
    few = rows["n"] < theme.SMALL_N
    texts = rows.assign(
        net=rows["net"].map(formats.signed),
        difference=rows["difference"].map(formats.points),
        n=rows["n"].map(formats.count) + few.map({True: " (few)", False: ""}),
    )
    narrow = {"width": "small", "alignment": "right"}
    columns = {
        "country": tables.country("country"),
        "net": tables.text("images", help="Gained minus lost.", **narrow),
        "difference": tables.text("change (pp)", **narrow),
        "interval": tables.interval(write=formats.points_interval, alignment="right"),
        "n": tables.text("n", **narrow),
    }
    tables.show(
        texts,
        columns,
        key=key,
        values=list(rows["country"]),
        on_pick=lambda code: None if code is None else on_click(code),
    )
