import json

import numpy as np
import pandas as pd
import pytest

from streetclip.data.candidates import load_candidates
from streetclip.data.place_matching import match_places
from streetclip.geo import haversine_km

NAN = np.nan
OREGON = {"city": "Portland", "region": "Oregon", "latitude": 45.52, "longitude": -122.68}


@pytest.fixture
def load(tmp_path):
    def _load(cities):
        path = tmp_path / "c.json"
        path.write_text(json.dumps(cities), encoding="utf-8")
        return load_candidates(path)

    return _load


def labels(*rows):
    """Rows of (country code, city, region[, latitude, longitude])."""
    columns = ["country_code", "city", "region", "latitude_deg", "longitude_deg"]
    return pd.DataFrame([(*row, NAN, NAN)[:5] for row in rows], columns=columns).astype(
        {"latitude_deg": float, "longitude_deg": float}
    )


def match(candidates, *rows):
    return match_places(labels(*rows), candidates).city_N.tolist()


def test_a_candidate_in_oregon_is_not_portland_in_maine(load):
    candidates = load({"United States": [OREGON]})
    found = match(
        candidates,
        ("US", "Portland", "Maine"),
        ("US", "Portland", "ME"),
        ("US", "Portland, Maine", ""),
        ("US", "Portland", "Oregon"),
        ("US", "Portland", "OR"),
        ("US", "portland", "State of Oregon"),
        ("US", "Portland, OR", ""),
        ("US", "Portland", "Oregon", 43.66, -70.26),
        ("US", "Portland", "", 43.66, -70.26),
        ("US", "Portland", "", 45.6, -122.6),
    )
    assert found == [-1, -1, -1, 0, 0, 0, 0, -1, -1, 0]


def test_a_candidate_without_region_is_where_its_coordinates_are(load):
    candidates = load({"US": [{"city": "Portland", "latitude": 43.66, "longitude": -70.26}]})
    assert match(candidates, ("US", "Portland", "Maine"), ("US", "Portland", "Oregon")) == [0, -1]


def test_one_name_in_two_regions_is_two_candidates(load):
    candidates = load({"US": [OREGON, {"city": "Portland", "region": "Maine"}]})
    found = match(
        candidates,
        ("US", "Portland", "Maine"),
        ("US", "Portland", "Oregon"),
        ("US", "Portland", ""),
        ("US", "Portland", "", 43.7, -70.3),
    )
    assert found == [1, 0, -1, 1]


@pytest.mark.parametrize(
    ("country", "code", "candidate", "label", "region"),
    [
        ("United States", "US", "New York City", "New York", "New York"),
        ("United States", "US", "Washington", "Washington, D.C.", "District of Columbia"),
        ("Germany", "DE", "Köln", "Cologne", ""),
        ("Germany", "DE", "Munich", "München", "Bayern"),
        ("Germany", "DE", "Munich", "Muenchen", "Bavaria"),
        ("Germany", "DE", "Frankfurt am Main", "Frankfurt", "Hesse"),
        ("Switzerland", "CH", "Sankt Gallen", "St. Gallen", ""),
        ("Switzerland", "CH", "St. Gallen", "Sankt Gallen", ""),
        ("Switzerland", "CH", "Luzern", "Lucerne", ""),
        ("Ukraine", "UA", "Kyiv", "Kiev", "Kyiv Oblast"),
        ("Austria", "AT", "Vienna", "Wien", ""),
        ("Belgium", "BE", "Gent", "Ghent", ""),
        ("Belgium", "BE", "Brugge", "Bruges", ""),
        ("India", "IN", "Bengaluru", "Bangalore", "Karnataka"),
        ("Brazil", "BR", "São Paulo", "Sao Paulo", ""),
        ("Vietnam", "VN", "Ho Chi Minh City", "Saigon", ""),
        ("Russia", "RU", "Saint Petersburg", "St Petersburg", ""),
        ("Russia", "RU", "Saint Petersburg", "Санкт-Петербург", ""),
        ("Russia", "RU", "Moscow", "Moscow", "Moscow Oblast"),
        ("Japan", "JP", "Tokyo", "東京", ""),
        ("Myanmar", "MM", "Yangon", "Rangoon", ""),
        ("Saudi Arabia", "SA", "Mecca", "Makkah", ""),
        ("Ecuador", "EC", "Quito", "City of Quito", ""),
        ("Ecuador", "EC", "Quito", "Quito City", ""),
    ],
)
def test_other_names_of_a_city_are_that_city(load, country, code, candidate, label, region):
    candidates = load({country: [candidate]})
    latitude_deg = candidates.city_latitude_deg_M[0] + 0.02
    longitude_deg = candidates.city_longitude_deg_M[0]
    place = (code, label, region)
    assert match(candidates, place, (*place, latitude_deg, longitude_deg)) == [0, 0]
    # The name alone is not enough where the coordinates lie elsewhere.
    assert match(candidates, (*place, latitude_deg + 0.9, longitude_deg)) == [-1]


