import time

import pytest

from streetclip.errors import UnknownPlaceError
from streetclip.gazetteer import (
    CONTINENTS,
    are_neighbours,
    countries,
    find_continent,
    find_country,
    resolve_country,
    suggest_countries,
)
from streetclip.gazetteer.aliases import ALIASES, CORRECTIONS, HINTS
from streetclip.gazetteer.names import normalise_name

SPELLINGS = {
    "AE": ["UAE", "the United Arab Emirates"],
    "BN": ["Brunei Darussalam"],
    "BO": ["Bolivia (Plurinational State of)", "Bolivia, Plurinational State of"],
    "BS": ["The Bahamas", "Bahamas, The"],
    "CD": [
        "DR Congo",
        "DRC",
        "Congo-Kinshasa",
        "Congo (Kinshasa)",
        "Congo, Democratic Republic of the",
        "Democratic Republic of Congo",
        "Congo (the Democratic Republic of the)",
        "Zaire",
    ],
    "CG": ["Congo", "Republic of the Congo", "Congo-Brazzaville", "Congo, Republic of the"],
    "CI": ["Ivory Coast", "Côte d'Ivoire", "Cote d’Ivoire", "COTE D IVOIRE"],
    "CN": ["People's Republic of China", "PRC"],
    "CV": ["Cape Verde", "Cabo Verde", "Cabo Verde (Cape Verde)"],
    "CW": ["Curaçao", "Curacao"],
    "CZ": ["Czech Republic", "Czechia", "czech rep."],
    "DE": ["Deutschland", "Federal Republic of Germany"],
    "FM": ["Micronesia", "Micronesia (Federated States of)", "Federated States of Micronesia"],
    "GB": ["UK", "U.K.", "Great Britain", "gb", "GBR"],
    "GE": ["Georgia", "Republic of Georgia"],
    "GM": ["The Gambia", "Gambia", "Gambia, The"],
    "HK": ["Hong Kong", "Hong Kong SAR", "China, Hong Kong SAR"],
    "IE": ["Ireland", "Republic of Ireland"],
    "IR": ["Iran", "Iran (Islamic Republic of)", "Iran, Islamic Republic of"],
    "KP": ["North Korea", "DPRK", "Korea (Democratic People's Republic of)", "Korea, North"],
    "KR": ["South Korea", "Republic of Korea", "Korea, Republic of", "Korea (Republic of)"],
    "LA": ["Laos", "Lao People's Democratic Republic", "Lao PDR"],
    "MD": ["Moldova", "Republic of Moldova", "Moldova, Republic of"],
    "MK": ["Macedonia", "North Macedonia", "FYROM"],
    "MM": ["Burma", "Myanmar"],
    "MO": ["Macau", "Macao"],
    "NL": ["Holland", "The Netherlands", "Netherlands", "Kingdom of the Netherlands"],
    "PS": ["Palestine", "State of Palestine", "Palestine, State of", "Palestinian Territory"],
    "RE": ["Réunion", "Reunion", "La Réunion"],
    "RU": ["Russia", "Russian Federation"],
    "SY": ["Syria", "Syrian Arab Republic"],
    "SZ": ["Swaziland", "Eswatini", "eSwatini"],
    "TL": ["East Timor", "Timor-Leste", "Timor Leste"],
    "TR": ["Türkiye", "Turkiye", "Turkey"],
    "TW": ["Taiwan", "Taiwan, Province of China", "Republic of China"],
    "TZ": ["Tanzania", "Tanzania, United Republic of", "United Republic of Tanzania"],
    "US": ["USA", "US", "U.S.A.", "United States of America", "the United States", " usa "],
    "VA": ["Vatican", "Vatican City", "Holy See"],
    "VE": ["Venezuela (Bolivarian Republic of)", "Venezuela"],
    "VN": ["Viet Nam", "Vietnam"],
    "XK": ["Kosovo", "Republic of Kosovo"],
}


