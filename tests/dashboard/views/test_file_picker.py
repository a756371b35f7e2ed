"""The file picker lists entries within the roots, and few of them."""

import os

import pytest

from dashboard.views.jobs import file_picker
from dashboard.views.jobs.allowed_paths import Roots


@pytest.fixture
def roots(tmp_path):
    (tmp_path / "data" / "images").mkdir(parents=True)
    for name in ("b.CSV", "a.csv", "A.json", "train.txt", ".hidden"):
        (tmp_path / "data" / name).touch()
    (tmp_path / "secret").mkdir()
    return Roots((tmp_path / "data",), tmp_path)


def listed(roots, **options):
    return file_picker.list_folder(roots.folders[0], roots, **options)


def test_folders_come_first_then_files_of_the_wanted_kind(roots):
    listing = listed(roots, suffix=".csv")
    assert listing.folders == ("images",)
    assert listing.files == ("a.csv", "b.CSV", "A.json", "train.txt")


def test_only_folders_where_a_folder_is_wanted(roots):
    assert listed(roots, with_files=False).files == ()


def test_a_part_of_the_name_narrows(roots):
    listing = listed(roots, words="A")
    assert (listing.folders, listing.files) == (("images",), ("a.csv", "A.json", "train.txt"))


def test_links_that_lead_out_and_names_that_are_no_text_are_left_out(roots):
    folder = roots.folders[0]
    (folder / "way_out").symlink_to(roots.base / "secret")
    (folder / "inside").symlink_to(folder / "images")
    (folder / "loop").symlink_to("loop")
    (folder / os.fsdecode(b"\xff")).mkdir()
    listing = listed(roots)
    assert listing.folders == ("images", "inside")
    assert "loop" in listing.files
    assert listing.num_left_out == 2


def test_of_a_large_folder_a_part_is_read(roots, monkeypatch):
    monkeypatch.setattr(file_picker, "MOST_READ", 4)
    listing = listed(roots)
    assert listing.is_cut
    assert len(listing.folders) + len(listing.files) <= 4


def test_a_missing_folder_is_an_error(roots):
    (roots.folders[0] / "images").rmdir()
    with pytest.raises(OSError, match="No such file"):
        file_picker.list_folder(roots.folders[0] / "images", roots)


def test_a_folder_outside_is_not_read(roots):
    with pytest.raises(OSError, match="leads out"):
        file_picker.list_folder(roots.base / "secret", roots)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "data"),
        ("data", "data"),
        ("data/a.csv", "data"),
        ("data/images/gone/x.csv", "data/images"),
        ("/etc/passwd", "data"),
        ("openai/clip", "data"),
        ("a\0b", "data"),
    ],
)
def test_it_opens_near_the_text_of_the_field(roots, text, expected):
    assert file_picker._start(text, roots) == roots.base / expected