def test_nearness_without_a_name_is_not_enough(load):
    candidates = load({"France": ["Lyon"]})
    villeurbanne = ("FR", "Villeurbanne", "", 45.77, 4.88)
    assert match(candidates, villeurbanne, ("FR", "", "", 45.75, 4.85)) == [-1, -1]


def test_of_two_candidates_of_the_name_the_nearer_counts(load):
    candidates = load({"US": [OREGON, {"city": "Portland", "region": "Maine"}]})
    frame = labels(*[("US", "Portland", "", 43.6 + i / 100, -70.2) for i in range(3)])
    found = match_places(frame, candidates)
    assert found.city_N.tolist() == [1, 1, 1]
    assert found.doubtful == ()


def test_a_nearer_city_of_the_name_that_is_no_candidate_wins(load):
    # Santa Cruz del Norte lies 45 km from the candidate; another of that name lies on it.
    here = {"city": "Burgos", "latitude": 42.34, "longitude": -3.2}
    candidates = load({"Spain": [here]})
    assert match(candidates, ("ES", "Burgos", "", 42.34, -3.21)) == [0]
    assert match(candidates, ("ES", "Burgos", "", 42.34, -3.69)) == [-1]


def at_koeln(name, km_north):
    return {"city": name, "latitude": 50.933 + km_north / 111.2, "longitude": 6.95}


def test_a_candidate_spelled_like_the_label_may_be_15_km_farther(load):
    candidates = load({"Germany": [at_koeln("Köln", 45), at_koeln("Cologne", 0)]})
    image = ("DE", "Köln", "", 50.933 + 20 / 111.2, 6.95)
    assert match(candidates, image) == [0]  # 25 km away, the other 20
    assert match(candidates, ("DE", "Cologne", *image[2:])) == [1]


def test_of_two_candidates_spelled_like_the_label_the_nearer_is_meant(load):
    candidates = load({"Germany": [at_koeln("Köln", 45), at_koeln("Köln", 0)]})
    assert match(candidates, ("DE", "Köln", "", 50.933 + 20 / 111.2, 6.95)) == [1]


def test_a_region_of_which_no_such_city_is_known_does_not_outweigh_coordinates(load):
    candidates = load({"Germany": ["Berlin"]})
    near, far = (52.5, 13.4), (48.1, 11.6)
    assert match(candidates, ("DE", "Berlin", "Bayern", *near), ("DE", "Berlin", "Bayern", *far),
                 ("DE", "Berlin", "Bayern")) == [0, -1, -1]  # fmt: skip


def test_a_region_that_cannot_be_compared_is_no_contradiction(load):
    candidates = load({"United Kingdom": ["London"], "US": [OREGON]})
    found = match(candidates, ("GB", "London", "Greater London"), ("US", "Portland", "Westküste"))
    assert found == [0, -1]  # there are several Portlands, but one London


def test_kansas_city_is_two_cities_side_by_side(load):
    candidates = load({"US": [{"city": "Kansas City", "region": "Missouri"}]})
    place = (39.11, -94.62)
    found = match(
        candidates,
        ("US", "Kansas City", "Kansas", *place),
        ("US", "Kansas City", "Missouri", *place),
        ("US", "Kansas City", "KS"),
    )
    assert found == [-1, 0, -1]


def test_an_ambiguous_name_counts_as_none_and_is_reported(load):
    candidates = load(
        {"US": [{"city": "Springfield", "region": "Missouri"}], "Germany": ["Berlin"]}
    )
    frame = labels(
        *[("US", "Springfield", "")] * 3, ("US", "Springfield", "MO"), ("DE", "Berlin", "")
    )
    found = match_places(frame, candidates)
    assert found.city_N.tolist() == [-1, -1, -1, 0, 1]
    (doubt,) = found.doubtful
    assert (doubt.city, doubt.num_images, doubt.candidate) == ("Springfield", 3, -1)
    assert {"Massachusetts", "Illinois"} <= {city.region for city in doubt.others}


