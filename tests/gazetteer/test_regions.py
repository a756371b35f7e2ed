import pytest

from streetclip.gazetteer import find_city, find_region


@pytest.mark.parametrize(
    ("code", "text", "region"),
    [
        ("US", "Maine", "Maine"),
        ("US", "ME", "Maine"),
        ("US", "US-ME", "Maine"),
        ("US", "State of Maine", "Maine"),
        ("US", "DC", "District of Columbia"),
        ("US", "Washington", "Washington"),
        ("DE", "Bayern", "Bavaria"),
        ("DE", "Free State of Bavaria", "Bavaria"),
        ("CA", "Québec", "Quebec"),
        ("AU", "NSW", "New South Wales"),
        ("CN", "江苏省", "Jiangsu"),
        ("JP", "Tokyo Prefecture", "Tokyo"),
        ("ES", "Cataluña", "Catalonia"),
        ("GB", "Scotland", "Scotland"),
    ],
)
def test_a_region_is_found_by_any_of_its_names(code, text, region):
    assert find_region(code, text) == region


@pytest.mark.parametrize(
    ("code", "text"),
    [("GB", "Greater London"), ("US", "New England"), ("US", ""), ("US", "?"), ("ZZ", "Maine")],
)
def test_what_is_no_region_of_the_country_cannot_be_told(code, text):
    assert find_region(code, text) is None


def test_a_city_and_the_region_around_it_stay_apart():
    assert find_region("RU", "Moscow") != find_region("RU", "Moscow Oblast") is not None


def test_cities_have_the_name_of_their_region():
    assert find_city("US", "Portland", "ME").region == "Maine"
    assert find_city("SG", "Singapore").region is None
