"""The Jobs page shows every state of a job, checks its forms, and draws any text as text."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from sqlite_utils import Migrations

from dashboard.views.jobs import launcher
from streetclip.process_identity import ProcessId, current_process
from streetclip.runtime import JOB_STATES, JobProgress, end_job, register_job, request_cancel
from streetclip.store import TrainingSpec, open_store, schema, start_training
from tests.dashboard.job_records import Records
from tests.dashboard.pages import open_page_of, text_of
from tests.dashboard.worlds import HOSTILE, World

AWKWARD = 'it\'s "quoted"; $(rm) `x`\nnext line'


@pytest.fixture
def records(tmp_path):
    return Records(tmp_path)


@pytest.fixture
def started(monkeypatch):
    """The stores for which a runner would have been started."""
    stores = []

    def start_unless_alive(path, options, *, at_once):
        stores.append(path)
        return ""

    monkeypatch.setattr(launcher, "_start_unless_alive", start_unless_alive)
    return stores


@pytest.fixture
def open_jobs(monkeypatch, records, started):
    monkeypatch.chdir(records.folder)
    opener = open_page_of(monkeypatch)

    def run(arguments=(), **parameters):
        return opener(records.path, "jobs", arguments, **parameters)

    return run


def fill(page, **texts):
    for key, text in texts.items():
        page.text_input(key=f"job_train_{key}").set_value(text)


def start_train(page, **texts):
    """Fill the form of a training and send it."""
    given = {"train_csv": "data/train.csv", "val_csv": "data/val.csv", "image_dir": "data/images"}
    fill(page, **(given | texts))
    return page.button(key="job_start").click().run()


def labels(page):
    return [each.label for each in page.button]


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


class TestForm:
    def test_a_training_is_queued_with_exactly_what_was_typed(self, open_jobs, records, started):
        page = open_jobs(form="train")
        page = start_train(page, run_name=AWKWARD, learning_rate="1e-3", num_epochs="3")
        assert not page.exception
        job = records.get(1)
        assert (job["kind"], job["state"], job["name"]) == ("train", "queued", AWKWARD)
        assert sorted(job["arguments"]) == sorted(
            [
                f"--db={records.path}",
                f"--run_name={AWKWARD}",
                "--train_csv=data/train.csv",
                "--val_csv=data/val.csv",
                "--image_dir=data/images",
                "--learning_rate=0.001",
                "--num_epochs=3",
            ]
        )
        assert job["cwd"] == str(records.folder)
        assert page.query_params["job"] == "1"
        assert "queued" in text_of(page)
        assert started

    @pytest.mark.parametrize(
        ("name", "value", "why"),
        [
            ("batch_size", "1", "--batch_size is 1; expected at least 2."),
            ("num_epochs", "ten", "expected a whole number"),
            ("train_csv", "data/gone.csv", "no file is there (any more)"),
            ("image_dir", "/etc", "lies outside"),
            ("output_dir", "../x", "leads upwards"),
            ("model_name", "data/../../x.pt", "leads upwards"),
        ],
    )
    def test_a_bad_value_starts_nothing_and_is_reported(self, open_jobs, records, name, value, why):
        page = start_train(open_jobs(form="train"), **{name: value})
        assert not page.exception
        assert why in text_of(page)
        assert "Not started" in text_of(page)
        assert not records.path.exists()
        fill(page, **{name: "data/train.csv"})
        assert why not in text_of(page.run())

    def test_a_file_that_vanished_since_it_was_chosen_is_reported(self, open_jobs, records):
        page = open_jobs(form="train")
        fill(page, train_csv="data/train.csv")
        page.run()
        (records.folder / "data" / "train.csv").unlink()
        page = start_train(page)
        assert "'data/train.csv': no file is there (any more)" in text_of(page)

    def test_a_second_job_on_a_folder_is_refused_with_the_first(self, open_jobs, records):
        records.add("running", run_name="the first", output_dir=Path("outputs/t"))
        page = start_train(open_jobs(form="train"), output_dir="outputs/t")
        assert "job 1 (train, 'the first') is running there" in text_of(page)
        assert records.states() == {1: "running"}

    def test_what_is_typed_survives_a_look_at_another_form(self, open_jobs):
        page = open_jobs(form="train")
        fill(page, run_name="kept")
        page.run()
        page.button_group(key="own_form").set_value("evaluate").run()
        page.button_group(key="own_form").set_value("train").run()
        assert page.text_input(key="job_train_run_name").value == "kept"

    def test_a_recipe_fills_the_form_in_and_can_be_changed_after(self, open_jobs, records):
        page = open_jobs(form="train")
        fill(page, beta2="0.5", run_name="kept", gradient_accumulation_steps="7")
        page = page.selectbox(key="job_train_recipe").set_value("demo").run()
        assert not page.exception
        assert page.text_input(key="job_train_learning_rate").value == "0.001"
        page = page.selectbox(key="job_train_recipe").set_value("lora").run()
        assert page.selectbox(key="job_train_train_parts").value == "lora"
        assert page.text_input(key="job_train_beta2").value == "0.98"
        start_train(page, lora_rank="3")
        sent = records.get(1)["arguments"]
        expected = {"--run_name=kept", "--train_parts=lora", "--lora_rank=3", "--weight_decay=0.0"}
        expected |= {"--gradient_checkpointing", "--gradient_accumulation_steps=16"}
        assert expected <= set(sent)
        assert not [each for each in sent if each.startswith("--beta2")]

    def test_a_job_without_recipes_offers_none(self, open_jobs):
        keys = [each.key for each in open_jobs(form="evaluate").selectbox]
        assert "job_evaluate_recipe" not in keys

    def test_a_wrong_setting_opens_its_group_alone(self, open_jobs):
        def opened(page):
            return [each.label for each in page.expander if each.proto.expanded]

        page = open_jobs(form="train")
        before = opened(page)
        page = start_train(page, lora_rank="0")
        assert [label for label in opened(page) if label not in before] == [
            "Which parts of the model learn"
        ]

    def test_an_existing_output_folder_is_not_proposed(self, open_jobs, records):
        (records.folder / "outputs" / "training").mkdir(parents=True)
        page = open_jobs(form="train")
        assert page.text_input(key="job_train_output_dir").value == "outputs/training_2"

    def test_run_again_fills_the_form_with_all_settings(self, open_jobs, records):
        job_id = records.add("failed", run_name=HOSTILE, num_epochs=7)
        page = open_jobs(job=str(job_id))
        page = page.button(key="job_again").click().run()
        assert page.query_params["again"] == str(job_id)
        assert page.text_input(key="job_train_run_name").value == HOSTILE
        assert page.text_input(key="job_train_num_epochs").value == "7"
        page = page.button(key="job_start").click().run()
        assert records.get(2)["arguments"] == records.get(1)["arguments"]
        assert "again" not in page.query_params

    def test_a_done_training_leads_to_its_evaluation(self, open_jobs, records):
        job_id = records.add("done", output_dir=Path("outputs/t"))
        (records.folder / "outputs" / "t").mkdir(exist_ok=True)
        (records.folder / "outputs" / "t" / "best_model.pt").touch()
        page = open_jobs(job=str(job_id)).button(key="job_next").click().run()
        value = page.text_input(key="job_evaluate_checkpoint_path").value
        assert value == "outputs/t/best_model.pt"

    def test_the_browser_walks_to_a_file_and_writes_it_into_the_field(self, open_jobs):
        page = open_jobs(form="train")
        page = page.button(key="job_train_val_csv_browse").click().run()
        page = page.button(key="browser_up_0").click().run()
        page = page.button(key="browser_root_0").click().run()
        assert "val\\.csv" in labels(page)
        (choice,) = (each for each in page.button if each.label == "val\\.csv")
        page = choice.click().run()
        assert not page.exception
        assert page.text_input(key="job_train_val_csv").value == "data/val.csv"


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

    def test_no_jobs_shows_everything_and_starts_nothing(self, open_jobs, records, started):
        failed = records.add("failed")
        records.add("queued", output_dir=Path("outputs/q"))
        for page in (open_jobs(["--no_jobs"]), open_jobs(["--no_jobs"], job=str(failed))):
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
