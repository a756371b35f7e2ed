"""The map's JSON: what deck.gl is told to draw, and where it looks."""

import json
import math
import re
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pydeck as pdk
import pytest
import streamlit as st
from pydeck.types import String

from dashboard.charts import deck_map
from dashboard.charts.deck_map import Deck, Json
from dashboard.queries.run_queries import FLOWS, form_of
from dashboard.shell import theme
from dashboard.views.map import page

HOSTILE = '@@=alert(1) <img src="https://evil.example/z.png"> "]}'


def images(n=3, **changes):
    """Rows as `analysis.ends` gives them, of unequal numbers."""
    rng = np.random.default_rng(4)
    columns = {
        "image_id": np.arange(11, 11 + n),
        "true_country": ["EE", "FR", "JP"][:n] + ["EE"] * (n - 3),
        "pred_country": ["NZ", "ES", "KR"][:n] + ["FI"] * (n - 3),
        "distance_km": rng.uniform(100, 15_000, n),
        "country_probability": rng.random(n),
        "true_latitude_deg": rng.uniform(-60, 70, n),
        "true_longitude_deg": rng.uniform(-180, 180, n),
        "pred_latitude_deg": rng.uniform(-60, 70, n),
        "pred_longitude_deg": rng.uniform(-180, 180, n),
    }
    return pd.DataFrame(columns | changes)


def routes(n):
    """Rows as `mapping.flows` gives them."""
    return images(len(n)).drop(columns="image_id").assign(n=n)


class Drawn:
    def chart(self, shown, *, key, alt, on_select, **_):
        assert isinstance(shown, pdk.Deck)
        assert all(isinstance(each, pdk.Layer) for each in shown.layers)
        self.text = shown.to_json()
        self.content = json.loads(self.text)
        self.alt, self.on_select, self.tooltip = alt, on_select, shown._tooltip

    def layer(self, name):
        (found,) = (each for each in self.content["layers"] if each["id"] == name)
        return found


@pytest.fixture
def drawn(monkeypatch):
    kept = Drawn()
    monkeypatch.setattr(st, "pydeck_chart", kept.chart)
    kept.picked = []
    return kept


def marks_of(form):
    return pd.DataFrame(json.loads(form.layers[0].data.text))


def draw(form, drawn):
    deck_map.draw(
        form.layers,
        fitted=form.fitted,
        key="m",
        alt_text="A map. Most frequent: a pair.",
        on_pick=lambda *what: drawn.picked.append(what),
    )


def test_buttons_of_the_map_have_a_short_name(drawn):
    draw(page.arcs(images(), "ends"), drawn)
    assert drawn.alt == "A map"


def test_nothing_in_the_map_names_an_address_to_fetch(drawn):
    draw(page.arcs(images(), "ends"), drawn)
    assert not re.search(r"https?:|//|\burl\b", drawn.text)
    # pydeck's word for no tiles: without it, Streamlit takes tiles of its own choice.
    assert drawn.content["mapStyle"] == "__MAP_STYLE__"
    assert "mapProvider" not in drawn.content


@pytest.mark.parametrize(
    "variable", ["CARTO_API_KEY", "MAPBOX_API_KEY", "MapboxAccessToken", "GOOGLE_MAPS_API_KEY"]
)
def test_keys_of_tile_servers_stay_out_of_the_page(drawn, monkeypatch, variable):
    monkeypatch.setenv(variable, "a secret")
    monkeypatch.setattr(st, "pydeck_chart", lambda shown, **_: shown_decks.append(shown))
    shown_decks = []
    draw(page.arcs(images(), "ends"), drawn)
    (deck,) = shown_decks
    assert "a secret" not in deck.to_json()
    assert deck.mapbox_key is None  # Streamlit sends this one beside the JSON


def test_the_map_is_written_as_pydeck_would():
    frame = pd.DataFrame({"x": [1.25, 2.5], "title": ["a", "b"]})

    def deck(of, data):
        layer = pdk.Layer(
            "ScatterplotLayer",
            data,
            id="dots",
            get_position="[x, x]",
            radius_units=String("pixels"),
        )
        return of([layer], initial_view_state=deck_map.view_of(np.empty(0), np.empty(0)))

    plain = deck(lambda *a, **k: pdk.Deck(*a, map_provider=None, **k), frame.to_dict("records"))
    assert json.loads(deck(Deck, Json(frame)).to_json()) == json.loads(plain.to_json())


def test_countries_lie_lowest_and_only_their_areas_can_be_clicked(drawn):
    draw(page.arcs(images(), "ends"), drawn)
    names = [each["id"] for each in drawn.content["layers"]]
    assert names[:2] == ["countries", "borders"]
    assert [each["pickable"] for each in drawn.content["layers"][:2]] == [True, False]
    areas = {each["code"]: each for each in drawn.layer("countries")["data"]}
    assert areas["FR"]["title"] == "France"
    assert areas["FR"]["geometry"]["type"] == "MultiPolygon"


