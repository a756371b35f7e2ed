import pytest
from PIL import Image

from streetclip.data.image_folders import check_image_dir, real_image_path
from streetclip.errors import ImageError


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
