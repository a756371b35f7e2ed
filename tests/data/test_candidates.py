import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

from streetclip.config import DEFAULT_CANDIDATES
from streetclip.data.candidates import load_candidates
from streetclip.errors import CandidatesError

SHIPPED = Path(__file__).parents[2] / DEFAULT_CANDIDATES


def write(tmp_path, value):
    path = tmp_path / "c.json"
    if isinstance(value, bytes):
        path.write_bytes(value)
    else:
        path.write_text(value if isinstance(value, str) else json.dumps(value), encoding="utf-8")
    return path


def place(city="Tbilisi", **fields):
    return {"city": city, "latitude": 41.69, "longitude": 44.83, **fields}


@pytest.fixture
def candidates(tmp_path):
    cities = {
        "Costa Rica": ["San José", "Liberia"],
        "USA": ["San Jose", place("Georgia", region="Vermont"), "London"],
        "Georgia": [place(region="")],
        "United Kingdom": ["London"],
    }
    return load_candidates(write(tmp_path, cities))


def test_countries_and_cities_stand_in_the_order_of_the_file(candidates):
    assert candidates.country_codes == ("CR", "US", "GE", "GB")
    assert candidates.country_names == ("Costa Rica", "USA", "Georgia", "United Kingdom")
    assert candidates.city_names == (
        "San José", "Liberia", "San Jose", "Georgia", "London", "Tbilisi", "London",
    )  # fmt: skip
    assert candidates.city_regions == (None, None, None, "Vermont", None, None, None)
    np.testing.assert_array_equal(candidates.city_country_M, [0, 0, 1, 1, 1, 2, 3])
    np.testing.assert_array_equal(candidates.city_offsets, [0, 2, 5, 6, 7])
    assert candidates.city_country_M.dtype == candidates.city_offsets.dtype == np.int64


def test_prompts_get_the_name_of_a_country_that_is_written_as_a_code(tmp_path):
    found = load_candidates(write(tmp_path, {"FR": ["Lyon"], "deu": ["Bonn"], "USA": ["Reno"]}))
    assert found.country_names == ("France", "Germany", "USA")


def test_homonyms_are_kept_apart_by_country(candidates):
    assert candidates.country_codes.index("GE") == 2
    # Each has its own country's coordinates: San José, San Jose, London in Ohio, London.
    assert candidates.city_latitude_deg_M[[0, 2]] == pytest.approx([9.9, 37.3], abs=0.1)
    assert candidates.city_longitude_deg_M[[4, 6]] == pytest.approx([-83.4, -0.1], abs=0.1)


def test_one_name_in_two_regions_or_places_is_two_candidates(tmp_path):
    cities = [
        {"city": "Portland", "region": "Oregon"},
        {"city": "Portland", "region": "Maine"},
        {"city": "Portland", "latitude": 43.63, "longitude": -87.9},
    ]
    candidates = load_candidates(write(tmp_path, {"United States": cities}))
    assert candidates.city_names == ("Portland",) * 3
    assert candidates.city_longitude_deg_M == pytest.approx([-122.68, -70.26, -87.9], abs=0.01)


def test_the_region_names_the_city_whose_coordinates_are_looked_up(tmp_path):
    city = {"city": "Suzhou", "region": "Anhui"}
    candidates = load_candidates(write(tmp_path, {"China": [city, "Suzhou"]}))
    assert candidates.city_longitude_deg_M == pytest.approx([116.98, 120.6], abs=0.1)


def test_names_that_fit_several_cities_are_warned_of_once(tmp_path, caplog):
    cities = {"USA": ["Springfield", "Chicago", place("Portland"), {"city": "Aurora"}]}
    load_candidates(write(tmp_path, cities))
    (record,) = caplog.records
    assert "2 city names without coordinates fit several cities" in record.message
    assert "'Springfield' (United States) at 37.22, -93.30; 'Aurora'" in record.message
    assert "Chicago" not in record.message
    caplog.clear()
    load_candidates(write(tmp_path, {"USA": [{"city": "Springfield", "region": "Illinois"}]}))
    assert not caplog.records


def test_a_sentence_ends_once(tmp_path):
    with pytest.raises(CandidatesError, match=r"'longitude' with it\.$"):
        load_candidates(write(tmp_path, {"Georgia": ["Atlanta"]}))


def test_coordinates_of_the_file_win_over_the_gazetteer(tmp_path):
    path = write(tmp_path, {"France": [{"city": "Paris", "latitude": -1, "longitude": 2}, "Lyon"]})
    candidates = load_candidates(path)
    assert candidates.city_latitude_deg_M[0] == -1.0
    assert candidates.city_longitude_deg_M[1] == pytest.approx(4.85, abs=0.05)


def test_null_coordinates_are_absent_ones(tmp_path):
    city = {"city": "Paris", "region": None, "latitude": None, "longitude": None}
    candidates = load_candidates(write(tmp_path, {"France": [city]}))
    assert candidates.city_latitude_deg_M[0] == pytest.approx(48.85, abs=0.05)


def test_the_hash_is_that_of_the_file(tmp_path):
    path = write(tmp_path, b'\xef\xbb\xbf{"France": ["Paris"]}')
    assert load_candidates(path).sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert load_candidates(path).path == path


