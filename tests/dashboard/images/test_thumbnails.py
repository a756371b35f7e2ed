import base64
import io
import os
import time

import numpy as np
import pytest
from PIL import Image

from dashboard.images import thumbnails
from dashboard.images.thumbnails import CARD_SIDE, ImageFile, thumbnail
from dashboard.queries import store_state


@pytest.fixture(autouse=True)
def empty_cache(monkeypatch):
    monkeypatch.setattr(store_state, "SETTLED_NS", -(10**18))  # files that were not just written
    clear()
    yield
    clear()


def clear():
    for kept in thumbnails._KEPT.values():
        kept.cache_clear()


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "images").mkdir()
    return tmp_path / "images"


def save(path, colour=(200, 30, 40), size=(900, 300)):
    Image.new("RGB", size, colour).save(path)


def colour_of(picture):
    with Image.open(io.BytesIO(picture.jpeg)) as image:
        return image.convert("RGB").getpixel((image.width // 2, image.height // 2))


def test_a_picture_keeps_its_proportions_and_colour(folder):
    save(folder / "a.png")
    made = thumbnail(ImageFile(folder, "a.png"))
    assert (made.width, made.height, made.problem) == (480, 160, "")
    np.testing.assert_allclose(colour_of(made), (200, 30, 40), atol=4)


def test_the_data_uri_holds_our_own_jpeg(folder):
    save(folder / "a.png")
    made = thumbnail(ImageFile(folder, "a.png"))
    kind, _, content = made.data_uri.partition(",")
    assert kind == "data:image/jpeg;base64"
    assert base64.b64decode(content) == made.jpeg


def test_notes_inside_a_photo_are_not_passed_on(folder):
    exif = Image.Exif()
    exif[0x010E] = "taken at a secret place"
    Image.new("RGB", (60, 40)).save(folder / "a.jpg", exif=exif, comment=b"a secret comment")
    assert b"secret" in (folder / "a.jpg").read_bytes()
    assert b"secret" not in thumbnail(ImageFile(folder, "a.jpg")).jpeg


def test_pictures_come_in_the_order_asked_whatever_is_wrong_with_some(folder):
    widths = [60, 75, 90, 105, 120]
    for i, width in enumerate(widths):
        save(folder / f"{i}.png", size=(width, 50))
    (folder / "2.png").write_bytes(b"no image")
    (folder / "4.png").unlink()
    made = thumbnails.thumbnails([ImageFile(folder, f"{i}.png") for i in (4, 3, 2, 1, 0)])
    assert [each.width for each in made] == [0, 105, 0, 75, 60]


def test_a_second_look_does_not_decode_again(folder, monkeypatch):
    save(folder / "a.png")
    first = thumbnail(ImageFile(folder, "a.png"))
    monkeypatch.setattr(thumbnails, "decode_image", lambda *_: pytest.fail("decoded again"))
    assert thumbnail(ImageFile(folder, "a.png")) == first


def test_a_replaced_file_is_seen_even_with_the_old_time(folder):
    save(folder / "a.png")
    before = (folder / "a.png").stat()
    thumbnail(ImageFile(folder, "a.png"))
    save(folder / "b.png", colour=(10, 220, 30))
    os.utime(folder / "b.png", ns=(before.st_atime_ns, before.st_mtime_ns))
    (folder / "b.png").rename(folder / "a.png")
    np.testing.assert_allclose(
        colour_of(thumbnail(ImageFile(folder, "a.png"))), (10, 220, 30), atol=4
    )


def test_a_file_of_the_old_size_and_time_in_the_old_place_is_seen(folder):
    path = folder / "a.bmp"
    save(path)
    before = path.stat()
    thumbnail(ImageFile(folder, "a.bmp"))
    time.sleep(0.02)  # a tick of the file system's clock
    save(path, (10, 90, 220))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    after = path.stat()
    same = ("st_ino", "st_size", "st_mtime_ns")
    assert [getattr(after, name) for name in same] == [getattr(before, name) for name in same]
    np.testing.assert_allclose(
        colour_of(thumbnail(ImageFile(folder, "a.bmp"))), (10, 90, 220), atol=4
    )


def test_a_file_that_is_written_twice_within_one_tick_is_seen(folder, monkeypatch):
    """The file system's clock stands still between two writes of the same number of bytes."""
    monkeypatch.setattr(store_state, "SETTLED_NS", 2 * 10**9)
    path = folder / "a.bmp"
    save(path)
    status = path.stat()
    now_ns = status.st_ctime_ns
    colours = []
    for colour, later_ns in (((200, 30, 40), 0), ((10, 90, 220), 10**8)):
        save(path, colour)
        monkeypatch.setattr(store_state.time, "time_ns", lambda ns=now_ns + later_ns: ns)
        key = thumbnails._key(path, status, 480)
        colours.append(colour_of(thumbnails._KEPT[CARD_SIDE](key)))
    np.testing.assert_allclose(colours, [(200, 30, 40), (10, 90, 220)], atol=4)


def test_sizes_are_kept_apart(folder):
    save(folder / "a.png", size=(4000, 1000))
    assert thumbnail(ImageFile(folder, "a.png")).width == 480
    assert thumbnail(ImageFile(folder, "a.png"), thumbnails.DETAIL_SIDE).width == 1600


# What cannot be shown


def problem_of(folder, name):
    made = thumbnail(ImageFile(folder, name))
    assert (made.jpeg, made.data_uri) == (b"", "")
    return made.problem


def test_a_deleted_file_is_told_with_its_folder(folder):
    assert problem_of(folder, "a.jpg").startswith(f"'a.jpg' is no longer in '{folder}'")


def test_a_deleted_folder_is_told(folder):
    folder.rmdir()
    assert "is gone" in problem_of(folder, "a.jpg")


def test_a_broken_file_is_told(folder):
    (folder / "a.jpg").write_bytes(b"<html>")
    assert "'a.jpg': is not an image" in problem_of(folder, "a.jpg")


def test_a_huge_image_is_told_not_decoded(folder):
    Image.new("1", (20_000, 11_000)).save(folder / "a.png")
    assert "more than 200 million pixels" in problem_of(folder, "a.png")


@pytest.mark.parametrize("name", ["../secret.png", "/etc/passwd", "a/../../secret.png", "", "a\0b"])
def test_a_name_that_leaves_the_folder_is_refused(folder, name):
    save(folder.parent / "secret.png")
    assert problem_of(folder, name)


def test_a_link_out_of_the_folder_is_refused(folder):
    save(folder.parent / "secret.png")
    (folder / "a.png").symlink_to(folder.parent / "secret.png")
    assert "leaves the folder" in problem_of(folder, "a.png")


def test_a_folder_that_links_out_is_refused(folder):
    (folder.parent / "images-other").mkdir()
    save(folder.parent / "images-other" / "a.png")
    (folder / "sub").symlink_to(folder.parent / "images-other")
    assert "leaves the folder" in problem_of(folder, "sub/a.png")


def test_links_of_a_hub_cache_are_shown(tmp_path):
    folder = tmp_path / "snapshots" / "abc"
    folder.mkdir(parents=True)
    (tmp_path / "blobs").mkdir()
    save(tmp_path / "blobs" / "sha1.png")
    (folder / "a.png").symlink_to("../../blobs/sha1.png")
    assert thumbnail(ImageFile(folder, "a.png")).problem == ""


def test_a_link_inside_the_folder_is_followed(folder):
    save(folder / "a.png")
    (folder / "b.png").symlink_to(folder / "a.png")
    (folder.parent / "linked").symlink_to(folder)
    assert thumbnail(ImageFile(folder.parent / "linked", "b.png")).width == 480


def test_links_in_a_circle_are_told(folder):
    (folder / "a.png").symlink_to(folder / "b.png")
    (folder / "b.png").symlink_to(folder / "a.png")
    assert "cannot be read" in problem_of(folder, "a.png")


@pytest.mark.parametrize("name", ["x" * 500, "\udcff.png", "🙈" * 120, "![a](https://x/y.png)"])
def test_a_strange_name_is_told(folder, name):
    assert problem_of(folder, name)


def test_a_folder_or_pipe_is_told(folder):
    (folder / "sub").mkdir()
    os.mkfifo(folder / "pipe.png")
    assert "folder or device" in problem_of(folder, "sub")
    assert "folder or device" in problem_of(folder, "pipe.png")


# The cache


def test_pictures_are_kept_up_to_a_bound_for_each_size():
    most = {side: kept.cache_info().maxsize for side, kept in thumbnails._KEPT.items()}
    assert most == {480: 1500, 1600: 64}


def test_a_page_of_photos_is_decoded_once(folder, monkeypatch):
    for i in range(24):
        Image.new("RGB", (64, 48), (i, 0, 0)).save(folder / f"{i}.jpg")
    requests = [ImageFile(folder, f"{i}.jpg") for i in range(24)]
    decode, made = thumbnails.decode_image, []

    def decode_and_note(path, max_side):
        made.append(path.name)
        return decode(path, max_side)

    monkeypatch.setattr(thumbnails, "decode_image", decode_and_note)
    first, second = ([each.data_uri for each in thumbnails.thumbnails(requests)] for _ in range(2))
    assert all(first)
    assert first == second
    assert sorted(made) == sorted(request.name for request in requests)
