from streetclip.demo.atlas import world
from streetclip.demo.glyphs import scripts
from streetclip.demo.palette import GROUNDS, LIGHTS, ROOFS, SKIES, WALLS
from streetclip.demo.plants import KINDS
from streetclip.demo.skyline import SHAPES
from streetclip.demo.splits import city_coordinates
from streetclip.gazetteer import are_neighbours, countries

# Wikipedia, "Left- and right-hand traffic"
KEEP_LEFT = {"GB", "IE", "JP", "TH", "MY", "IN", "NP", "ZA", "BW", "NA", "KE", "AU", "NZ"}


def test_forty_countries_with_three_cities_each():
    assert len({country.code for country in world()}) == 40
    assert all(len({city.name for city in country.cities}) == 3 for country in world())


def test_every_country_is_in_the_gazetteer_and_every_continent_with_streets_is_shown():
    continents = {countries()[country.code].continent for country in world()}
    assert continents == {"Africa", "Asia", "Europe", "North America", "Oceania", "South America"}


def test_every_city_has_coordinates():
    for country in world():
        for city in country.cities:
            latitude, longitude = city_coordinates(country.code, city.name)
            assert -60 < latitude < 72
            assert -180 <= longitude <= 180


def test_countries_keep_to_their_real_side_of_the_road():
    assert {c.code for c in world() if c.driving_side == "left"} == KEEP_LEFT


def test_every_cue_has_a_drawing():
    for country in world():
        assert country.ground in GROUNDS
        assert country.roof in ROOFS
        assert country.script in scripts()
        assert set(country.trees) <= set(KINDS)
        for city in country.cities:
            assert city.walls in WALLS
            assert city.skyline in SHAPES
            assert city.light in LIGHTS
            assert city.light in SKIES


def test_no_two_countries_share_all_cues():
    signs = [_cues(country) for country in world()]
    assert len(set(signs)) == len(signs)


def test_no_two_cities_of_a_country_look_the_same():
    for country in world():
        looks = {(city.walls, city.skyline, city.light) for city in country.cities}
        assert len(looks) == 3


def test_land_neighbours_share_more_cues_than_strangers():
    shared: dict[bool, list[int]] = {True: [], False: []}
    for first in world():
        for second in world():
            if first.code < second.code:
                same = sum(_cues(first)[i] == _cues(second)[i] for i in range(13))
                shared[are_neighbours(first.code, second.code)].append(same)
    near, far = (sum(counts) / len(counts) for counts in (shared[True], shared[False]))
    assert near > far + 3


def _cues(c):
    lines = (c.centre_line, c.edge_line, c.plate, c.warning, c.direction, c.bollard)
    return (c.driving_side, *lines, c.pole, c.trees[0], c.ground, c.terrain, c.roof, c.script)
