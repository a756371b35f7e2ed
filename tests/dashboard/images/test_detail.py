import pandas as pd
import pytest
import streamlit as st

from dashboard.images import image_detail


def fields(**changes):
    values = {
        "image_id": 7,
        "image_filename": "a.jpg",
        "line": 8,
        "status": "ok",
        "error": None,
        "true_country": "SK",
        "true_region": "",
        "true_city": "Košice",
        "pred_country": "CZ",
        "pred_city": "Brno",
        "country_correct": False,
        "city_correct": False,
        "country_probability": 0.5,
        "city_probability": 0.25,
        "true_country_rank": 2,
        "true_city_rank": None,
        "true_latitude_deg": 48.7,
        "true_longitude_deg": 21.3,
        "pred_latitude_deg": 49.2,
        "pred_longitude_deg": 16.6,
        "coordinate_source": "image",
        "distance_km": 345.6,
        "top_countries": [["CZ", 0.5], ["SK", 0.3], ["ZZ", 0.2]],
        "top_cities": [["Brno", "CZ", 0.25], ["Košice", "CZ", 0.2]],
        "attributes": {},
        "csv_path": "test.csv",
    }
    return values | changes


@pytest.fixture
def drawn(monkeypatch):
    """What is drawn, without a browser: remarks, lists of terms, charts and images."""

    class Drawn:
        def __init__(self):
            self.remarks, self.items, self.charts = [], {}, {}

    each = Drawn()
    monkeypatch.setattr(image_detail.html, "remark", each.remarks.append)
    monkeypatch.setattr(image_detail.html, "definitions", lambda *items: each.items.update(items))
    monkeypatch.setattr(
        image_detail.channels,
        "show",
        lambda layers, **options: each.charts.update({options["key"]: layers}),
    )
    monkeypatch.setattr(image_detail.st, "header", lambda *_, **__: None)
    monkeypatch.setattr(image_detail.html, "draw", lambda *_: None)
    return each


def rows_of(drawn, key):
    return drawn.charts[key][0].data


def test_the_truth_is_marked_in_colour_and_in_words(drawn):
    image_detail.countries(fields())
    rows = rows_of(drawn, "detail_countries")
    assert list(rows["name"]) == ["Czechia", "Slovakia", "ZZ"]
    assert list(rows["role"]) == ["wrong", "correct", "muted"]
    assert [label.replace("\u00a0", " ") for label in rows["label"]] == [
        "50.0 %",
        "30.0 %  true",
        "20.0 %",
    ]
    assert drawn.remarks == []


def test_a_right_prediction_is_not_drawn_as_wrong(drawn):
    image_detail.countries(fields(true_country="CZ", country_correct=True))
    assert list(rows_of(drawn, "detail_countries")["role"]) == ["correct", "muted", "muted"]


def test_a_truth_below_the_bars_is_told_with_its_rank(drawn):
    image_detail.countries(fields(true_country="PT", true_country_rank=1234))
    assert drawn.remarks == ["The true country is at rank 1,234."]


def test_a_truth_that_no_candidate_names_is_told(drawn):
    image_detail.countries(fields(true_country="PT", true_country_rank=None))
    assert drawn.remarks == ["The true country is not among the candidates."]


def test_at_most_ten_bars_are_drawn(drawn):
    ranked = [[f"X{i}", 0.01] for i in range(30)]
    image_detail.countries(fields(top_countries=ranked))
    assert len(rows_of(drawn, "detail_countries")) == 10


def test_a_city_of_the_same_name_in_another_country_is_not_the_truth(drawn):
    image_detail.cities(fields())
    assert "correct" not in list(rows_of(drawn, "detail_cities")["role"])
    assert drawn.remarks == ["The true city is not among them: the country is wrong."]


def test_a_city_is_known_by_its_name_however_it_is_written(drawn):
    image_detail.cities(
        fields(
            country_correct=True,
            true_country="CZ",
            true_city="kosice",
            true_city_rank=2,
        )
    )
    assert list(rows_of(drawn, "detail_cities")["role"]) == ["wrong", "correct"]


def test_the_true_city_is_marked_by_its_rank_not_by_its_name(drawn):
    image_detail.cities(
        fields(
            true_country="DE",
            true_city="Cologne",
            country_correct=1,
            top_cities=[["Paris", "FR", 0.4], ["Cologne", "DE", 0.3], ["Köln", "DE", 0.2]],
            true_city_rank=2,
        )
    )
    assert list(rows_of(drawn, "detail_cities")["role"]) == ["wrong", "muted", "correct"]


def test_two_cities_of_one_name_have_a_bar_each(drawn):
    image_detail.cities(fields(top_cities=[["San Jose", "US", 0.5], ["San Jose", "US", 0.4]]))
    assert rows_of(drawn, "detail_cities")["name"].is_unique


def test_a_distance_from_the_true_citys_coordinates_says_so(drawn):
    image_detail.verdict(fields(coordinate_source="city"))
    assert drawn.items["Distance"].replace("\u00a0", " ") == (
        "346 km, from the true city's coordinates"
    )


def test_an_unknown_distance_is_not_a_number(drawn):
    image_detail.verdict(fields(distance_km=None, coordinate_source="none"))
    assert drawn.items["Distance"].startswith("unknown")


def test_an_image_without_a_prediction_counts_as_wrong(drawn):
    image_detail.verdict(fields(status="unreadable", pred_country=None, distance_km=None))
    assert drawn.items["Predicted place"] == "no prediction; counted as wrong"
    assert "Confidence" not in drawn.items


def test_prompts_are_listed_as_the_run_used_them(drawn):
    image_detail.prompts(
        {"name": "x", "country": ["In {country}.", "Of {country}."], "city": "At {city}"}
    )
    assert drawn.items == {"country": ["In {country}.", "Of {country}."], "city": ["At {city}"]}


def test_a_click_on_a_row_names_the_run(monkeypatch):
    found = {}
    monkeypatch.setattr(st, "dataframe", lambda rows, **options: found.update(options))
    monkeypatch.setattr(st, "session_state", {})
    picked = []
    rows = pd.DataFrame(
        {
            "run_id": [5, 3],
            "name": ["b", "a"],
            "pred_country": ["FR", None],
            "pred_city": ["Paris", None],
            "country_correct": [True, False],
            "city_correct": [False, False],
            "country_probability": [0.5, float("nan")],
            "distance_km": [1.0, float("nan")],
            "strategy": ["flat", "flat"],
        }
    )
    image_detail.in_runs(rows, 3, key="k", on_pick=picked.append)
    for rows in ([0], []):
        st.session_state[found["key"]] = {"selection": {"rows": rows}}
        found["on_select"]()
    assert found["selection_default"] == {"selection": {"rows": [1]}}
    assert picked == [5, 3]


def test_an_unparsable_prediction_says_why():
    unparsable = {"status": "unparsable", "error": "the country 'Atlantis'\nis unknown"}
    found = image_detail.prediction_problem(unparsable)
    assert found == "unparsable prediction: the country 'Atlantis'·is unknown"
    assert image_detail.prediction_problem({"status": "ok", "error": None}) == ""
