"""The map's JSON: what deck.gl is told to draw, and where it looks."""

import json
import re

import numpy as np
import pandas as pd
import pydeck as pdk
import pytest
import streamlit as st
from pydeck.types import String

from dashboard.charts import deck_map, map_buttons
from dashboard.charts.deck_map import Deck, Json
from dashboard.queries.run_queries import FLOWS, form_of
from dashboard.shell import theme
from dashboard.views.map import map_layers
from streetclip.gazetteer.outlines import outline_features
from streetclip.geo import MAP_HEIGHT, MAP_WIDTH, on_map

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
        self.key = key

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
        on_world=lambda wanted: None,
    )


def test_buttons_of_the_map_have_a_short_name(drawn):
    draw(map_layers.arcs(images(), "ends"), drawn)
    assert drawn.alt == "A map"


def test_nothing_in_the_map_names_an_address_to_fetch(drawn):
    draw(map_layers.arcs(images(), "ends"), drawn)
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
    draw(map_layers.arcs(images(), "ends"), drawn)
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
        view, state = deck_map.view_of(*deck_map.NOWHERE)
        return of([layer], views=[view], initial_view_state=state)

    plain = deck(lambda *a, **k: pdk.Deck(*a, map_provider=None, **k), frame.to_dict("records"))
    assert json.loads(deck(Deck, Json(frame)).to_json()) == json.loads(plain.to_json())


def test_countries_lie_lowest_and_only_their_areas_can_be_clicked(drawn):
    draw(map_layers.arcs(images(), "ends"), drawn)
    names = [each["id"] for each in drawn.content["layers"]]
    assert names[:2] == ["countries", "borders"]
    assert [each["pickable"] for each in drawn.content["layers"][:2]] == [True, False]
    areas = {each["code"]: each for each in drawn.layer("countries")["data"]}
    assert areas["FR"]["title"] == "France"
    assert areas["FR"]["geometry"]["type"] == "MultiPolygon"


def test_an_arc_goes_from_the_true_to_the_predicted_place_in_their_colours(drawn):
    rows = images()
    draw(map_layers.arcs(rows, "ends"), drawn)
    arcs = drawn.layer("arcs")
    assert (arcs["@@type"], arcs["getPath"], arcs["positionFormat"]) == (
        "PathLayer",
        "@@=path",
        "XY",
    )
    for row in rows.to_dict("records"):
        pieces = [each for each in arcs["data"] if each["id"] == row["image_id"]]
        first, last = pieces[0], pieces[-1]
        assert [first[each] for each in "rgb"] == [0x00, 0x72, 0xB2]
        assert [last[each] for each in "rgb"] == [0xD5, 0x5E, 0x00]
        ends = first["path"][:2], last["path"][-2:]
        for end, name in zip(ends, ("true", "pred"), strict=True):
            place = row[f"{name}_latitude_deg"], row[f"{name}_longitude_deg"]
            assert end == pytest.approx(on_map(*place), abs=0.01)


def test_the_tooltip_says_countries_distance_and_confidence(drawn):
    draw(map_layers.arcs(images(distance_km=[17_127.4, 5.0, np.nan]), "ends"), drawn)
    texts = [(each["title"], each["detail"]) for each in drawn.layer("truths")["data"]]
    assert {*texts} == {(each["title"], each["detail"]) for each in drawn.layer("arcs")["data"]}
    assert texts[0][0] == "Estonia → New Zealand"
    assert texts[0][1].replace("\u00a0", " ").startswith("17,127 km · confidence ")
    assert texts[2][1].startswith("– · confidence ")
    assert "text" in drawn.tooltip
    assert "html" not in drawn.tooltip


def test_many_arcs_are_thinner_in_colour_and_have_no_dots():
    few, many = (map_layers.arcs(images(n), "ends").layers for n in (40, 1500))
    assert [each.id for each in few] == ["arcs", "truths", "predictions"]
    assert [each.id for each in many] == ["arcs"]
    alphas = [int(each[0].get_color.split(",")[-1].strip(" ]")) for each in (few, many)]
    assert alphas[0] > alphas[1]


