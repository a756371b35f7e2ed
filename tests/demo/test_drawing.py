import dataclasses
from random import Random

import pytest

from streetclip.demo.cues import drawn_countries, read_toml
from streetclip.demo.drawing import draw
from streetclip.demo.pen import Air, View
from streetclip.demo.plants import KINDS
from streetclip.demo.scene import sample_scene
from streetclip.demo.signs import make_word

ODDS = read_toml("scenes.toml")
SCRIPTS = sorted(read_toml("materials.toml")["scripts"])


def scene_of(code="EE", **changes):
    country = next(country for country in drawn_countries() if country.code == code)
    scene = sample_scene("x", country, country.cities[0], Random(3))
    plain = {"setting": "urban", "weather": "clear", "occlusion": "none", "blur": "none"}
    cues = frozenset({"car", "warning_sign", "direction_sign", "bollards", "poles", "skyline"})
    return dataclasses.replace(scene, **{**plain, "cues": cues, **changes})


def test_a_point_ten_metres_ahead_is_where_the_pinhole_puts_it():
    view = View(side=1, vanish_x_px=150, horizon_px=100, across_m=0, height_m=2, focal_px=200)
    assert view.project(3.0, 0.5, 10.0) == (210.0, 130.0)
    assert dataclasses.replace(view, side=-1).project(3.0, 0.5, 10.0) == (90.0, 130.0)


def test_far_things_fade_into_the_haze():
    air = Air(light=(0.5, 0.5, 0.5), grey=0.0, haze=(200, 200, 200), sight_m=50.0)
    assert air.tint((100, 0, 40)) == (50, 0, 20)
    # One sight's length leaves 1/e of the colour: 50/e + 200 (1 − 1/e) = 144.8.
    assert air.tint((100, 0, 40), 50.0)[0] == 144
    assert air.tint((100, 0, 40), 5000.0) == (200, 200, 200)


@pytest.mark.parametrize("name", sorted(read_toml("skylines.toml")))
def test_every_skyline_changes_the_picture(name):
    scene = scene_of()
    city = dataclasses.replace(scene.city, skyline=name)
    with_it = draw(dataclasses.replace(scene, city=city), Random(1)).image
    cues = scene.cues - {"skyline"}
    without = draw(dataclasses.replace(scene, city=city, cues=cues), Random(1)).image
    assert with_it.tobytes() != without.tobytes()


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_every_plant_can_be_drawn(kind):
    scene = scene_of(setting="rural")
    bare = dataclasses.replace(scene.country, trees=("bush", "bush"))
    grown = dataclasses.replace(scene.country, trees=(kind, "oak"))
    images = [
        draw(dataclasses.replace(scene, country=country), Random(1)).image.tobytes()
        for country in (bare, grown)
    ]
    assert images[0] != images[1]


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("weather", ODDS["weather"]["cold"]),
        ("occlusion", ODDS["occlusion"]),
        ("blur", ODDS["blur"]),
    ],
)
def test_every_nuisance_changes_the_picture(field, values):
    images = {draw(scene_of(**{field: v}), Random(1)).image.tobytes() for v in values}
    assert len(images) >= len(values) - 1  # cloudy differs from clear in the sky's colours alone


def test_what_the_lorry_hides_has_no_box():
    free = draw(scene_of(), Random(5)).boxes
    hidden = draw(scene_of(occlusion="lorry"), Random(5)).boxes
    assert "occluder" in hidden
    left, _, right, _ = hidden["occluder"]
    gone = free.keys() - hidden.keys()
    assert gone
    for cue in gone:
        middle = (free[cue][0] + free[cue][2]) / 2
        assert left <= middle <= right


@pytest.mark.parametrize("script", SCRIPTS)
def test_glyphs_stay_on_their_square(script):
    for glyph in make_word(script, 40, Random(2)):
        assert all(0 <= v <= 1 for stroke in glyph for point in stroke for v in point)


def test_scripts_differ_from_one_another():
    words = {tuple(sorted(set(make_word(script, 200, Random(1))))) for script in SCRIPTS}
    assert len(words) == len(SCRIPTS) == 12


def test_the_light_of_a_rural_scene_does_not_tell_the_city():
    country = next(country for country in drawn_countries() if country.code == "EE")
    skies: dict[str, set[object]] = {"rural": set(), "urban": set()}
    for seed in range(150):
        scene = sample_scene("x", country, country.cities[0], Random(seed))
        if (scene.weather, scene.time_of_day) == ("clear", "day") and scene.setting in skies:
            skies[scene.setting].add(scene.sky)
    assert (len(skies["rural"]), len(skies["urban"])) == (3, 1)
