from streetclip.demo.cues import drawn_countries, read_toml
from streetclip.demo.plants import KINDS
from streetclip.demo.world import city_coordinates
from streetclip.gazetteer import are_neighbours, countries

# Wikipedia, "Left- and right-hand traffic"
KEEP_LEFT = {"GB", "IE", "JP", "TH", "MY", "IN", "NP", "ZA", "BW", "NA", "KE", "AU", "NZ"}


def test_forty_countries_with_three_cities_each():
    assert len({country.code for country in drawn_countries()}) == 40
    assert all(len({city.name for city in country.cities}) == 3 for country in drawn_countries())


def test_every_country_is_in_the_gazetteer_and_every_continent_with_streets_is_shown():
    continents = {countries()[country.code].continent for country in drawn_countries()}
    assert continents == {"Africa", "Asia", "Europe", "North America", "Oceania", "South America"}


def test_every_city_has_coordinates():
    for country in drawn_countries():
        for city in country.cities:
            latitude, longitude = city_coordinates(country.code, city.name)
            assert -60 < latitude < 72
            assert -180 <= longitude <= 180


def test_countries_keep_to_their_real_side_of_the_road():
    assert {c.code for c in drawn_countries() if c.driving_side == "left"} == KEEP_LEFT


def test_every_cue_has_a_drawing():
    known = read_toml("materials.toml")
    for country in drawn_countries():
        assert country.driving_side in {"left", "right"}
        assert country.centre_line.pattern in {"dashed", "solid", "double"}
        assert country.edge_line.pattern in {"dashed", "solid"}
        assert country.plate.shape in {"long", "short"}
        assert country.warning.shape in {"triangle", "diamond"}
        assert country.terrain in {"flat", "rolling", "mountains", "peaks"}
        assert country.pole in known["poles"]
        assert country.climate in read_toml("scenes.toml")["weather"]
        assert country.ground in known["grounds"]
        assert country.roof in known["roofs"]
        assert country.script in known["scripts"]
        assert set(country.trees) <= set(KINDS)
        assert len(country.trees) == 2
        for city in country.cities:
            assert city.walls in known["walls"]
            assert city.skyline in read_toml("skylines.toml")
            assert city.light in known["lights"]
            assert city.light in known["skies"]


def test_colours_are_red_green_and_blue():
    for c in drawn_countries():
        plate, sign = c.plate, c.warning
        bands = [each for each in (plate.band, plate.right_band) if each]
        paints = (c.centre_line.colour, c.edge_line.colour, c.direction, *c.bollard)
        for colour in (*paints, plate.background, plate.text, *bands, sign.fill, sign.border):
            assert isinstance(colour, tuple)
            assert len(colour) == 3
            assert all(0 <= level <= 255 for level in colour)


def test_no_two_countries_share_all_cues():
    signs = [_cues(country) for country in drawn_countries()]
    assert len(set(signs)) == len(signs)


def test_no_two_cities_of_a_country_look_the_same():
    for country in drawn_countries():
        looks = {(city.walls, city.skyline, city.light) for city in country.cities}
        assert len(looks) == 3


def test_land_neighbours_share_more_cues_than_strangers():
    shared: dict[bool, list[int]] = {True: [], False: []}
    for first in drawn_countries():
        for second in drawn_countries():
            if first.code < second.code:
                same = sum(_cues(first)[i] == _cues(second)[i] for i in range(13))
                shared[are_neighbours(first.code, second.code)].append(same)
    near, far = (sum(counts) / len(counts) for counts in (shared[True], shared[False]))
    assert near > far + 3


def _cues(c):
    lines = (c.centre_line, c.edge_line, c.plate, c.warning, c.direction, c.bollard)
    return (c.driving_side, *lines, c.pole, c.trees[0], c.ground, c.terrain, c.roof, c.script)
