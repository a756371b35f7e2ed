"""Runs are managed in a real browser: found by typing, renamed, archived, deleted."""

import json

import pytest

from streetclip.store import delete_run, get_run, open_store, read_annotations
from tests.dashboard.conftest import Written
from tests.dashboard.sites import DESK, FORMS, OTHER_FORMS, PHONE, serve
from tests.dashboard.worlds import HOSTILE

pytestmark = pytest.mark.browser


@pytest.fixture
def served(tmp_path):
    """A dashboard that may delete in `outputs`, with three runs."""
    written = Written(tmp_path / "streetclip.db")
    written.add_run(name="baseline", dataset_name="rainy")
    written.add_run(name=" ".join(HOSTILE.split()))
    written.add_run(name="newest", output_dir=str(tmp_path / "outputs" / "e"))
    with serve(written.path, tmp_path, f"--root={tmp_path}") as address:
        yield address, written


def read(written, run_id):
    with open_store(written.path) as store:
        return get_run(store, run_id)


def options(page):
    return [each.replace("\u00a0", " ") for each in page.get_by_role("option").all_inner_texts()]


def shown(page, text):
    page.locator("[data-testid=stMain]").get_by_text(text).first.wait_for()


@pytest.mark.slow
def test_a_run_is_found_renamed_archived_and_deleted(served, visit, tmp_path):
    address, written = served
    visited = visit(viewport=DESK)
    page = visited.go(address)
    # The chooser finds by dataset, and has room for the whole label.
    page.locator(".st-key-run_picker input").click()
    page.locator(".st-key-run_picker input").fill("rainy")
    option = page.get_by_role("option").first
    option.get_by_text("baseline").wait_for()
    (label,) = options(page)
    assert "58.3 %" in label
    assert read(written, 1)["created_at"][:10] in label
    assert option.evaluate("each => each.scrollWidth <= each.clientWidth")
    page.keyboard.press("Escape")
    # Any name is text.
    page.get_by_text("Edit this run").click()
    name = "**bold** <img src=x> 🦘 " + "n" * 470
    page.get_by_role("textbox", name="Name", exact=True).fill(name)
    page.get_by_role("textbox", name="Description").fill("# no heading\nsecond line")
    page.get_by_role("textbox", name="Name of the dataset").fill("snowy")
    page.get_by_role("button", name="Save").click()
    page.locator(".sc-line").get_by_text("snowy").wait_for()
    run = read(written, 3)
    assert (run["name"], run["dataset"]) == (name, "snowy")
    assert page.locator("[data-testid=stMain] img").count() == 0
    assert visited.faults(*FORMS, *OTHER_FORMS) == []
    # Archived, it is shown as such, and not offered to the next visitor.
    page.get_by_role("button", name="Archive this run").click()
    page.get_by_role("button", name="Take out of the archive").wait_for()
    other = visit(viewport=PHONE)
    second = other.go(address)
    assert "run=2" in second.url
    assert other.width() <= PHONE["width"]
    page.get_by_role("button", name="Take out of the archive").click()
    page.get_by_role("button", name="Archive this run").wait_for()
    # Deletion asks, says what stays, and can be refused.
    folder = tmp_path / "outputs" / "e"
    folder.mkdir(parents=True)
    metrics = {"run_id": 3, "strategy": "hierarchical"} | run["metrics"]
    (folder / "metrics.json").write_text(json.dumps(metrics))
    page.get_by_role("button", name="Delete this run").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_text(str(folder / "metrics.json")).wait_for()
    assert "The images and their annotations" in dialog.inner_text()
    assert visited.faults(*FORMS, *OTHER_FORMS, (DESK, "light")) == []
    dialog.get_by_role("button", name="Keep it").click()
    dialog.wait_for(state="detached")
    assert read(written, 3)["name"] == name
    page.get_by_role("button", name="Delete this run").click()
    dialog.get_by_role("button", name="Delete run 3").click()
    shown(page, "its images and their annotations are kept")
    page.wait_for_url("**run=2*")
    assert not folder.exists()
    assert visited.errors == []
    assert visited.strangers() == []


def test_a_run_that_is_deleted_under_a_visitor_gives_one_clear_line(served, visit):
    address, written = served
    visited = visit(viewport=DESK)
    page = visited.go(f"{address}/triage?run=3")
    page.wait_for_url("**image=*")
    visited.settle()
    with open_store(written.path) as store:
        delete_run(store, 3, get_run(store, 3)["uid"])
    line = "The link asks for run 3, which this store does not hold (any more)."
    page.keyboard.press("r")  # is not saved, and said not to be
    page.get_by_role("alert").get_by_text("run 3 was deleted. Choose another").wait_for()
    shown(page, line)
    with open_store(written.path) as store:
        assert read_annotations(store, range(1, 200)).empty
    page.get_by_role("link", name="Accuracy").click()
    page.get_by_role("heading", name="Accuracy", level=1).wait_for()
    shown(page, line)
    visited.settle()
    assert visited.text().count(line) == 1
    assert "Traceback" not in visited.text()
    assert visited.errors == []
