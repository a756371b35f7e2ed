import pytest

from streetclip.gazetteer import find_city, name_keys, resolve_city


@pytest.mark.parametrize(
    ("code", "name", "region", "found"),
    [
        ("US", "Portland", "Maine", "Portland"),
        ("US", "Portland, ME", None, "Portland"),
        ("US", "New York", "NY", "New York City"),
        ("DE", "Frankfurt (Main)", None, "Frankfurt am Main"),
        ("CN", "Suzhou", "Anhui", "Suzhou"),
        ("US", "City of Chicago", "Illinois", "Chicago"),
        ("JP", "東京", None, "Tokyo"),
        ("RU", "Moscow", "Moscow Oblast", "Moscow"),
        ("RU", "Москва", "Московская область", "Moscow"),
        ("US", "Mt. Pleasant", "South Carolina", "Mount Pleasant"),
        ("MM", "Rangoon", "", "Yangon"),
    ],
)
def test_a_name_means_its_city(code, name, region, found):
    meant = resolve_city(code, name, region)
    assert meant.city.name == found
    assert not meant.is_ambiguous


def test_the_region_decides_among_cities_of_one_name():
    for region, longitude_deg in (("Maine", -70.3), ("Oregon", -122.7), ("Jiangsu", None)):
        meant = resolve_city("US", "Portland", region)
        if longitude_deg is not None:
            assert meant.city.longitude_deg == pytest.approx(longitude_deg, abs=0.1)
            assert meant.others == ()
    assert resolve_city("US", "Portland", "Nevada").city is None


@pytest.mark.parametrize(
    ("code", "name"),
    [
        ("US", "Springfield"),  # Missouri, Massachusetts, Illinois: of one size
        ("US", "Portland"),  # Oregon has ten times the people of Maine, but not more
        ("CN", "Suzhou"),  # the smaller has over a million
        ("RU", "Stavropol"),  # also the former name of a larger city
    ],
)
def test_a_name_of_several_large_cities_is_ambiguous(code, name):
    meant = resolve_city(code, name)
    assert meant.is_ambiguous
    assert len(meant.others) >= 2
    populations = [city.population for city in meant.others]
    assert populations == sorted(populations, reverse=True)


def test_a_clearly_largest_city_is_meant_and_the_others_named():
    meant = resolve_city("DE", "Frankfurt")
    assert meant.city.name == "Frankfurt am Main"
    assert [city.name for city in meant.others] == ["Frankfurt (Oder)"]
    # Kehl has "Kiel" among its other names; that is no reason to doubt Kiel.
    assert resolve_city("DE", "Kiel").city.population > 200_000


def test_small_places_are_found_where_no_larger_one_has_the_name():
    assert resolve_city("US", "Bar Harbor", "Maine").city.population < 15_000
    assert resolve_city("US", "Springfield", "Vermont").city.region == "Vermont"


def test_what_is_unknown_or_blank_means_nothing():
    for name in ("Nosuchville", "", "???", "x" * 10_000, "(", ","):
        meant = resolve_city("FR", name)
        assert (meant.city, meant.others, meant.is_ambiguous) == (None, (), False)


def test_names_are_looked_up_in_full_first():
    assert name_keys("Kansas City") == ("kansas city", "kansas")
    assert name_keys("Frankfurt (Main)") == ("frankfurt main", "frankfurt")
    assert name_keys("St. Gallen") == ("saint gallen",)
    assert name_keys("City") == ("city",)


@pytest.mark.parametrize(
    ("code", "name", "region"),
    [
        ("US", "San Juan", "Puerto Rico"),  # not the one in Texas
        ("US", "San Juan, Puerto Rico", None),
        ("US", "San Juan", "PR"),
        ("FR", "Saint-Denis", "La Réunion"),  # not the one near Paris
        ("FR", "Saint-Martin", "Saint-Martin"),
        ("GB", "Plymouth", "Montserrat"),
    ],
)
def test_a_territory_as_region_means_no_city_of_its_state(code, name, region):
    assert resolve_city(code, name, region).city is None
    assert find_city(code, name, region) is None


def test_a_country_of_its_own_as_region_is_ignored():
    assert resolve_city("NL", "Groningen", "Holland").city.name == "Groningen"
    assert resolve_city("CD", "Kinshasa", "Congo").city.name == "Kinshasa"


def test_a_list_by_hand_means_the_largest_city_whose_main_name_it_is():
    assert find_city("DE", "Halle").name == "Halle (Saale)"
    assert find_city("DE", "Frankfurt").name == "Frankfurt am Main"
    # Delhi has "New Delhi" among its other names, Milan "Mirano".
    assert find_city("IN", "New Delhi").name == "New Delhi"
    assert find_city("IT", "Mirano").population < 20_000
