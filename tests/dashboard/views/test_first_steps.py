"""An empty store is filled from its page: the demo by a click, one's own images by a form."""

from pathlib import Path

import pytest

from dashboard.shell import rights
from dashboard.views import first_steps
from streetclip.runtime import get_job
from streetclip.store import open_store
from tests.dashboard.pages import text_of


@pytest.fixture
def went(monkeypatch):
    """Where the page was left for: AppTest knows no pages that are functions."""
    places = []
    monkeypatch.setattr(first_steps.links, "go", lambda *place: places.append(place))
    return places


def queued_in(folder):
    with open_store(folder / "outputs" / "streetclip.db") as store:
        return get_job(store, 1)


@pytest.fixture
def open_empty(monkeypatch, tmp_path, open_page, started):
    monkeypatch.chdir(tmp_path)
    return lambda: open_page(tmp_path / "outputs" / "streetclip.db")


def buttons(page):
    return {each.key for each in page.button} & {"start_demo", "start_evaluate", "start_train"}


@pytest.mark.parametrize("exists", [False, True])
def test_one_click_queues_the_demo_into_the_data_folder(open_empty, went, tmp_path, exists):
    if exists:
        open_store(tmp_path / "outputs" / "streetclip.db").close()
    page = open_empty()
    assert "make demo-run" in text_of(page)
    page = page.button(key="start_demo").click().run()
    assert not page.exception
    assert went == [("jobs", [("job", "1")])]
    job = queued_in(tmp_path)
    assert (job["kind"], job["state"]) == ("make_demo", "queued")
    assert Path(job["output_dir"]) == tmp_path / "data" / "demo"
    assert "--resume" in job["arguments"]
    page = page.button(key="start_demo").click().run()
    assert "Wait for it, cancel it, or name another --output_dir." in text_of(page)


def test_its_folder_lies_in_an_allowed_one(monkeypatch, open_empty, went, tmp_path):
    (tmp_path / "shared").mkdir()
    arguments = ["Home.py", "--root", "shared"]
    page = open_empty()
    monkeypatch.setattr("sys.argv", arguments)
    page.button(key="start_demo").click().run()
    job = queued_in(tmp_path)
    assert Path(job["output_dir"]) == tmp_path / "shared" / "demo"


@pytest.mark.parametrize("form", ["evaluate", "train"])
def test_the_forms_are_opened(open_empty, went, form):
    page = open_empty().button(key=f"start_{form}").click().run()
    assert not page.exception
    assert went == [("jobs", [("form", form)])]


def test_without_the_right_to_run_jobs_only_commands_are_shown(open_empty, monkeypatch):
    monkeypatch.setattr(rights, "right_of_visitor", lambda: rights.Right.ANNOTATE)
    page = open_empty()
    assert buttons(page) == set()
    assert "Run one of these commands, then reload this page." in text_of(page)
