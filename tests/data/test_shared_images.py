import pytest

from streetclip.data.dataset_check import shared_images
from streetclip.data.manifest import read_manifest

HEADER = "image_filename,city,region,country,continent\n"


@pytest.fixture
def write(tmp_path):
    def _write(name, *images):
        path = tmp_path / name
        path.write_text(HEADER + "".join(f"{image},,,France,\n" for image in images))
        return read_manifest(path)

    return _write


@pytest.fixture
def images(tmp_path):
    folder = tmp_path / "images"
    folder.mkdir()
    for name in ("a.jpg", "b.jpg"):
        (folder / name).write_text(name)
    return folder


def test_images_shared_by_two_manifests_are_counted_with_their_lines(write):
    train = write("train.csv", "a.jpg", "b.jpg", "c.jpg", "d.jpg", "e.jpg")
    val = write("val.csv", "x.jpg", "c.jpg", "b.jpg", "a.jpg", "d.jpg")
    test = write("test.csv", "y.jpg")
    (found,) = shared_images([train, val, test])
    assert found.count == 4
    message = found.message
    assert message.startswith(f"{train.path} and {val.path} share 4 images")
    assert "share 4 images ('c.jpg' on line 4 and 'c.jpg' on line 3; " in message
    assert "; …): " in message


@pytest.mark.parametrize("name", ["./a.jpg", ".//a.jpg", "A.JPG"])
def test_without_the_folder_spellings_are_compared(write, name):
    (found,) = shared_images([write("train.csv", "a.jpg"), write("test.csv", "b.jpg", name)])
    assert found.count == 1


def test_with_the_folder_files_are_compared(write, images):
    (images / "link.jpg").symlink_to("a.jpg")
    (images / "A.JPG").write_text("another image")
    train = write("train.csv", "a.jpg", "gone.jpg")
    assert shared_images([train, write("test.csv", "A.JPG", "b.jpg")], images) == []
    (found,) = shared_images([train, write("test.csv", "b.jpg", "link.jpg", "./gone.jpg")], images)
    assert "share 2 images ('a.jpg' on line 2 and 'link.jpg' on line 3; 'gone.jpg'" in found.message
    assert "and './gone.jpg' on line 4)" in found.message
