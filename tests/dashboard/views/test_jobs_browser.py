"""The Jobs page in a real browser: it follows a job by itself, and is there for everybody."""

import time
from pathlib import Path

import pytest

from streetclip.runtime import JobProgress, beat_job, end_job
from streetclip.store import open_store
from tests.dashboard.job_records import Records
from tests.dashboard.sites import DESK, FORMS, OTHER_FORMS, PATIENCE_MS, PHONE, serve
from tests.dashboard.worlds import HOSTILE

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def records(tmp_path_factory):
    """Jobs in several states, with a name and an error of the worst kind."""
    made = Records(tmp_path_factory.mktemp("jobs"))
    failed = made.add("failed", error=HOSTILE, run_name=HOSTILE, outputs=[HOSTILE])
    made.log(failed, f"INFO {HOSTILE}\n" * 40)
    made.add("done", "generate_captions")
    made.add("cancelled", "evaluate")
    return made


@pytest.fixture(scope="module")
def address(records):
    roots = [f"--root={records.folder / name}" for name in ("data", "outputs")]
    with serve(records.path, records.folder, *roots) as found:
        yield found


@pytest.fixture
def running(records):
    """A job that this process runs, until the test is over."""
    job_id = records.add("running", output_dir=Path(f"outputs/{time.monotonic_ns()}"))
    records.log(job_id, "INFO first line\n")
    yield job_id
    with open_store(records.path) as store:
        end_job(store, job_id, 1, "done")


def beat(records, job_id, done):
    with open_store(records.path) as store:
        beat_job(store, job_id, 1, JobProgress("train", "step", done, 120, 2.0, {"loss": 0.5}))


@pytest.mark.parametrize("size", [DESK, PHONE])
def test_the_default_templates_are_seen_without_scrolling(address, visit, size):
    page = visit(viewport=size).go(f"{address}/jobs?form=generate_captions")
    words = page.locator("textarea").first
    assert words.input_value().split() == ["full", "full", "paper"]
    assert words.evaluate("area => area.scrollHeight <= area.clientHeight")


@pytest.mark.parametrize("where", ["jobs", "jobs?job={}"])
def test_a_running_job_is_followed_to_its_end_without_a_click(
    address, records, running, visit, where
):
    visited = visit(viewport=DESK)
    page = visited.go(f"{address}/{where.format(running)}")
    assert "30 of 120 steps" in visited.text()
    beat(records, running, 60)
    page.get_by_text("60 of 120 steps").first.wait_for()
    with open_store(records.path) as store:
        end_job(store, running, 1, "done", outputs=["x"])
    ended = "No jobs running" if where == "jobs" else "Evaluate this model"
    page.get_by_text(ended).wait_for()
    assert visited.errors == []


def test_the_page_asks_again_only_while_something_runs(address, records, running, visit):
    visited = visit(viewport=DESK)
    sent = []

    def keep(frame):
        sent.append(frame)

    visited.page.on("websocket", lambda socket: socket.on("framesent", keep))
    page = visited.go(f"{address}/jobs")
    several = len(sent) + 2
    deadline = time.monotonic() + PATIENCE_MS / 1000
    while len(sent) < several and time.monotonic() < deadline:
        page.wait_for_timeout(100)
    assert len(sent) >= several
    with open_store(records.path) as store:
        end_job(store, running, 1, "done")
    page.get_by_text("No jobs running").wait_for()
    visited.settle()
    last = len(sent)
    page.wait_for_timeout(4500)
    assert len(sent) == last


def test_what_is_being_typed_survives_the_polls(address, records, running, visit):
    visited = visit(viewport=DESK)
    page = visited.go(f"{address}/jobs?form=train")
    field = page.locator('input[aria-label="Run name"]')
    field.press_sequentially("half a na")
    beat(records, running, 61)
    page.get_by_text("61 of 120 steps").first.wait_for()
    with open_store(records.path) as store:
        end_job(store, running, 1, "done")
    page.get_by_text("No jobs running").wait_for()
    assert field.input_value() == "half a na"


def test_a_file_is_chosen_with_the_keyboard_alone(address, visit):
    visited = visit(viewport=DESK)
    page = visited.go(f"{address}/jobs?form=train")
    page.get_by_role("button", name="Browse").first.press("Enter")
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="data").press("Enter")
    dialog.get_by_role("button", name="train.csv").press("Enter")
    dialog.wait_for(state="detached")
    visited.settle()
    value = page.locator('input[aria-label^="Train CSV"]').input_value()
    assert value.endswith("data/train.csv")
    # After a reload, Browse still opens where the last file was.
    page.reload()
    visited.settle()
    page.get_by_role("button", name="Browse").nth(1).press("Enter")
    dialog.get_by_role("button", name="train.csv").wait_for()
    assert "folder" not in page.url


@pytest.mark.parametrize(
    "where", ["jobs?form=evaluate", "jobs?form=train", "jobs?job=1", "jobs?job=2"]
)
def test_it_is_accessible_silent_and_asks_nobody(address, running, visit, where):
    visited = visit(viewport=DESK)
    visited.page.on("dialog", lambda dialog: visited.errors.append(dialog.message))
    page = visited.go(f"{address}/{where}")
    assert visited.faults(*FORMS, *OTHER_FORMS) == []
    if where.endswith("train"):
        page.get_by_role("button", name="Browse").first.click()
        page.get_by_role("dialog").wait_for()
        assert visited.faults(*FORMS, *OTHER_FORMS) == []
    assert visited.errors == []
    assert visited.strangers() == []
