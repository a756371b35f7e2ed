import random

import pytest

from streetclip.gazetteer import countries, country_label, find_country, is_on_continent
from streetclip.gazetteer.territories import SOVEREIGNS

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
    for code, sovereign in SOVEREIGNS.items():
        name = known[code].name
        # "Republic of China" is Taiwan, and a name with commas cannot be told from a list.
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


def test_a_country_lies_on_its_own_continent_and_on_few_others():
    assert all(is_on_continent(code, country.continent) for code, country in countries().items())
    assert is_on_continent("RU", "Asia")
    assert is_on_continent("RU", "EU")
    assert is_on_continent("EG", "the Middle East")
    assert not is_on_continent("NA", "North America")
    assert not is_on_continent("FR", "Asia")
    assert not is_on_continent("KE", "Middle East")
