import random
import time

import pytest

from streetclip.errors import UnknownPlaceError
from streetclip.gazetteer import (
    CONTINENTS,
    countries,
    country_label,
    find_country,
    resolve_country,
    suggest_countries,
)
from streetclip.gazetteer.countries import normalise_name
from streetclip.gazetteer.data_files import country_additions, country_table

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


def test_every_country_is_found_by_code_and_by_name():
    for code, country in countries().items():
        assert country.code == code
        for text in (code, code.lower(), country.iso3, country.name, f"the {country.name}"):
            assert find_country(text) == country
        assert country.continent in CONTINENTS


def test_no_name_belongs_to_two_countries():
    owner = {}
    for code, country in countries().items():
        for name in (
            code,
            country.iso3,
            country.name,
            *country_additions(code).get("aliases", ()),
        ):
            key = normalise_name(name)
            assert key, name
            assert owner.setdefault(key, code) == code, name


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


TEXTS = {
    "Greenland (Kingdom of Denmark)": "GL",
    "Greenland, Kingdom of Denmark": "GL",
    "Hong Kong Special Administrative Region of the People's Republic of China": "HK",
    "Macao Special Administrative Region of the People's Republic of China": "MO",
    "Bailiwick of Jersey": "JE",
    "Bermuda (British Overseas Territory)": "BM",
    "British Overseas Territory of Bermuda": "BM",
    "Isle of Man (Crown Dependency)": "IM",
    "Puerto Rico, USA": "PR",
    "Réunion (France)": "RE",
    "Guam, unincorporated territory of the United States": "GU",
    "Faroe Islands, autonomous territory of the Kingdom of Denmark": "FO",
    "Commonwealth of the Northern Mariana Islands": "MP",
}


@pytest.mark.parametrize(("text", "code"), TEXTS.items())
def test_a_territory_is_itself_and_not_its_state(text, code):
    assert find_country(text).code == code


@pytest.mark.parametrize("form", ["{} ({})", "{}, {}", "{} (Kingdom of {})", "{}, Republic of {}"])
def test_every_territory_is_found_beside_its_state(form):
    known = countries()
    for code, additions in country_table()["countries"].items():
        sovereign = additions.get("sovereign")
        if sovereign is None:
            continue
        name = known[code].name
        # "Republic of China" is Taiwan, and a name with commas looks like a list.
        if "," in name or (sovereign == "CN" and "Republic of" in form):
            continue
        assert find_country(form.format(name, known[sovereign].name)).code == code


def test_no_pair_of_names_is_read_as_the_second():
    generator = random.Random(5)
    names = {country.name: code for code, country in countries().items()}
    forms = ("{} (Kingdom of {})", "{}, Republic of {}", "{} of the People's Republic of {}")
    for _ in range(3000):
        first, second = generator.sample(sorted(names), 2)
        found = find_country(generator.choice(forms).format(first, second))
        assert found is None or found.code == names[first]


@pytest.mark.parametrize(
    "text",
    [
        "Rotterdam (Kingdom of the Netherlands)",
        "Georgia, United States",
        "Hong Kong (UK)",
        "Overseas territory of France",
        "Territory of the United States",
        "southern states of India",
    ],
)
def test_what_names_no_country_is_none(text):
    assert find_country(text) is None


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("FR", "France"),
        ("fra", "France"),
        ("US", "United States"),
        ("USA", "USA"),
        ("UK", "UK"),
        ("Holland", "Holland"),
        (" Deutschland ", "Deutschland"),
        ("Greenland (Kingdom of Denmark)", "Greenland"),
        ("Hong Kong SAR, China", "Hong Kong SAR, China"),
        ("Kingdom of Spain", "Kingdom of Spain"),
    ],
)
def test_a_label_is_the_name_as_written_and_no_code(text, label):
    assert country_label(text, find_country(text)) == label


def test_every_code_is_labelled_by_a_name():
    for code, country in countries().items():
        assert country_label(code, country) == country.name
        assert country_label(country.iso3.lower(), country) == country.name or code == "US"
