"""Queue, cancel and resume jobs in the store, with a runner alive for them."""

import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from dashboard.views.jobs import launcher
from dashboard.views.jobs.allowed_paths import JobOptions, Roots
from streetclip.config import TrainConfig
from streetclip.errors import ConfigError, OutputError, StoreError
from streetclip.runtime import get_job
from streetclip.store import open_store
from tests.dashboard.job_records import NEEDED, Records
from tests.dashboard.worlds import HOSTILE

AWKWARD = 'it\'s "quoted"; rm -rf $HOME `x`\nsecond line \\ *.csv'
SLEEPER = "import time\ntime.sleep(30)\n"


@pytest.fixture
def records(tmp_path):
    return Records(tmp_path)


@pytest.fixture
def options(tmp_path):
    return JobOptions(Roots((tmp_path / "data", tmp_path / "outputs"), tmp_path))


@pytest.fixture
def program(tmp_path, monkeypatch):
    """Write the program that replaces the runner; it ends with the test."""
    home = tmp_path / "home"
    (home / "jobs").mkdir(parents=True)
    monkeypatch.setattr(launcher, "ROOT", home)
    launcher._runners.cache_clear()

    def write(text):
        (home / "jobs" / "run_queue.py").write_text(text)

    write(SLEEPER)
    yield write
    for each in started():
        each.kill()
        each.wait()
    launcher._runners.cache_clear()


def started():
    """The runners that this process has started and that still run."""
    return [each for each, _ in launcher._runners()[1].values() if each.poll() is None]


def wait_until(is_so):
    deadline = time.monotonic() + 10
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def command_of(process):
    """Its command line; right after its start the system may not know it yet."""
    found = []
    wait_until(lambda: found.extend(psutil.Process(process.pid).cmdline()) or found)
    return found


class TestRunner:
    def test_it_is_a_process_of_its_own_that_outlives_this_one(self, records, options, program):
        records.add("queued")
        assert launcher.ensure_runner(records.path, options) == ""
        (process,) = started()
        assert os.getsid(process.pid) == process.pid != os.getsid(0)
        command = command_of(process)
        assert command[1] == str(launcher.ROOT / "jobs" / "run_queue.py")
        assert command[2:] == [f"--db={records.path}"]
        assert psutil.Process(process.pid).cwd() == str(options.roots.base)

    def test_it_gets_the_number_of_jobs_that_may_run(self, records, options, program):
        records.add("queued")
        launcher.ensure_runner(records.path, JobOptions(options.roots, max_jobs=3))
        (process,) = started()
        assert "--max_jobs=3" in command_of(process)

    def test_a_second_look_starts_no_second_one(self, records, options, program):
        records.add("queued")
        launcher.ensure_runner(records.path, options)
        before = started()
        launcher.ensure_runner(records.path, options)
        launcher.ensure_runner(records.path, options, at_once=True)
        assert started() == before

    def test_none_is_started_where_one_lives_that_somebody_else_started(
        self, records, options, program
    ):
        records.add("running", "run_queue")
        assert launcher.ensure_runner(records.path, options) == ""
        assert started() == []

    @pytest.mark.parametrize("may_start", [True, False])
    def test_none_is_started_without_need_or_leave(self, records, options, program, may_start):
        records.add("queued" if not may_start else "running")
        look = JobOptions(options.roots, may_start=may_start)
        assert launcher.ensure_runner(records.path, look) == ""
        assert started() == []

    def test_one_that_has_ended_is_replaced_and_leaves_no_zombie(self, records, options, program):
        records.add("queued")
        program("print('queue empty')")
        launcher.ensure_runner(records.path, options)
        wait_until(lambda: not started())
        children = psutil.Process().children()
        assert [each for each in children if each.status() == psutil.STATUS_ZOMBIE] == []
        assert launcher.log_path(records.path).read_text() == "queue empty\n"
        program(SLEEPER)
        assert launcher.ensure_runner(records.path, options) == ""
        assert len(started()) == 1

    def test_one_that_cannot_begin_is_not_started_over_and_over(self, records, options, program):
        records.add("queued")
        program("raise SystemExit(2)")
        launcher.ensure_runner(records.path, options)
        wait_until(lambda: not started())
        problem = launcher.ensure_runner(records.path, options)
        assert "exit code 2" in problem
        assert str(launcher.log_path(records.path)) in problem
        program(SLEEPER)
        assert launcher.ensure_runner(records.path, options, at_once=True) == ""
        assert len(started()) == 1


