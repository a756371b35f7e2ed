import hashlib
import json

import pytest

from streetclip.demo.cues import drawn_countries
from streetclip.demo.pen import HEIGHT_PX, WIDTH_PX
from streetclip.demo.world import SPLITS, city_coordinates, make_scene, place_of, write_scene
from streetclip.errors import UnknownPlaceError
from streetclip.geo import haversine_km


def indices_of(code, split, count):
    found = (i for i in range(400) if place_of(42, split, i)[0].code == code)
    return [next(found) for _ in range(count)]


def test_the_same_scene_twice_is_the_same_file(tmp_path):
    rows = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        rows.append(write_scene(tmp_path / name, 42, "val", 5))
    assert rows[0] == rows[1]
    name = rows[0]["image_filename"]
    assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


@pytest.mark.parametrize("other", [(43, "train", 7), (42, "test", 7), (42, "train", 127)])
def test_seed_split_and_index_each_change_the_scene(other):
    picture = make_scene(42, "train", 7)[1]
    assert picture.image.tobytes() != make_scene(*other)[1].image.tobytes()


def test_no_scene_is_in_two_splits(tmp_path):
    rows = [write_scene(tmp_path, 42, split, index) for split in SPLITS for index in range(25)]
    digests = {hashlib.sha256(path.read_bytes()).digest() for path in tmp_path.iterdir()}
    assert len(digests) == len(rows) == 75
    assert len({row["scene_id"] for row in rows}) == 75


def test_one_round_shows_every_city_once():
    places = [place_of(7, "train", index) for index in range(120)]
    assert len({(country.code, city.name) for country, city in places}) == 120
    assert len({country.code for country, _ in places[:40]}) == 40


def test_the_boxes_lie_inside_the_image():
    names = set()
    for index in range(60):
        for cue, (left, top, right, bottom) in make_scene(42, "val", index)[1].boxes.items():
            names.add(cue)
            assert 0 <= left < right <= WIDTH_PX, cue
            assert 0 <= top < bottom <= HEIGHT_PX, cue
    assert {"plate", "car", "warning_sign", "bollard", "pole", "skyline", "occluder"} <= names


@pytest.mark.parametrize(
    ("code", "side"), [("GB", "left"), ("JP", "left"), ("US", "right"), ("EE", "right")]
)
def test_cars_and_warning_signs_are_on_the_driving_side(code, side):
    checked = 0
    for index in indices_of(code, "train", 8):
        boxes = make_scene(42, "train", index)[1].boxes
        if {"car", "centre_line"} <= boxes.keys():
            line = sum(boxes["centre_line"][::2]) / 2
            assert (sum(boxes["car"][::2]) / 2 < line) == (side == "left")
            checked += 1
        if {"warning_sign", "centre_line"} <= boxes.keys():
            assert (boxes["warning_sign"][0] < boxes["centre_line"][0]) == (side == "left")
            checked += 1
    assert checked >= 4


def test_the_plate_has_the_countrys_colour():
    for code, is_yellow in (("NL", True), ("BE", False)):
        seen = 0
        for index in indices_of(code, "train", 10):
            scene, picture = make_scene(42, "train", index)
            plain = (scene.weather, scene.time_of_day, scene.blur, scene.occlusion)
            if plain != ("clear", "day", "none", "none") or "plate" not in picture.boxes:
                continue
            left, top, right, bottom = picture.boxes["plate"]
            pixels = picture.image.crop((left, top, right, bottom)).get_flattened_data()
            yellow = sum(blue < 120 < min(red, green) for red, green, blue in pixels)
            assert (yellow > len(pixels) * 0.2) == is_yellow
            seen += 1
        assert seen


def test_rural_scenes_show_nothing_of_the_city():
    rural = [make_scene(42, "train", index) for index in range(50)]
    for scene, picture in rural:
        if scene.setting == "rural":
            assert not {"skyline", "house", "shop_sign"} & picture.boxes.keys()
    assert any(scene.setting == "rural" for scene, _ in rural)


def test_images_lie_within_20_km_of_their_city_but_not_on_it(tmp_path):
    for index in range(30):
        row = write_scene(tmp_path, 42, "test", index)
        country = place_of(42, "test", index)[0]
        latitude, longitude = city_coordinates(country.code, row["city"])
        away = haversine_km(latitude, longitude, float(row["latitude"]), float(row["longitude"]))
        assert 0.2 < float(away) < 20.1


def test_a_row_tells_what_was_drawn(tmp_path):
    row = write_scene(tmp_path, 42, "train", 3)
    scene, picture = make_scene(42, "train", 3)
    assert (row["weather"], row["setting"], row["blur"]) == (
        scene.weather,
        scene.setting,
        scene.blur,
    )
    assert row["driving_side"] == scene.country.driving_side
    assert {cue: tuple(box) for cue, box in json.loads(row["cue_boxes"]).items()} == picture.boxes


def test_a_city_that_the_gazetteer_lacks_is_an_error(monkeypatch):
    monkeypatch.setattr("streetclip.demo.world.find_city", lambda code, name: None)
    with pytest.raises(UnknownPlaceError, match=r"Atlantis.*in EE"):
        city_coordinates("EE", "Atlantis")


def test_the_world_is_spread_evenly():
    counts = [0] * len(drawn_countries())
    for index in range(200):
        code = place_of(1, "test", index)[0].code
        counts[[c.code for c in drawn_countries()].index(code)] += 1
    assert set(counts) == {5}
