import pytest

from streetclip.data.image_names import all_plain, canonical_name, name_problem

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
