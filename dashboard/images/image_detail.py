"""Draw one image: its true and predicted place, its candidates and its attributes."""

import itertools
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import altair as alt
import pandas as pd
import streamlit as st

from dashboard.charts import channels, close_up_map, selection_events, tables
from dashboard.charts.channels import by_role, role, tooltip
from dashboard.images import cue_boxes, triage
from dashboard.images.cue_boxes import CueBox
from dashboard.images.image_queries import Image
from dashboard.images.thumbnails import DETAIL_SIDE, thumbnail
from dashboard.shell import formats, html
from streetclip.data.exif import Photo
from streetclip.data.tiles import TILE_SIDE

Fields = Mapping[str, Any]
"""Of an image, as `store.image_detail`."""
Rows = list[dict[str, Any]]
"""Candidates, the most probable first."""

_MOST_BARS: Final = 10
_BAR_PIXELS: Final = 24
_LONGEST_VALUE: Final = 400


def picture(image: Image) -> None:
    """Draw the photo, to be zoomed, and its notes; or the reason why there is none."""
    shown, fields = thumbnail(image.file, DETAIL_SIDE), image.fields
    lines = [html.tag("span", html.name(fields["image_filename"], 200))]
    if shown.photo is None:
        html.notice("No picture", shown.problem, css="sc-alert")
    else:
        data = photo_data(fields, shown.photo, shown.version)
        triage.component("photo", "photo_tiles", "photo_view")(key="photo", data=data)
        size = f"{formats.count(shown.photo.width)} × {formats.count(shown.photo.height)} pixels"
        lines += [html.tag("span", f" · {each}") for each in (size, data["problem"]) if each]
    if problem := prediction_problem(fields):
        lines.append(html.tag("span", f" · {problem}"))
    html.draw(html.tag("p", *lines, css="sc-remark"))
    if shown.photo is not None and shown.photo.notes:
        with st.expander("Camera, time and place (EXIF)"):
            html.definitions(*shown.photo.notes.items())


def prediction_problem(fields: Fields) -> str:
    """Describe why an image has no prediction; blank if it has one."""
    if fields["status"] == "unparsable":
        return f"unparsable prediction: {formats.plain(fields['error'])}"
    if fields["status"] == "unreadable":
        return f"could not be read when evaluated: {formats.plain(fields['error'])}"
    return ""


def photo_data(fields: Fields, photo: Photo, version: str) -> dict[str, Any]:
    """Make the data of a photo for the browser; bound every untrusted text.

    `problem` is about the boxes of its cues; `version` names the state of its file.
    """
    boxes, problem = _boxes(fields["attributes"], photo)
    return {
        "id": int(fields["image_id"]),
        "name": formats.plain(fields["image_filename"]),
        "version": version,
        "width": photo.width,
        "height": photo.height,
        "side": TILE_SIDE,
        "boxes": [each._asdict() for each in boxes],
        "problem": problem,
    }


def _boxes(attributes: Mapping[str, Any], photo: Photo) -> tuple[list[CueBox], str]:
    """Read the boxes of an image's cues, or what is wrong with them."""
    text = attributes.get(cue_boxes.COLUMN)
    if not text:
        return [], ""
    try:
        return cue_boxes.read_boxes(str(text), photo.width, photo.height), ""
    except (ValueError, RecursionError):  # JSON that is nested very deeply
        return [], cue_boxes.PROBLEM


def verdict(fields: Fields) -> None:
    """Draw `verdict_rows`."""
    html.definitions(*verdict_rows(fields))


def verdict_rows(fields: Fields) -> list[tuple[str, str]]:
    """List the true and the predicted place, their distance and the confidence, with terms."""
    rows = [("True place", _place(fields, "true"))]
    if fields["status"] is None:
        rows.append(("Predicted place", "Not evaluated yet"))
    elif not fields["pred_country"]:
        rows.append(("Predicted place", "no prediction; counted as wrong"))
    else:
        levels = ("country", "city")
        country, city = ("correct" if fields[f"{each}_correct"] else "wrong" for each in levels)
        distance = formats.kilometres(fields["distance_km"])
        if fields["distance_km"] is None:
            place = "predicted" if fields["pred_latitude_deg"] is None else "true"
            distance = f"unknown: the {place} place has no coordinates"
        elif fields["coordinate_source"] == "city":
            distance += ", from the true city's coordinates"
        sure, sure_of_city = (formats.share(fields[f"{each}_probability"]) for each in levels)
        rows += [
            ("Predicted place", _place(fields, "pred")),
            ("Verdict", f"country {country}, city {city}"),
            ("Distance", distance),
            ("Confidence", f"country {sure}, city within it {sure_of_city}"),
        ]
    return rows


def _place(fields: Fields, side: str) -> str:
    parts = [fields.get(f"{side}_city"), fields.get(f"{side}_region")]
    named = [formats.plain(part, 120) for part in parts if part]
    return " · ".join([formats.country(fields[f"{side}_country"]), *named])


def countries(fields: Fields) -> None:
    """Draw the countries that came first, with the truth marked."""
    rows = country_rows(fields)
    if rows:
        st.header("Countries by probability", anchor=False)
        _bars(rows, "detail_countries")
        _rank_remark(fields, rows, "country")


def country_rows(fields: Fields) -> Rows:
    """Rank countries: name, per_cent, label, role and is_true of each."""
    ranked = fields["top_countries"][:_MOST_BARS]
    truths = [code == fields["true_country"] for code, _ in ranked]
    return _rows([formats.country(code) for code, _ in ranked], [p for _, p in ranked], truths)


