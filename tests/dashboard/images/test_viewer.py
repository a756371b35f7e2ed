"""A photo in the browser: zoomed, moved, at full resolution, over the screen, behind a proxy."""

import json
import sqlite3
import urllib.error
import urllib.request
from contextlib import closing

import numpy as np
import pytest
from PIL import Image
from PIL.ExifTags import IFD, Base

from tests.dashboard.proxies import proxy
from tests.dashboard.sites import DESK, PHONE, serve
from tests.dashboard.worlds import World

pytestmark = pytest.mark.browser

WIDTH, HEIGHT = 6000, 3000
STRIPES = (2900, 1400, 3100, 1600)  # of single pixels, black and white; seen at full size only
HOSTILE = '<img src="https://evil.example/z.png"> ![a](https://evil.example/y.png)'
TOKEN = "a-token-of-the-tests-only"
PREFIX = "/tool/x"


def draw(path):
    """A photo whose red and green say where a pixel is, with fine stripes in the middle."""
    across, down = np.meshgrid(np.linspace(0, 255, WIDTH), np.linspace(0, 255, HEIGHT))
    pixels = np.dstack([across, down, np.zeros_like(across)]).astype(np.uint8)
    left, top, right, bottom = STRIPES
    pixels[top:bottom, left:right] = (np.arange(right - left) % 2 * 255)[None, :, None]
    exif = Image.Exif()
    exif[Base.Model] = HOSTILE
    exif.get_ifd(IFD.Exif)[Base.DateTimeOriginal] = "2024:05:06 07:08:09"
    Image.fromarray(pixels).save(path, quality=95, exif=exif)


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    """A dashboard behind a proxy that strips a prefix, with a large photo as its first image."""
    folder = tmp_path_factory.mktemp("viewer")
    world = World(folder, num_images=12)
    world.add_run(skill=0)
    draw(world.image_dir / "street/0000.jpg")
    boxes = {
        1: f"[[600, 300, 1200, 600, {json.dumps(HOSTILE)}]]",
        2: "no boxes",
    }
    with closing(sqlite3.connect(world.path)) as store, store:
        for image_id, text in boxes.items():
            attributes = json.dumps({"cue_boxes": text})
            store.execute(
                "UPDATE dataset_images SET attributes = ? WHERE image_id = ?",
                (attributes, image_id),
            )
    with (
        serve(world.path, folder, STREETCLIP_TOKEN=TOKEN) as inside,
        proxy(inside, PREFIX, strips=True) as outside,
    ):
        yield outside


class Photo:
    """The viewer of a page."""

    def __init__(self, page):
        self.page, self.stage = page, page.locator(".stage")
        self.wait_until_sharp()

    def wait_until_sharp(self):
        self.page.wait_for_timeout(250)
        self.page.locator(".stage[data-sharp]").wait_for()

    @property
    def view(self):
        return [float(each) for each in self.stage.get_attribute("data-view").split()]

    def pixels(self):
        """Red, green and blue of a row through the middle of what is seen."""
        return np.array(
            self.stage.locator("canvas").evaluate(
                "each => [...each.getContext('2d').getImageData("
                "0, each.height / 2, each.width, 1).data]"
            )
        ).reshape(-1, 4)[:, :3]

    def shows_what_it_says(self):
        """Whether the colours in the left part are those of the point that is seen."""
        x, y, scale = self.view
        row = self.pixels()
        seen = x + (10 - len(row) / 2) / scale
        wanted = (255 * seen / WIDTH, 255 * y / HEIGHT, 0)
        return np.abs(row[10] - wanted).max() < 6