def test_an_arc_goes_from_the_true_to_the_predicted_place_in_their_colours(drawn):
    rows = images()
    draw(page.arcs(rows, "ends"), drawn)
    arcs = drawn.layer("arcs")
    assert arcs["@@type"] == "GreatCircleLayer"
    assert (arcs["getSourcePosition"], arcs["getTargetPosition"]) == ("@@=[x0, y0]", "@@=[x1, y1]")
    assert arcs["getSourceColor"][:3] == [0x00, 0x72, 0xB2]
    assert arcs["getTargetColor"][:3] == [0xD5, 0x5E, 0x00]
    for mark, row in zip(arcs["data"], rows.to_dict("records"), strict=True):
        assert mark["id"] == row["image_id"]
        found = (mark["y0"], mark["x0"], mark["y1"], mark["x1"])
        names = [
            f"{end}_{axis}_deg" for end in ("true", "pred") for axis in ("latitude", "longitude")
        ]
        assert found == tuple(round(row[name], 3) for name in names)


def test_the_tooltip_says_countries_distance_and_confidence(drawn):
    draw(page.arcs(images(distance_km=[17_127.4, 5.0, np.nan]), "ends"), drawn)
    texts = [(each["title"], each["detail"]) for each in drawn.layer("arcs")["data"]]
    assert texts[0][0] == "Estonia → New Zealand"
    assert texts[0][1].replace("\u00a0", " ").startswith("17,127 km · confidence ")
    assert texts[2][1].startswith("– · confidence ")
    assert "text" in drawn.tooltip
    assert "html" not in drawn.tooltip


def test_many_arcs_are_thinner_in_colour_and_have_no_dots():
    few, many = (page.arcs(images(n), "ends").layers for n in (40, 1500))
    assert [each.id for each in few] == ["arcs", "truths", "predictions"]
    assert [each.id for each in many] == ["arcs"]
    assert few[0].get_source_color[3] > many[0].get_source_color[3]


@pytest.mark.parametrize("colour", ["km", "confidence"])
def test_marks_are_coloured_by_the_measure(colour):
    rows = images(distance_km=[100.0, 20_000.0, np.nan], country_probability=[0.0, 1.0, np.nan])
    for form in (page.arcs(rows, colour), page.points(rows, colour, "true")):
        marks = marks_of(form)
        found = [f"#{r:02x}{g:02x}{b:02x}" for r, g, b in marks[["r", "g", "b"]].to_numpy()]
        assert found == [theme.SEQUENTIAL[0], theme.SEQUENTIAL[-1], theme.APART]


def test_colours_between_two_stops_are_between_them():
    middle = deck_map.colours(np.array([0.5 / (len(theme.SEQUENTIAL) - 1)]))[0]
    ends = [[int(each[i : i + 2], 16) for i in (1, 3, 5)] for each in theme.SEQUENTIAL[:2]]
    assert np.abs(middle - np.mean(ends, axis=0)).max() <= 0.5


def test_points_are_at_the_place_that_is_asked_for():
    for where, expression in (("true", "@@=[x0, y0]"), ("predicted", "@@=[x1, y1]")):
        assert page.points(images(), "km", where).layers[0].get_position == expression


def test_flows_are_as_wide_as_the_root_of_their_images_and_the_widest_on_top():
    form = page.flows(routes([400, 100, 4]), "ends")
    rows = marks_of(form)
    assert rows["true"].tolist() == ["JP", "FR", "EE"]
    assert (rows["w"] / rows["w"].max()).tolist() == pytest.approx([0.1, 0.5, 1.0], abs=1e-3)
    assert (form.num_marks, form.num_images) == (3, 504)
    assert rows["detail"].iloc[2].startswith("400 images · mean ")
    legend = "".join(form.legend)
    for words in ("400 images", "100 images", "4 images", "true place", "predicted place"):
        assert words in legend


def test_flows_without_a_place_are_left_out():
    found = routes([9, 5])
    found.loc[0, "pred_latitude_deg"] = np.nan
    form = page.flows(found, "km")
    assert (form.num_marks, form.num_images) == (1, 5)
    found["true_longitude_deg"] = np.nan
    assert page.flows(found, "km").num_marks == 0


