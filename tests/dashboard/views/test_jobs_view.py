"""The Jobs page shows every state of a job, checks its forms, and draws any text as text."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from sqlite_utils import Migrations

from dashboard.queries import run_queries
from dashboard.shell import rights
from dashboard.shell.rights import Right
from dashboard.views.jobs import launcher
from streetclip.process_identity import ProcessId, current_process
from streetclip.runtime import JOB_STATES, JobProgress, end_job, register_job, request_cancel
from streetclip.store import TrainingSpec, open_store, schema, start_training
from tests.dashboard.job_records import labels
from tests.dashboard.pages import text_of
from tests.dashboard.worlds import HOSTILE, World


class TestStates:
    def test_without_a_store_it_offers_the_forms_and_makes_no_file(self, open_jobs, records):
        page = open_jobs()
        assert not page.exception
        assert "No jobs running or queued." in text_of(page)
        assert "No job yet" in text_of(page)
        assert "Start: generate captions" in labels(page)
        assert not records.path.exists()

    @pytest.mark.parametrize("state", JOB_STATES)
    def test_a_job_is_shown_in_its_state(self, open_jobs, records, state):
        error = "it fell over" if state == "failed" else None
        job_id = records.add(state, error=error, run_name="my run")
        for page in (open_jobs(), open_jobs(job=str(job_id))):
            assert not page.exception
        text = text_of(page)
        assert f"Job {job_id} · Train · \u2068my run\u2069 · {state}" in text
        assert ("it fell over" in text) == (state == "failed")
        assert ("Cancel" in labels(page)) == (state in ("queued", "running"))
        assert ("Resume" in labels(page)) == (state in launcher.RESUMABLE)
        assert ("Run again with changes" in labels(page)) == (state not in ("queued", "running"))
        assert "--output_dir=outputs/train" in text

    def test_a_running_job_has_a_bar_with_rate_and_time_left(self, open_jobs, records):
        records.add("running")
        (bar,) = open_jobs().get("progress")
        assert bar.proto.value == 25
        text = bar.proto.text.replace("\\", "").replace("\u2060", "").replace("\u00a0", " ")
        assert text == "train: 30 of 120 steps · 2 steps/s · 45 s left"
        assert "loss 1.25" in text_of(open_jobs())

    @pytest.mark.parametrize(
        "progress",
        [
            None,
            JobProgress("", "", 0, 0, None),
            JobProgress("t", "u", 5, 3, 1.0),
            JobProgress("t", "u", -5, 3, 1e-300),
            JobProgress(HOSTILE, HOSTILE, 10**15, 10**18, 1e300, {HOSTILE: 1e300, "": -0.0}),
        ],
    )
    def test_any_progress_is_survived(self, open_jobs, records, progress):
        job_id = records.add("running", progress=progress)
        assert not open_jobs().exception
        assert not open_jobs(job=str(job_id)).exception

    def test_a_job_asked_to_end_is_stopping(self, open_jobs, records):
        job_id = records.add("running")
        page = open_jobs()
        page = page.button(key=f"job_cancel_{job_id}").click().run()
        assert "stopping…" in text_of(page)
        assert page.button(key=f"job_cancel_{job_id}").disabled
        assert records.get(job_id)["cancel_requested_at"] is not None

    def test_a_queued_job_shows_how_many_are_ahead(self, open_jobs, records):
        first, second, third = (
            records.add("queued", output_dir=Path(f"outputs/{i}")) for i in range(3)
        )
        assert "2 jobs ahead." in text_of(open_jobs(job=str(third)))
        page = open_jobs()
        page.button(key=f"job_cancel_{first}").click().run()
        assert records.states() == {first: "cancelled", second: "queued", third: "queued"}

    def test_a_job_behind_more_than_are_listed_is_shown(self, open_jobs, records, monkeypatch):
        first, *_ = (records.add("queued", output_dir=Path(f"outputs/{i}")) for i in range(2))
        monkeypatch.setattr(run_queries, "_MOST_LIVE_JOBS", 1)  # the newest
        page = open_jobs(job=str(first))
        assert not page.exception
        assert "queued" in text_of(page)

    def test_a_dead_job_is_found_interrupted_at_the_first_look(self, open_jobs, records):
        with open_store(records.path) as store:
            gone = ProcessId(current_process().host, 1, 5.0)
            register_job(store, records.spec(), gone)
        page = open_jobs(job="1")
        assert "interrupted" in text_of(page)
        assert "ended without an error message" in text_of(page)
        assert "Resume" in labels(page)

    def test_a_runner_is_seen_to_only_while_something_is_queued(self, open_jobs, records, started):
        records.add("running")
        open_jobs()
        assert started == []
        records.add("queued", output_dir=Path("outputs/b"))
        open_jobs()
        assert started == [records.path]

    def test_the_runner_itself_is_no_job_of_the_list(self, open_jobs, records):
        records.add("running", "run_queue")
        page = open_jobs()
        assert "No jobs running" in text_of(page)
        assert page.get("progress") == []

    def test_a_log_is_shown_as_text(self, open_jobs, records):
        job_id = records.add("running")
        records.log(job_id, "\x1b[31mINFO <b>model</b>\x1b[0m\n1%\r99%\n")
        for page in (open_jobs(), open_jobs(job=str(job_id))):
            assert "INFO <b>model</b> 99%" in text_of(page)


class TestActions:
    def test_resume_queues_the_job_again(self, open_jobs, records, started):
        job_id = records.add("interrupted")
        page = open_jobs(job=str(job_id)).button(key="job_resume").click().run()
        assert records.get(job_id)["state"] == "queued"
        assert records.get(job_id)["arguments"][-1] == "--resume"
        assert "queued" in text_of(page)
        assert started

    def test_a_job_outside_the_roots_shows_the_command_instead(self, open_jobs, records):
        job_id = records.add("interrupted", image_dir=Path("/srv/it's"))
        page = open_jobs(job=str(job_id))
        assert page.button(key="job_resume").disabled
        assert "Cannot be resumed from here" in text_of(page)
        commands = [each.value for each in page.code if each.value.startswith("python")]
        assert len(commands) == 2
        assert commands[0] == f"{commands[1]} --resume"

    def test_an_action_that_fails_is_reported(self, open_jobs, records):
        job_id = records.add("interrupted")
        page = open_jobs(job=str(job_id))
        records.add("running")  # into the same folder, by somebody else
        page = page.button(key="job_resume").click().run()
        assert not page.exception
        assert "Not done" in text_of(page)
        assert "job 2 (train) is running there" in text_of(page)

    def test_a_job_leads_to_its_runs_and_trainings(self, open_jobs, records):
        job_id = records.add("running")
        spec = TrainingSpec(
            name="t", model_source="m", train_csv="a", val_csv="b", output_dir="c", config={}
        )
        world = World(records.path.parent, num_images=20, with_files=False)
        run = world.add_run()
        with open_store(records.path) as store:
            training = start_training(store, spec, job_id=job_id)
            with store.transaction():
                store.rows("UPDATE runs SET job_id = ?", (job_id,))
        page = open_jobs(job=str(job_id))
        assert not page.exception
        links = [each.proto for each in page.main.get("page_link")]
        words = [f"Run {run} on Overview", f"Training {training}"]
        assert [link.label for link in links] == words
        assert f"run={run}" in links[0].query_string
        assert f"training={training}" in links[1].query_string

    @pytest.mark.parametrize(
        ("words", "right"),
        [
            (["--no_jobs"], Right.RUN_JOBS),
            (["--read_only"], Right.RUN_JOBS),
            ([], Right.ANNOTATE),
            ([], Right.LOOK),
        ],
    )
    def test_without_the_right_everything_is_shown_and_nothing_starts(
        self, open_jobs, records, started, monkeypatch, words, right
    ):
        monkeypatch.setattr(rights, "right_of_visitor", lambda: right)
        failed = records.add("failed")
        records.add("queued", output_dir=Path("outputs/q"))
        for page in (open_jobs(words), open_jobs(words, job=str(failed))):
            assert not page.exception
            assert not {"Cancel", "Resume", "Run again with changes"} & set(labels(page))
            assert not [each for each in labels(page) if each.startswith("Start")]
        assert started == []


class TestHistory:
    def test_it_is_filtered_by_kind_and_state(self, open_jobs, records):
        records.add("done")
        records.add("failed", output_dir=Path("outputs/b"))
        records.add("failed", "evaluate")
        page = open_jobs(kind="train", state="failed")
        assert page.dataframe[0].value["job"].tolist() == [2]
        assert open_jobs(kind="train").dataframe[0].value["job"].tolist() == [2, 1]
        assert "No job matches" in text_of(open_jobs(state="interrupted"))

    def test_it_is_paged_newest_first(self, open_jobs, records):
        for _ in range(28):
            records.add("done")
        page = open_jobs()
        assert page.dataframe[0].value["job"].tolist() == list(range(28, 3, -1))
        page = page.button(key="job_older").click().run()
        assert page.dataframe[0].value["job"].tolist() == [3, 2, 1]
        assert page.button(key="job_older").disabled

    def test_a_row_says_why_and_how_long(self, open_jobs, records):
        records.add("failed", error="disk full")
        (row,) = open_jobs().dataframe[0].value.to_dict("records")
        assert (row["kind"], row["state"], row["attempt"]) == ("Train", "failed", 1)
        assert (row["duration"].replace("\u00a0", " "), row["error"]) == ("0 s", "disk full")


class TestBadInput:
    @pytest.mark.parametrize("name", ["job", "again", "after"])
    @pytest.mark.parametrize("value", ["99", "x", HOSTILE, "-1", "9" * 30])
    def test_a_link_to_no_job_is_reported_and_left_out(self, open_jobs, records, name, value):
        records.add("done")
        page = open_jobs(**{name: value})
        assert not page.exception
        assert "A part of the link was left out" in text_of(page)
        assert "Start a job" in text_of(page)

    @pytest.mark.parametrize(
        "parameters",
        [
            {"form": HOSTILE},
            {"kind": HOSTILE, "state": "asleep"},
            {"page": "9" * 17},
            {"page": HOSTILE},
            {"run": "77", "baseline": "x", "country": HOSTILE},
        ],
        ids=lambda each: next(iter(each)),
    )
    def test_a_parameter_that_fits_nothing_is_survived(self, open_jobs, records, parameters):
        records.add("done")
        page = open_jobs(**parameters)
        assert not page.exception
        assert "Start: generate captions" in labels(page)

    @pytest.mark.parametrize("state", ["queued", "running", "failed"])
    def test_hostile_texts_are_drawn_as_texts(self, open_jobs, records, state):
        hostile = {"run_name": HOSTILE, "device": HOSTILE, "output_dir": Path(f"outputs/{HOSTILE}")}
        job_id = records.add(state, error=HOSTILE, outputs=[HOSTILE], **hostile)
        records.log(job_id, HOSTILE)
        for page in (open_jobs(), open_jobs(job=str(job_id)), open_jobs(again=str(job_id))):
            assert not page.exception
            for kind in ("markdown", "caption", "header", "subheader", "title"):
                assert not [each for each in page.get(kind) if "evil" in each.value]
            drawn = [each.proto.body for each in page.main if each.type == "html"]
            assert not [body for body in drawn if "<img" in body]

    def test_halves_of_surrogate_pairs_are_survived(self, open_jobs, records):
        job_id = records.add("failed", run_name="half \ud800 pair", outputs=["\udcff"])
        for page in (open_jobs(), open_jobs(job=str(job_id)), open_jobs(again=str(job_id))):
            assert not page.exception

    def test_a_kind_of_another_version_is_shown_and_not_resumed(self, open_jobs, records):
        job_id = records.add("failed")
        with closing(sqlite3.connect(records.path)) as other:
            other.execute("UPDATE jobs SET kind = 'dream'")
            other.commit()
        page = open_jobs(job=str(job_id))
        assert not page.exception
        assert "Dream" in text_of(page)
        assert page.button(key="job_resume").disabled
        assert not open_jobs(again=str(job_id)).exception

    def test_an_older_store_is_migrated_at_the_first_look(self, open_jobs, records, monkeypatch):
        with monkeypatch.context() as patch:
            migrations = Migrations("streetclip")
            for name in ("m001_images_runs_and_trainings", "m002_columns_and_annotations"):
                migrations(name=name)(getattr(schema, name))
            patch.setattr(schema, "MIGRATIONS", migrations)
            open_store(records.path).close()
        page = open_jobs()
        assert not page.exception
        assert "No job yet" in text_of(page)

    def test_another_programs_database_is_refused_in_words(self, open_jobs, records):
        records.path.parent.mkdir(exist_ok=True)
        with closing(sqlite3.connect(records.path)) as other:
            other.execute("CREATE TABLE runs (id)")
            other.commit()
        page = open_jobs()
        assert not page.exception
        assert "another program" in text_of(page)

    def test_a_store_deleted_while_the_page_is_open_is_survived(self, open_jobs, records):
        records.add("done")
        page = open_jobs()
        shutil.rmtree(records.path.parent)
        page = page.run()
        assert not page.exception
        assert "No job yet" in text_of(page)

    @pytest.mark.parametrize("arguments", [["--root", "/no/such"], ["--max_jobs", "0"]])
    def test_a_bad_start_option_is_reported_on_the_page(self, open_jobs, arguments):
        page = open_jobs(arguments)
        assert not page.exception
        assert arguments[0] in text_of(page)


def test_cancelling_a_job_that_has_ended_is_reported(open_jobs, records):
    job_id = records.add("running")
    page = open_jobs()
    with open_store(records.path) as store:
        request_cancel(store, job_id)
        end_job(store, job_id, 1, "cancelled")
    page = page.button(key=f"job_cancel_{job_id}").click().run()
    assert not page.exception
    assert "is cancelled already" in text_of(page)


class TestForeignJobs:
    @pytest.fixture
    def foreign(self, records, monkeypatch):
        with monkeypatch.context() as theirs:
            theirs.setenv("STREETCLIP_STATE_DIR", str(records.folder / "theirs"))
            return records.add("queued", "generate_captions")

    def test_a_visit_starts_no_runner_for_them(self, open_jobs, records, foreign, started):
        before = records.get(foreign)
        for page in (open_jobs(), open_jobs(job=str(foreign))):
            assert not page.exception
            assert "queued elsewhere, not run here" in text_of(page)
            assert "Queue here with the form" in labels(page)
        assert started == []
        assert records.get(foreign) == before

    def test_a_visit_starts_no_runner_for_one_that_is_asked_to_end(
        self, open_jobs, records, started, monkeypatch
    ):
        with monkeypatch.context() as theirs:
            theirs.setenv("STREETCLIP_STATE_DIR", str(records.folder / "theirs"))
            job_id = records.add("running")
        with open_store(records.path) as store:
            request_cancel(store, job_id)
        assert not open_jobs().exception
        assert started == []

    @pytest.mark.parametrize(
        "changes",
        [
            {"numbers": '{"loss": 1' + "0" * 400 + ', "b": [], "c": 1e999}'},
            {"arguments": "[1, null, {}]", "outputs": "[[], 2]"},
            {"arguments": "[" * 900 + "]" * 900},
        ],
    )
    @pytest.mark.parametrize("state", ["running", "failed"])
    def test_odd_json_in_their_records_is_shown_as_text(self, open_jobs, records, changes, state):
        job_id = records.add(state)
        with open_store(records.path) as store, store.transaction():
            store.update("jobs", job_id, changes)
        for page in (open_jobs(), open_jobs(job=str(job_id))):
            assert not page.exception

    def test_they_are_queued_here_with_the_form(self, open_jobs, records, foreign, started):
        page = open_jobs().button(key=f"job_here_{foreign}").click().run()
        csv = page.text_input(key="job_generate_captions_train_csv")
        assert csv.value == "data/train.csv"
        page.text_input(key="job_generate_captions_output_dir").set_value("outputs/mine")
        page.button(key="job_start").click().run()
        assert records.states() == {foreign: "queued", foreign + 1: "queued"}
        assert records.get(foreign + 1)["runs_here"]
        assert set(started) == {records.path}

    def test_without_leave_to_start_jobs_they_are_only_shown(self, open_jobs, foreign):
        page = open_jobs(["--no_jobs"])
        assert "queued elsewhere, not run here" in text_of(page)
        assert "Queue here with the form" not in labels(page)
