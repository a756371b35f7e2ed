"""Maps of countries: what they are made of, and what a click hands on."""

import json
import math

import numpy as np
import pandas as pd
import pytest
import streamlit as st

from dashboard.charts import choropleth, close_up_map
from dashboard.shell import theme
from streetclip.gazetteer.outlines import country_centre
from tests.dashboard.specs import Drawn, layers_of


def frame(**changes):
    columns = {
        "country": ["FR", "SG", "BR", "JP"],
        "value": [0.8, 0.25, 0.5, 0.1],
        "label": list("abcd"),
        "interval": list("efgh"),
        "n": [120, 8, 60, 29],
    }
    return pd.DataFrame(columns | changes)


def draw(rows, title="country accuracy", on_select=print, **settings):
    choropleth.choropleth(rows, key="k", title=title, on_select=on_select, **settings)


class WorldDrawn(Drawn):
    @property
    def spec(self):
        return self.only("charts")

    def of(self, kind, position=0):
        return layers_of(self.spec, kind)[position]


@pytest.fixture
def drawn(monkeypatch):
    return WorldDrawn(monkeypatch)


def rows_of(layer):
    return json.loads(layer["data"]["values"])


def looked_up(layer):
    """The rows that a layer of shapes gets by country."""
    (found,) = (each for each in layer["transform"] if "lookup" in each)
    rows = json.loads(found["from"]["data"]["values"])
    fields = {found["from"]["key"], *found["from"]["fields"]}
    return [{name: row[name] for name in row if name in fields} for row in rows]


def test_each_country_has_its_value_and_the_texts_of_the_caller(drawn):
    draw(frame())
    first, *_ = looked_up(drawn.of("geoshape", 1))
    plain = {name: str(value).replace("\u00a0", " ") for name, value in first.items()}
    assert plain == {
        "country": "FR",
        "value": "0.8",
        "n": "120",
        "label": "a",
        "interval": "e",
        "n_label": "120",
    }


def test_only_countries_too_small_to_see_are_dots_where_they_are(drawn):
    draw(frame())
    (dot,) = rows_of(drawn.of("point"))
    assert dot["country"] == "SG"
    assert dot["name"] == "Singapore"
    assert (dot["latitude_deg"], dot["longitude_deg"]) == country_centre("SG")
    assert (dot["latitude_deg"], dot["longitude_deg"]) == pytest.approx((1.35, 103.8), abs=0.2)


def test_few_images_are_pale_and_dashed_and_the_legend_says_so(drawn):
    draw(frame())
    for kind, position in (("geoshape", 1), ("point", 0)):
        encoding = drawn.of(kind, position)["encoding"]
        assert encoding["fillOpacity"]["condition"] == {
            "test": f"datum.n < {theme.SMALL_N}",
            "value": theme.PALE_OPACITY,
        }
        assert encoding["strokeDash"]["condition"]["test"] == f"datum.n < {theme.SMALL_N}"
    assert "fewer than 30 images" in drawn.text


def test_with_enough_images_everywhere_the_legend_says_nothing_of_few(drawn):
    draw(frame(n=[120, 80, 60, 30]))
    assert "fewer" not in drawn.text
    assert "no images" in drawn.text


@pytest.mark.parametrize(
    ("values", "ends"),
    [
        ([0.12, 0.9, -0.03, 0.0], [-0.15, 0.15]),  # the 0.9 is of 8 images
        ([-0.31, 0.0, 0.2, 0.0], [-0.35, 0.35]),
        ([0.0, 0.0, 0.0, 0.0], [-0.05, 0.05]),
    ],
)
def test_differences_are_coloured_evenly_around_zero(drawn, values, ends):
    draw(frame(value=values), title="difference", scale="difference")
    scale = drawn.of("geoshape", 1)["encoding"]["fill"]["scale"]
    assert scale["domain"] == pytest.approx(ends)
    assert scale["range"] == list(theme.DIFFERENCE)
    assert len(scale["range"]) % 2 == 1


def test_shares_are_coloured_from_0_to_1_unless_ends_are_given(drawn):
    draw(frame())
    assert drawn.of("geoshape", 1)["encoding"]["fill"]["scale"]["domain"] == [0.0, 1.0]
    draw(frame(), title="median", domain=(0.0, 500.0))
    assert drawn.of("geoshape", 1)["encoding"]["fill"]["scale"]["domain"] == [0.0, 500.0]


def test_antarctica_is_drawn_when_there_are_images_of_it(drawn):
    draw(frame())
    hidden = {"filter": "datum.properties.code != 'AQ'"}
    assert hidden in drawn.of("geoshape")["transform"]
    draw(frame(country=["FR", "SG", "AQ", "JP"]))
    assert hidden not in drawn.of("geoshape")["transform"]