class TestEnqueue:
    def test_every_text_arrives_as_one_argument_and_unchanged(self, records, options, program):
        config = TrainConfig(**NEEDED["train"], db=records.path, run_name=AWKWARD)
        job = records.get(launcher.enqueue(records.path, config, options))
        assert f"--run_name={AWKWARD}" in job["arguments"]
        assert job["parameters"]["run_name"] == job["name"] == AWKWARD
        assert (job["state"], job["cwd"]) == ("queued", str(options.roots.base))
        assert job["output_dir"] == str(options.roots.base / "outputs" / "training")
        assert len(started()) == 1

    def test_a_second_job_on_the_folder_is_refused_with_the_first(self, records, options, program):
        config = TrainConfig(**NEEDED["train"], db=records.path, run_name="first")
        launcher.enqueue(records.path, config, options)
        with pytest.raises(OutputError, match=r"job 1 \(train, 'first'\)"):
            launcher.enqueue(records.path, config, options)
        assert records.states() == {1: "queued"}


class TestCommand:
    def test_a_shell_reads_from_it_exactly_what_the_job_was_given(self, records):
        job = records.get(records.add("done", run_name=AWKWARD))
        words = shlex.split(launcher.shell_command(job, records.folder))
        assert words[0] == "python"
        assert words[1] == str(launcher.ROOT / "jobs" / "train.py")
        assert words[2:] == job["arguments"]

    @pytest.mark.parametrize(
        "word", [AWKWARD, HOSTILE, "\u202e\x1b[31m'\\n\t", "caf\udce9", "\xa0", "", "é 🙈"]
    )
    def test_bash_reads_any_word_and_the_eye_sees_all_of_it(self, records, word):
        job = records.get(records.add("done"))
        command = launcher.shell_command(job, records.folder, ["--run_name=" + word])
        script = command.replace("python", "printf '%s\\0'", 1)
        shown = subprocess.run(["bash", "-c", script], capture_output=True, check=True)
        assert shown.stdout.split(b"\0")[1] == os.fsencode("--run_name=" + word)
        assert all(c.isprintable() or c == "\n" for c in command)

    def test_it_goes_where_the_job_works(self, records):
        elsewhere = records.folder / "it's there"
        elsewhere.mkdir()
        job = records.get(records.add("done", cwd=elsewhere))
        command = launcher.shell_command(job, records.folder)
        assert shlex.split(command)[:4] == ["cd", str(elsewhere), "&&", "python"]
        assert not launcher.shell_command(job, elsewhere).startswith("cd")

    def test_in_the_project_itself_it_is_as_in_the_documentation(self, records):
        job = records.get(records.add("done", cwd=launcher.ROOT))
        assert launcher.shell_command(job, launcher.ROOT).startswith("python jobs/train.py --")

    def test_that_which_resumes_says_so(self, records):
        job = records.get(records.add("interrupted"))
        words = launcher.arguments_to_resume(job)
        assert words == (*job["arguments"], "--resume")

    def test_captions_are_overwritten_only_where_they_are_the_jobs_own(self, records):
        begun = records.get(records.add("interrupted", "generate_captions"))
        assert "--overwrite" in launcher.arguments_to_resume(begun)
        settings = {"output_dir": Path("outputs/other"), "progress": None}
        refused = records.get(records.add("failed", "generate_captions", **settings))
        assert "--overwrite" not in launcher.arguments_to_resume(refused)