def test_a_photo_is_zoomed_moved_and_seen_at_full_resolution(address, visit):
    visited = visit(viewport=DESK)
    page = visited.go(f"{address}/failures?image=1&country_is=any&token={TOKEN}")
    photo = Photo(page)
    x, y, fitted = photo.view
    box = photo.stage.bounding_box()
    assert (x, y) == (WIDTH / 2, HEIGHT / 2)
    assert box["width"] / box["height"] == pytest.approx(WIDTH / HEIGHT, rel=0.02)
    assert photo.shows_what_it_says()
    # The wheel keeps what is under the pointer where it is; at the whole photo it turns the page.
    page.mouse.move(box["x"] + box["width"] / 4, box["y"] + box["height"] / 4)
    page.mouse.wheel(0, -120)
    page.wait_for_timeout(300)
    x, y, scale = photo.view
    assert scale == pytest.approx(fitted * np.exp(0.36), rel=0.01)
    assert x - box["width"] / 4 / scale == pytest.approx(WIDTH / 4, abs=30)
    assert photo.shows_what_it_says()
    for _ in range(2):
        page.mouse.wheel(0, 240)
    page.wait_for_timeout(500)
    assert photo.view[2] == pytest.approx(fitted, rel=0.01)
    # Keys and drag; a page turned just now is not a zoom.
    page.keyboard.press("0")
    photo.stage.focus()
    while photo.view[2] < 1:
        page.keyboard.press("+")
        page.wait_for_timeout(50)
    photo.wait_until_sharp()
    row = photo.pixels()[len(photo.pixels()) // 2 - 50 :][:100, 0]
    assert row.min() < 30  # stripes of single pixels, grey in every smaller picture
    assert row.max() > 225
    scale = photo.view[2]
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    page.wait_for_timeout(200)
    moved = 0.15 * box["width"] / scale
    assert photo.view == pytest.approx([WIDTH / 2 + moved, HEIGHT / 2 + moved, scale], abs=3)
    box = photo.stage.bounding_box()
    page.mouse.move(box["x"] + 200, box["y"] + 100)
    page.mouse.down()
    page.mouse.move(box["x"] + 300, box["y"] + 150, steps=4)
    page.mouse.up()
    photo.wait_until_sharp()
    assert photo.view == pytest.approx(
        [WIDTH / 2 + moved - 100 / scale, HEIGHT / 2 + moved - 50 / scale, scale], abs=3
    )
    assert "image=1" in page.url
    page.keyboard.press("-")
    page.wait_for_timeout(200)
    assert photo.view[2] == pytest.approx(scale / 1.4, rel=0.01)
    page.keyboard.press("0")
    page.wait_for_timeout(200)
    assert photo.view == pytest.approx([WIDTH / 2, HEIGHT / 2, fitted], rel=0.01)
    assert [each for each in visited.asked if "/image/1" in each and PREFIX not in each] == []
    assert visited.errors == []
    assert visited.strangers() == []


def test_the_full_screen_boxes_and_notes_of_a_photo(address, visit):
    visited = visit(viewport=DESK)
    page = visited.go(f"{address}/failures?image=1&country_is=any&token={TOKEN}")
    photo = Photo(page)
    before = photo.stage.bounding_box()
    cue = page.locator(".cue")
    assert cue.locator("span").inner_text().startswith("<img src=")
    at = cue.bounding_box()
    assert at["x"] - before["x"] == pytest.approx(before["width"] * 0.1, abs=3)
    assert at["width"] == pytest.approx(before["width"] * 0.2, abs=6)
    page.get_by_role("button", name="Boxes").click()
    cue.wait_for(state="hidden")
    page.keyboard.press("b")
    cue.wait_for(state="visible")
    assert visited.violations() == []
    # Full screen, and back.
    page.get_by_role("button", name="Full screen").click()
    page.wait_for_timeout(600)
    assert photo.stage.bounding_box()["width"] > DESK["width"] - 30
    assert photo.view[2] > 2 * before["width"] / WIDTH
    page.keyboard.press("f")
    page.wait_for_timeout(600)
    assert photo.stage.bounding_box()["width"] == pytest.approx(before["width"], abs=2)
    # Notes
    page.get_by_text("Camera, time and place").click()
    page.get_by_text("2024-05-06 07:08:09").wait_for()
    assert page.get_by_text("<img src=").first.is_visible()
    # The next image has boxes that cannot be read, and neither notes nor boxes.
    page.keyboard.press("0")
    page.goto(f"{address}/triage?image=2&country_is=any")
    page.get_by_text("cue_boxes cannot be read").wait_for()
    Photo(page)
    assert not page.get_by_role("button", name="Boxes").is_visible()
    assert page.get_by_text("Camera, time and place").count() == 0
    # The photo keeps the keys that move it, and leaves those of triage.
    shown = page.url
    page.locator(".stage").focus()
    page.keyboard.press("+")
    page.keyboard.press("ArrowRight")
    page.wait_for_timeout(500)
    assert page.url == shown
    page.keyboard.press("0")
    page.keyboard.press("ArrowRight")
    page.wait_for_function("shown => location.href !== shown", arg=shown)
    assert visited.errors == []
    assert visited.strangers() == []


def test_two_fingers_zoom_on_a_phone(address, visit):
    visited = visit(viewport=PHONE, has_touch=True, color_scheme="dark")
    page = visited.go(f"{address}/failures?image=1&country_is=any&token={TOKEN}")
    photo = Photo(page)
    photo.stage.scroll_into_view_if_needed()
    box, (x, y, fitted) = photo.stage.bounding_box(), photo.view
    middle = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    fingers = visited.context.new_cdp_session(page)
    for kind, apart in (("Start", 20), ("Move", 40), ("Move", 60), ("Move", 80)):
        points = [{"x": middle[0] + side * apart, "y": middle[1], "id": side} for side in (-1, 1)]
        points = [each | {"id": i} for i, each in enumerate(points)]
        fingers.send("Input.dispatchTouchEvent", {"type": f"touch{kind}", "touchPoints": points})
    fingers.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    page.wait_for_timeout(300)
    assert photo.view == pytest.approx([x, y, 4 * fitted], rel=0.05)
    assert visited.width() <= PHONE["width"]
    assert visited.violations() == []
    assert visited.errors == []


def test_no_image_is_sent_without_the_token(address):
    for part in ("1", "1/0/0/0"):
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(f"{address}/image/{part}", timeout=20)
        with refused.value as answer:
            assert answer.code == 403
