"""Other names find their city: a sample of what `benchmarks/measure_places.py` measures in full."""

from benchmarks.measure_places import candidates_of, find_spellings, largest_cities


def test_other_names_find_their_city_and_never_one_elsewhere():
    cities = largest_cities()
    candidates, index = candidates_of(cities)
    sample = range(0, len(cities), 40)
    found = find_spellings(
        [cities[i] for i in sample], candidates, [index[i] for i in sample], with_region=True
    )
    assert len(found.frame) > 1_000
    assert found.share_found >= 0.99
    assert len(found.elsewhere) == 0


def test_without_a_region_a_shared_name_is_no_city_rather_than_another():
    cities = [city for city in largest_cities() if city.country_code in {"BR", "DE", "US"}]
    candidates, index = candidates_of(cities)
    found = find_spellings(cities, candidates, index, with_region=False)
    assert len(found.elsewhere) == 0
    assert found.share_found >= 0.93
