from pathlib import Path

import pytest
from PIL import Image

from streetclip.data.decoding import (
    all_plain,
    canonical_name,
    check_image_dir,
    name_problem,
    real_image_path,
    resolve_image_path,
    resolve_image_paths,
)
from streetclip.errors import ImageError

BAD = {
    "": "blank",
    " \t": "blank",
    "/etc/passwd": "absolute",
    "C:/a.jpg": "absolute",
    "c:a.jpg": "absolute",
    "a\\b.jpg": "backslash",
    "..\\a.jpg": "backslash",
    "../a.jpg": "leaves",
    "a/../../b.jpg": "leaves",
    "a/..": "leaves",
    "a\0.jpg": "control character",
    "a\n.jpg": "control character",
    "a\x1b[31m.jpg": "control character",
    "a\x85.jpg": "control character",
    "a/": "folder",
    ".": "folder",
    "a/.": "folder",
}
GOOD = [
    "a.jpg",
    "a b/c d.jpg",
    "München/ä.jpg",
    "..a.jpg",
    "a..jpg",
    ".hidden",
    "10:30.jpg",
    "日本.png",
]


@pytest.mark.parametrize(("name", "word"), BAD.items())
def test_a_name_that_is_no_file_inside_the_folder_is_refused(name, word):
    assert word in name_problem(name)


@pytest.mark.parametrize("name", GOOD)
def test_an_unusual_but_honest_name_is_accepted(name):
    assert name_problem(name) is None


@pytest.mark.parametrize("name", list(BAD))
def test_the_fast_sweep_never_calls_a_bad_name_plain(name):
    assert not all_plain([name])
    assert not all_plain(["first.jpg", name, "last.jpg"])


def test_the_fast_sweep_passes_ordinary_names():
    assert all_plain(["a.jpg", "b/c.png", "d e.jpeg"])


@pytest.mark.parametrize("name", ["./a.jpg", ".//a.jpg", "a.jpg", "././a.jpg"])
def test_spellings_of_one_file_have_one_canonical_name(name):
    assert canonical_name(name) == "a.jpg"


@pytest.mark.parametrize("name", ["./a.jpg", "a//b.jpg", "a/./b.jpg"])
def test_a_name_with_two_spellings_is_not_plain(name):
    assert not all_plain([name])


def test_a_name_is_put_under_the_folder(tmp_path):
    assert resolve_image_path(tmp_path, "a/b.jpg") == tmp_path / "a" / "b.jpg"


@pytest.mark.parametrize(
    "name", ["../a.jpg", "/a.jpg", "a/../../b.jpg", "C:\\a.jpg", "", "a\0.jpg"]
)
def test_a_name_cannot_leave_the_folder(tmp_path, name):
    with pytest.raises(ImageError):
        resolve_image_path(tmp_path, name)


def test_many_names_are_put_under_their_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = ["a.jpg", "b/c.jpg", "b/ö d.jpg"]
    found = resolve_image_paths(Path("photos"), names)
    assert found == [str(tmp_path / "photos" / name) for name in names]
    with pytest.raises(ImageError, match="leaves the image folder"):
        resolve_image_paths(Path("photos"), [*names, "../secret.jpg"])


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    Image.new("RGB", (3, 2)).save(folder / "a.png")
    return folder


@pytest.fixture
def snapshot(tmp_path):
    """A folder of a hub cache, whose images are links to blobs."""
    repository = tmp_path / "hub" / "datasets--x--y"
    images = repository / "snapshots" / "abc" / "images"
    images.mkdir(parents=True)
    (repository / "blobs").mkdir()
    Image.new("RGB", (3, 2)).save(repository / "blobs" / "sha1", "PNG")
    (images / "a.jpg").symlink_to("../../../blobs/sha1")
    return images


def test_images_that_are_there_pass(photos, caplog):
    check_image_dir(photos, ["a.png", "missing.png"])
    assert caplog.text == ""


def test_a_folder_without_any_of_the_images_is_refused(photos):
    with pytest.raises(ImageError, match=r"none of the first 2 images, such as 'b\.png'"):
        check_image_dir(photos, ["b.png", "c.png"])


def test_a_folder_of_pointers_is_refused_before_any_work(photos):
    for name in ("b.jpg", "c.jpg"):
        (photos / name).write_text("version https://git-lfs.github.com/spec/v1\n")
    with pytest.raises(ImageError, match=r"first 2 files is an image\. 'b\.jpg': .* Git LFS"):
        check_image_dir(photos, ["b.jpg", "c.jpg", "missing.jpg"])
    check_image_dir(photos, ["b.jpg", "a.png"])


def test_links_saved_as_text_are_refused_before_any_work(photos):
    (photos / "b.jpg").write_text("../../../blobs/sha1")
    with pytest.raises(ImageError, match=r"a link to \.\./\.\./\.\./blobs/sha1, saved as text"):
        check_image_dir(photos, ["b.jpg"])


def test_links_of_a_hub_cache_are_followed(snapshot, caplog):
    check_image_dir(snapshot, ["a.jpg"])
    assert caplog.text == ""
    assert real_image_path(snapshot, "a.jpg").name == "sha1"


def test_links_that_leave_the_folder_are_warned_of_and_not_shown(photos, tmp_path, caplog):
    Image.new("RGB", (3, 2)).save(tmp_path / "elsewhere.png")
    (photos / "b.png").symlink_to("../elsewhere.png")
    check_image_dir(photos, ["a.png", "b.png"])
    assert "1 of the first 2 images are links that leave the folder, such as 'b.png'" in caplog.text
    with pytest.raises(ImageError, match="leaves the folder"):
        real_image_path(photos, "b.png")


@pytest.mark.parametrize(
    "target", ["../../../../other/blobs/sha1", "../../../secret", "../../../blobs/../secret"]
)
def test_links_of_a_hub_cache_lead_to_its_own_blobs_alone(snapshot, tmp_path, target):
    (tmp_path / "hub" / "other" / "blobs").mkdir(parents=True)
    for secret in ("other/blobs/sha1", "datasets--x--y/secret"):
        (tmp_path / "hub" / secret).write_text("secret")
    (snapshot / "b.jpg").symlink_to(target)
    assert (snapshot / "b.jpg").is_file()
    with pytest.raises(ImageError, match="leaves the folder"):
        real_image_path(snapshot, "b.jpg")


def test_blobs_that_are_a_link_themselves_are_not_followed(snapshot, tmp_path):
    blobs = snapshot.parents[2] / "blobs"
    blobs.rename(tmp_path / "moved")
    blobs.symlink_to(tmp_path / "moved")
    with pytest.raises(ImageError, match="leaves the folder"):
        real_image_path(snapshot, "a.jpg")
