import json
import math
from pathlib import Path

import numpy as np
import pytest

from streetclip.errors import ResourceError
from streetclip.gazetteer import countries, outlines, resolve_country
from streetclip.gazetteer.outlines import (
    country_centre,
    country_km2,
    outline_borders,
    outline_features,
    outline_topojson,
    world_edge,
)
from streetclip.geo import MAP_HEIGHT, MAP_WIDTH

ROOT = Path(__file__).parents[2]
TOO_SMALL = {"GI", "TV"}  # for Natural Earth 1:50m


def features():
    return {each["properties"]["code"]: each for each in outline_features()}


def rings():
    for feature in outline_features():
        for polygon in feature["geometry"]["coordinates"]:
            for ring in polygon:
                yield feature["properties"]["code"], ring


def topojson_rings():
    """Each ring of the file with its country, decoded by plain loops."""
    content = json.loads(outline_topojson())
    (sx, sy), (tx, ty) = (content["transform"][key] for key in ("scale", "translate"))
    arcs = []
    for steps in content["arcs"]:
        x = y = 0
        points = []
        for dx, dy in steps:
            x, y = x + dx, y + dy
            points.append((x * sx + tx, y * sy + ty))
        arcs.append(points)
    for shape in content["objects"]["countries"]["geometries"]:
        for polygon in shape["arcs"]:
            for ring in polygon:
                lines = [arcs[i] if i >= 0 else arcs[~i][::-1] for i in ring]
                yield shape["properties"]["code"], ring, lines


def test_every_candidate_country_has_an_outline_or_is_known_to_be_too_small():
    names = json.loads((ROOT / "data" / "candidates.json").read_text(encoding="utf-8"))
    lacking = {resolve_country(name).code for name in names} - set(features())
    assert lacking == TOO_SMALL


def test_outlines_carry_the_gazetteers_codes_and_names():
    for code, feature in features().items():
        if code:
            assert feature["properties"]["name"] == countries()[code].name
    assert features()[""]["properties"]["name"] == "Siachen Glacier"


def test_arcs_of_a_ring_meet_and_the_ring_is_closed():
    for code, _, lines in topojson_rings():
        for line, following in zip(lines, [*lines[1:], lines[0]], strict=True):
            assert line[-1] == following[0], code


def test_neighbours_share_their_border():
    arcs = {}
    for code, ring, _ in topojson_rings():
        arcs.setdefault(code, set()).update(i if i >= 0 else ~i for i in ring)
    for code, other in (("FR", "ES"), ("CZ", "SK"), ("US", "CA"), ("ZA", "LS"), ("XK", "RS")):
        assert arcs[code] & arcs[other], (code, other)
    assert not arcs["FR"] & arcs["PL"]


def test_no_ring_is_turned_over():
    """d3-geo fills what lies on a ring's right: one turned over would fill the rest of the world.

    Area by the spherical line integral of Chamberlain and Duquette (2007).
    """
    areas = {}
    for code, ring, lines in topojson_rings():
        points = [point for line in lines for point in line[1:]]
        total = 0.0
        for (x1, y1), (x2, y2) in zip(points, [*points[1:], points[0]], strict=True):
            step = (x2 - x1 + 180) % 360 - 180
            total += math.radians(step) * (math.sin(math.radians(y1)) + math.sin(math.radians(y2)))
        areas.setdefault(code, {})[tuple(ring)] = total / 2 * 6371.0088**2
    for code, sizes in areas.items():
        if code != "AQ":  # its one ring around the pole is tested by its area below
            assert max(sizes.values()) > 0, code
            assert sum(sizes.values()) > 0, code
            assert sum(sizes.values()) == pytest.approx(country_km2(code), rel=1e-6)


@pytest.mark.parametrize(
    ("code", "known_km2", "tolerance"),
    # CIA World Factbook; Natural Earth counts lakes as land.
    [
        ("RU", 17_098_242, 0.02),
        ("AQ", 14_200_000, 0.15),  # without ice shelves, it is smaller
        ("BR", 8_515_770, 0.02),
        ("FR", 551_500, 0.03),
        ("FJ", 18_274, 0.10),
        ("LU", 2_586, 0.10),
        ("LS", 30_355, 0.05),
        ("MC", 2, 6.0),
    ],
)
def test_areas_are_those_of_the_countries(code, known_km2, tolerance):
    assert country_km2(code) == pytest.approx(known_km2, rel=tolerance)


def test_rings_of_the_flat_map_are_closed_and_on_the_map():
    for code, ring in rings():
        assert ring[0] == ring[-1], code
        assert len(ring) >= 4, code
        x, y = np.abs(np.array(ring)).max(axis=0)
        assert x <= MAP_WIDTH / 2 + 0.01, code
        assert y <= MAP_HEIGHT / 2 + 0.01, code


def test_no_country_draws_a_band_across_the_map():
    for code, ring in rings():
        x = np.array(ring)[:, 0]
        assert code == "AQ" or np.ptp(x) < 140, code
        assert code == "AQ" or np.abs(np.diff(x)).max() < 30, code
    for line in outline_borders():
        assert np.abs(np.diff(np.array(line)[:, 0])).max() < 30


def test_russia_and_new_zealand_lie_in_one_piece_at_the_eastern_edge():
    mainland = max((ring for code, ring in rings() if code == "RU"), key=len)
    assert np.ptp(np.array(mainland)[:, 0]) > 90
    for code in ("RU", "NZ", "FJ"):
        x, _ = np.array([point for each, ring in rings() if each == code for point in ring]).T
        assert x.min() > 0, code


def test_the_edge_of_the_map_is_a_closed_line_through_its_corners():
    line = np.array(world_edge())
    assert (line[0] == line[-1]).all()
    assert np.abs(line).max(axis=0) == pytest.approx([MAP_WIDTH / 2, MAP_HEIGHT / 2], abs=0.01)
    assert np.hypot(*np.diff(line, axis=0).T).max() == pytest.approx(183.76, abs=0.01)  # a pole


def test_the_smallest_countries_have_a_polygon():
    for code in ("VA", "MC", "SG", "MT", "NR", "SM", "LI"):
        assert features()[code]["geometry"]["coordinates"], code


@pytest.mark.parametrize(
    ("code", "place"),
    [
        ("FR", (46.5, 2.5)),  # the mainland, without Corsica or Guiana
        ("GF", (4.0, -53.0)),
        ("FJ", (-17.8, 178.0)),
        ("RU", (62.0, 97.0)),
        ("TV", (-8.5, 179.2)),
    ],
)
def test_centres_are_where_the_countries_are(code, place):
    assert country_centre(code) == pytest.approx(place, abs=3.0)


def test_an_unknown_country_has_no_centre_and_no_area():
    assert country_centre("ZZ") is None
    assert country_km2("GI") == 0


@pytest.fixture
def outlines_file(monkeypatch, tmp_path):
    cached = (outline_topojson, outline_features, outlines._decoded)
    monkeypatch.setattr(outlines, "_FILE", tmp_path / "countries.json")
    for each in cached:
        each.cache_clear()
    yield tmp_path / "countries.json"
    for each in cached:
        each.cache_clear()


def test_a_missing_file_is_named_with_the_way_to_get_it_back(outlines_file):
    with pytest.raises(ResourceError, match=r"countries\.json.*git checkout"):
        outline_topojson()


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"objects": {"countries": 1}}'])
def test_a_damaged_file_is_named_with_the_way_to_get_it_back(outlines_file, content):
    outlines_file.write_text(content)
    with pytest.raises(ResourceError, match=r"countries\.json.*git checkout"):
        outline_features()