class TestResume:
    @pytest.mark.parametrize("state", launcher.RESUMABLE)
    def test_a_job_that_stopped_is_queued_again(self, records, options, program, state):
        job_id = records.add(state)
        launcher.resume(records.path, job_id, options)
        job = records.get(job_id)
        assert (job["state"], job["arguments"][-1]) == ("queued", "--resume")
        assert len(started()) == 1

    @pytest.mark.parametrize("state", ["queued", "running", "done"])
    def test_another_is_left_as_it_is(self, records, options, program, state):
        job_id = records.add(state)
        with pytest.raises(StoreError, match=f"job {job_id} is {state}"):
            launcher.resume(records.path, job_id, options)
        assert records.get(job_id)["state"] == state
        assert started() == []

    @pytest.mark.parametrize(
        "settings",
        [
            {"image_dir": Path("/srv/photos")},
            {"output_dir": Path("elsewhere")},
            {"model_name": "/srv/model.pt"},
            {"template_file": Path("../templates.txt")},
        ],
        ids=lambda each: next(iter(each)),
    )
    def test_files_outside_the_roots_are_refused(self, records, options, program, settings):
        job_id = records.add("interrupted", **settings)
        with pytest.raises(ConfigError, match=f"--{next(iter(settings))} is"):
            launcher.resume(records.path, job_id, options)
        assert records.get(job_id)["state"] == "interrupted"

    def test_paths_are_those_of_the_folder_where_it_was_started(self, records, options, program):
        elsewhere = records.folder / "elsewhere"
        elsewhere.mkdir()
        job_id = records.add("interrupted", cwd=elsewhere)
        with pytest.raises(ConfigError, match="outside"):
            launcher.resume(records.path, job_id, options)

    def test_a_hub_model_and_built_in_prompts_lie_nowhere(self, records, options, program):
        settings = {"model_name": "openai/clip-vit-base-patch32", "prompts": "paper"}
        candidates = Path("data/candidates.json")
        job_id = records.add("failed", "evaluate", candidates_file=candidates, **settings)
        launcher.resume(records.path, job_id, options)
        assert records.get(job_id)["state"] == "queued"


def test_cancel_ends_a_queued_job_and_asks_a_running_one(records, options, program):
    queued = records.add("queued")
    running = records.add("running", output_dir=Path("outputs/b"))
    launcher.cancel(records.path, queued, options)
    assert started() == []
    launcher.cancel(records.path, running, options)
    assert len(started()) == 1  # it ends the job by force if need be
    assert records.states() == {queued: "cancelled", running: "running"}
    assert records.get(running)["cancel_requested_at"] is not None
    with pytest.raises(StoreError, match="nothing to cancel"):
        launcher.cancel(records.path, queued, options)


DASHBOARD = """
import sys, time
from pathlib import Path
from dashboard.views.jobs import launcher
from dashboard.views.jobs.allowed_paths import JobOptions, Roots
from streetclip.config import CaptionConfig

folder = Path(sys.argv[1])
config = CaptionConfig(
    test_csv=folder / "t.csv", output_dir=folder / "captions", db=folder / "s.db"
)
launcher.enqueue(folder / "s.db", config, JobOptions(Roots((folder,), folder)))
print("queued", flush=True)
time.sleep(60)
"""


def test_a_job_goes_on_when_the_dashboard_is_killed(tmp_path):
    (tmp_path / "t.csv").write_text(
        "image_filename,city,region,country,continent\na.jpg,Paris,,France,Europe\n"
    )
    dashboard = subprocess.Popen(
        [sys.executable, "-c", DASHBOARD, str(tmp_path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    with dashboard:
        assert dashboard.stdout.readline() == b"queued\n"
        os.killpg(dashboard.pid, signal.SIGKILL)
    deadline = time.monotonic() + 60
    with open_store(tmp_path / "s.db") as store:
        while get_job(store, 1)["state"] in ("queued", "running"):
            assert time.monotonic() < deadline
            time.sleep(0.1)
        assert get_job(store, 1)["state"] == "done"
    assert "Paris" in (tmp_path / "captions" / "test_captions.csv").read_text()