@pytest.mark.parametrize(
    ("text", "code"), [(text, code) for code, texts in SPELLINGS.items() for text in texts]
)
def test_every_spelling_finds_its_country(text, code):
    country = find_country(text)
    assert country is not None
    assert country.code == code


def test_there_are_250_countries_and_none_that_was_dissolved():
    # 249 of ISO 3166-1, and Kosovo.
    assert len(countries()) == 250
    assert {"CS", "AN"}.isdisjoint(countries())
    assert find_country("Serbia and Montenegro") is None
    assert find_country("Netherlands Antilles") is None


def test_every_country_is_found_by_code_and_by_name():
    for code, country in countries().items():
        assert country.code == code
        for text in (code, code.lower(), country.iso3, country.name, f"the {country.name}"):
            assert find_country(text) == country
        assert country.continent in CONTINENTS


def test_no_name_belongs_to_two_countries():
    owner = {}
    for code, country in countries().items():
        for name in (code, country.iso3, country.name, *ALIASES.get(code, ())):
            key = normalise_name(name)
            assert key, name
            assert owner.setdefault(key, code) == code, name


def test_the_tables_name_countries_that_exist():
    codes = {*ALIASES, *CORRECTIONS, *(code for hinted in HINTS.values() for code in hinted)}
    assert codes <= set(countries())
    assert all(find_country(name) is None for name in HINTS)


@pytest.mark.parametrize(
    "text", ["", " ", "the", "Atlantis", "State of Georgia", "()", "x" * 10**6]
)
def test_what_is_no_country_is_none(text):
    assert find_country(text) is None


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("Untied States", "United States"),
        ("Grmany", "Germany"),
        ("England", "United Kingdom"),
        ("Korea", "South Korea"),
        ("Netherlands Antilles", "Curaçao"),
        ("United States - Texas", "United States"),
        ("Georgia, USSR", "Georgia"),
        ("Scotland, UK", "United Kingdom"),
        ("UK (England)", "United Kingdom"),
    ],
)
def test_an_unknown_name_suggests_the_likely_country_first(text, first):
    suggested = suggest_countries(text)
    assert suggested[0] == first
    assert len(suggested) <= 3


def test_a_state_with_its_country_suggests_that_country_too():
    assert suggest_countries("Georgia, USA")[:2] == ["Georgia", "United States"]


def test_suggestions_for_endless_junk_are_quick():
    start = time.perf_counter()
    suggest_countries("a b" * 10**6)
    assert time.perf_counter() - start < 2


def test_an_unknown_country_is_named_with_what_it_may_mean():
    with pytest.raises(UnknownPlaceError, match=r"'Grmany' is unknown.*Did you mean Germany"):
        resolve_country("Grmany")
    with pytest.raises(UnknownPlaceError) as caught:
        resolve_country("x\n" * 1000)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400


def test_borders_are_shared_by_both_sides():
    for code, country in countries().items():
        assert code not in country.neighbours
        for other in country.neighbours:
            assert code in countries()[other].neighbours


@pytest.mark.parametrize(
    ("a", "b", "shared"),
    [("FR", "DE", True), ("CN", "HK", True), ("ES", "IT", False), ("GB", "FR", False)],
)
def test_neighbours_share_a_land_border(a, b, shared):
    assert are_neighbours(a, b) is shared
    assert are_neighbours(b, a) is shared


def test_an_unknown_code_has_no_neighbours():
    assert not are_neighbours("ZZ", "DE")
    assert not are_neighbours("DE", "ZZ")


@pytest.mark.parametrize(
    ("text", "continent"),
    [
        ("Europe", "Europe"),
        (" south AMERICA", "South America"),
        ("NA", "North America"),
        ("Australia", "Oceania"),
        ("the Middle East", "Asia"),
        ("", None),
        ("Gondwana", None),
    ],
)
def test_continents_have_one_canonical_name(text, continent):
    assert find_continent(text) == continent


def test_every_continent_finds_itself():
    assert [find_continent(name) for name in CONTINENTS] == list(CONTINENTS)
    assert len(CONTINENTS) == 7