@pytest.mark.parametrize("colour", ["km", "confidence"])
def test_marks_are_coloured_by_the_measure(colour):
    rows = images(distance_km=[100.0, 20_000.0, np.nan], country_probability=[0.0, 1.0, np.nan])
    for form in (map_layers.arcs(rows, colour), map_layers.points(rows, colour, "true")):
        marks = marks_of(form).drop_duplicates("id")
        found = [f"#{r:02x}{g:02x}{b:02x}" for r, g, b in marks[["r", "g", "b"]].to_numpy()]
        assert found == [theme.SEQUENTIAL[0], theme.SEQUENTIAL[-1], theme.APART]


def test_colours_between_two_stops_are_between_them():
    middle = deck_map.colours(np.array([0.5 / (len(theme.SEQUENTIAL) - 1)]))[0]
    ends = [[int(each[i : i + 2], 16) for i in (1, 3, 5)] for each in theme.SEQUENTIAL[:2]]
    assert np.abs(middle - np.mean(ends, axis=0)).max() <= 0.5


def test_points_are_at_the_place_that_is_asked_for():
    for where, expression in (("true", "@@=[x0, y0]"), ("predicted", "@@=[x1, y1]")):
        assert map_layers.points(images(), "km", where).layers[0].get_position == expression


def test_flows_are_as_wide_as_the_root_of_their_images_and_the_widest_on_top():
    form = map_layers.flows(routes([400, 100, 4]), "ends")
    rows = marks_of(form).drop_duplicates(["true", "predicted"])
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
    form = map_layers.flows(found, "km")
    assert (form.num_marks, form.num_images) == (1, 5)
    found["true_longitude_deg"] = np.nan
    assert map_layers.flows(found, "km").num_marks == 0


