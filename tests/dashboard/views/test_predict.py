"""The Predict page: who may use it, which models it offers, and what it shows of photos."""

import io

import pytest
from PIL import Image

from dashboard.shell import rights
from dashboard.shell.rights import Right
from tests.dashboard.conftest import Written
from tests.dashboard.pages import open_page_of, text_of


def jpeg():
    file = io.BytesIO()
    Image.new("RGB", (64, 48), "green").save(file, "JPEG")
    return file.getvalue()


@pytest.fixture
def open_predict(monkeypatch, tmp_path, small_world):
    """Open the page of a store whose runs name a model here, one elsewhere, and one imported."""
    monkeypatch.chdir(tmp_path)
    store = Written(tmp_path / "streetclip.db")
    for name in ("model", "candidates.json"):
        (tmp_path / name).symlink_to(small_world / name)
    here = {"model_source": "model", "candidates_path": "candidates.json"}
    store.add_run(name="own <b>", **here)
    store.add_run(name="elsewhere", fingerprint="f2", **here | {"model_source": "/etc/hostname"})
    store.add_run(name="gone", fingerprint="f3", **here | {"model_source": "gone.pt"})
    imported = {"model_source": "streetclip.db", "candidates_path": ""}
    store.add_run(name="imported", fingerprint="f4", **imported)
    run = open_page_of(monkeypatch)

    def opened(*arguments, **parameters):
        page = run(store.path, "predict", ("--root", str(tmp_path), *arguments), **parameters)
        assert not page.exception
        return page

    return opened


@pytest.mark.parametrize("who", ["--no_jobs", "--read_only", Right.ANNOTATE])
def test_only_who_may_run_jobs_may_predict(open_predict, monkeypatch, who):
    arguments = (who,) if isinstance(who, str) else ()
    if not arguments:
        monkeypatch.setattr(rights, "right_of_visitor", lambda: who)
    page = open_predict(*arguments)
    assert "No predictions from here" in text_of(page)
    assert len(page.get("file_uploader")) == 0


def test_models_in_the_allowed_folders_are_offered_and_photos_predicted(open_predict, small_world):
    page = open_predict("--root", str(small_world), model="gone.pt")
    assert [each.options for each in page.selectbox] == [["own <b> · model"], ["candidates.json"]]
    assert "may be wrong by a continent" in text_of(page)
    (uploader,) = page.get("file_uploader")
    page = uploader.set_value([("<b>a.jpg", jpeg(), "image/jpeg"), ("b.jpg", b"x", "image/jpeg")])
    page = page.run(timeout=60)
    assert not page.exception
    text = text_of(page)
    assert "1 of 2 images predicted; 0 with GPS in their EXIF" in text
    assert "1. <b>a.jpg" in text
    assert "True place unknown: no GPS in its EXIF" in text
    assert "2. b.jpg No prediction is not an image" in text
    assert len(page.dataframe[0].value) == 1


def test_a_model_that_cannot_be_loaded_is_one_clear_line(open_predict, tmp_path):
    (tmp_path / "candidates.json").unlink()
    (tmp_path / "candidates.json").write_text('{"France": ["Paris"]}')
    (tmp_path / "model").unlink()
    (tmp_path / "model").mkdir()
    (uploader,) = open_predict().get("file_uploader")
    page = uploader.set_value([("a.jpg", jpeg(), "image/jpeg")]).run(timeout=60)
    assert not page.exception
    assert "Nothing to show" in text_of(page)
    assert "config.json" in text_of(page)
    assert not page.get("progress")


def test_without_a_model_it_says_how_to_get_one(open_predict):
    assert "No model here" in text_of(open_predict())  # the links lead out of the folders