def hexagons(**changes):
    columns = {
        "cell": [3, 70],
        "latitude_deg": [10.0, 20.0],
        "longitude_deg": [30.0, 40.0],
        "outline": [[[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]] * 2,
        "n": [1, 400],
        "num_values": [1, 400],
        "mean": [500.0, np.nan],
    }
    return pd.DataFrame(columns | changes)


def test_hexagons_of_few_images_are_pale_and_say_their_number():
    form = page.hexagons(hexagons(), "km")
    rows = marks_of(form)
    assert rows["a"].iloc[0] < rows["a"].iloc[1]
    assert rows["title"].tolist() == ["1 image", "400 images"]
    assert rows["detail"].iloc[0].replace("\u00a0", " ") == "mean distance 500 km"
    assert (form.num_marks, form.num_images) == (2, 401)
    assert "fewer than 30" in "".join(form.legend)


def test_the_legend_names_the_measure_and_its_ends():
    for form, words in (
        (page.points(images(), "km", "true"), ("distance, log scale", "100 km", "20,000 km")),
        (page.points(images(), "confidence", "true"), ("confidence", "0 %", "100 %")),
        (page.hexagons(hexagons(), "confidence"), ("mean confidence",)),
    ):
        legend = "".join(form.legend).replace("\u00a0", " ")
        assert all(each in legend for each in words)


def test_hostile_texts_are_data_that_deck_gl_does_not_evaluate(drawn):
    rows = images(true_country=[HOSTILE] * 3)
    draw(page.arcs(rows, "ends"), drawn)
    for each in drawn.layer("arcs")["data"]:
        assert not each["title"].startswith("@@")
        assert "alert" in each["title"]
    draw(page.flows(routes([3, 2, 1]).assign(pred_country=HOSTILE), "ends"), drawn)
    for each in drawn.layer("flows")["data"]:
        assert not any(str(value).startswith("@@") for value in each.values())


@pytest.mark.parametrize(
    ("objects", "picked"),
    [
        ({"arcs": [{"id": 5}]}, ("arcs", {"id": 5})),
        ({}, ("", {})),
        ({"arcs": []}, ("", {})),
        ({"arcs": ["no row"]}, ("", {})),
    ],
)
def test_a_click_hands_on_the_layer_and_its_row(drawn, monkeypatch, objects, picked):
    draw(page.arcs(images(), "ends"), drawn)
    selection = {"selection": {"objects": objects, "indices": {}}}
    monkeypatch.setattr(st, "session_state", {"m": selection})
    drawn.on_select()
    assert drawn.picked == [picked]


def pixels(view, latitude, longitude):
    """Where a place is from the middle of the map: Web Mercator, 512 pixels around the world."""
    world = 512 * 2**view.zoom

    def y(degrees):
        return math.log(math.tan(math.pi / 4 + math.radians(degrees) / 2)) / (2 * math.pi) * world

    across = (longitude - view.longitude + 180) % 360 - 180
    return across / 360 * world, y(latitude) - y(view.latitude)


@pytest.mark.parametrize(
    "places",
    [
        [(48.9, 2.4), (50.1, 14.4)],
        [(-36.8, 174.8), (-33.4, -70.7)],  # Auckland and Santiago: across the antimeridian
        [(65.0, -170.0), (64.0, 178.0), (35.0, 139.0)],
        [(70.0, -20.0), (-55.0, -20.5)],
        [(10.0, 20.0)],
    ],
)
def test_the_view_holds_all_places_and_is_no_wider_than_needed(places):
    latitude, longitude = (np.array(each) for each in zip(*places, strict=True))
    view = deck_map.view_of(latitude, longitude)
    found = np.array([pixels(view, *place) for place in places])
    assert np.abs(found[:, 0]).max() <= 600 / 2
    assert np.abs(found[:, 1]).max() <= 500 / 2
    if view.zoom < 5:
        assert max(np.ptp(found[:, 0]) / 540, np.ptp(found[:, 1]) / 440) == pytest.approx(
            1, abs=0.02
        )


def test_on_a_phone_the_view_holds_all_places_too(drawn, monkeypatch):
    phone = SimpleNamespace(headers={"User-Agent": "Mozilla/5.0 (Linux; Android 14) Mobile"})
    rows = images(true_longitude_deg=[-100.0, 5.0, 130.0])
    zooms = []
    for context in (st.context, phone):
        monkeypatch.setattr(st, "context", context)
        draw(page.points(rows, "km", "true"), drawn)
        zooms.append(drawn.content["initialViewState"]["zoom"])
    assert zooms[1] < zooms[0]
    found = [
        pixels(SimpleNamespace(**drawn.content["initialViewState"]), *place)
        for place in zip(rows["true_latitude_deg"], rows["true_longitude_deg"], strict=True)
    ]
    assert np.abs(np.array(found)[:, 0]).max() <= 360 / 2


def test_without_places_the_view_is_the_world():
    nowhere = np.array([np.nan])
    for each in (nowhere, np.empty(0)):
        assert deck_map.view_of(each, each).zoom < 1


@pytest.mark.parametrize(
    ("wanted", "total", "form"),
    [
        ("auto", 0, "arcs"),
        ("auto", 9_999, "points"),
        ("auto", 10**6, FLOWS),
        ("arcs", 10**6, "arcs"),
    ],
)
def test_the_form_is_chosen_by_scale_unless_one_is_asked_for(wanted, total, form):
    assert form_of(wanted, total) == form
