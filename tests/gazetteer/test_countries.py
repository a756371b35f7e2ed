import pytest

from streetclip.gazetteer import (
    CONTINENTS,
    are_neighbours,
    countries,
    find_continent,
    find_country,
    is_on_continent,
)
from streetclip.gazetteer.data_files import country_table


def test_there_are_250_countries_and_none_that_was_dissolved():
    # 249 of ISO 3166-1, and Kosovo.
    assert len(countries()) == 250
    assert {"CS", "AN"}.isdisjoint(countries())
    assert find_country("Serbia and Montenegro") is None
    assert find_country("Netherlands Antilles") is None


def test_the_tables_name_countries_that_exist():
    codes = {
        *country_table()["countries"],
        *(code for hinted in country_table()["hints"].values() for code in hinted),
    }
    for additions in country_table()["countries"].values():
        codes |= {*additions.get("also_labelled", ()), additions.get("sovereign", "GB")}
        assert set(additions.get("continents", ())) <= set(CONTINENTS)
    assert codes <= set(countries())
    assert all(find_country(name) is None for name in country_table()["hints"])


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


def test_a_country_lies_on_its_own_continent_and_on_few_others():
    assert all(is_on_continent(code, country.continent) for code, country in countries().items())
    assert is_on_continent("RU", "Asia")
    assert is_on_continent("RU", "EU")
    assert is_on_continent("EG", "the Middle East")
    assert not is_on_continent("NA", "North America")
    assert not is_on_continent("FR", "Asia")
    assert not is_on_continent("KE", "Middle East")