def hexagons(**changes):
    columns = {
        "cell": [3, 70],
        "outline": [[[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]] * 2,
        "n": [1, 400],
        "country_correct": [1, 100],
        "median_km": [500.0, np.nan],
    }
    return pd.DataFrame(columns | changes)


@pytest.mark.parametrize(
    ("colour", "details", "legend", "marked"),
    [
        (
            "error",
            ["median error 500 km", "median error –"],
            "median error, log scale: 100 km20,000 km",
            [0.3038, np.nan],
        ),
        (
            "accuracy",
            ["country accuracy 100.0 % (20.7–100.0)", "country accuracy 25.0 % (21.0–29.5)"],
            "country accuracy: 0 %100 %",
            [1.0, 0.25],
        ),
        ("n", ["", ""], "images, log scale: 1400", [0.0, 1.0]),
    ],
)
def test_hexagons_have_the_colour_and_the_words_of_their_measure(colour, details, legend, marked):
    form = map_layers.hexagons(hexagons(), colour)
    rows = marks_of(form)
    assert rows["title"].tolist() == ["1 image", "400 images"]
    assert [each.replace("\u00a0", " ") for each in rows["detail"]] == details
    expected = deck_map.colours(np.array(marked))
    assert np.abs(rows[["r", "g", "b"]].to_numpy() - expected).max() <= 1
    assert legend in re.sub("<[^>]*>", "", "".join(form.legend)).replace("\u00a0", " ")
    assert (form.num_marks, form.num_images) == (2, 401)
    # Few images are pale, except where their number is what is shown.
    assert (rows["a"].iloc[0] < rows["a"].iloc[1]) == (colour != "n")
    assert ("fewer than 30" in "".join(form.legend)) == (colour != "n")


def test_no_hexagon_has_a_legend_all_the_same():
    for colour in ("error", "accuracy", "n"):
        form = map_layers.hexagons(hexagons().head(0), colour)
        assert (form.num_marks, len(form.legend)) == (0, 1)


def test_the_legend_names_the_measure_and_its_ends():
    for form, words in (
        (map_layers.points(images(), "km", "true"), ("distance, log scale", "100 km", "20,000 km")),
        (map_layers.points(images(), "confidence", "true"), ("confidence", "0 %", "100 %")),
    ):
        legend = "".join(form.legend).replace("\u00a0", " ")
        assert all(each in legend for each in words)


def test_hostile_texts_are_data_that_deck_gl_does_not_evaluate(drawn):
    rows = images(true_country=[HOSTILE] * 3)
    draw(map_layers.arcs(rows, "ends"), drawn)
    for each in drawn.layer("arcs")["data"]:
        assert not each["title"].startswith("@@")
        assert "alert" in each["title"]
    draw(map_layers.flows(routes([3, 2, 1]).assign(pred_country=HOSTILE), "ends"), drawn)
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
    draw(map_layers.arcs(images(), "ends"), drawn)
    selection = {"selection": {"objects": objects, "indices": {}}}
    monkeypatch.setattr(st, "session_state", {drawn.key: selection})
    drawn.on_select()
    assert drawn.picked == [picked]


def shown_at(view, width, height):
    """West, south, east and north of what a canvas shows at first, as deck.gl fits the bounds."""
    (west, south), (east, north) = view.controller["maxBounds"]
    scale = max(width / (east - west), height / (north - south))
    x, y = (west + east) / 2, (south + north) / 2
    return (
        x - width / scale / 2,
        y - height / scale / 2,
        x + width / scale / 2,
        y + height / scale / 2,
    )


@pytest.mark.parametrize(
    "places",
    [
        [(48.9, 2.4), (50.1, 14.4)],
        [(-36.8, 174.8), (-33.4, -70.7)],  # Auckland and Santiago
        [(64.8, -147.7), (25.8, -80.2), (-54.8, -68.3), (70.7, 23.7), (-46.4, 168.3)],
        [(70.0, -20.0), (-55.0, -20.5)],
        [(-77.8, 166.7), (82.5, -62.3)],
        [(10.0, 20.0)],
    ],
)
@pytest.mark.parametrize("width", [330, 615, 915, 1315])
def test_the_view_holds_all_places_at_any_width(places, width):
    x, y = on_map(*(np.array(each) for each in zip(*places, strict=True)))
    view, state = deck_map.view_of(x, y)
    west, south, east, north = shown_at(view, width, width / 2)
    assert west < x.min() <= x.max() < east
    assert south < y.min() <= y.max() < north
    assert east - west <= 1.021 * MAP_WIDTH  # one world
    assert south > -MAP_HEIGHT / 2 - 12
    assert north < MAP_HEIGHT / 2 + 12
    # From where deck.gl zooms in, never out.
    assert state.target[:2] == pytest.approx([(west + east) / 2, (south + north) / 2], abs=0.01)
    assert width / 2**state.zoom > east - west
    # On a full screen of another shape, they are seen as well.
    west, south, east, north = shown_at(view, 1440, 900)
    assert west < x.min() <= x.max() < east
    assert south < y.min() <= y.max() < north


def test_the_view_is_no_wider_than_needed():
    x, y = on_map(np.array([40.0, 50.0]), np.array([0.0, 60.0]))
    west, _, east, _ = shown_at(deck_map.view_of(x, y)[0], 600, 300)
    assert east - west == pytest.approx(1.08 * np.ptp(x))


def test_without_places_the_view_is_the_world_with_little_of_antarctica():
    nowhere = np.array([np.nan])
    for each in (nowhere, np.empty(0)):
        west, south, east, north = shown_at(deck_map.view_of(each, each)[0], 600, 300)
        assert (east - west) == pytest.approx(1.02 * MAP_WIDTH)
        assert north > MAP_HEIGHT / 2
        on_page = np.array([point for ring in antarctica() for point in ring])
        assert (on_page[:, 1].max() - south) / (north - south) < 0.1


def antarctica():
    (feature,) = (each for each in outline_features() if each["properties"]["code"] == "AQ")
    return [ring for polygon in feature["geometry"]["coordinates"] for ring in polygon]


def test_a_chart_of_other_bounds_or_after_a_reset_has_another_key(drawn, monkeypatch):
    keys = []
    for rows in (images(), images(), images(true_latitude_deg=75.0)):
        draw(map_layers.points(rows, "km", "true"), drawn)
        keys.append(drawn.key)
    monkeypatch.setattr(map_buttons, "times_reset", lambda key: 1)
    draw(map_layers.points(images(), "km", "true"), drawn)
    assert keys[0] == keys[1]
    assert len({*keys, drawn.key}) == 3


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
