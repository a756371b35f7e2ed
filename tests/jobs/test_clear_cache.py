import numpy as np
import pytest

from jobs import clear_cache
from streetclip.evaluation.feature_cache import FeatureCache, content_digests, signatures


@pytest.fixture
def place(tmp_path):
    """A store's folder with two caches, and a folder that is none of ours."""
    for model in ("abc", "def"):
        path = tmp_path / f"{model}.jpg"
        path.write_bytes(model.encode())
        with FeatureCache(tmp_path / "features", {"model": model}, 4).writer() as writer:
            names, features = [str(path)], np.ones((1, 4), np.float16)
            writer.add(names, signatures(names), features, content_digests(names))
    (tmp_path / "features" / "mine").mkdir()
    (tmp_path / "features" / "mine" / "notes.txt").write_text("keep")
    return tmp_path


def folders(place):
    return {path.name for path in (place / "features").iterdir()}


def run(place, *flags):
    return clear_cache.main([f"--db={place / 'streetclip.db'}", *flags])


def test_caches_are_shown_with_their_size_and_removed(place, capsys):
    assert run(place) == 0
    printed = capsys.readouterr().out
    assert "model abc" in printed
    assert "model def" in printed
    assert "2 caches" in printed
    assert folders(place) == {"mine"}
    assert (place / "features" / "mine" / "notes.txt").read_text() == "keep"


def test_a_dry_run_removes_nothing(place, capsys):
    before = folders(place)
    assert run(place, "--dry_run") == 0
    assert "to remove" in capsys.readouterr().out
    assert folders(place) == before


def test_a_link_is_not_followed(place, capsys):
    real = next(path for path in (place / "features").iterdir() if path.name != "mine")
    elsewhere = place / "elsewhere"
    real.rename(elsewhere)
    (place / "features" / "link").symlink_to(elsewhere)
    assert run(place) == 0
    assert "1 caches" in capsys.readouterr().out
    assert (elsewhere / "made_of.json").exists()


def test_where_there_is_no_cache_nothing_is_done(tmp_path, capsys):
    assert run(tmp_path) == 0
    assert "0 caches" in capsys.readouterr().out