def test_two_cities_of_one_name_in_one_region_are_told_apart_by_coordinates_alone(load):
    # São José near Florianópolis, and another in the south of the same state.
    candidates = load({"Brazil": [{"city": "São José", "region": "Santa Catarina"}]})
    place = ("BR", "São José", "Santa Catarina")
    found = match(candidates, place, (*place, -27.62, -48.63), (*place, -28.21, -49.16))
    assert found == [-1, 0, -1]


def test_a_clearly_largest_city_is_meant_and_the_doubt_reported(load):
    candidates = load({"Germany": ["Frankfurt am Main"], "France": ["Paris"]})
    found = match_places(labels(("DE", "Frankfurt", ""), ("FR", "Paris", "")), candidates)
    assert found.city_N.tolist() == [0, 1]
    (doubt,) = found.doubtful
    assert (doubt.city, doubt.candidate) == ("Frankfurt", 0)
    assert "Frankfurt (Oder)" in {city.name for city in doubt.others}


def test_an_ambiguous_name_is_reported_though_no_candidate_has_it(load):
    found = match_places(
        labels(("US", "Springfield", ""), ("US", "Reno", "")), load({"US": ["Boise"]})
    )
    assert [(place.city, place.candidate) for place in found.doubtful] == [("Springfield", -1)]


def test_cities_that_the_gazetteer_lacks_are_compared_by_spelling_and_region(load):
    place = {"latitude": 46.0, "longitude": 3.0}
    candidates = load(
        {
            "France": [
                {"city": "Xyville", **place},
                {"city": "Zzbourg", "region": "Nord-Xy", **place},
                {"city": "Zzbourg", "region": "Sud-Xy", **place},
            ]
        }
    )
    found = match(
        candidates,
        ("FR", "xyville", ""),
        ("FR", "Xyville", "Ile de France"),
        ("FR", "Zzbourg", "sud xy"),
        ("FR", "Zzbourg", "Est-Xy"),
        ("FR", "Zzbourg", ""),
    )
    assert found == [0, 0, 2, -1, -1]


def test_a_candidate_far_from_the_only_city_of_its_name_is_in_doubt(load):
    candidates = load({"France": [{"city": "Lyon", "latitude": 1, "longitude": 1}]})
    found = match_places(labels(("FR", "Lyon", ""), ("FR", "Lyon", "", 1.0, 1.1)), candidates)
    assert found.city_N.tolist() == [-1, 0]
    assert [city.name for city in found.doubtful[0].others] == ["Lyon"]


def test_countries_and_blank_labels(load):
    candidates = load({"Costa Rica": ["San José"], "USA": ["San Jose"]})
    frame = labels(
        ("CR", "San Jose", ""), ("US", "San José", ""), ("FR", "Paris", ""), ("US", "", "")
    )
    found = match_places(frame, candidates)
    assert found.country_N.tolist() == [0, 1, -1, 1]
    assert found.city_N.tolist() == [0, 1, -1, -1]
    assert found.country_N.dtype == found.city_N.dtype == np.int64
    empty = match_places(labels(), candidates)
    assert empty.country_N.shape == empty.city_N.shape == (0,)


def test_images_are_matched_as_one_by_one(load):
    """Grouping by label changes nothing: compare with each row alone."""
    candidates = load({"US": [OREGON, {"city": "Portland", "region": "Maine"}], "DE": ["Köln"]})
    generator = np.random.default_rng(3)
    names = [("US", "Portland"), ("DE", "Cologne"), ("US", "Reno"), ("FR", "Paris")]
    places = [(45.5, -122.7), (43.7, -70.3), (50.9, 6.9), (NAN, NAN)]
    rows = [
        (*names[generator.integers(4)], ["", "Maine", "OR"][generator.integers(3)],
         *places[generator.integers(4)])
        for _ in range(120)
    ]  # fmt: skip
    assert match(candidates, *rows) == [match(candidates, row)[0] for row in rows]


def test_what_is_matched_by_coordinates_is_near(load):
    candidates = load({"DE": ["Köln"]})
    latitudes_deg = np.linspace(50.0, 52.0, 41)
    frame = labels(*[("DE", "Cologne", "", latitude, 6.95) for latitude in latitudes_deg])
    found = match_places(frame, candidates).city_N
    expected = haversine_km(latitudes_deg, 6.95, candidates.city_latitude_deg_M[0],
                            candidates.city_longitude_deg_M[0]) <= 50  # fmt: skip
    assert 5 < expected.sum() < 36
    np.testing.assert_array_equal(found == 0, expected)
