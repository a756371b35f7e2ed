import os

import pytest

from streetclip.data.photo_folder import find_photos
from streetclip.errors import ImageError


@pytest.fixture
def folder(tmp_path):
    for name in (
        "b.JPG", "a.png", "c.avif", "d.heic", "notes.txt", ".hidden.jpg", "deep/e.jpeg",
        "deep/er/f.webp", ".cache/g.jpg",
    ):  # fmt: skip
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    return tmp_path


def test_photos_of_a_folder_are_found_by_their_endings(folder):
    assert find_photos(folder, recursive=False) == ["a.png", "b.JPG", "c.avif", "d.heic"]


def test_photos_of_subfolders_are_found_when_asked_for(folder):
    found = find_photos(folder, recursive=True)
    assert found == ["a.png", "b.JPG", "c.avif", "d.heic", "deep/e.jpeg", "deep/er/f.webp"]


def test_a_circle_of_links_is_not_followed(folder):
    (folder / "deep" / "up").symlink_to(folder)
    (folder / "deep" / "link.jpg").symlink_to(folder / "b.JPG")
    found = find_photos(folder, recursive=True)
    assert "deep/link.jpg" in found
    assert len(found) == 7


def test_odd_names_are_found_as_they_are(tmp_path):
    names = sorted(
        ["=1+1.jpg", "a\nb.jpg", "<b>x.jpg", "back\\slash.jpg", os.fsdecode(b"\xff.jpg")]
    )
    for name in names:
        (tmp_path / name).write_bytes(b"x")
    assert find_photos(tmp_path, recursive=False) == names


def test_a_folder_without_photos_is_an_error(folder):
    for name in ("a.png", "b.JPG", "c.avif", "d.heic"):
        (folder / name).unlink()
    with pytest.raises(ImageError, match=r"no photo is in it, and 1 other file; .* --recursive"):
        find_photos(folder, recursive=False)
    with pytest.raises(ImageError, match="no such folder"):
        find_photos(folder / "gone", recursive=False)


def test_a_folder_that_cannot_be_listed_is_an_error(folder, monkeypatch):
    real = os.scandir

    def scandir(path):
        if str(path).endswith("er"):
            raise PermissionError(13, "Permission denied", str(path))
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    with pytest.raises(ImageError, match=r"deep/.*: cannot be listed \(Permission denied\)"):
        find_photos(folder, recursive=True)