def test_the_description_names_the_highest_and_the_lowest_with_enough_images(drawn):
    draw(frame())
    assert drawn.only("alts") == (
        "Map of the world: country accuracy of 4 countries. Highest: France 80.0 %, Brazil 50.0 %. "
        "Lowest: France 80.0 %, Brazil 50.0 %."
    )
    draw(frame(n=[1, 2, 3, 4]))
    assert "none with 30 images or more" in drawn.only("alts")


@pytest.mark.parametrize(
    ("picked", "handed_on"),
    [
        ([{"country": "BR"}], ["BR"]),
        ([{"country": "DE"}], []),  # drawn in grey
        ([{"country": ""}], []),
        ([{}], []),
        ([], []),
    ],
)
def test_a_click_hands_on_a_country_that_has_images(drawn, monkeypatch, picked, handed_on):
    seen = []
    draw(frame(), on_select=seen.append)
    monkeypatch.setattr(st, "session_state", {"k": {"selection": {"picked": picked}}})
    drawn.on_selects["k"]()
    assert seen == handed_on
    assert drawn.of("geoshape", 1)["params"][0]["select"]["fields"] == ["country"]


def test_an_empty_frame_is_a_map_without_values(drawn):
    draw(frame().head(0))
    assert "of 0 countries" in drawn.only("alts")


# The close-up of one image


def projected(spec, place, width, height):
    """Pixels of a place, by Snyder's formulas of the azimuthal equal-area projection (p. 185)."""
    rotate = spec["projection"]["rotate"]
    middle_longitude, middle_latitude = (math.radians(-each) for each in rotate[:2])
    latitude, longitude = (math.radians(each) for each in place)
    apart = longitude - middle_longitude
    cosine = math.sin(middle_latitude) * math.sin(latitude)
    cosine += math.cos(middle_latitude) * math.cos(latitude) * math.cos(apart)
    k = math.sqrt(2 / (1 + cosine))
    x = k * math.cos(latitude) * math.sin(apart)
    y = k * (
        math.cos(middle_latitude) * math.sin(latitude)
        - math.sin(middle_latitude) * math.cos(latitude) * math.cos(apart)
    )
    names = {"min": min, "width": width, "height": height}
    scale = eval(spec["projection"]["scale"]["expr"], names)
    return width / 2 + scale * x, height / 2 - scale * y


PLACES = [
    ((48.9, 2.4), (50.1, 14.4)),
    ((48.9, 2.4), (48.9, 2.5)),
    ((35.7, 139.7), (40.7, -74.0)),
    ((-17.7, 178.0), (-13.8, -171.8)),  # across the antimeridian
    ((-36.8, 174.8), (40.4, -3.7)),  # nearly opposite
    ((89.0, 0.0), (80.0, 180.0)),  # across the pole
]


@pytest.mark.parametrize(("truth", "prediction"), PLACES)
@pytest.mark.parametrize("width", [330, 700])
def test_both_places_are_well_inside_the_close_up(drawn, truth, prediction, width):
    close_up_map.small_map(truth, prediction, key="k", alt_text="both")
    height = drawn.spec["height"]
    for place in (truth, prediction):
        x, y = projected(drawn.spec, place, width, height)
        assert 0.05 * width < x < 0.95 * width
        assert 0.05 * height < y < 0.95 * height


def test_the_line_between_the_places_is_a_geodesic_from_one_to_the_other(drawn):
    close_up_map.small_map((35.7, 139.7), (40.7, -74.0), key="k", alt_text="both")
    (line,) = (each for each in drawn.spec["layer"] if each["data"].get("name") == "great_circle")
    assert rows_of(line) == {"type": "LineString", "coordinates": [[139.7, 35.7], [-74.0, 40.7]]}


@pytest.mark.parametrize(
    ("truth", "prediction", "names"),
    [((1.0, 2.0), None, ["true"]), (None, (1.0, 2.0), ["predicted"])],
)
def test_one_place_alone_is_in_the_middle(drawn, truth, prediction, names):
    close_up_map.small_map(truth, prediction, key="k", alt_text="one")
    assert np.allclose(projected(drawn.spec, (1.0, 2.0), 400, 260), (200, 130))
    texts = layers_of(drawn.spec, "text")
    shown = [drawn.spec["datasets"][each["data"]["name"]]["name"].iloc[0] for each in texts]
    assert shown == names


def test_without_any_place_nothing_is_drawn(monkeypatch):
    monkeypatch.setattr(st, "vega_lite_chart", lambda *_, **__: pytest.fail("drawn"))
    close_up_map.small_map(None, None, key="k", alt_text="none")
