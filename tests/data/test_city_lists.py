import json

import pytest

from streetclip.data.candidates import list_cities, load_candidates, write_cities
from streetclip.gazetteer import City
from streetclip.gazetteer.countries import normalise_name


def test_the_largest_cities_of_the_countries_asked_for():
    cities = list_cities(["US", "GE"], cities_per_country=3, min_population=15000)
    assert list(cities) == ["Georgia", "United States"]
    assert [city.name for city in cities["United States"]] == [
        "New York City", "Los Angeles", "Chicago",
    ]  # fmt: skip
    assert {city.country_code for city in cities["Georgia"]} == {"GE"}


def test_a_country_of_small_places_gives_its_largest():
    cities = list_cities(["VA", "LI"], cities_per_country=30, min_population=15000)
    assert [city.name for city in cities["Vatican"]] == ["Vatican City"]
    assert len(cities["Liechtenstein"]) == 1


def test_of_all_countries_those_with_any_city():
    cities = list_cities(cities_per_country=2, min_population=15000)
    assert "Antarctica" not in cities
    assert "South Georgia and the South Sandwich Islands" not in cities
    assert {"Greenland", "Kosovo", "Tuvalu"} <= set(cities)
    for of_country in cities.values():
        names = [normalise_name(city.name) for city in of_country]
        assert len(set(names)) == len(names) <= 2


def test_what_is_written_is_read_back(tmp_path):
    cities = {
        "Costa Rica": [City("CR", "San José", None, 9.93388, -84.08489, 1)],
        "United States": [
            City("US", "Reno", "Nevada", 39.52963, -119.8138, 1),
            City("US", 'Say "hi"', None, 1.0, 2.0, 1),
        ],
    }
    path = tmp_path / "new" / "c.json"
    write_cities(path, cities)
    candidates = load_candidates(path)
    assert candidates.country_codes == ("CR", "US")
    assert candidates.city_names == ("San José", "Reno", 'Say "hi"')
    assert candidates.city_regions == (None, "Nevada", None)
    assert candidates.city_longitude_deg_M.tolist() == pytest.approx([-84.08489, -119.8138, 2.0])
    assert json.loads(path.read_text(encoding="utf-8"))["Costa Rica"][0]["city"] == "San José"
    assert path.read_text(encoding="utf-8").count("\n") == 9
