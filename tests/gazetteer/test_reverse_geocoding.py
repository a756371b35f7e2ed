import itertools

import numpy as np
import pytest

from streetclip.gazetteer.cities import all_cities, is_part_of_city
from streetclip.gazetteer.outlines import outline_rings
from streetclip.gazetteer.reverse_geocoding import FARTHEST_KM, places_at
from streetclip.geo import haversine_km

COUNTRIES = {
    # enclaves, and the countries around them
    "LS": [(-29.31, 27.48), (-29.6, 28.2)],
    "ZA": [(-29.1, 26.2), (-29.0, 29.9)],
    "VA": [(41.9022, 12.4572), (41.9036, 12.4503)],
    "IT": [(41.8902, 12.4922), (41.9085, 12.465), (41.899, 12.44), (44.06, 12.57)],
    "SM": [(43.9356, 12.4473)],
    "MC": [(43.7384, 7.4246)],
    # both sides of 180°, and the line itself
    "FJ": [(-16.8, 179.97), (-16.8, -179.97), (-16.8, 180.0), (-18.14, 178.44)],
    "RU": [(68.0, -175.0), (68.0, 179.0), (68.5, 180.0), (68.5, -180.0), (54.71, 20.5)],
    # poles
    "AQ": [(-90.0, 0.0), (-62.2, -58.9), (-81.0, -175.0), (-77.85, 166.67)],
    "": [(90.0, 0.0), (0.0, -30.0), (-55.0, -120.0)],
    # far from the rest of the country, and across the border from it
    "ES": [(35.89, -5.31), (35.29, -2.94), (36.168, -5.348), (28.1, -15.4)],
    "MA": [(35.84, -5.36), (33.57, -7.6)],
    "GI": [(36.14, -5.35)],
    "GF": [(4.9, -52.3), (3.5, -53.0)],
    "US": [(21.3, -157.86), (42.33, -83.05), (32.56, -117.0), (31.76, -106.49)],
    "CA": [(42.3, -83.02)],
    "MX": [(32.51, -117.0), (31.69, -106.42)],
    # cities on a border that the outlines draw on the wrong side of them
    "CH": [(46.2, 6.15), (47.55, 7.59)],
    "FR": [(46.19, 6.24), (47.59, 7.56), (43.7443, 7.4236)],
    "CD": [(-4.32, 15.31)],
    "CG": [(-4.26, 15.28)],
    # too small for the outlines; a polygon of Russia with Ukraine's places
    "TV": [(-8.52, 179.2)],
    "UA": [(44.95, 34.1), (45.64, 33.69), (45.71, 34.9), (50.45, 30.52)],
    "MO": [(22.2, 113.55), (22.195, 113.54), (22.156, 113.557)],
    "HK": [(22.3, 114.17)],
    "SG": [(1.29, 103.85)],
    "MY": [(1.49, 103.74)],
}


def test_points_are_in_the_countries_that_an_atlas_shows():
    cases = [(code, *place) for code, places in COUNTRIES.items() for place in places]
    _, latitudes, longitudes = zip(*cases, strict=True)
    found = places_at(latitudes, longitudes).country.tolist()
    wrong = [(*case, code) for case, code in zip(cases, found, strict=True) if code != case[0]]
    assert wrong == []


def in_rings(rings, latitude, longitude):
    """Even-odd rule, a ray eastward, one edge after another."""
    inside = np.zeros(len(latitude), bool)
    for ring in rings:
        for (x1, y1), (x2, y2) in itertools.pairwise(ring.tolist()):
            if y1 != y2:
                rows = (latitude >= min(y1, y2)) & (latitude < max(y1, y2))
                x = x1 + (latitude[rows] - y1) / (y2 - y1) * (x2 - x1)
                inside[rows] ^= longitude[rows] < x
    return inside


