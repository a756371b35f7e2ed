import pytest

from streetclip.gazetteer import city_names as module
from streetclip.gazetteer import find_city, most_populous_cities, suggest_cities
from streetclip.gazetteer.cities import all_cities


@pytest.mark.parametrize(
    ("code", "name", "latitude_deg", "longitude_deg"),
    [
        ("CR", "San José", 9.9, -84.1),
        ("US", "San Jose", 37.3, -121.9),
        ("GB", "London", 51.5, -0.1),
        ("CA", "London", 43.0, -81.2),
        ("BM", "Hamilton", 32.3, -64.8),
        ("NZ", "Hamilton", -37.8, 175.3),
        ("CA", "Hamilton", 43.3, -79.9),
        ("GE", "Tbilisi", 41.7, 44.8),
    ],
)
def test_a_homonym_is_found_in_its_own_country(code, name, latitude_deg, longitude_deg):
    city = find_city(code, name)
    assert city.country_code == code
    assert city.latitude_deg == pytest.approx(latitude_deg, abs=0.1)
    assert city.longitude_deg == pytest.approx(longitude_deg, abs=0.1)


def test_the_region_tells_homonyms_of_one_country_apart():
    assert find_city("US", "Portland").region == "Oregon"
    assert find_city("US", "Portland", region="maine").region == "Maine"
    # A region that the gazetteer does not know is no reason against the most populous one.
    assert find_city("US", "Portland", region="Nowhere").region == "Oregon"
    # One that it knows is: there is no Portland in Nevada.
    assert find_city("US", "Portland", region="Nevada") is None


@pytest.mark.parametrize(
    ("code", "name", "primary"),
    [("DE", "München", "Munich"), ("US", "New York", "New York City"), ("CN", "北京", "Beijing")],
)
def test_another_name_finds_the_city(code, name, primary):
    assert find_city(code, name).name == primary


def test_cities_have_the_english_names_of_their_regions():
    places = [("US", "Washington"), ("CA", "Calgary"), ("GB", "Cardiff"), ("DE", "Munich")]
    regions = [find_city(*place).region for place in places]
    assert regions == ["District of Columbia", "Alberta", "Wales", "Bavaria"]


def test_the_larger_list_is_read_only_on_a_miss(monkeypatch):
    read = []
    monkeypatch.setattr(module, "_small_by_name", lambda code: read.append(code) or {})
    find_city("FR", "Paris")
    assert read == []
    assert find_city("FR", "Nosuchville") is None
    assert read == ["FR"]


@pytest.mark.parametrize("name", ["", "???", "x" * 10**5])
def test_no_name_is_no_city(name):
    assert find_city("FR", name) is None


def test_the_most_populous_come_first_and_homonyms_once():
    cities = most_populous_cities("US", limit=500)
    populations = [city.population for city in cities]
    assert populations == sorted(populations, reverse=True)
    assert len({city.name for city in cities}) == len(cities) == 500
    assert next(city for city in cities if city.name == "Columbus").region == "Ohio"


def test_the_limit_and_the_smallest_population_hold():
    assert len(most_populous_cities("FR", limit=7)) == 7
    large = most_populous_cities("FR", limit=1000, min_population=300_000)
    assert 3 <= len(large) < 10
    assert min(city.population for city in large) >= 300_000
    assert most_populous_cities("VA", limit=30) == []


@pytest.mark.parametrize(
    ("code", "names"),
    [
        ("FR", ["Paris 15 Vaugirard"]),
        ("US", ["Brooklyn", "Queens"]),
        ("AT", ["Favoriten", "Donaustadt", "Penzing"]),
        ("HU", ["Budapest XIII. kerület", "Pest", "Újpest"]),
        ("DE", ["Hamburg-Nord", "Eimsbüttel"]),
        ("ES", ["Eixample", "Carabanchel"]),
        ("PL", ["Mokotów"]),
        ("JP", ["Setagaya"]),
    ],
)
def test_parts_of_cities_are_no_cities(code, names):
    cities = {city.name for city in most_populous_cities(code, limit=200)}
    assert not cities & set(names)


@pytest.mark.parametrize(
    ("code", "names"),
    [
        ("US", ["Minneapolis", "Saint Paul", "Fort Worth", "Arlington", "Oakland"]),
        ("DE", ["Dortmund", "Bochum", "Fürth"]),
        ("FR", ["Lyon", "Villeurbanne"]),
        ("IL", ["Tel Aviv", "Ramat Gan", "Bnei Brak"]),
        ("HU", ["Budapest", "Érd"]),
        ("IN", ["Pune", "Pimpri-Chinchwad"]),
        ("AT", ["Vienna", "Sankt Pölten"]),
        ("DK", ["Frederiksberg"]),
    ],
)
def test_neighbours_that_are_cities_of_their_own_stay(code, names):
    cities = {city.name for city in most_populous_cities(code, limit=200)}
    assert set(names) <= cities


def test_a_misspelt_city_is_suggested_within_its_country():
    assert suggest_cities("FR", "Marsseille")[0] == "Marseille"
    assert suggest_cities("JP", "Marsseille") == []


def test_all_places_of_a_country_are_listed_the_largest_first():
    populations = [place.population for place in all_cities()["AD"]]
    assert len(populations) > len(most_populous_cities("AD", limit=99)) > 0
    assert populations == sorted(populations, reverse=True)
