"""What changed from the baseline to the run: images gained and lost, and where."""

from collections.abc import Callable, Mapping
from typing import Any

import pandas as pd
import streamlit as st

from dashboard.charts import selection_events, vega
from dashboard.shell import formats, html, theme

OUTCOMES: Mapping[str, str] = {
    "both_right": "both right",
    "gained": "gained",
    "lost": "lost",
    "both_wrong": "both wrong",
}
"""What happened to an image from the baseline to the run, in the order of the bar."""

_ROLES = {"both_right": "right", "gained": "right", "lost": "wrong", "both_wrong": "wrong"}
_BAR_PIXELS, _TEXT_TOP = 26, 52
_HEIGHT = 104


def outcome_bar(outcomes: Mapping[str, int], *, key: str = "outcome_bar") -> None:
    """Draw the images of two runs as one bar: right in both, gained, lost, wrong in both.

    What changed is in full colour, what did not is pale.

    Args:
        outcomes: Number of images by name, as in `OUTCOMES`.
        key: Unique on the page.
    """
    rows = _segments(outcomes)
    across = {"scale": {"domain": [0, 1], "nice": False}, "axis": None}
    opacity = {"field": "opacity", "type": "quantitative", "scale": None}
    layers = []
    for role in ("right", "wrong"):
        channels = {"color": vega.role(role), "opacity": opacity}
        mine = f"datum.role === '{role}'"
        layers += [
            vega.layer(
                rows,
                "rect",
                where=mine,
                x=vega.quantity("start", **across),
                x2={"field": "stop"},
                y={"value": 0},
                y2={"value": _BAR_PIXELS},
                tooltip=vega.tooltip(("name", "images"), ("count", "n"), ("share", "share")),
                **channels,
            ),
            vega.layer(
                rows,
                "square",
                where=mine,
                mark={"size": 90, "xOffset": 6},
                x=vega.quantity("slot", **across),
                y={"value": _TEXT_TOP - 8},
                **channels,
            ),
        ]
    for line, (field, shift) in enumerate((("name", 18), ("count", 0), ("share", 0))):
        layers.append(
            vega.layer(
                rows,
                "text",
                mark={"align": "left", "baseline": "middle", "dx": shift},
                x=vega.quantity("slot", **across),
                y={"value": _TEXT_TOP - 8 + 17 * line},
                text=vega.words(field),
                color=vega.role("ink" if line < 2 else "muted"),  # noqa: PLR2004
            )
        )
    vega.draw(layers, key=key, alt_text=_bar_text(rows), height=_HEIGHT)


def _segments(outcomes: Mapping[str, int]) -> pd.DataFrame:
    total = sum(outcomes[name] for name in OUTCOMES)
    shares = pd.Series({name: outcomes[name] / total if total else 0.0 for name in OUTCOMES})
    stops = shares.cumsum()
    return pd.DataFrame(
        {
            "name": list(OUTCOMES.values()),
            "count": [formats.count(outcomes[name]) for name in OUTCOMES],
            "share": [formats.share(share) for share in shares],
            "start": (stops - shares).to_numpy(),
            "stop": stops.to_numpy(),
            "slot": [0.25 * position for position in range(len(OUTCOMES))],
            "role": list(_ROLES.values()),
            "opacity": [theme.PALE_OPACITY, 1.0, 1.0, theme.PALE_OPACITY],
        }
    )


def _bar_text(rows: pd.DataFrame) -> str:
    parts = zip(rows["name"], rows["count"], rows["share"], strict=True)
    words = ", ".join(f"{name} {count} ({share})" for name, count, share in parts)
    return f"The country of the images in the run and in the baseline: {words}."


def changed_countries(
    countries: pd.DataFrame, *, top: int, key: str, on_click: Callable[[str], None]
) -> None:
    """Draw the countries that gained and that lost most images, side by side.

    Args:
        countries: country (ISO code), n, difference, low, high, gained, lost.
        top: How many of each at most.
        key: What the page shows; see `picks.keyed`.
        on_click: Called with the code of a country whose row is clicked.
    """
    net = countries["gained"] - countries["lost"]
    ordered = countries.assign(net=net).sort_values("net", kind="stable")
    best = ordered[ordered["net"] > 0].iloc[::-1].head(top)
    worst = ordered[ordered["net"] < 0].head(top)
    left, right = st.columns(2, gap="medium")
    with left:
        _changed(
            "Countries that gained most", best, f"gained_{key}", "No country gained.", on_click
        )
    with right:
        _changed("Countries that lost most", worst, f"lost_{key}", "No country lost.", on_click)


def _changed(
    title: str, rows: pd.DataFrame, key: str, empty: str, on_click: Callable[[str], None]
) -> None:
    html.draw(html.tag("p", html.tag("strong", title), css="sc-line"))
    if rows.empty:
        html.remark(empty)
        return
    codes = list(rows["country"])
    signed: dict[str, Any] = {"width": "small", "alignment": "right"}
    selection_events.table(
        pd.DataFrame(
            {
                "country": [formats.country(code) for code in codes],
                "net": [formats.signed(net) for net in rows["net"]],
                "difference": [formats.points(each) for each in rows["difference"]],
                "interval": [
                    formats.points_interval(low, high)
                    for low, high in zip(rows["low"], rows["high"], strict=True)
                ],
                "n": [
                    f"{formats.count(n)} (few)" if n < theme.SMALL_N else formats.count(n)
                    for n in rows["n"]
                ],
            }
        ),
        key=key,
        on_pick=lambda position: None if position is None else on_click(codes[position]),
        columns={
            "country": st.column_config.TextColumn("country"),
            "net": st.column_config.TextColumn("images", help="Gained minus lost.", **signed),
            "difference": st.column_config.TextColumn("change (pp)", **signed),
            "interval": st.column_config.TextColumn("95 %", alignment="right"),
            "n": st.column_config.TextColumn("n", **signed),
        },
    )