def cities(fields: Fields) -> None:
    """Draw the cities of the predicted country that came first, with the truth marked."""
    rows = city_rows(fields)
    if not rows:
        return
    st.header("Cities within the predicted country", anchor=False)
    _bars(rows, "detail_cities")
    if fields["country_correct"]:
        _rank_remark(fields, rows, "city")
    else:
        html.remark("The true city is not among them: the country is wrong.")


def city_rows(fields: Fields) -> Rows:
    """Rank the cities of the predicted country, as `country_rows`."""
    ranked = fields["top_cities"][:_MOST_BARS]
    # The true city is known by its rank in its country, not by its name.
    inside = [code == fields["true_country"] for _, code, _ in ranked]
    truths = [
        is_inside and rank == fields["true_city_rank"]
        for is_inside, rank in zip(inside, itertools.accumulate(inside), strict=True)
    ]
    names = [formats.plain(city, 60) for city, _, _ in ranked]
    return _rows(names, [probability for *_, probability in ranked], truths)


def _rank_remark(fields: Fields, rows: Rows, level: str) -> None:
    rank = fields[f"true_{level}_rank"]
    where = "not among the candidates" if rank is None else f"at rank {formats.count(rank)}"
    if not any(row["is_true"] for row in rows):
        html.remark(f"The true {level} is {where}.")


def _rows(names: Sequence[str], probabilities: Sequence[float], truths: Sequence[bool]) -> Rows:
    rows, times = [], Counter[str]()
    for i, (name, probability, is_true) in enumerate(
        zip(names, probabilities, truths, strict=True)
    ):
        times[name] += 1
        share = formats.share(probability)
        rows.append(
            {
                # Two candidates of one name would share a bar.
                "name": name if times[name] == 1 else f"{name} ({times[name]})",
                "per_cent": 100 * probability,
                "label": f"{share}  true" if is_true else share,
                "role": "correct" if is_true else "wrong" if i == 0 else "muted",
                "is_true": is_true,
            }
        )
    return rows


def _bars(rows: Rows, key: str) -> None:
    frame = pd.DataFrame(rows)
    y = alt.Y("name:N", sort=None, title=None, scale=alt.Scale(paddingOuter=0.3))
    x = alt.X(
        "per_cent:Q",
        title="probability (%)",
        scale=alt.Scale(domain=[0, 125], nice=False),  # room for the words at the right
        axis=alt.Axis(values=[0, 25, 50, 75, 100]),
    )
    bar = alt.Chart(frame).mark_bar(height=alt.RelativeBandSize(band=0.65))
    label = alt.Chart(frame).mark_text(align="left", dx=5)
    parts = [f"{row['name']} {row['label']}" for row in rows]
    texts = tooltip(name="candidate", label="probability")
    channels.show(
        [
            bar.encode(x, y, by_role("role"), tooltip=texts),
            label.encode(x, y, role("ink"), alt.Text("label:N")),
        ],
        key=key,
        alt_text=f"Candidates, the most probable first: {', '.join(parts)}.",
        height=_BAR_PIXELS * max(len(rows), 3) + 45,
    )


def where(fields: Fields) -> None:
    """Draw a small map of truth and prediction, where their coordinates are known."""
    truth, prediction = (_coordinates(fields, side) for side in ("true", "pred"))
    if truth is None and prediction is None:
        html.remark("Neither the true nor the predicted place has coordinates.")
        return
    apart = formats.kilometres(fields["distance_km"])
    close_up_map.small_map(
        truth,
        prediction,
        key="detail_map",
        alt_text=f"A map of the true and the predicted place, {apart} apart.",
    )


def _coordinates(fields: Fields, side: str) -> tuple[float, float] | None:
    latitude, longitude = (fields[f"{side}_{each}_deg"] for each in ("latitude", "longitude"))
    return None if latitude is None or longitude is None else (float(latitude), float(longitude))


def attributes(fields: Fields) -> None:
    """List the further columns of the image's row in the test file."""
    items = [
        (formats.plain(name, 80), formats.plain(value, _LONGEST_VALUE))
        for name, value in fields["attributes"].items()
    ]
    html.definitions(*items, ("Row", f"{fields['csv_path']}, line {fields['line']}"))


def prompts(given: Mapping[str, Any] | None) -> None:
    """List the prompts that the run scored its candidates by, as in `store.get_run`."""
    for level in ("country", "city"):
        templates = (given or {}).get(level) or []
        written = [templates] if isinstance(templates, str) else templates
        html.definitions((level, list(written)))


def in_runs(rows: pd.DataFrame, run_id: int, *, key: str, on_pick: Callable[[int], None]) -> None:
    """Draw every run's prediction of the image; a click picks a run."""
    run_ids = [int(each) for each in rows["run_id"]]
    shown = pd.DataFrame(
        {
            "run": run_ids,
            "name": [formats.plain(each) for each in rows["name"]],
            "predicted country": [formats.country(each) for each in rows["pred_country"]],
            "predicted city": [formats.plain(each or "") for each in rows["pred_city"]],
            "country": ["correct" if each else "wrong" for each in rows["country_correct"]],
            "city": ["correct" if each else "wrong" for each in rows["city_correct"]],
            "confidence": 100 * rows["country_probability"],
            "distance": rows["distance_km"],
            "strategy": [formats.plain(each) for each in rows["strategy"]],
        }
    )
    columns = tables.columns_of(
        shown,
        confidence=tables.decimal("confidence (%)"),
        distance=tables.decimal("distance (km)", form="%,.0f"),
    )
    tables.show(
        shown,
        columns,
        key=selection_events.keyed(key, run_id),
        values=run_ids,
        chosen=run_id,
        on_pick=lambda picked: on_pick(run_id if picked is None else picked),
    )
