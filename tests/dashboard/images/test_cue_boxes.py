import json

import pytest

from dashboard.images import cue_boxes
from dashboard.images.cue_boxes import read_boxes
from streetclip.demo.world import make_scene


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[[10, 20, 30, 40]]", [("", (0.1, 0.1, 0.3, 0.2))]),
        ('[[10, 20, 30, 40, "sign"]]', [("sign", (0.1, 0.1, 0.3, 0.2))]),
        ('[[0.1, 0.2, 0.3, 0.4, "pole"]]', [("pole", (0.1, 0.2, 0.3, 0.4))]),
        ('{"plate": [10, 20, 40, 60]}', [("plate", (0.1, 0.1, 0.3, 0.2))]),
        ("[[80, 180, 50, 50, null]]", [("", (0.8, 0.9, 0.2, 0.1))]),  # cut at the edges
        ("[]", []),
        ("{}", []),
    ],
)
def test_boxes_are_read_in_pixels_and_fractions(text, expected):
    found = read_boxes(text, 100, 200)
    assert [label for label, _ in found] == [label for label, _ in expected]
    for (_, box), (_, wanted) in zip(found, expected, strict=True):
        assert box == pytest.approx(wanted)


def test_the_boxes_of_the_drawn_world_lie_in_its_pictures():
    _, picture = make_scene(3, "test", 0)
    found = read_boxes(json.dumps(picture.boxes), *picture.image.size)
    assert {label for label, _ in found} == set(picture.boxes)
    for label, (left, top, width, height) in found:
        corners = (left, top, left + width, top + height)
        pixels = [each * side for each, side in zip(corners, 2 * picture.image.size, strict=True)]
        assert pixels == pytest.approx(picture.boxes[label])


@pytest.mark.parametrize(
    "text",
    [
        "no", "3", "null", '"a"', "[1, 2, 3, 4]", "[[1, 2, 3]]", '[[1, 2, 3, "4"]]',
        "[[1, 2, 3, 4, 5, 6]]", "[[NaN, 2, 3, 4]]", "[[1e999, 2, 3, 4]]", "[[true, 2, 3, 4]]",
        f"[[1{400 * '0'}, 2, 3, 4]]", '{"a": 5}', '{"a": [1, 2]}', "[[[1, 2, 3, 4]]]",
    ],
)  # fmt: skip
def test_what_is_no_list_of_boxes_is_an_error(text):
    with pytest.raises(ValueError, match=r".+"):
        read_boxes(text, 100, 200)


def test_boxes_and_labels_are_bounded():
    found = read_boxes(json.dumps([[1, 2, 3, 4, "\u202e" + "x" * 99]] * 300), 100, 200)
    assert len(found) == cue_boxes._MOST_BOXES
    assert len(found[0].label) == 60
    assert "\u202e" not in found[0].label