def test_random_points_on_land_are_in_the_country_whose_outline_holds_them():
    rng = np.random.default_rng(16)
    latitude = np.degrees(np.arcsin(rng.uniform(-1, 1, 10_000)))
    longitude = rng.uniform(-180, 180, 10_000)
    by_outline = np.full(10_000, "", "U2")
    for code, rings in outline_rings().items():
        by_outline[in_rings(rings, latitude, longitude)] = code
    land = by_outline != ""
    assert 0.25 < land.mean() < 0.35
    found = places_at(latitude, longitude).country.to_numpy()
    assert (found == by_outline)[land].mean() >= 0.995


@pytest.fixture(scope="module")
def cities():
    return list(itertools.chain.from_iterable(all_cities().values()))


@pytest.fixture(scope="module")
def found(cities):
    latitude, longitude = zip(*((c.latitude_deg, c.longitude_deg) for c in cities), strict=True)
    return places_at(latitude, longitude)


def test_every_large_city_of_the_gazetteer_is_in_its_country(cities, found):
    is_large = np.array([city.population > 100_000 for city in cities])
    code = np.array([city.country_code for city in cities])
    assert is_large.sum() > 6_000
    wrong = np.flatnonzero(found.country.to_numpy() != code)
    assert not is_large[wrong].any()
    assert len(wrong) < 0.001 * len(cities)


def test_a_place_is_found_at_its_own_coordinates(cities, found):
    wholes = [i for i, city in enumerate(cities) if not is_part_of_city(city)]
    names, regions = found.city.to_numpy(), found.region.to_numpy()
    same = [names[i] == cities[i].name and regions[i] == (cities[i].region or "") for i in wholes]
    assert np.mean(same) > 0.999  # two places may share their coordinates
    assert found.distance_km.iloc[wholes].max() < 20


def test_the_city_is_the_nearest_of_that_country(cities):
    rng = np.random.default_rng(3)
    latitude, longitude = rng.uniform(-40, 70, 300), rng.uniform(-180, 180, 300)
    found = places_at(latitude, longitude)
    assert 60 < (found.city != "").sum() < (found.country != "").sum() < 200
    for row, y, x in zip(found.itertuples(), latitude, longitude, strict=True):
        own = all_cities().get(row.country, ())
        places = np.array([(c.latitude_deg, c.longitude_deg) for c in own]).reshape(-1, 2)
        km = haversine_km(y, x, *places.T)
        if not row.country or km.min(initial=np.inf) > FARTHEST_KM:
            assert (row.region, row.city) == ("", "")
            assert np.isnan(row.distance_km)
            continue
        nearest = own[int(km.argmin())]
        assert row.region == (nearest.region or "")
        if not is_part_of_city(nearest):
            assert row.city == nearest.name
            assert row.distance_km == pytest.approx(km.min(), abs=1e-6)


def test_a_part_of_a_city_is_that_city_with_the_distance_to_its_middle():
    found = places_at([48.8412, 52.4429], [2.3003, 13.5823])  # Paris 15 Vaugirard; Köpenick
    assert found.city.tolist() == ["Paris", "Berlin"]
    assert found.distance_km.tolist() == pytest.approx([3.9, 14.6], abs=0.5)


def test_what_is_unknown_is_blank_and_every_row_keeps_its_place():
    found = places_at([np.nan, 48.857, 0.0, np.nan], [2.352, 2.352, -30.0, np.nan])
    assert found.country.tolist() == ["", "FR", "", ""]
    assert found.city.tolist() == ["", "Paris", "", ""]
    assert found.region.tolist() == ["", "Île-de-France", "", ""]
    assert np.isnan(found.distance_km).tolist() == [True, False, True, True]
    assert found.index.tolist() == [0, 1, 2, 3]
    assert places_at([], []).columns.tolist() == ["country", "region", "city", "distance_km"]


def test_longitudes_may_be_any_angle():
    found = places_at([-16.8] * 4, [180.0, -180.0, 540.0, -900.0])
    assert len(found.round(9).drop_duplicates()) == 1


@pytest.mark.parametrize(("latitude", "longitude"), [(91.0, 0.0), (-90.1, 0.0), (0.0, np.inf)])
def test_coordinates_that_are_no_place_are_refused(latitude, longitude):
    with pytest.raises(ValueError, match=r"expected"):
        places_at([latitude], [longitude])