BAD = {
    "empty file": (b"", "is not JSON"),
    "not JSON": (b"Paris, Lyon", "is not JSON"),
    "cut off": (b'{"France": ["Paris"', "is not JSON"),
    "not UTF-8": (b'{"France": ["\xe9"]}', "byte 13 is not UTF-8"),
    "nested too deep": (b"[" * 200_000, "is not JSON"),
    "a list": ("[]", r"is a JSON list; expected \{"),
    "a word": ('"x"', "is a JSON text"),
    "null": ("null", "is a JSON null"),
    "no country": ({}, "has no country"),
    "no city": ({"France": []}, "'France': has no city; expected at least one"),
    "cities as text": ({"France": "Paris"}, "'France': has a JSON text; expected a list"),
    "cities as object": ({"France": {"Paris": 1}}, "'France': has a JSON object"),
    "unknown country": ({"Frnace": ["Paris"]}, r"'Frnace' is unknown.*Did you mean France"),
    "blank country": ({" ": ["Paris"]}, "the country's name is ' '"),
    "country twice": ('{"France": ["Paris"], "France": ["Lyon"]}', "is the same country"),
    "country under two names": (
        {"USA": ["Reno"], "United States": ["Reno"]},
        "'United States': is the same country as 'USA'",
    ),
    "city twice": (
        {"France": ["Paris", "Lyon", "PARIS "]},
        "'France, PARIS': is the same city as 'Paris'",
    ),
    "city under two names": (
        {"India": ["Mumbai", "Delhi", "Bombay"]},
        "'India, Bombay': is the same city as 'Mumbai'; expected each once",
    ),
    "city twice in one region": (
        {"US": [{"city": "Portland", "region": "Maine"}, {"city": "PORTLAND", "region": "Maine"}]},
        "'US, PORTLAND': is the same city as 'Portland'",
    ),
    "city of another region": (
        {"USA": [{"city": "Portland", "region": "Nevada"}]},
        "'USA, Portland': has no coordinates, and the gazetteer has no such city in Nevada, United",
    ),
    "unknown city": (
        {"Georgia": ["Tbilisi", "Atlanta"]},
        "'Georgia, Atlanta': has no coordinates, and the gazetteer has no such city in Georgia",
    ),
    "misspelt city": ({"France": ["Marsseille"]}, "Did you mean 'Marseille'"),
    "blank city": ({"France": ["Paris", ""]}, "'France, city 2': city is ''"),
    "city of signs": ({"France": ["???"]}, r"city is '\?\?\?'"),
    "control characters": ({"France": ["Pa\x1b[31mris"]}, r"'Pa\\x1b\[31mris'"),
    "half a character": ('{"France": ["\\ud800"]}', r"'\\ud800'"),
    "endless name": ({"France": ["x" * 10**6]}, "expected 1 to 200 printable"),
    "city as number": ({"France": [75]}, "'France, city 1': is a JSON number"),
    "city as null": ({"France": [None]}, "is a JSON null"),
    "city without name": ({"France": [{"latitude": 1, "longitude": 2}]}, "city is missing"),
    "region as list": ({"Georgia": [place(region=[1])]}, "'Georgia, Tbilisi': region is a JSON"),
    "misspelt key": ({"Georgia": [place(lat=1)]}, "has the key 'lat'; expected city, region"),
    "key twice": ('{"Georgia": [{"city": "a", "city": "b"}]}', "has a key twice"),
    "one coordinate": ({"France": [{"city": "Paris", "latitude": 1}]}, "has one coordinate"),
    "latitude out of range": (
        {"Georgia": [place(latitude=91)]},
        "'Georgia, Tbilisi': latitude is '91'; expected a number, −90 to 90",
    ),
    "longitude out of range": ({"Georgia": [place(longitude=-180.5)]}, "longitude is '-180.5'"),
    "huge number": ({"Georgia": [place(latitude=10**4000)]}, "latitude is '1000"),
    "number of endless digits": (b'{"a": [1' + b"0" * 10_000 + b"]}", "is not JSON"),
    "not a number": ({"Georgia": [place(latitude=float("nan"))]}, "latitude is 'nan'"),
    "infinite": ({"Georgia": [place(longitude=float("inf"))]}, "longitude is 'inf'"),
    "text coordinate": ({"Georgia": [place(latitude="41")]}, "latitude is '41'; expected a number"),
    "true as coordinate": ({"Georgia": [place(latitude=True)]}, "latitude is 'True'"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_file_is_one_line_with_the_position(tmp_path, case):
    value, complaint = BAD[case]
    path = write(tmp_path, value)
    with pytest.raises(CandidatesError, match=complaint) as caught:
        load_candidates(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    assert message.isprintable()
    assert len(message) < len(str(path)) + 500


def test_a_missing_file_or_a_folder_is_an_error(tmp_path):
    for path in (tmp_path / "none.json", tmp_path):
        with pytest.raises(CandidatesError, match=r"cannot be read .*build_candidates"):
            load_candidates(path)


def test_a_huge_file_is_refused_before_it_is_parsed(tmp_path):
    path = tmp_path / "huge.json"
    with path.open("wb") as file:
        file.truncate(65 * 2**20)
    with pytest.raises(CandidatesError, match="larger than 64 MiB"):
        load_candidates(path)


def test_the_shipped_file_loads_and_has_every_larger_country():
    candidates = load_candidates(SHIPPED)
    counts = np.diff(candidates.city_offsets)
    assert counts.min() >= 1
    assert counts.max() == 30
    assert len(candidates.country_codes) == 241
    assert counts.sum() == len(candidates.city_names) == 4367
    assert candidates.country_names[candidates.country_codes.index("NL")] == "Netherlands"
    assert {"GE", "US", "LI", "FO", "GL", "XK"} <= set(candidates.country_codes)
