"""The Jobs page uses only paths within the roots, however they are written."""

from pathlib import Path

import pytest

from dashboard.views.jobs.allowed_paths import Roots, job_options
from streetclip.errors import ConfigError


@pytest.fixture
def place(tmp_path):
    """A working folder with a folder `data`, and a secret next to it."""
    (tmp_path / "work" / "data" / "images").mkdir(parents=True)
    (tmp_path / "work" / "data" / "train.csv").write_text("x")
    (tmp_path / "secret.csv").write_text("x")
    return tmp_path


@pytest.fixture
def roots(place):
    base = place / "work"
    return Roots((base / "data", base / "outputs"), base)


@pytest.mark.parametrize(
    "text", ["data", "data/train.csv", "outputs/not/there/yet", "./data/images", "data//images/"]
)
def test_a_path_within_the_roots_is_given_as_absolute(roots, text):
    assert roots.check("--x", text) == roots.base / text


def test_an_absolute_path_within_the_roots_may_be_touched(roots):
    path = roots.base / "data" / "train.csv"
    assert roots.check("--x", str(path)) == path


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("secret.csv", "outside"),
        (".", "outside"),
        ("/etc/passwd", "outside"),
        ("/", "outside"),
        ("database/train.csv", "outside"),
        ("data/../../secret.csv", "upwards"),
        ("data/images/..", "upwards"),
        ("..", "upwards"),
        ("~/x.csv", "home folder"),
        ("", "no path"),
        ("  ", "no path"),
        ("data/a\0b", "no path"),
        ("data/\ud800", "outside"),
    ],
)
def test_what_leads_out_of_the_roots_is_refused_with_the_reason(roots, text, why):
    with pytest.raises(ConfigError, match=why) as refused:
        roots.check("--train_csv", text)
    assert str(refused.value).startswith("--train_csv is '")


def test_a_name_that_is_too_long_is_no_fault(roots):
    with pytest.raises(ConfigError, match="no such path"):
        roots.check_source("--model_name", f"data/{'x' * 5000}.pt")


def test_a_link_that_leads_out_is_refused(roots, place):
    (roots.base / "data" / "link").symlink_to(place)
    (roots.base / "data" / "loop").symlink_to("loop")
    for text in ("data/link", "data/link/secret.csv", "data/link/new_folder"):
        with pytest.raises(ConfigError, match="outside"):
            roots.check("--x", text)
    assert roots.check("--x", "data/loop") == roots.base / "data" / "loop"


def test_a_root_that_is_a_link_holds_what_it_leads_to(place):
    (place / "shortcut").symlink_to(place / "work" / "data")
    options = job_options(place / "db" / "s.db", ["--root", str(place / "shortcut")])
    assert options.roots.folders == (place / "work" / "data",)
    assert options.roots.hold(place / "shortcut" / "train.csv")
    assert options.roots.hold(place / "work" / "data" / "train.csv")
    assert not options.roots.hold(place / "work")


@pytest.mark.parametrize("text", ["openai/clip-vit-base-patch32", "geolocal/StreetCLIP", "clip"])
def test_a_hub_id_is_a_model_without_a_path(roots, text):
    assert roots.check_source("--model_name", text) is None


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("a/..", "upwards"),
        ("../model", "upwards"),
        ("/etc/model.pt", "outside"),
        ("data/model.pt", "no such path"),
        ("a/b/c", "outside"),
        ("a b", "outside"),
    ],
)
def test_a_model_outside_the_roots_or_gone_is_refused(roots, text, why):
    with pytest.raises(ConfigError, match=why):
        roots.check_source("--checkpoint_path", text)


def test_a_hub_id_that_is_a_folder_here_must_lie_within_the_roots(roots, place):
    (place / "work" / "openai" / "clip").mkdir(parents=True)
    with pytest.raises(ConfigError, match="outside"):
        roots.check_source("--model_name", "openai/clip")


def test_a_path_is_written_relative_to_the_working_folder_where_it_can_be(roots, place):
    assert roots.written(roots.base / "data" / "a b.csv") == "data/a b.csv"
    assert roots.written(place / "elsewhere") == str(place / "elsewhere")


def test_without_options_data_outputs_and_the_folder_of_the_store_are_roots(monkeypatch, place):
    monkeypatch.chdir(place / "work")
    options = job_options(Path("stores/a.db"), [])
    base = place / "work"
    assert options.roots == Roots((base / "data", base / "outputs", base / "stores"), base)
    assert (options.max_jobs, options.may_start) == (1, True)


def test_options_are_read_in_both_spellings(place):
    first, second = place / "work", place / "work" / "data"
    words = ["--root", str(first), f"--root={second}", "--max_jobs=3", "--no_jobs"]
    options = job_options(place / "s.db", words)
    assert options.roots.folders == (first, second)
    assert (options.max_jobs, options.may_start) == (3, False)


@pytest.mark.parametrize(
    "words",
    [
        ["--root", "no such folder"],
        ["--root"],
        ["--max_jobs", "0"],
        ["--max_jobs", "65"],
        ["--max_jobs", "two"],
        ["--max_jobs"],
    ],
    ids=" ".join,
)
def test_options_that_cannot_be_are_refused(place, words):
    with pytest.raises(ConfigError, match=words[0]):
        job_options(place / "s.db", words)
