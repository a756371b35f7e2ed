"""What the server answers to a browser that asks for an image: which, how often, and why not."""

import asyncio
import io
import threading
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest
from PIL import Image
from starlette.applications import Starlette
from starlette.testclient import TestClient

from dashboard import server
from dashboard.images import photo_server
from dashboard.images.photo_server import Levels
from dashboard.images.thumbnails import DETAIL_SIDE, ImageFile, file_key
from dashboard.queries import store_state
from tests.dashboard.worlds import World


@pytest.fixture
def world(tmp_path, monkeypatch):
    monkeypatch.setattr(store_state, "SETTLED_NS", -(10**18))  # files that were not just written
    made = World(tmp_path, num_images=12)
    monkeypatch.setattr(photo_server.url_state, "store_path", lambda: made.path)
    return made


def file_of(world, image_id):
    return ImageFile(world.image_dir, f"street/{image_id - 1:04d}.jpg")


def ask(image_id, *place, version=""):
    names = ("image_id", "level", "column", "row")
    numbers = dict(zip(names, (image_id, *place), strict=False))
    request = SimpleNamespace(path_params=numbers, query_params={"v": version})
    # Playwright's loop may run in this thread.
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, photo_server.answer(request)).result()


def test_an_image_comes_whole_and_in_tiles(world):
    Image.new("RGB", (1800, 700), (200, 30, 40)).save(world.image_dir / "street/0000.jpg")
    sizes = {(): (1600, 622), (0, 3, 1): (264, 188), (1, 1, 0): (388, 350), (2, 0, 0): (450, 175)}
    for place, size in sizes.items():
        answer = ask(1, *place)
        assert (answer.status_code, answer.media_type) == (200, "image/jpeg")
        with Image.open(io.BytesIO(answer.body)) as image:
            assert image.size == size
            assert image.getpixel((50, 50)) == pytest.approx((200, 30, 40), abs=4)


def test_browsers_keep_what_cannot_change(world):
    version = file_key(file_of(world, 1), DETAIL_SIDE).version
    assert "immutable" in ask(1, version=version).headers["cache-control"]
    assert ask(1, version="old").headers["cache-control"] == "no-store"


def test_images_lie_below_the_prefix_of_the_server(world, monkeypatch):
    monkeypatch.setattr(server.config, "get_option", lambda _: "tool/x/")
    client = TestClient(Starlette(routes=server.routes()))
    statuses = {"/tool/x/image/1": 200, "/tool/x/image/1/0/0/0": 200, "/image/1": 404}
    assert {path: client.get(path).status_code for path in statuses} == statuses
    assert client.get("/tool/x/image/-1").status_code == 404


@pytest.mark.parametrize("place", [(0, 9, 0), (0, 0, 9), (99, 0, 0), (9, 0, 0)])
def test_there_is_no_tile_outside_the_image(world, place):
    answer = ask(1, *place)
    assert (answer.status_code, answer.media_type) == (404, "text/plain")
    assert "has no such tile" in answer.body.decode()


def test_only_images_of_the_store_and_its_folder_are_answered(world, tmp_path):
    Image.new("RGB", (9, 9)).save(tmp_path / "secret.jpg")
    (world.image_dir / "street/0000.jpg").unlink()
    (world.image_dir / "street/0000.jpg").symlink_to(tmp_path / "secret.jpg")
    reasons = {
        1: "leaves the folder",
        7: "is no longer in",
        12: "is not an image",
        13: "has no image 13",
        10**30: "has no image",
    }
    for image_id, reason in reasons.items():
        for place in ((), (0, 0, 0)):
            answer = ask(image_id, *place)
            assert answer.status_code == 404
            assert reason in answer.body.decode()
            assert answer.headers["cache-control"] == "no-store"


# Levels


@pytest.fixture
def cut(monkeypatch):
    """Collects what is cut; cutting waits until it is let go."""
    made = SimpleNamespace(scales=[], more={}, let_go=threading.Event(), error=None)

    def cut_tiles(path, scale):
        made.scales.append(scale)
        made.let_go.wait(10)
        if made.error:
            raise made.error
        return {scale: {(0, 0): b"x" * 100}} | made.more

    monkeypatch.setattr(photo_server, "cut_tiles", cut_tiles)
    return made


def test_a_level_is_cut_once_however_many_ask(world, cut):
    key, levels = file_key(file_of(world, 1), DETAIL_SIDE), Levels(1000)
    asked = [levels.get(key, 1) for _ in range(40)]
    cut.let_go.set()
    assert [each.result(10) for each in asked] == 40 * [{2: {(0, 0): b"x" * 100}}]
    assert levels.get(key, 1).done()
    assert cut.scales == [2]


def test_levels_asked_for_long_ago_are_forgotten(world, cut):
    key, levels = file_key(file_of(world, 1), DETAIL_SIDE), Levels(250)
    cut.let_go.set()
    for level in (0, 1, 0, 2, 0, 1):  # 0 is used all the time
        levels.get(key, level).result(10)
    assert cut.scales == [1, 2, 4, 2]


def test_levels_that_came_with_another_are_not_cut_again(world, cut):
    key, levels = file_key(file_of(world, 1), DETAIL_SIDE), Levels(1000)
    cut.let_go.set()
    cut.more = {1: {}, 8: {(0, 0): b"y"}}
    levels.get(key, 1).result(10)
    assert levels.get(key, 3).result(10)[8] == {(0, 0): b"y"}
    levels.get(file_key(file_of(world, 2), DETAIL_SIDE), 3).result(10)
    assert cut.scales == [2, 8]


def test_a_level_that_failed_is_tried_again(world, cut):
    key, levels = file_key(file_of(world, 1), DETAIL_SIDE), Levels(250)
    cut.let_go.set()
    cut.error = OSError("the network drive is away")
    with pytest.raises(OSError, match="away"):
        levels.get(key, 0).result(10)
    cut.error = None
    assert levels.get(key, 0).result(10)
    assert cut.scales == [1, 1]
